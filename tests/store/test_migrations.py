"""Migrations bring an empty database to exactly the tables that the rooms declare, on both kinds."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect, text

from shouhao import wiring
from shouhao.booking.draw_tables import draws
from shouhao.booking.tables import bookings
from shouhao.cases.tips_tables import tips
from shouhao.compliance.tables import switches as law_switches
from shouhao.detect.store.tables import findings
from shouhao.faces.tables import TABLES
from shouhao.staff.tables import operators
from shouhao.store.engine import open_database
from shouhao.store.migrate import is_current, upgrade
from shouhao.store.schema import metadata
from shouhao.watch.store.alarm_tables import alarms
from shouhao.watch.store.camera_tables import cameras
from shouhao.watch.store.capture_tables import stills
from shouhao.watch.store.frequent_tables import visits as frequent_visits
from shouhao.watch.store.handover_tables import shift_handovers
from shouhao.watch.store.recordings_tables import searches
from shouhao.watch.store.subscription_tables import camera_subscriptions
from shouhao.watch.store.watchlist_tables import entries as watch_entries

# Importing them hangs their tables on the metadata.
ROOMS = (
    wiring,
    bookings,
    draws,
    TABLES,
    operators,
    law_switches,
    tips,
    findings,
    cameras,
    frequent_visits,
    alarms,
    stills,
    watch_entries,
    camera_subscriptions,
    searches,
    shift_handovers,
)


def objects(url):
    """Everything the database says of its own schema."""
    sqlite = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    postgresql = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
    )
    db = open_database(url)
    with db.read() as connection:
        found = connection.execute(text(sqlite if db.dialect == "sqlite" else postgresql)).all()
    db.close()
    return found


def meant_for(dialect):
    """Leaves out what is declared for another kind of database; Alembic does not know of it."""

    def include(declared, _name, _kind, _reflected, _compare_to):
        condition = getattr(declared, "_ddl_if", None)
        return condition is None or condition.dialect == dialect

    return include


def test_an_upgraded_database_has_exactly_the_declared_tables(db):
    with db.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "compare_server_default": True, "include_object": meant_for(db.dialect)},
        )
        assert compare_metadata(context, metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_every_declared_check_is_in_the_database(db):
    with db.read() as connection:
        inspector = inspect(connection)
        for table in metadata.sorted_tables:
            declared = {c.name for c in table.constraints if isinstance(c, CheckConstraint)}
            stored = {check["name"] for check in inspector.get_check_constraints(table.name)}
            assert declared == stored, table.name


def test_every_room_has_tables_to_compare():
    assert {"accounts", "slots", "operators", "channels", "events", "answers", "policies"} <= set(metadata.tables)
    assert len(metadata.tables) >= 19


def test_upgrading_twice_changes_nothing(db_url):
    before = objects(db_url)
    upgrade(db_url)
    assert objects(db_url) == before
    assert is_current(db_url)


def test_a_new_database_is_not_current_until_it_is_upgraded(tmp_path):
    url = f"sqlite:///{tmp_path}/new/shouhao.sqlite3"
    assert not is_current(url)
    upgrade(url)
    assert is_current(url)


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(tmp_path):
    url = f"sqlite:///{tmp_path}/shouhao.sqlite3"
    db = open_database(url)
    with db.write() as connection:
        connection.execute(text("CREATE TABLE slots (id TEXT)"))  # in the way
    before = objects(url)
    with pytest.raises(Exception, match="slots"):
        upgrade(url)
    assert objects(url) == before
    assert not is_current(url)
    db.close()
