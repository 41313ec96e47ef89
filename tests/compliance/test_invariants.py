"""What must hold of the law's tables at any time, and that the check finds it when it does not."""

from sqlalchemy import insert

from hospital import put
from lawful import go_live, make_lawful
from shouhao.compliance.tables import switches
from shouhao.store.invariants import check
from shouhao.watch.store.camera_tables import cameras
from shouhao.watch.store.frequent_tables import days, visits
from shouhao.wiring import INVARIANTS

NOW_US = 1_772_413_200_000_000


def broken(db):
    with db.read() as connection:
        return {violation.code for violation in check(connection, INVARIANTS)}


def test_a_lawful_hospital_breaks_none(db):
    go_live(db, "CAM1", now_us=NOW_US)
    make_lawful(db, "watchlist", "frequent_visitors", now_us=NOW_US)
    assert broken(db) == set()


def test_a_switch_that_was_turned_on_by_hand_in_the_database_is_found(db):
    put(db, switches, {"switch": "watchlist", "turned_on": True, "why": "", "since_us": NOW_US})
    assert broken(db) == {"law.switch_on_without_approval"}


def test_a_live_camera_that_nobody_declared_and_a_visit_beyond_its_window_are_found(db):
    go_live(db, "CAM1", now_us=NOW_US)
    with db.write() as connection:
        connection.execute(cameras.update().values(declared_by=None))
        connection.execute(insert(days).values(day=1, made_at_us=NOW_US))
        connection.execute(insert(visits).values(id="fv_1", day=1, salt_id="fs_gone", sealed=b"x"))
    assert broken(db) == {"watch.live_camera_undeclared", "watch.frequent_visit_beyond_window"}
