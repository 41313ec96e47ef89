"""A seller whose buyers book at once, two that pass slots on, one who snatches, some who prepare, agree or go round."""

from detect.bookings import all_of, event, handed_over, slot_of
from detect.detector_checks import Example
from detect.people import HOUR_US, MINUTE_US, SECOND_US, Rows, release_us
from shouhao.detect.model import Subject

SOLD_US = release_us(0) + 3 * HOUR_US


def sales(count: int, *, seller: str = "seller", gap_us: int = 900_000) -> Rows:
    """Each to another buyer, who comes from an own phone and never again."""
    return all_of(
        handed_over(
            slot_of("dr20", 0, 40 + n),
            (seller, f"{seller}-name{n}"),
            (f"{seller}-buyer{n}", f"{seller}-patient{n}"),
            at_us=SOLD_US + n * 20 * MINUTE_US,
            gap_us=gap_us + n * 1_000,
        )
        for n in range(count)
    )


def passed_on(count: int) -> Rows:
    """Two accounts between whom slots wander, so that neither ever pays."""
    return all_of(
        handed_over(
            slot_of("dr21", 1, 40 + n),
            ("left", f"left-name{n}"),
            ("right", f"right-name{n}"),
            at_us=SOLD_US + n * 31 * MINUTE_US,
            gap_us=40 * SECOND_US,
        )
        for n in range(count)
    )


def snatched(count: int) -> Rows:
    """One account has what unrelated people give back before they have put the phone down."""
    return all_of(
        handed_over(
            slot_of("dr22", 2, 40 + n),
            (f"stranger{n}", f"stranger-name{n}"),
            ("watcher", f"watched-for{n}"),
            at_us=SOLD_US + n * 17 * MINUTE_US,
            gap_us=700_000,
        )
        for n in range(count)
    )


def prepared(count: int) -> Rows:
    """Holders give back to two who take after minutes, like anybody, but have bound the buyer before."""
    rows = Rows()
    for n in range(count):
        taker, buyer = f"ready{n % 2}", f"ready-for{n}"
        at_us = SOLD_US + n * 23 * MINUTE_US
        holder = (f"holder{n % 3}", f"holder-name{n % 3}")
        slot = slot_of("dr23", 3, 40 + n)
        rows = rows.plus(handed_over(slot, holder, (taker, buyer), at_us=at_us, gap_us=(60 + 5 * n) * SECOND_US))
        rows.events.append(event("patient_bound", at_us - 8 * MINUTE_US, {}, taker, buyer))
    return rows


def newcomers(count: int) -> Rows:
    """Sign up, bind themselves, look for a slot and come across one that was just given back."""
    rows = Rows()
    for n in range(count):
        name = f"newcomer{n}"
        at_us = SOLD_US + n * 41 * MINUTE_US
        slot = slot_of("dr24", 4, 40 + n)
        rows = rows.plus(
            handed_over(slot, (f"ill{n}", f"ill-name{n}"), (name, name), at_us=at_us, gap_us=90 * SECOND_US)
        )
        rows.events.append(event("account_registered", at_us - 6 * MINUTE_US, {}, name, name))
        rows.events.append(event("patient_bound", at_us - 4 * MINUTE_US, {}, name, name))
    return rows


def agreed(count: int, *, seller: str = "punctual") -> Rows:
    """Given back at a half hour to the second, to buyers who stand ready and are not in too much of a hurry."""
    return all_of(
        handed_over(
            slot_of("dr25", 0, 40 + n),
            (seller, f"{seller}-name{n}"),
            (f"{seller}-buyer{n}", f"{seller}-patient{n}"),
            at_us=SOLD_US + n * HOUR_US + (n + 3) * SECOND_US,
            gap_us=(5 + n) * SECOND_US,
        )
        for n in range(count)
    )


def gone_round(count: int, *, who: str = "round", patients: int = 99) -> Rows:
    """Three give back and three take, who with whom changes; each taker binds the buyer once the slot is there.

    Args:
        patients: for how many each taker takes at most.
    """
    rows = Rows()
    for n in range(count):
        giver, taker = f"{who}-gives{n % 3}", f"{who}-takes{n // 3 % 3}"
        buyer = f"{taker}-for{(n // 9 * 3 + n % 3) % patients}"
        at_us, gap_us = SOLD_US + n * 37 * MINUTE_US + 11 * MINUTE_US, (8 + n % 7) * MINUTE_US
        slot = slot_of("dr26", 1, 40 + n)
        rows = rows.plus(handed_over(slot, (giver, f"{giver}-name{n}"), (taker, buyer), at_us=at_us, gap_us=gap_us))
        rows.events.append(event("patient_bound", at_us + gap_us - MINUTE_US, {}, taker, buyer))
    return rows


EXAMPLE = Example(
    guilty=all_of([sales(4), passed_on(5), snatched(4), prepared(6), newcomers(3), agreed(3), gone_round(18)]),
    too_little=all_of([sales(1), passed_on(2), snatched(2), newcomers(1), agreed(1), gone_round(2)]),
    finds=frozenset(
        Subject(kind="account", id=name)
        for name in (
            *("seller", "left", "right", "watcher", "ready0", "ready1", "holder0", "holder2", "punctual"),
            *(f"round-{does}{n}" for does in ("gives", "takes") for n in range(3)),
        )
    ),
    codes=frozenset(
        f"hand_over.{code}"
        for code in ("gaps", "pair", "snatches", "prepared", "by_the_clock", "circle", "bound_to_take")
    ),
    spared=frozenset(
        Subject(kind="account", id=name)
        for name in (
            *(f"seller-buyer{n}" for n in range(4)),
            *(f"punctual-buyer{n}" for n in range(3)),
            *(f"stranger{n}" for n in range(4)),
            *(f"{who}{n}" for who in ("newcomer", "ill") for n in range(3)),
        )
    ),
)
