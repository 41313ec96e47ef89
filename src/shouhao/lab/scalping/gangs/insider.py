"""Insider: a member of staff adds slots out of hours, for the few whom the gang names; many of them never come.

Beforehand the insider looks at records of people whom they do not treat. The recipients' accounts belong to the gang;
they look at what they were given and do little else.
"""

from shouhao.kernel.clock import MINUTE_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.afterwards import attend
from shouhao.lab.scalping.chance import around, soon
from shouhao.lab.scalping.gangs.gang import Gang
from shouhao.lab.scalping.hospital import Doctor
from shouhao.lab.scalping.on_site import next_session
from shouhao.lab.scalping.visits import arrive, bind

_RECIPIENTS = 6
_EVENINGS = 0.8
_COMES = 0.45
_TRACES = ("extra_slots_off_hours", "same_recipients", "no_attendance")


def plan(gang: Gang) -> None:
    """Some evenings, two to four slots each."""
    world, rng = gang.world, gang.rng
    staff = world.hospital.add_staff(world.ids)
    world.staff_kinds[staff] = (gang.id, "insider")
    screen = world.record.counter("window")
    recipients = [gang.recruit("recipient", traces=_TRACES, channel="wechat") for _ in range(gang.size(_RECIPIENTS))]
    wanted = [doctor for doctor in world.hospital.doctors if doctor.hot]
    for account in recipients:
        for _ in range(2):
            _bind_customer(gang, account)
    for day in world.days:
        if rng.random() > _EVENINGS:
            continue
        at_us = world.moment(day, rng.choice((rng.uniform(18.5, 22.5), rng.uniform(5.2, 6.8), rng.uniform(12.1, 13.2))))
        for account in rng.sample(recipients, rng.randint(2, min(4, len(recipients)))):
            at_us += round(around(rng, 70, 0.4) * SECOND_US)
            _add(gang, staff, screen, rng.choice(account.patients), wanted, at_us)
            _look(gang, account, at_us)


def _bind_customer(gang: Gang, account: Account) -> None:
    world, rng, patient = gang.world, gang.rng, gang.customer()
    account.patients.append(patient)

    def act(now: int) -> None:
        bind(world, arrive(world, rng, account, now, pages=3), now + soon(rng, 30), patient)

    world.at(world.moment(rng.randrange(world.days.start, 2), rng.uniform(9, 18)), act)


def _look(gang: Gang, account: Account, at_us: int) -> None:
    """See what one was given."""
    when_us = at_us + round(around(gang.rng, 25, 0.8) * MINUTE_US)
    gang.world.at(when_us, lambda now: _opens(gang, account, now))


def _opens(gang: Gang, account: Account, now_us: int) -> None:
    arrive(gang.world, gang.rng, account, now_us, pages=4)


def _add(gang: Gang, staff: int, screen: int, patient: int, wanted: list[Doctor], at_us: int) -> None:
    world, rng = gang.world, gang.rng

    def act(now: int) -> None:
        session = next_session(world, rng.choice(wanted), now)
        if session is None:
            return
        world.record.event(now - soon(rng, 20), "viewed", screen, patient=patient, staff=staff)
        booking = world.desk.add(now, staff, patient, session, screen)
        if booking is not None:
            attend(world, booking, comes=rng.random() < _COMES)

    world.at(at_us, act)
