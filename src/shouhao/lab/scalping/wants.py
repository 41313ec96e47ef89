"""Wants: how honest people go about getting a slot, on an ordinary day and when a wanted doctor's opens."""

from shouhao.kernel.clock import HOUR_US, MINUTE_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.afterwards import got, is_open, pick_open
from shouhao.lab.scalping.at_release import Rush
from shouhao.lab.scalping.chance import around, soon
from shouhao.lab.scalping.desk import Booking
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.pages import booking_attempts
from shouhao.lab.scalping.record import HUMAN
from shouhao.lab.scalping.visits import arrive, latency, refresh, search, view
from shouhao.lab.scalping.world import World

_WISHES = 3
_SEARCHES = 0.7
_COMPLAINS = 0.006
_COMPLAINTS = ("no_slots", "no_slots", "scalping", "waiting", "attitude", "app")
#: What people do who went away with nothing, in parts of one; a quarter press on in anger before.
_PRESSES_ON, _TOMORROW, _ANOTHER_DOCTOR, _GIVES_UP = 0.25, 0.45, 0.70, 0.88
_HOURS, _HOUR_WEIGHTS = (9.5, 11.5, 14.5, 17.5, 20.5, 22.5, 2.0), (24, 14, 18, 14, 18, 9, 1)


def look_around(world: World, account: Account, at_us: int) -> None:
    """Only look."""
    rng = world.rng
    client = arrive(world, rng, account, at_us)
    department = rng.randrange(len(world.hospital.department_ids))
    if rng.random() < _SEARCHES:
        search(world, client, at_us + round(around(rng, 9, 0.6) * SECOND_US), department)
    for n, session in enumerate(pick_open(world, department, at_us, count=rng.randint(0, 2))):
        view(world, client, at_us + round((14 + 12 * n + around(rng, 8, 0.6)) * SECOND_US), session)


def want_any(world: World, account: Account, patient: int, at_us: int) -> None:
    """Some doctor of a department, some day: look, choose, book."""
    rng = world.rng
    direct = "deep_link" in account.traits
    client = arrive(world, rng, account, at_us, pages=3 if direct else 11)
    doctor = None if account.doctor is None else world.hospital.doctors[account.doctor]
    department = rng.randrange(len(world.hospital.department_ids)) if doctor is None else doctor.department
    then_us = at_us + round(around(rng, 6 if direct else 16, 0.6) * SECOND_US)
    if doctor is None:
        found = pick_open(world, department, at_us, count=3)
    else:
        found = [s for s in world.hospital.of_doctor[doctor.number] if is_open(world, s, at_us)][:2]
    if not direct:
        search(world, client, then_us, department)
        for session in found[: rng.randint(1, 3)]:
            then_us += round(around(rng, 11, 0.7) * SECOND_US)
            view(world, client, then_us, session)
    then_us += round(around(rng, 8, 0.7) * SECOND_US)
    world.at(then_us, lambda now: ask(world, account, patient, client, found, now))


def ask(world: World, account: Account, patient: int, client: int, wishes: list[Session], now_us: int) -> None:
    """Ask for the first wish; the next one some seconds later."""
    rng = world.rng
    if not wishes:
        return
    booking = world.desk.book(
        now_us, client, patient, wishes[0], latency=latency(rng, 5.5, 0.8), pick=rng.random() ** 1.7
    )
    if booking is not None:
        got(world, account, booking, now_us)
    elif len(wishes) > 1:
        step_us = round((0.7 + around(rng, 1.6, 0.6)) * SECOND_US)
        world.at(now_us + step_us, lambda now: ask(world, account, patient, client, wishes[1:], now))


def want_hot(world: World, account: Account, patient: int, day: int, *, tries: int = 3) -> None:
    """A doctor whom everybody wants: be there at the release, and if nothing is left, see what else there is."""
    rng, known = world.rng, world.hospital.hot_by_day.get(day, [])
    if not known:
        return
    first = rng.choice(known)
    others = [s for s in known if s.released_us == first.released_us and s is not first]
    wishes = [first, *rng.sample(others, min(len(others), rng.randint(0, _WISHES - 1)))]
    Rush(
        world=world,
        rng=rng,
        account=account,
        patient=patient,
        wishes=wishes,
        won=lambda who, booking, now: got(world, who, booking, now),
        lost=lambda client, now: _went_away(world, account, patient, client, wishes, now, tries),
    ).plan()


def _went_away(
    world: World, account: Account, patient: int, client: int, wishes: list[Session], now_us: int, tries: int
) -> None:
    """Nothing left: press on in anger, come back tomorrow, take another doctor, give up, or wait for a return."""
    rng, roll = world.rng, world.rng.random()
    if rng.random() < _COMPLAINS:
        complain(world, client, now_us + soon(rng, 600), patient, wishes[-1], rng.choice(_COMPLAINTS))
    if roll < _PRESSES_ON:
        world.record.train(
            now_us + soon(rng, 1),
            min(60, 1 + round(around(rng, 4, 0.9))),
            gap_s=0.9,
            client=client,
            pages=booking_attempts(account.channel),
            spread=0.7,
            session=wishes[-1].number,
            patient=patient,
        )
    if "return_watcher" in account.traits or roll > _GIVES_UP:
        _watch(world, account, patient, client, wishes[-1], now_us)
    elif roll < _TOMORROW and tries:
        want_hot(world, account, patient, world.day_of(now_us) + 1, tries=tries - 1)
    elif roll < _ANOTHER_DOCTOR:
        found = pick_open(world, wishes[-1].doctor.department, now_us, count=2)
        at_us = now_us + round((20 + around(rng, 60, 0.8)) * SECOND_US)
        world.at(at_us, lambda now: ask(world, account, patient, client, found, now))


def _watch(world: World, account: Account, patient: int, client: int, session: Session, now_us: int) -> None:
    """Look every few seconds for as long as it takes, and press when somebody returns a slot."""
    rng = world.rng
    every_s, minutes = rng.uniform(4, 20), rng.uniform(10, 90)
    until_us = min(now_us + round(minutes * MINUTE_US), session.start_us - HOUR_US)
    refresh(
        world,
        rng,
        client,
        session,
        from_us=now_us + soon(rng, 2),
        count=max(1, int((until_us - now_us) / SECOND_US / every_s)),
        gap_s=every_s,
        channel=account.channel,
        style=HUMAN,
        spread=0.35,
    )
    has: list[Booking] = []

    def returned(at_us: int, _session: Session, slot: int) -> None:
        sees_us = at_us + round((rng.uniform(0, every_s) + around(rng, 1.2, 0.4)) * SECOND_US)
        world.at(sees_us, lambda now: press(now, slot))

    def press(now: int, slot: int) -> None:
        if has:
            return
        booking = world.desk.book(now, client, patient, session, slot=slot, latency=latency(rng, 1.2))
        if booking is not None:
            has.append(booking)
            got(world, account, booking, now)

    world.desk.watch(session, until_us, returned)


def complain(world: World, client: int, at_us: int, patient: int, session: Session, about: str) -> None:
    """Write to the hospital about it."""
    world.record.event(
        at_us,
        "complained",
        client,
        patient=patient,
        department=session.doctor.department,
        session=session.number,
        detail=world.record.said({"about": about}),
    )


def some_time(world: World, account: Account, day: int) -> int:
    """When in a day somebody sits down to it."""
    rng = world.rng
    if "night_owl" in account.traits:
        return world.moment(day, rng.uniform(0, 5))
    hour = rng.choices(_HOURS, _HOUR_WEIGHTS)[0]
    return world.moment(day, min(23.9, max(0.0, rng.gauss(hour, 1.3))))


def any_day(world: World, *, least: int | None = None) -> int:
    """One of the days."""
    first = world.days.start if least is None else max(least, world.days.start)
    return world.rng.randrange(first, world.options.days)
