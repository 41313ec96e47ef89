"""The unit of work on both databases: all or nothing, in turn, and away is not broken."""

import sqlite3
import threading

import pytest
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.exc import IntegrityError, InternalError, OperationalError, ProgrammingError

from hospital import NOW_US
from shouhao.booking.tables import departments
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.store import engine
from shouhao.store.answers import answers
from shouhao.store.engine import open_database


def department(name="OBS"):
    return insert(departments).values(id=name, name_zh="产科", name_en="Obstetrics")


def names(db):
    with db.read() as connection:
        return sorted(connection.execute(select(departments.c.id)).scalars())


def test_a_unit_of_work_is_kept_when_its_block_ends(db):
    with db.write() as connection:
        connection.execute(department("A"))
        connection.execute(department("B"))
    assert names(db) == ["A", "B"]


@pytest.mark.parametrize("error", [Refused(), ValueError(), KeyboardInterrupt()])
def test_a_unit_of_work_leaves_nothing_when_its_block_raises(db, error):
    with pytest.raises(type(error)), db.write() as connection:  # noqa: PT012 - what the block leaves is the point
        connection.execute(department())
        raise error
    assert names(db) == []


def test_another_sees_nothing_before_the_end(db):
    with db.write() as connection:
        connection.execute(department())
        assert names(db) == []
    assert names(db) == ["OBS"]


def test_a_look_is_not_disturbed_by_a_writer_on_sqlite(sqlite_db):
    with sqlite_db.read() as connection:
        before = connection.execute(select(departments)).all()
        with sqlite_db.write() as writer:
            writer.execute(department())
        assert connection.execute(select(departments)).all() == before == []


def test_eight_writers_take_turns_on_sqlite(sqlite_url):
    databases = [open_database(sqlite_url) for _ in range(2)]  # a second one polls the file, as another process does
    with databases[0].write() as connection:
        connection.execute(insert(answers).values(key="n", body_hash="", status=0, body="", at_us=NOW_US))
    started, trouble = threading.Barrier(8), []

    def add(db):
        try:
            started.wait()
            for _ in range(25):
                with db.write() as connection:
                    seen = connection.execute(select(answers.c.status)).scalar_one()
                    connection.execute(update(answers).values(status=seen + 1))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported below
            trouble.append(error)

    threads = [threading.Thread(target=add, args=(databases[n % 2],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    with databases[0].read() as connection:
        assert connection.execute(select(answers.c.status)).scalar_one() == 200
    for db in databases:
        db.close()


def test_a_sqlite_file_that_another_process_holds_is_unavailable(sqlite_url, monkeypatch):
    monkeypatch.setattr(engine, "_SQLITE_BUSY_MS", 50)
    db = open_database(sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable), db.write() as connection:
        connection.execute(department())
    assert names(db) == []  # a look goes on
    other.execute("ROLLBACK")
    with db.write() as connection:
        connection.execute(department())
    other.close()
    db.close()


def test_a_row_that_another_holds_is_unavailable_on_postgresql(postgresql_url):
    db = open_database(postgresql_url)
    with db.write() as connection:
        connection.execute(department())
    with db.write() as holder:
        holder.execute(select(departments).with_for_update())
        with pytest.raises(Unavailable), db.write() as connection:  # noqa: PT012 - what the block leaves is the point
            connection.execute(text("SET LOCAL lock_timeout = '30ms'"))
            connection.execute(update(departments).values(name_en=""))
    assert names(db) == ["OBS"]
    db.close()


def test_a_wait_without_end_is_cut_off_on_postgresql(postgresql_url):
    db = open_database(postgresql_url)
    with db.read() as connection:
        limits = {
            name: connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        }
    assert limits == {
        "lock_timeout": "5s",
        "statement_timeout": "15s",
        "idle_in_transaction_session_timeout": "30s",
    }
    db.close()


def test_an_embrace_is_unavailable_for_one_of_the_two(postgresql_url):
    db = open_database(postgresql_url)
    with db.write() as connection:
        connection.execute(department("A"))
        connection.execute(department("B"))
    both, outcomes = threading.Barrier(2), []

    def embrace(first, second):
        try:
            with db.write() as connection:
                connection.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
                connection.execute(update(departments).where(departments.c.id == first).values(name_en=first))
                both.wait()
                connection.execute(update(departments).where(departments.c.id == second).values(name_en=first))
            outcomes.append("done")
        except Unavailable:
            outcomes.append("unavailable")

    threads = [threading.Thread(target=embrace, args=pair) for pair in (("A", "B"), ("B", "A"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "unavailable"]
    db.close()


def test_a_server_that_is_away_is_unavailable():
    db = open_database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable), db.read():
        pass
    db.close()


def test_a_connection_that_dies_is_unavailable_once_and_then_replaced(postgresql_url):
    db = open_database(postgresql_url, pool_size=1)
    with pytest.raises(Unavailable), db.write() as connection:  # noqa: PT012 - what the block leaves is the point
        connection.execute(department("LOST"))
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with db.write() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        connection.execute(department("NEVER"))
    assert names(db) == []
    db.close()


def test_a_sqlite_file_that_cannot_be_opened_is_unavailable(tmp_path):
    (tmp_path / "folder").mkdir()
    db = open_database(f"sqlite:///{tmp_path}/folder")
    with pytest.raises(Unavailable), db.read():
        pass
    db.close()


def test_more_users_than_connections_wait_and_are_then_told(sqlite_url, monkeypatch):
    monkeypatch.setattr(engine, "_CONNECT_TIMEOUT_S", 0.05)
    db = open_database(sqlite_url, pool_size=1)
    with db.read(), db.read(), pytest.raises(Unavailable), db.read():
        pass
    db.close()


def test_a_mistake_in_our_sql_is_a_bug_and_passes(db):
    with pytest.raises((OperationalError, ProgrammingError)), db.read() as connection:
        connection.execute(text("SELECT nothing FROM nowhere"))


def test_a_broken_rule_of_the_schema_is_a_bug_and_passes(db):
    with pytest.raises(IntegrityError), db.write() as connection:  # noqa: PT012 - what the block leaves is the point
        connection.execute(department())
        connection.execute(department())
    assert names(db) == []


def test_what_an_error_says_quotes_no_values(db):
    with pytest.raises(IntegrityError) as caught, db.write() as connection:
        connection.execute(insert(departments).values(id="X", name_zh=None, name_en="Zhang San"))
    assert "[parameters" not in str(caught.value)


def test_another_kind_of_database_is_refused():
    with pytest.raises(ValueError, match="mysql"):
        open_database("mysql://localhost/x")


def test_sqlite_commits_survive_a_power_cut_and_references_hold(sqlite_db):
    settings = []

    @event.listens_for(sqlite_db.engine, "connect")
    def look(connection, _record):  # before conftest.py takes back what makes tests wait for the disk
        for name in ("journal_mode", "synchronous", "foreign_keys"):
            settings.extend(connection.execute(f"PRAGMA {name}").fetchone())

    with sqlite_db.read():
        pass
    assert settings == ["wal", 2, 1]


def test_two_statements_of_one_look_see_one_moment(db):
    with db.read() as connection:
        before = connection.execute(select(departments.c.id)).all()
        with db.write() as writer:
            writer.execute(department())
        assert connection.execute(select(departments.c.id)).all() == before == []
    assert names(db) == ["OBS"]


def test_a_look_cannot_write_on_postgresql(postgresql_url):
    db = open_database(postgresql_url)
    with pytest.raises(InternalError, match="read-only transaction"), db.read() as connection:
        connection.execute(department())
    assert names(db) == []
    with db.write() as connection:  # and the other way is not barred by it
        connection.execute(department())
    assert names(db) == ["OBS"]
    db.close()
