"""A plan that moves a release at the very moment of it: the worker goes by what the plan says, on PostgreSQL."""

import pytest
from sqlalchemy import update

from flows.drawing import DRAW, KEYS, set_release
from hospital import NOW_US, add_department, add_session, rows
from racing import meanwhile
from shouhao.booking.tables import sessions
from shouhao.flows.draws import open_windows
from shouhao.flows.release import release_due
from shouhao.kernel.clock import DAY_US


@pytest.mark.parametrize(
    ("body", "work"),
    [
        ({"kind": "first_come"}, lambda db: release_due(db, now_us=NOW_US)),
        (DRAW, lambda db: open_windows(db, KEYS, now_us=NOW_US)),
    ],
)
def test_a_release_that_is_put_off_as_it_begins_is_put_off(postgresql_db, body, work):
    db = postgresql_db
    add_department(db)
    add_session(db, "S1", state="planned", release_at_us=NOW_US)
    set_release(db, body)
    put_off = update(sessions).values(release_at_us=NOW_US + DAY_US)
    assert meanwhile(db, lambda connection: connection.execute(put_off), lambda: work(db)) == 0
    (session,) = rows(db, sessions)
    assert (session["state"], session["draw_id"]) == ("planned", None)
