"""The event log gives back exactly what was written, in its order, as the columns of the outside contract."""

import pytest

from shouhao.kernel.clock import iso
from shouhao.kernel.events import EXPORT_COLUMNS, Event
from shouhao.store import event_log

NOW = 1_770_000_000_000_001
DETAIL = {"id": "bk", "n": 2**53, "deep": {"张": [1, 2.5, None, True, "'"]}, "empty": {}}
COLUMNS = [column.name for column in event_log.events.c if column.name != "seq"]
FULL = Event(
    **{name: f"v-{name}" for name in COLUMNS}
    | {"at_us": NOW, "kind": "booked", "released_at_us": NOW - 1, "latency_ms": 12.25, "detail": DETAIL}
)
BARE = Event(at_us=0, kind="viewed")


def read(db, **how):
    with db.read() as connection:
        return [row for chunk in event_log.read(connection, **how) for row in chunk]


def write(db, *happened):
    with db.write() as connection:
        event_log.append(connection, happened)


def test_every_column_is_read_back_exactly(db):
    write(db, FULL, BARE)
    full, bare = read(db)
    assert tuple(full) == tuple(bare) == EXPORT_COLUMNS
    assert full == {
        **{name: getattr(FULL, name) for name in COLUMNS if name not in {"at_us", "released_at_us"}},
        "event_id": full["event_id"],
        "at": iso(NOW),
        "released_at": iso(NOW - 1),
    }
    assert (bare["at"], bare["kind"]) == ("1970-01-01T08:00:00.000000+08:00", "viewed")
    assert {name for name, value in bare.items() if value is None} == set(EXPORT_COLUMNS) - {"event_id", "at", "kind"}


def test_the_order_of_writing_is_the_order_of_reading(db):
    write(db, *(Event(at_us=NOW - n, kind="viewed", session_id=f"{n}") for n in range(500)))
    write(db, *(Event(at_us=NOW, kind="viewed", session_id=f"{n}") for n in range(500, 600)))
    found = read(db, chunk=7)
    assert [row["session_id"] for row in found] == [str(n) for n in range(600)]
    ids = [row["event_id"] for row in found]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    ("after", "until", "expected"), [(0, None, 10), (4, None, 6), (4, 7, 3), (10, None, 0), (7, 4, 0)]
)
def test_a_part_of_the_log_is_read(db, after, until, expected):
    write(db, *(Event(at_us=NOW, kind="viewed") for _ in range(10)))
    with db.read() as connection:
        first = next(event_log.read(connection))[0]["event_id"]
    start = int(first.removeprefix("ev_")) - 1
    found = read(db, after_seq=start + after, until_seq=None if until is None else start + until, chunk=2)
    assert len(found) == expected


def test_what_is_undone_leaves_no_event(db):
    with pytest.raises(ZeroDivisionError), db.write() as connection:  # noqa: PT012 - what the block leaves is the point
        event_log.append(connection, [BARE])
        raise ZeroDivisionError
    assert read(db) == []
