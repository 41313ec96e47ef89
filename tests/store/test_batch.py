"""Batches say the same on both databases: nothing is lost, turned or read as SQL on the way."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Boolean, Column, Float, Integer, MetaData, Table, Text, insert, select, text
from sqlalchemy.types import BigInteger

from shouhao.store import batch

PROPERTY = settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
BIG = 2**63 - 1
COLUMNS = ("id", "said", "big", "small", "yes", "much", "kept")
things = Table(
    "things",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("said", Text),
    Column("big", BigInteger),
    Column("small", Integer),
    Column("yes", Boolean),
    Column("much", Float),
    Column("kept", Text, server_default="default"),
)
KINDS: dict[str, batch.SQLType] = {"id": "text", "said": "text", "big": "bigint", "much": "double precision"}
NASTY = [
    "",
    " ",
    "'",
    '"',
    "\\",
    "'; DROP TABLE things; --",
    "张三丰",
    "𠮷野家 🏥",
    "e\u0301",
    "\u200b",
    "\n\t\r",
    "null",
    "NULL",
    "{}",
    "[1]",
    "%s %(a)s :b ?",
    "true",
    "1e400",
    "\x7f\x01",
    "a" * 100_000,
]


@pytest.fixture
def house(db):
    with db.write() as connection:
        things.create(connection)
    return db


def stored(db):
    with db.read() as connection:
        return {row["id"]: dict(row) for row in connection.execute(select(things)).mappings()}


def row(**changes):
    return {"id": "1", "said": None, "big": None, "small": None, "yes": None, "much": None, "kept": None} | changes


def test_rows_are_read_back_as_they_were_written(house):
    rows = [row(id=f"{n}", said=said, big=BIG - n, small=n, yes=n % 2 == 0, much=n / 3) for n, said in enumerate(NASTY)]
    rows.append(row(id="low", big=-BIG - 1, small=-(2**31)))
    with house.write() as connection:
        batch.insert(connection, things, COLUMNS, rows)
    assert stored(house) == {given["id"]: given for given in rows}


def test_a_missing_key_is_null_and_a_missing_column_keeps_its_default(house):
    with house.write() as connection:
        batch.insert(connection, things, ("id", "said"), [{"id": "1"}, {"id": "2", "said": "x"}])
        batch.insert(connection, things, ("id", "kept"), [{"id": "3"}])
    assert {key: (r["said"], r["kept"]) for key, r in stored(house).items()} == {
        "1": (None, "default"),
        "2": ("x", "default"),
        "3": (None, None),
    }


def test_no_rows_are_no_statement(house):
    with house.write() as connection:
        batch.insert(connection, things, COLUMNS, [])
    assert stored(house) == {}


def test_ten_thousand_rows_are_one_batch_and_keep_their_order(house):
    with house.write() as connection:
        batch.insert(connection, things, ("id", "small"), [{"id": f"{n:05d}", "small": n} for n in range(10_000)])
    with house.read() as connection:
        assert connection.execute(select(things.c.small)).scalars().all() == list(range(10_000))


def test_records_are_rows_of_a_table(house):
    rows = [{"id": f"{n}", "said": said, "big": BIG - n, "much": 0.5} for n, said in enumerate(NASTY)]
    rows.append({"id": "bare"})
    source = batch.records(house.dialect, "rows", KINDS, "r")
    with house.read() as connection:
        found = connection.execute(
            text(f"SELECT r.id, r.said, r.big, r.much FROM {source}"), {"rows": batch.encode(rows)}
        ).all()
    assert {r.id: (r.said, r.big, r.much) for r in found} == {
        r["id"]: (r.get("said"), r.get("big"), r.get("much")) for r in rows
    }


def test_records_update_and_join(house):
    with house.write() as connection:
        connection.execute(insert(things), [{"id": "a", "said": "old"}, {"id": "b", "said": "old"}])
        source = batch.records(house.dialect, "rows", {"id": "text", "said": "text"}, "r")
        changed = connection.execute(
            text(f"UPDATE things SET said = r.said FROM {source} WHERE things.id = r.id"),
            {"rows": batch.encode([{"id": "a", "said": "new"}, {"id": "c", "said": "new"}])},
        )
        assert changed.rowcount == 1
    assert {key: r["said"] for key, r in stored(house).items()} == {"a": "new", "b": "old"}


def test_values_are_matched_exactly_and_never_read_as_sql(house):
    with house.write() as connection:
        connection.execute(insert(things), [{"id": said} for said in NASTY])
        sql = text(f"SELECT id FROM things WHERE id IN {batch.values(house.dialect, 'ids')}")
        for said in NASTY:
            assert connection.execute(sql, {"ids": batch.encode([said])}).scalars().all() == [said]
        assert len(connection.execute(sql, {"ids": batch.encode(NASTY)}).all()) == len(NASTY)
        assert connection.execute(sql, {"ids": batch.encode([])}).all() == []


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
some_rows = st.lists(
    st.builds(
        row,
        id=texts,
        said=st.none() | texts,
        big=st.none() | st.integers(-BIG - 1, BIG),
        small=st.none() | st.integers(-(2**31), 2**31 - 1),
        yes=st.none() | st.booleans(),
        much=st.none() | st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
        kept=st.none() | texts,
    ),
    max_size=12,
    unique_by=lambda given: given["id"],
)


@PROPERTY
@given(rows=some_rows)
def test_any_rows_are_read_back_as_they_were_written(house, rows):
    with house.write() as connection:
        connection.execute(text("DELETE FROM things"))
        batch.insert(connection, things, COLUMNS, rows)
    assert stored(house) == {given["id"]: given for given in rows}
