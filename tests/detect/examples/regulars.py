"""Some who stand at every release for whatever sells and press at once, and people who come as often for good reasons.

One needs one department and no other, one takes an ordinary doctor after all, one taps from before the release on, and
one comes every day and is as slow as everybody.
"""

from detect.bookings import all_of, event, slot_of
from detect.detector_checks import Example
from detect.people import HOUR_US, SECOND_US, Rows, release_us
from shouhao.detect.model import Subject

DAYS = (0, 1, 2, 3, 4)
SOON_US, SLOW_US, EARLY_US = SECOND_US * 2 // 5, 3 * SECOND_US, -SECOND_US


def tried(account: str, day: int, department: str, after_us: int, *, number: int) -> Rows:
    """At a release, so soon after it; somebody else has it."""
    slot = {**slot_of("dr00", day, number), "department_id": department}
    return Rows(events=[event("refused", release_us(day) + after_us, slot, account, f"p-{account}")])


def regular(
    account: str, days: tuple[int, ...], *, after_us: int, number: int, departments: tuple[str, ...] = ("dep0", "dep1")
) -> Rows:
    """Day after day, in another department each time."""
    places = [(day, departments[day % len(departments)]) for day in days]
    return all_of(tried(account, day, dep, after_us + day * 20_000, number=number) for day, dep in places)


def sellers(days: tuple[int, ...]) -> Rows:
    """Eight of them."""
    return all_of(regular(f"seller{n}", days, after_us=SOON_US + n * 5_000, number=400 + n) for n in range(8))


def patients() -> Rows:
    """Who come on each of the days as well."""
    settled = {**slot_of("dr09", 2, 420), "department_id": "dep4"}
    return all_of(
        [
            regular("one-illness", DAYS, after_us=SOON_US, number=421, departments=("dep0",)),
            regular("settles", DAYS, after_us=SOON_US, number=422),
            Rows(events=[event("booked", release_us(2) + 5 * HOUR_US, settled, "settles", "p-settles")]),
            regular("taps", DAYS, after_us=EARLY_US, number=423),
            regular("unlucky", DAYS, after_us=SLOW_US, number=424),
        ]
    )


EXAMPLE = Example(
    guilty=sellers(DAYS).plus(patients()),
    too_little=sellers((0, 1)).plus(patients()),
    finds=frozenset(Subject(kind="account", id=f"seller{n}") for n in range(8)),
    codes=frozenset({"regulars.every_release"}),
    spared=frozenset(Subject(kind="account", id=name) for name in ("one-illness", "settles", "taps", "unlucky")),
)
