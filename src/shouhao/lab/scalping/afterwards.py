"""Afterwards: what honest people do with a slot: pay, come, stay away, return it, or take another day instead.

Some of it looks like a scalper's hand-over and is none: the wrong child was chosen, so one slot is returned and taken
again for the other; the grandmother booked, and the mother takes it over because of her insurance.
"""

from shouhao.kernel.clock import HOUR_US, MINUTE_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.chance import around, soon
from shouhao.lab.scalping.desk import PAY_WITHIN_US, Booking
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.visits import arrive, latency, search, view
from shouhao.lab.scalping.world import World

_FORGETS_TO_PAY = 0.05
_SOMEBODY_ELSE_PAYS = 0.06
_CUSTOMER_PAYS = 0.6  # of an escort
_LOOKS_INSIDE = 0.4
_RETURNS, _RETURNS_TO_REBOOK = 0.06, 0.7
_REBOOKS = 0.3
_STAYS_AWAY, _STAYS_AWAY_OFTEN = 0.045, 0.5
_WRONG_PERSON = 0.03
_TAKEN_OVER = 0.10
_TYPO, _NEWBORN = 0.006, 0.002
_LAST_RETURN_US = 2 * HOUR_US
_DAYS_AHEAD = 4


def got(world: World, account: Account, booking: Booking, now_us: int) -> None:
    """They hold a slot; plan what becomes of it."""
    rng = world.rng
    if len(account.patients) > 1 and rng.random() < _WRONG_PERSON:
        _correct(world, account, booking, now_us)
        return
    if rng.random() < _FORGETS_TO_PAY:
        world.at(now_us + PAY_WITHIN_US, lambda now: world.desk.expire(now, booking))
        return
    pays_us = now_us + round(min(840.0, 8 + around(rng, 40, 0.8)) * SECOND_US)
    world.at(pays_us, lambda now: _paid(world, account, booking, now))


def attend(world: World, booking: Booking, *, comes: bool, account: Account | None = None) -> None:
    """Come at about the time, or do not.

    Args:
        account: of somebody who has it in their pocket, and now and then opens it on the hospital's Wi-Fi.
    """
    due_us = booking.session.slot_time_us(booking.slot)
    client, staff = world.rng.choice(world.check_in)
    at_us = due_us + round(world.rng.gauss(-18, 16) * MINUTE_US)
    if comes:
        world.at(at_us, lambda now: world.desk.attend(now, booking, client, staff=staff))
        if account is not None and world.rng.random() < _LOOKS_INSIDE:
            inside_us = at_us + round(world.rng.uniform(-10, 90) * MINUTE_US)
            world.at(inside_us, lambda now: _looks_inside(world, account, now))
    else:
        world.at(booking.session.end_us, lambda now: world.desk.miss(now, booking))


def _looks_inside(world: World, account: Account, now_us: int) -> None:
    arrive(world, world.rng, account, now_us, place="wifi")


def payer_of(world: World, account: Account) -> int:
    """Who pays this time."""
    rng = world.rng
    if "insured" in account.traits:
        return world.insurer
    else_pays = _CUSTOMER_PAYS if account.kind == "escort" else _SOMEBODY_ELSE_PAYS
    return world.new_payer() if rng.random() < else_pays else account.payer


def _paid(world: World, account: Account, booking: Booking, now_us: int) -> None:
    rng, traits = world.rng, account.traits
    if not world.desk.pay(now_us, booking, booking.client, payer_of(world, account)):
        return
    _misspelt(world, account, booking, now_us)
    last_us = booking.session.start_us - _LAST_RETURN_US
    kin = [other for other in account.kin if booking.patient in other.patients]
    if kin and rng.random() < _TAKEN_OVER:
        _take_over(world, account, rng.choice(kin), booking, now_us)
        return
    returns = _RETURNS_TO_REBOOK if "rebooker" in traits else _RETURNS
    if rng.random() < returns:
        at_us = now_us + round(around(rng, 5, 1.3) * HOUR_US)
        if at_us < last_us:
            world.at(at_us, lambda now: _give_back(world, account, booking, now))
            return
    away = _STAYS_AWAY_OFTEN if "stays_away" in traits else _STAYS_AWAY
    attend(world, booking, comes=rng.random() >= away, account=account)


def _misspelt(world: World, account: Account, booking: Booking, now_us: int) -> None:
    """A name was misspelt, or the newborn has one at last: a patient is edited, and there is nothing behind it."""
    roll = world.rng.random()
    if roll > _TYPO + _NEWBORN:
        return
    field = "name" if roll < _NEWBORN else world.rng.choice(("name", "phone", "address", "id_number"))
    at_us = now_us + round(around(world.rng, 3, 1.0) * HOUR_US)
    if at_us < world.end_us:
        client = arrive(world, world.rng, account, at_us, pages=3)
        world.record.event(
            at_us + soon(world.rng, 40),
            "patient_edited",
            client,
            patient=booking.patient,
            detail=world.record.said({"field": field}),
        )


def _correct(world: World, account: Account, booking: Booking, now_us: int) -> None:
    """The wrong one of the family: return it, take it again for the right one."""
    rng = world.rng
    right = rng.choice([patient for patient in account.patients if patient != booking.patient])

    def again(now: int) -> None:
        taken = world.desk.book(
            now, booking.client, right, booking.session, slot=booking.slot, latency=latency(rng, 4.0)
        )
        if taken is not None:
            world.at(now + soon(rng, 50), lambda then: _paid(world, account, taken, then))

    def back(now: int) -> None:
        if world.desk.cancel(now, booking, booking.client):
            world.at(now + round((2 + around(rng, 9, 0.7)) * SECOND_US), again)

    world.at(now_us + round(around(rng, 40, 0.6) * SECOND_US), back)


def _take_over(world: World, account: Account, other: Account, booking: Booking, now_us: int) -> None:
    """The mother takes over what the grandmother booked: another account, the same child, the same slot."""
    rng = world.rng

    def again(now: int) -> None:
        client = arrive(world, rng, other, now, pages=4)
        at_us = now + round(around(rng, 6, 0.6) * SECOND_US)
        world.at(at_us, lambda then: take(then, client))

    def take(now: int, client: int) -> None:
        taken = world.desk.book(
            now, client, booking.patient, booking.session, slot=booking.slot, latency=latency(rng, 3.0)
        )
        if taken is not None:
            world.at(now + soon(rng, 60), lambda then: _keep(world, other, taken, then))

    def back(now: int) -> None:
        if world.desk.cancel(now, booking, arrive(world, rng, account, now - soon(rng, 15), pages=3)):
            world.at(now + round(around(rng, 25, 1.0) * SECOND_US), again)

    at_us = now_us + round(around(rng, 1.5, 1.0) * HOUR_US)
    if at_us < booking.session.start_us - _LAST_RETURN_US:
        world.at(at_us, back)
    else:
        attend(world, booking, comes=True)


def _keep(world: World, account: Account, booking: Booking, now_us: int) -> None:
    if world.desk.pay(now_us, booking, booking.client, payer_of(world, account)):
        attend(world, booking, comes=True, account=account)


def _give_back(world: World, account: Account, booking: Booking, now_us: int) -> None:
    rng = world.rng
    client = arrive(world, rng, account, now_us, pages=4)

    def back(now: int) -> None:
        if world.desk.cancel(now, booking, client) and ("rebooker" in account.traits or rng.random() < _REBOOKS):
            at_us = now + round((15 + around(rng, 60, 0.8)) * SECOND_US)
            world.at(at_us, lambda then: _another_day(world, account, booking, client, then))

    world.at(now_us + soon(rng, 12), back)


def _another_day(world: World, account: Account, booking: Booking, client: int, now_us: int) -> None:
    department = booking.session.doctor.department
    rng = world.rng
    search(world, client, now_us - soon(rng, 5), department)
    for session in pick_open(world, department, now_us, count=2):
        view(world, client, now_us - soon(rng, 2), session)
        taken = world.desk.book(now_us, client, booking.patient, session, latency=latency(rng, 5.0), pick=rng.random())
        if taken is not None:
            _keeps_soon(world, account, taken, now_us)
            return


def _keeps_soon(world: World, account: Account, booking: Booking, now_us: int) -> None:
    world.at(now_us + soon(world.rng, 45), lambda now: _keep(world, account, booking, now))


def pick_open(world: World, department: int, now_us: int, *, count: int) -> list[Session]:
    """Some sessions of a department that still have a slot, the wanted ones seldom among them."""
    rng, today = world.rng, world.day_of(now_us)
    on_day, found = world.hospital.on_day, list[Session]()
    for _ in range(8 * count):
        known = on_day.get((department, today + int(rng.random() * _DAYS_AHEAD)))
        session = known[int(rng.random() * len(known))] if known else None
        if session is not None and session not in found and is_open(world, session, now_us):
            found.append(session)
            if len(found) == count:
                break
    return found


def is_open(world: World, session: Session, now_us: int) -> bool:
    """Whether one could still get a slot of it."""
    if session.start_us < now_us + HOUR_US or session.released_us > now_us:
        return False
    return bool(world.desk.free(session, now_us))
