"""One who comes for somebody new at each release, one who lets them go again, and those who do so for once.

A family that has just signed up, an aunt who helped once, an uncle who unbound the nephew whom he had helped, and a
village doctor.
"""

from detect.bookings import event, slot_of
from detect.detector_checks import Example
from detect.people import HOUR_US, MINUTE_US, SECOND_US, Rows, release_us
from shouhao.detect.model import Subject


def bound(account: str, patient: str, at_us: int) -> Rows:
    """A patient is added to an account."""
    return Rows(events=[event("patient_bound", at_us, {}, account, patient)])


def tried(account: str, patient: str, day: int, *, number: int, won: bool = True) -> Rows:
    """At the release, three seconds after it opened."""
    at_us = release_us(day) + 3 * SECOND_US + number * 40_000
    return Rows(events=[event("booked" if won else "refused", at_us, slot_of("dr00", day, number), account, patient)])


def seller(days: tuple[int, ...]) -> Rows:
    """Binds the next customer in the evening, and is at the release in the morning; wins every other time."""
    rows = Rows()
    for day in days:
        patient = f"customer{day}"
        rows = rows.plus(bound("seller", patient, release_us(day) - 11 * HOUR_US))
        rows = rows.plus(tried("seller", patient, day, number=300 + day, won=day % 2 == 0))
    return rows


def families() -> Rows:
    """Signed up on the eve, three at once; bound a niece once; and one who comes every day for a child bound before."""
    rows = Rows(events=[event("account_registered", release_us(1) - 12 * HOUR_US, {}, "family", "mother")])
    for n in range(3):
        rows = rows.plus(bound("family", f"child{n}", release_us(1) - 12 * HOUR_US + (2 + n) * MINUTE_US))
        rows = rows.plus(tried("family", f"child{n}", 1 + n % 2, number=320 + n))
    rows = rows.plus(bound("aunt", "niece", release_us(2) - 9 * HOUR_US)).plus(tried("aunt", "niece", 2, number=330))
    rows = rows.plus(bound("mother", "son", release_us(0) - 90 * HOUR_US))
    for day in range(5):
        rows = rows.plus(tried("mother", "son", day, number=340 + day, won=day == 4))
    return rows


def lets_go(account: str, days: tuple[int, ...], *, number: int) -> Rows:
    """Has bound them long ago, tries for one after the other, and unbinds each on the next day but one."""
    rows = Rows()
    for day in days:
        patient = f"{account}-{day}"
        rows = rows.plus(bound(account, patient, release_us(0) - 80 * HOUR_US))
        rows = rows.plus(tried(account, patient, day, number=number + day, won=False))
        gone_us = release_us(day) + 40 * HOUR_US
        rows = rows.plus(Rows(events=[event("patient_unbound", gone_us, {}, account, patient)]))
    return rows


def village() -> Rows:
    """Binds somebody new each day: at the release for one, and for two more with a doctor whom nobody fights over."""
    rows = Rows()
    for day in range(4):
        names = [f"villager{day}-{n}" for n in range(3)]
        for name in names:
            rows = rows.plus(bound("village", name, release_us(day) - 10 * HOUR_US))
        rows = rows.plus(tried("village", names[0], day, number=370 + day))
        for n, name in enumerate(names[1:]):
            at_us = release_us(day) + (2 + n) * HOUR_US
            rows = rows.plus(Rows(events=[event("booked", at_us, slot_of("dr09", day, 370 + n), "village", name)]))
    return rows


UNCLE = lets_go("uncle", (1,), number=360)

EXAMPLE = Example(
    guilty=seller((0, 1, 2, 3, 4))
    .plus(lets_go("passer", (0, 1, 2), number=350))
    .plus(UNCLE)
    .plus(families())
    .plus(village()),
    too_little=seller((0,)).plus(UNCLE).plus(families()),
    finds=frozenset({Subject(kind="account", id="seller"), Subject(kind="account", id="passer")}),
    codes=frozenset({"customers.one_after_another", "customers.let_go"}),
    spared=frozenset(Subject(kind="account", id=name) for name in ("family", "aunt", "mother", "uncle", "village")),
)
