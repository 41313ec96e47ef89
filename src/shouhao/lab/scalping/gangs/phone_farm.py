"""Phone farm: a shelf of phones of one model from one batch, tapped at once by a box, on two lines.

Each phone is real and each account has a person's name. What they share is the beginning of their ids, the rhythm, the
addresses, and the customers: each is bound to two or three accounts, so that one of them gets through.
"""

from shouhao.kernel.clock import HOUR_US, MINUTE_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.chance import soon
from shouhao.lab.scalping.gangs.gang import Gang, cover, days_of_work, seize, show_face_perhaps, sold_before
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.pages import session_page
from shouhao.lab.scalping.phones import Phone
from shouhao.lab.scalping.record import METRONOME
from shouhao.lab.scalping.visits import arrive, bind

_PHONES, _ACCOUNTS_A_PHONE = 9, 2
_LINES = 2
_TRACES = ("shared_device", "one_model", "one_rhythm", "shared_address", "shared_patients")


def plan(gang: Gang) -> None:
    """Set the shelf up, then have it tap at releases."""
    world, rng = gang.world, gang.rng
    model = world.shop.model()
    batch = world.shop.device_id(model, old_app=True)[:11]  # the model's digits and three of the serial number
    lines = [world.net.home() for _ in range(_LINES)]
    for n in range(gang.size(_PHONES)):
        made = world.shop.phone(model=model, old_app=True)
        phone = Phone(
            id=f"{batch}{rng.randrange(10**4):04d}", model=model, app=made.app, wechat=made.wechat, web=made.web
        )
        for _ in range(_ACCOUNTS_A_PHONE):
            account = gang.recruit("farm", traces=_TRACES, phone=phone, channel="app")
            account.home = lines[n % _LINES]
            account.traits.add("home_only")
            cover(gang, account, looks=rng.randint(0, 2))
    for day in days_of_work(gang, 0.75):
        targets = gang.targets(day)
        if targets:
            _tap(gang, [s for s in targets if s.released_us == targets[0].released_us])


def _tap(gang: Gang, sessions: list[Session]) -> None:
    """One box for all: the same rhythm, the same delay, a few hundredths of a second apart."""
    world, rng = gang.world, gang.rng
    release_us = sessions[0].released_us
    begins_us = release_us - 150 * SECOND_US - rng.randrange(90 * SECOND_US)
    if begins_us < world.start_us:
        return
    beat_s, delay_us = rng.uniform(1.2, 2.6), round(rng.uniform(0.16, 0.4) * SECOND_US)
    awake = {account.phones[0].id: account for account in rng.sample(gang.accounts, len(gang.accounts))}
    customers: list[int] = []
    for n, phone_id in enumerate(sorted(awake)):
        account, at_us = awake[phone_id], begins_us + n * 1_100_000 + rng.randrange(300_000)
        if n % 2 == 0 or not customers:
            customers.append(gang.customer())
        wishes = [sessions[n % len(sessions)], *(s for s in sessions if s is not sessions[n % len(sessions)])][:2]
        _one_phone(gang, account, customers[-1], wishes, at_us, beat_s, release_us + delay_us)


def _one_phone(
    gang: Gang, account: Account, patient: int, wishes: list[Session], at_us: int, beat_s: float, acts_us: int
) -> None:
    world, rng = gang.world, gang.rng

    def wakes(now: int) -> None:
        client = arrive(world, rng, account, now, pages=4)
        show_face_perhaps(gang, client, patient, wishes[0].released_us, now)
        pages = session_page("app", world.hospital.session_ids[wishes[0].number])
        world.record.train(
            now + soon(rng, 5),
            max(1, round((acts_us - now) / SECOND_US / beat_s)),
            gap_s=beat_s,
            client=client,
            pages=pages,
            style=METRONOME,
            spread=0.03,
        )
        seize(
            gang,
            account,
            patient,
            wishes,
            client=client,
            at_us=acts_us + round(abs(rng.gauss(0, 0.03)) * SECOND_US),
            step_s=0.4,
            waited=round(beat_s * 10_000) + rng.randrange(400),
            won=lambda won, booking, then: sold_before(gang, won, booking, then),
        )

    def binds(now: int) -> None:
        bind(world, arrive(world, rng, account, now, pages=2), now + soon(rng, 20), patient)
        account.patients.append(patient)

    world.at(at_us - round(rng.uniform(1, 9) * HOUR_US) - 5 * MINUTE_US, binds)
    world.at(at_us, wakes)
