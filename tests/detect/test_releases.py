"""Releases that nobody wrote down: a crowd shows them, and nothing else does."""

import pytest

from detect.bookings import event, slot_of
from detect.people import MINUTE_US, SECOND_US, Rows, honest_week, release_us
from detect.tables import rows_of, tables
from shouhao.detect.counted.releases import with_releases
from shouhao.detect.rules.snipers import Snipers
from shouhao.detect.run import tables_in


def asked(doctor, count, *, at_us, every_us=SECOND_US, account="w{}"):
    """So many ask one after the other; when the slots were opened is not on record."""
    return Rows(
        events=[
            event("booked", at_us + n * every_us, slot_of(doctor, 1, n), account.format(f"{doctor}-{n}"), f"p{n}")
            | {"released_at_us": None}
            for n in range(count)
        ]
    )


def found(rows):
    return {row["released_at_us"] for row in rows_of(with_releases(tables(events=rows.events).events))}


def test_a_crowd_at_two_doctors_shows_the_minute():
    rows = asked("dr00", 15, at_us=release_us(1) + 2 * SECOND_US).plus(
        asked("dr01", 15, at_us=release_us(1) + 3 * SECOND_US)
    )
    assert found(rows) == {release_us(1)}


@pytest.mark.parametrize(
    "rows",
    [
        asked("dr00", 40, at_us=release_us(1), every_us=2 * MINUTE_US),  # all day long
        asked("dr00", 40, at_us=release_us(1), account="the-firm"),  # one for its people
        asked("dr00", 8, at_us=release_us(1)),  # a handful
    ],
)
def test_what_is_no_crowd_shows_none(rows):
    assert found(rows) == {None}


def test_a_clock_that_is_behind_makes_people_slower_and_never_quicker():
    rows = asked("dr00", 40, at_us=release_us(1) - 2 * SECOND_US)
    (opened_us,) = found(rows)
    assert all(row["at_us"] - opened_us > 30 * SECOND_US for row in rows.events)


def test_a_script_is_found_without_the_column():
    week = honest_week()
    script = [
        event("booked" if day == 0 else "refused", release_us(day) + 90_000, slot_of("dr00", day, 90), "script", "sp")
        for day in range(5)
    ]
    rows = [{**row, "released_at_us": None} for row in [*week.events, *script]]
    bare = tables(hits=week.hits, events=rows)
    assert "events.released_at_us" not in bare.has
    over = tables_in(bare.hits, bare.events, keep=bare.events.get_backend().create_table)
    detector = Snipers()
    said = list(detector.judge({name: table.to_pyarrow() for name, table in detector.count(over).items()}))
    assert {one.subject.id for one in said if one.code == "snipers.always_quick"} == {"script", "d-script"}
