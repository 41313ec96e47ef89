"""Hand-over: holders get slots, receivers take them over for whoever pays. Fast, slow, or by editing the patient.

Fast: within seconds, the same pairs again and again. Slow: minutes later, in the small hours, in ever new pairs.
Edited: nothing is returned at all; the name behind the booking becomes another one.
"""

from shouhao.kernel.clock import SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.chance import around, soon
from shouhao.lab.scalping.desk import Booking
from shouhao.lab.scalping.gangs.gang import (
    Gang,
    Won,
    cover,
    days_of_work,
    hand_over,
    let_lie,
    rewrite,
    seize,
    show_face_perhaps,
)
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.population import characterise
from shouhao.lab.scalping.visits import arrive, latency, view

_HOLDERS, _RECEIVERS, _EDITORS = 7, 5, 8
_SOLD = 0.9


def plan_quick(gang: Gang) -> None:
    """Pairs that know each other."""
    holders, receivers = _recruit(gang, ("repeated_pairs", "quick_handover"))
    pair = {one.number: receivers[n % len(receivers)] for n, one in enumerate(holders)}
    _work(
        gang,
        holders,
        lambda account, booking, now: hand_over(
            gang, account, booking, now, receiver=pair[account.number], gap_s=(1.6, 0.6)
        ),
        reacts_s=0.22,
    )


def plan_slow(gang: Gang) -> None:
    """Minutes apart, at night more often than not, never the same two if it can be helped."""
    holders, receivers = _recruit(gang, ("slow_handover",))
    turn = 0

    def won(account: Account, booking: Booking, now: int) -> None:
        nonlocal turn
        turn += 1
        hand_over(
            gang,
            account,
            booking,
            now,
            receiver=receivers[turn % len(receivers)],
            gap_s=(420.0, 0.6),
            at_night=gang.rng.random() < 0.6,  # noqa: PLR2004 - more often than not
        )

    _work(gang, holders, won, reacts_s=0.45)


def plan_edited(gang: Gang) -> None:
    """Nothing is returned: the patient is edited."""
    editors = [gang.recruit("editor", traces=("edited_patient",)) for _ in range(gang.size(_EDITORS))]
    for account in editors:
        characterise(gang.world, account)
        cover(gang, account, looks=2)
    _work(gang, editors, lambda account, booking, now: rewrite(gang, account, booking, now), reacts_s=0.4)


def _recruit(gang: Gang, traces: tuple[str, ...]) -> tuple[list[Account], list[Account]]:
    holders = [gang.recruit("holder", traces=traces) for _ in range(gang.size(_HOLDERS))]
    receivers = [gang.recruit("receiver", traces=traces) for _ in range(gang.size(_RECEIVERS))]
    for account in (*holders, *receivers):
        characterise(gang.world, account)
        cover(gang, account, looks=gang.rng.randint(0, 3))
    return holders, receivers


def _work(gang: Gang, accounts: list[Account], sell: Won, *, reacts_s: float) -> None:
    """Be at releases on most days; what is not sold lies."""

    def won(account: Account, booking: Booking, now: int) -> None:
        if gang.rng.random() < _SOLD:
            sell(account, booking, now)
        else:
            let_lie(gang, account, booking, now)

    for day in days_of_work(gang, 0.8):
        targets = gang.targets(day)
        for n, account in enumerate(gang.rng.sample(accounts, len(accounts) * 3 // 4)):
            if targets:
                start = n % len(targets)
                together = [s for s in targets if s.released_us == targets[start].released_us]
                wishes = [targets[start], *(s for s in together if s is not targets[start])]
                _at_release(gang, account, wishes[:2], reacts_s=reacts_s, won=won)


def _at_release(gang: Gang, account: Account, wishes: list[Session], *, reacts_s: float, won: Won) -> None:
    world, rng, session = gang.world, gang.rng, wishes[0]
    at_us = session.released_us - round(rng.uniform(40, 400) * SECOND_US)

    def comes(now: int) -> None:
        client = arrive(world, rng, account, now, pages=5)
        view(world, client, now + soon(rng, 9), session)
        show_face_perhaps(gang, client, account.patients[0], session.released_us, now)
        seize(
            gang,
            account,
            account.patients[0],
            wishes,
            client=client,
            at_us=session.released_us + round(around(rng, reacts_s, 0.35) * SECOND_US),
            step_s=0.5,
            waited=latency(rng, reacts_s),
            won=won,
        )

    if at_us > world.start_us:
        world.at(at_us, comes)
