"""The databases of these tests: what a test leaves in one is gone for the next, whatever it was."""

import pytest
from sqlalchemy import text

from hospital import add_department, add_people, add_session, booked, dump
from shouhao.kernel.errors import Unavailable
from shouhao.store.engine import open_database
from spare_databases import SpareDatabases


def run(server: str, name: str, *statements: str) -> None:
    db = open_database(server.format(name=name))
    with db.write() as connection:
        for statement in statements:
            connection.execute(text(statement))
    db.close()


def contents(server: str, name: str) -> dict[str, list[tuple[object, ...]]]:
    db = open_database(server.format(name=name))
    found = dump(db)
    db.close()
    return found


def test_what_was_given_back_is_as_a_new_one(postgresql_template: str) -> None:
    spare = SpareDatabases(postgresql_template)
    name = spare.take()
    fresh = contents(postgresql_template, name)
    db = open_database(postgresql_template.format(name=name))
    add_department(db)
    add_session(db, seats=400)
    booked(db, add_people(db, 300)[0], "S1")
    spare.give_back(name)  # while somebody is connected
    db.close()
    assert spare.take() == name
    assert contents(postgresql_template, name) == fresh
    db = open_database(postgresql_template.format(name=name))
    add_department(db)
    add_session(db)
    booked(db, add_people(db, 1)[0], "S1")
    assert min(row[0] for row in dump(db)["events"]) == 1, "numbers begin anew"
    db.close()
    spare.give_back(name)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "ALTER TABLE sessions DROP COLUMN hot",
        "ALTER TABLE slots ALTER COLUMN state DROP NOT NULL",
        "DROP INDEX ix_payments_booking_id",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_what_was_altered_is_thrown_away(postgresql_template: str, statement: str) -> None:
    spare = SpareDatabases(postgresql_template)
    name = spare.take()
    run(postgresql_template, name, statement)
    spare.give_back(name)
    with pytest.raises(Unavailable):
        contents(postgresql_template, name)
