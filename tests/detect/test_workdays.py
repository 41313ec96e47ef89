"""When accounts worked is counted from their tries at releases and from slots that they handed to each other."""

from detect.bookings import all_of, event, handed_over, slot_of
from detect.people import DAY_US, HOUR_US, MINUTE_US, MONDAY_US, SECOND_US, Rows, release_us
from detect.tables import tables
from shouhao.detect.rings.crews import Worked
from shouhao.detect.rings.workdays import crowd_of, workdays, worked_of

FIRST_DAY = (MONDAY_US + 8 * HOUR_US) // DAY_US


def counted(rows: Rows, *accounts: str) -> tuple[dict[str, Worked], dict[int, int]]:
    """Who worked when, and how many were there."""
    found = workdays(tables(events=rows.events), accounts)
    return worked_of(found["deeds"].to_pyarrow()), crowd_of(found["crowd"].to_pyarrow())


def tries(account: str, day: int, *, after_us: int = SECOND_US, kind: str = "refused") -> Rows:
    """One try at a release."""
    return Rows(events=[event(kind, release_us(day) + after_us, slot_of("dr1", day, 3), account, f"p-{account}")])


def test_days_at_releases_are_those_on_which_it_tried_within_a_minute() -> None:
    rows = all_of(
        [tries("a", 0), tries("a", 2, kind="booked"), tries("a", 3, after_us=HOUR_US), tries("b", 0), tries("c", 2)]
    )
    worked, crowd = counted(rows, "a", "b")
    assert worked["a"].days == {FIRST_DAY, FIRST_DAY + 2}
    assert "c" not in worked
    assert crowd == {FIRST_DAY: 2, FIRST_DAY + 2: 2}


def test_a_slot_is_handed_on_where_another_of_them_has_it_next() -> None:
    at_us = MONDAY_US + DAY_US + 3 * HOUR_US
    given = handed_over(slot_of("dr1", 0, 1), ("a", "p"), ("b", "q"), at_us=at_us, gap_us=7 * MINUTE_US)
    stranger = handed_over(slot_of("dr1", 0, 2), ("a", "p"), ("x", "y"), at_us=at_us, gap_us=SECOND_US)
    own = handed_over(slot_of("dr1", 0, 3), ("a", "p"), ("a", "r"), at_us=at_us, gap_us=SECOND_US)
    worked, _ = counted(all_of([given, stranger, own]), "a", "b")
    assert (worked["a"].gaps_us, worked["a"].hours) == ((7 * MINUTE_US,), (3,))
    assert "b" not in worked or not worked["b"].gaps_us


def test_the_day_on_which_an_account_was_made_is_known() -> None:
    made = event("account_registered", MONDAY_US + DAY_US, {}, "a", "")
    worked, _ = counted(Rows(events=[made]).plus(tries("a", 2)), "a")
    assert worked["a"].made_on == FIRST_DAY + 1


def test_what_staff_do_at_the_window_is_nobodys_work() -> None:
    rows = tries("a", 0)
    for row in rows.events:
        row["channel"] = "window"
    assert counted(rows, "a") == ({}, {})
