"""Crude script: a tool off the shelf, as in the reports from Wuhan and Ningbo.

A hundred requests a second from the exact second on, polls every five seconds before that, one sign-in behind a list
of hired proxies, and the user agent of a phone of 2014. Three patients were bound to each account at one in the night.
Half of what it gets is ordered before, half is handed over within seconds.
"""

from shouhao.kernel.clock import MINUTE_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.chance import around, soon
from shouhao.lab.scalping.desk import Booking
from shouhao.lab.scalping.gangs.gang import Gang, days_of_work, hand_over, seize, sold_before
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.pages import booking_attempts, session_page
from shouhao.lab.scalping.phones import STALE_WECHAT
from shouhao.lab.scalping.record import METRONOME, NONE
from shouhao.lab.scalping.visits import arrive, bind

_ACCOUNTS, _PROXIES, _BLOCKS = 8, 60, 6
_PATIENTS = 3
_TOGETHER_A_SECOND = 100
_LASTS_S = 20
_POLL_S = 5.0
_TRACES = ("burst", "exact_second", "rotation", "stale_agent", "night_binding", "quick_handover")


def plan(gang: Gang) -> None:
    """Bind at night, attack on most days."""
    accounts = [gang.recruit("runner", traces=_TRACES, channel="wechat") for _ in range(gang.size(_ACCOUNTS))]
    proxies = gang.world.net.data_centre(_PROXIES, blocks=_BLOCKS)
    for account in accounts:
        account.patients = [gang.customer() for _ in range(_PATIENTS)]
        day = gang.rng.randrange(2)
        _bind_at_night(gang, account, gang.world.moment(day, gang.rng.uniform(0.8, 1.6)))
    for day in days_of_work(gang, 0.7):
        targets = gang.targets(day)
        together = [s for s in targets if s.released_us == targets[0].released_us]
        for n, account in enumerate(accounts):
            if together:
                _attack(gang, account, together[n % len(together)], proxies)


def _bind_at_night(gang: Gang, account: Account, at_us: int) -> None:
    def act(now: int) -> None:
        client = arrive(gang.world, gang.rng, account, now, pages=2)
        for n, patient in enumerate(account.patients):
            bind(gang.world, client, now + (5 + 9 * n) * SECOND_US + gang.rng.randrange(4 * SECOND_US), patient)

    gang.world.at(at_us, act)


def _attack(gang: Gang, account: Account, session: Session, proxies: list[str]) -> None:
    world, rng = gang.world, gang.rng
    begins_us = session.released_us - round(rng.uniform(2, 9) * MINUTE_US)
    if begins_us < world.start_us or begins_us >= world.end_us:
        return
    device, token = account.phones[0].id, world.record.tokens.add(world.ids.new("t"))
    clients = [
        world.record.client("wechat", account=account.number, device=device, token=token, ip=ip, agent=STALE_WECHAT)
        for ip in proxies
    ]
    world.record.event(begins_us, "logged_in", clients[0])
    pages = session_page("wechat", world.hospital.session_ids[session.number])
    polls = max(1, round((session.released_us - begins_us) / SECOND_US / _POLL_S))
    world.record.train(
        begins_us + soon(rng, 1),
        polls,
        gap_s=_POLL_S,
        client=clients[0],
        clients=len(clients),
        pages=pages,
        style=METRONOME,
        spread=0.02,
    )
    every_s = len(gang.accounts) / _TOGETHER_A_SECOND
    patient = rng.choice(account.patients)
    world.record.train(
        session.released_us + rng.randrange(4_000, 25_000),
        round(_LASTS_S / every_s),
        gap_s=every_s,
        client=clients[0],
        clients=len(clients),
        pages=booking_attempts("wechat", refused=0.25),
        style=METRONOME,
        spread=0.004,
        session=session.number,
        patient=patient,
    )
    seize(
        gang,
        account,
        patient,
        [session],
        client=rng.choice(clients),
        at_us=session.released_us + rng.randrange(25_000, 110_000),
        step_s=0.05,
        waited=round(around(rng, 0.02, 0.5) * 10_000) if rng.random() < 0.5 else NONE,  # noqa: PLR2004 - or not sent
        won=lambda won, booking, now: _won(gang, won, booking, now),
    )


def _won(gang: Gang, account: Account, booking: Booking, now_us: int) -> None:
    if gang.rng.random() < 0.5:  # noqa: PLR2004 - half was ordered before
        sold_before(gang, account, booking, now_us)
        return
    others = [other for other in gang.accounts if other is not account]
    hand_over(gang, account, booking, now_us, receiver=gang.rng.choice(others), gap_s=(1.1, 0.5))
