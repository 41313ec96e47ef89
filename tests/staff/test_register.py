"""The access register: the row stands before the data is read, stays for good, and counts."""

import csv
import io

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from racing import before_its_end
from shouhao.kernel.errors import InvalidInput, Unavailable
from shouhao.staff.model import Operator
from shouhao.staff.register import (
    COUNTED_AS,
    DATA_CLASSES,
    WARN_AT,
    canary_ids,
    counts,
    look,
    mark_canary,
    search,
    unmark_canary,
    warnings,
)
from shouhao.staff.register_csv import COLUMNS, register_csv
from shouhao.staff.tables import access_register
from shouhao.staff.training import NotTrained, TrainsThemselves, record_training, trained_until, trainings_of
from shouhao.store.engine import Database, open_database
from staff.staffing import DAY, NOW, SECOND, events, operator


def looked(db: Database, who: Operator, data_class="other", *, now_us=NOW, what="case cs_1", reason="复核", **more):
    return look(db, who, data_class=data_class, what=what, reason=reason, authority="岗位职责", now_us=now_us, **more)


def rows(db: Database, **which):
    with db.read() as connection:
        return search(connection, **which)


def trained(db: Database, who: Operator, until_us=NOW + DAY, now_us=NOW):
    with db.write() as connection:
        return record_training(
            connection, who.id, trained_by="信息科 李", document="培训-2026-07", until_us=until_us, now_us=now_us
        )


def test_a_look_says_who_of_which_unit_at_what_why_and_on_whose_authority(db):
    who = operator(db, "monitoring", unit="监控中心")
    look_id = looked(db, who, "case", what="case cs_1", records=3)
    (row,) = rows(db)
    assert (row.id, row.operator_id, row.unit, row.data_class, row.what) == (
        look_id,
        who.id,
        "监控中心",
        "case",
        "case cs_1",
    )
    assert (row.reason, row.authority, row.records, row.canary, row.at_us) == ("复核", "岗位职责", 3, False, NOW)
    (event,) = events(db, "record_looked_at")
    assert (event["staff_id"], event["detail"]["look_id"]) == (who.id, look_id)


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""},
        {"reason": " \n "},
        {"what": ""},
        {"records": 0},
        {"what": "x" * 201},
        {"reason": "a\x00b"},
    ],
)
def test_nobody_looks_without_saying_why(sqlite_db, wrong):
    who = operator(sqlite_db, "monitoring")
    with pytest.raises(InvalidInput):
        looked(sqlite_db, who, **wrong)
    with pytest.raises(InvalidInput):
        look(sqlite_db, who, data_class="other", what="x", reason="y", authority=" ", now_us=NOW)
    assert rows(sqlite_db) == []


@pytest.mark.parametrize("data_class", ["face", "trail"])
def test_no_face_and_no_trail_without_a_training_that_is_still_good(db, data_class):
    who = operator(db, "security")
    with pytest.raises(NotTrained):
        looked(db, who, data_class)
    trained(db, who, until_us=NOW + DAY)
    looked(db, who, data_class)
    with pytest.raises(NotTrained):
        looked(db, who, data_class, now_us=NOW + DAY)
    trained(db, who, until_us=NOW + 9 * DAY, now_us=NOW + DAY)
    looked(db, who, data_class, now_us=NOW + 2 * DAY)
    trained(db, who, until_us=NOW + 2 * DAY, now_us=NOW + 2 * DAY)  # ended: the newest record counts
    with pytest.raises(NotTrained):
        looked(db, who, data_class, now_us=NOW + 2 * DAY + 1)
    assert len(rows(db)) == 2
    with db.read() as connection:
        assert len(trainings_of(connection, who.id)) == 3
        assert trained_until(connection) == {who.id: NOW + 2 * DAY}


def test_nobody_writes_down_their_own_training(sqlite_db):
    who = operator(sqlite_db, "administrator")
    with pytest.raises(TrainsThemselves), sqlite_db.write() as connection:
        record_training(
            connection, who.id, trained_by="x", document="y", until_us=NOW + DAY, now_us=NOW, staff_id=who.id
        )


def test_when_the_row_cannot_be_written_nothing_is_shown(tmp_path):
    db = open_database(f"sqlite:///{tmp_path}/none.sqlite3")  # no table at all
    who = Operator(id="op_1", name="x", roles=frozenset({"auditor"}))
    with pytest.raises((DBAPIError, Unavailable)):
        looked(db, who)
    db.close()


@pytest.mark.parametrize(
    "statement",
    [
        update(access_register).values(reason="别的"),
        delete(access_register),
        text("DELETE FROM access_register WHERE id = 'x'"),
        text("UPDATE access_register SET operator_id = 'op_other'"),
    ],
    ids=["update", "delete", "delete by text", "update by text"],
)
def test_the_database_itself_keeps_every_row(db, statement):
    looked(db, operator(db, "auditor"))
    looked(db, operator(db, "auditor"), what="x")
    with db.write() as connection:  # a row that matches, on either kind of database
        connection.execute(
            insert(access_register).values(
                id="x",
                at_us=NOW,
                operator_id="op",
                unit=None,
                data_class="other",
                what="x",
                reason="x",
                authority="x",
                records=1,
                canary=False,
            )
        )
    before = rows(db)
    with pytest.raises(DBAPIError, match="only ever added"), db.write() as connection:
        connection.execute(statement)
    assert rows(db) == before


def test_sqlite_does_not_replace_a_row_either(sqlite_db):
    look_id = looked(sqlite_db, operator(sqlite_db, "auditor"))
    before = rows(sqlite_db)
    replaced = text(
        "INSERT OR REPLACE INTO access_register (id, at_us, operator_id, data_class, what, reason, authority, records,"
        " canary) VALUES (:id, 1, 'x', 'other', 'x', 'x', 'x', 1, false)"
    )
    with pytest.raises(DBAPIError, match="only ever added"), sqlite_db.write() as connection:
        connection.execute(replaced, {"id": look_id})
    assert rows(sqlite_db) == before


def test_postgresql_does_not_truncate_it_either(postgresql_url):
    db = open_database(postgresql_url)
    looked(db, operator(db, "auditor"))
    with pytest.raises(DBAPIError, match="only ever added"), db.write() as connection:
        connection.execute(text("TRUNCATE access_register"))
    assert len(rows(db)) == 1
    db.close()


def test_rows_are_found_by_person_class_record_and_time(db):
    one, two = operator(db, "auditor"), operator(db, "window")
    first = looked(db, one, what="case cs_1")
    second = looked(db, two, "identity", what="patient pt_100%", now_us=NOW + SECOND)
    third = looked(db, two, "health", what="patient pt_7", now_us=NOW + 2 * SECOND)

    def ids(**which):
        return [row.id for row in rows(db, **which)]

    assert ids() == [third, second, first]
    assert ids(operator_id=two.id) == [third, second]
    assert ids(data_class="health") == [third]
    assert ids(what="pt_7") == [third]
    assert ids(what="100%") == [second]
    assert ids(what="%") == [second]
    assert ids(from_us=NOW + SECOND, until_us=NOW + 2 * SECOND) == [second]
    assert ids(before_id=third, limit=1) == [second]


def test_what_somebody_looked_at_in_a_day_and_a_month_is_counted(db):
    one, two = operator(db, "auditor"), operator(db, "window")
    looked(db, one, "health", records=7, now_us=NOW)
    looked(db, one, "health", records=2, now_us=NOW + 2 * DAY)
    looked(db, two, "identity", records=5, now_us=NOW + 2 * DAY)
    looked(db, two, "case", records=6, now_us=NOW + 2 * DAY)
    with db.read() as connection:
        told = {(c.operator_id, c.counter): (c.day, c.month) for c in counts(connection, now_us=NOW + 2 * DAY)}
        later = counts(connection, now_us=NOW + 31 * DAY, operator_id=one.id)
    assert told == {(one.id, "health"): (2, 9), (two.id, "other"): (11, 11)}
    assert [(c.day, c.month) for c in later] == [(0, 2)]
    assert set(COUNTED_AS) == set(DATA_CLASSES)


def test_others_are_told_far_below_what_the_law_calls_serious(db):
    assert all(2 * at.month < at.law and at.day < at.month for at in WARN_AT.values())
    assert {name: at.law for name, at in WARN_AT.items()} == {"trail": 25, "health": 250, "other": 2500}
    who = operator(db, "monitoring")
    trained(db, who, until_us=NOW + 90 * DAY)
    for n in range(14):
        looked(db, who, "trail", now_us=NOW + n * 7200 * SECOND, what=f"trail tr_{n}")
    with db.read() as connection:
        told = [(w.span, w.records, w.warn_at) for w in reversed(warnings(connection, since_us=0))]
    assert told == [("day", 5, 5), ("day", 10, 5), ("month", 12, 12)]
    assert [e["detail"]["records"] for e in events(db, "looks_warned")] == [5, 10, 12]
    looked(db, who, "case", records=400)
    with db.read() as connection:
        assert warnings(connection, since_us=0)[0].counter == "other"


def test_two_looks_at_one_moment_do_not_pass_the_mark_unseen(postgresql_db):
    db, who = postgresql_db, operator(postgresql_db, "monitoring")
    at_most = WARN_AT["health"].day - 2
    looked(db, who, "health", records=at_most)
    before_its_end(db, lambda same: looked(same, who, "health"), lambda: looked(db, who, "health"))
    with db.read() as connection:
        assert [(one.span, one.records) for one in warnings(connection, since_us=0)] == [("day", at_most + 2)]


def test_a_look_at_a_canary_is_an_alarm_and_its_reader_is_not_told(db):
    officer, who = operator(db, "data_protection"), operator(db, "window")
    with db.write() as connection:
        assert mark_canary(connection, "pt_canary", operator=officer, now_us=NOW)
        assert not mark_canary(connection, "pt_canary", operator=officer, now_us=NOW)
        assert list(canary_ids(connection)) == [("pt_canary", officer.id, NOW)]
    for what, alarmed in (
        ("patient pt_canary", True),
        ("patient:pt_canary/photo:ph_1", True),
        ("patients pt_1,pt_canary;pt_2", True),
        ("patient pt_canary2", False),
        ("patient xpt_canary", False),
        ("canary", False),
    ):
        before = len(events(db, "canary_opened"))
        with capture_logs() as logged:
            assert looked(db, who, what=what).startswith("lk_")
        assert [(e["event"], e["log_level"]) for e in logged] == [("canary_opened", "error")] * alarmed
        assert rows(db, limit=1)[0].canary is alarmed
        assert len(events(db, "canary_opened")) == before + alarmed
    with db.write() as connection:
        assert unmark_canary(connection, "pt_canary", operator=officer, now_us=NOW)
        assert not unmark_canary(connection, "pt_canary", operator=officer, now_us=NOW)
    looked(db, who, what="pt_canary")
    assert not rows(db, limit=1)[0].canary
    for wrong in ("", "a b", "x" * 65, "张三"):
        with pytest.raises(InvalidInput), db.write() as connection:
            mark_canary(connection, wrong, operator=officer, now_us=NOW)


def test_the_export_runs_nothing_in_a_spreadsheet(sqlite_db):
    who = operator(sqlite_db, "auditor", name="=1+1")
    for reason in ('=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)", " =1", '"quoted", and\nmore', "＝1"):
        looked(sqlite_db, who, reason=reason)
    written = register_csv(rows(sqlite_db), {who.id: who.name})
    assert written.startswith(b"\xef\xbb\xbf")
    read = list(csv.reader(io.StringIO(written.decode("utf-8-sig"), newline="")))
    assert tuple(read[0]) == COLUMNS
    cells = [cell for line in read[1:] for cell in line]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝")) for cell in cells)
    assert [line[7] for line in read[1:]][1] == '"quoted", and\nmore'
