"""Careful: scalpers who have read the list of detectors, and what they cannot help leaving.

They work by hand, with timing and habits drawn from the same distributions as honest people's by the same lines
(human.py), on real phones, each behind a clean line of its own or a carrier's address, with a few bookings an account,
after looking around, with different payers, and they return only what they must. So these are gone, but for the few who
refresh wildly or tap early as a few honest people do, and no finding about them can stand on:

- bursts, hammering, rotation, a constant period, the exact second, reactions below human time, missing looks;
- several accounts on one device at a time, one model, one prefix, one rhythm, one address, one payer;
- quick hand-over, repeated pairs, the small hours, accounts opened in a row, faces used twice.

What the business itself needs, and what of it reaches an export:

- **A customer who was found after the booking** must get the slot. `careful_resale` returns it and takes it again after
  a human pause of minutes. The pair is a new one each time and one gap proves nothing; but the accounts of a gang do it
  again and again, with their own alone, and strangers seldom take what they return. Remains: pairs within one set.
- **A customer who came first** must be bound. `careful_preorder` binds strangers some hours before, wants doctors of
  any department for them, and unbinds. A legal escort does the same for ordinary doctors, and a good neighbour does it
  once. Remains: turnover of bound patients, wanted doctors alone.
- **A code on a phone** must be read. `careful_codes` opened its accounts with a few phones that hold the SIM cards;
  each account then moved to a phone of its own. Remains: one device at sign-up, days apart, under four or five
  accounts. A grandchild's phone and one that was sold do that for two or three.
- **Attendance by people who were never seen before or after.** In eight days most honest patients are such, so it
  carries next to nothing alone; over months it would carry more.
- **Only what sells.** They never want an ordinary doctor for an order. At honest speed they win no more often than
  others, so it takes many tries; honest people in need try often, too.

`careful_ghost` leaves nothing but the last two: people in need of money who, on their own phones, from their own
homes, book for a stranger as one does for an aunt. Its traces are empty in the labels on purpose; whoever finds it at
the level strong has most likely found chance. It is there to measure how far detection goes, not to be found.
"""

from collections.abc import Sequence

from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.chance import around, soon
from shouhao.lab.scalping.desk import Booking
from shouhao.lab.scalping.gangs.gang import Gang, cover, days_of_work, hand_over, let_lie, sold_before
from shouhao.lab.scalping.gangs.human import at_release
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.phones import Phone
from shouhao.lab.scalping.population import characterise
from shouhao.lab.scalping.visits import arrive, bind, sign_up

_RESALE, _PREORDER, _CODES, _GHOSTS = 14, 10, 16, 8
_ACCOUNTS_A_SIM_PHONE = 4
_PRACTICE = 0.6  # of the usual time to react; many honest people are as fast
_UNSOLD = 0.08
_UNBINDS = 0.85
_CUSTOMER_PAYS = 0.5


def plan_resale(gang: Gang) -> None:
    """Hold in one's own name, sell later, hand over after a human pause."""
    accounts = _recruit(gang, _RESALE, "holder", ("pairs_within_one_set",))
    turn = 0

    def won(account: Account, booking: Booking, now: int) -> None:
        nonlocal turn
        if gang.rng.random() < _UNSOLD:
            let_lie(gang, account, booking, now)
            return
        turn += 1
        others = [other for other in accounts if other is not account]
        hand_over(gang, account, booking, now, receiver=others[turn % len(others)], gap_s=(150.0, 0.9), finds_h=6.0)

    for day in days_of_work(gang, 1.0):
        for account in gang.rng.sample(accounts, len(accounts) * 2 // 3):
            wishes = _wishes(gang, day)
            if wishes:
                at_release(gang, account, account.patients[0], wishes, won=won)


def plan_preorder(gang: Gang) -> None:
    """Bind the customer, book, unbind."""
    accounts = _recruit(gang, _PREORDER, "runner", ("binding_turnover", "wanted_doctors_only"))
    for day in days_of_work(gang, 1.0):
        for account in gang.rng.sample(accounts, len(accounts) * 2 // 3):
            _for_a_customer(gang, account, day, unbinds=gang.rng.random() < _UNBINDS)


def plan_codes(gang: Gang) -> None:
    """Opened with a few SIM phones, used on phones of their own."""
    world, rng = gang.world, gang.rng
    accounts = _recruit(gang, _CODES, "runner", ("shared_phone_at_sign_up", "wanted_doctors_only"))
    sims = [world.shop.phone() for _ in range(-(-len(accounts) // _ACCOUNTS_A_SIM_PHONE))]
    for n, account in enumerate(accounts):
        opened_us = world.moment(rng.randrange(max(1, world.options.days - 3)), rng.uniform(8.5, 21))
        account.new_at_us = opened_us
        sim = sims[n % len(sims)]
        world.at(opened_us, lambda now, account=account, sim=sim: _opens(gang, account, sim, now))  # type: ignore[misc]
        first = world.day_of(opened_us) + 1
        for day in range(first, world.options.days):
            if rng.random() < 0.45:  # noqa: PLR2004 - every other day
                _for_a_customer(gang, account, day, unbinds=False)


def plan_ghosts(gang: Gang) -> None:
    """Hired hands with lives of their own."""
    accounts = _recruit(gang, _GHOSTS, "hired_hand", ())
    for account in accounts:
        cover(gang, account, looks=2, wants=1)
        days = range(gang.world.days.start + 1, gang.world.options.days)
        for day in gang.rng.sample(days, min(len(days), 2)):
            _for_a_customer(gang, account, day, unbinds=False)


def _recruit(gang: Gang, base: int, role: str, traces: Sequence[str]) -> list[Account]:
    accounts = []
    for _ in range(gang.size(base)):
        account = gang.recruit(role, traces=traces)
        characterise(gang.world, account)
        account.quickness *= _PRACTICE
        cover(gang, account, looks=gang.rng.randint(1, 4))
        accounts.append(account)
    return accounts


def _opens(gang: Gang, account: Account, sim: Phone, now_us: int) -> None:
    sign_up(gang.world, gang.rng, account, now_us, phone=sim)


def _wishes(gang: Gang, day: int) -> list[Session]:
    known = gang.targets(day)
    return [s for s in known if s.released_us == known[0].released_us][:3] if known else []


def _for_a_customer(gang: Gang, account: Account, day: int, *, unbinds: bool) -> None:
    """One order: bind some hours before, try, pay as the customer would, unbind when it is over."""
    world, rng = gang.world, gang.rng
    wishes = _wishes(gang, day)
    if not wishes:
        return
    patient = gang.customer()
    payer = world.new_payer() if rng.random() < _CUSTOMER_PAYS else account.payer
    binds_us = wishes[0].released_us - round(min(30.0, 0.4 + around(rng, 7, 0.9)) * HOUR_US)
    if account.new_at_us is not None:
        binds_us = max(binds_us, account.new_at_us + HOUR_US)

    def binds(now: int) -> None:
        bind(world, arrive(world, rng, account, now, pages=6), now + round(around(rng, 40, 0.5) * SECOND_US), patient)

    def lets_go(now: int) -> None:
        client = arrive(world, rng, account, now, pages=3)
        world.record.event(now + soon(rng, 30), "patient_unbound", client, patient=patient)

    world.at(binds_us, binds)
    if unbinds:
        world.at(wishes[0].released_us + DAY_US + round(around(rng, 20, 0.5) * HOUR_US), lets_go)
    at_release(
        gang,
        account,
        patient,
        wishes,
        won=lambda won, booking, now: sold_before(gang, won, booking, now, payer=payer),
    )
