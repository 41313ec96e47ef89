"""Channels: each has its own key, and a closed or changed one is shut out."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from shouhao.gate.channels import (
    ChannelKeys,
    create_channel,
    deactivate_channel,
    list_channels,
    rotate_channel_key,
)
from shouhao.gate.model import CHANNEL_NAMES, ChannelExists, ChannelRefused, check_channel_name
from shouhao.gate.tables import channels
from shouhao.kernel.clock import ManualClock
from shouhao.kernel.errors import InvalidInput, NotFound, Unavailable
from shouhao.kernel.randomness import SeededRandomness, SystemRandomness
from shouhao.store import event_log
from shouhao.store.engine import Database

NOW = 1_760_000_000_000_000
CHANCE = SystemRandomness()


def opened(db: Database, name: str = "app") -> str:
    with db.write() as connection:
        return create_channel(connection, name, now_us=NOW, randomness=CHANCE)


class LostDatabase(Database):
    """A real database whose line can be cut, and that counts how often it is read."""

    def __init__(self, db: Database) -> None:
        super().__init__(db.engine)
        self.away = False
        self.reads = 0

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self.reads += 1
        if self.away:
            raise Unavailable("database")
        with super().read() as connection:
            yield connection


@pytest.mark.parametrize("name", [*CHANNEL_NAMES, "platform:x", "platform:city-health_2"])
def test_these_names_are_channels(name):
    assert check_channel_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "App", "platform:", "platform:-x", "platform:A", "platform:a.b", "platform:" + "a" * 33, "app\n", "店"]
)
def test_no_other_name_is_a_channel(db, name):
    with pytest.raises(InvalidInput), db.write() as connection:
        create_channel(connection, name, now_us=NOW, randomness=CHANCE)
    with db.read() as connection:
        assert list_channels(connection) == []


def test_a_channel_is_known_by_its_key(db):
    app, web = opened(db, "app"), opened(db, "platform:city")
    keys = ChannelKeys(db, ManualClock(NOW))
    assert keys.authenticate(f"app.{app}") == "app"
    assert keys.authenticate(f"platform:city.{web}") == "platform:city"
    assert app != web


def test_another_channels_key_opens_nothing(db):
    app = opened(db, "app")
    opened(db, "web")
    keys = ChannelKeys(db, ManualClock(NOW))
    with pytest.raises(ChannelRefused):
        keys.authenticate(f"web.{app}")


@pytest.mark.parametrize("header", ["", ".", "app", "app.", ".app", "app.wrong", "nobody.key", "app.密钥", "a" * 9999])
def test_what_is_not_a_key_is_refused(sqlite_db, header):
    opened(sqlite_db)
    with pytest.raises(ChannelRefused):
        ChannelKeys(sqlite_db, ManualClock(NOW)).authenticate(header)


def test_the_key_itself_is_not_stored(db):
    key = opened(db)
    with db.read() as connection:
        row = connection.execute(select(channels)).one()
        written = str(list(event_log.read(connection)))
    assert key not in str(row)
    assert key not in written


def test_a_name_is_given_once(db):
    key = opened(db)
    with pytest.raises(ChannelExists):
        opened(db)
    assert ChannelKeys(db, ManualClock(NOW)).authenticate(f"app.{key}") == "app"


def test_a_rotated_key_ends_within_the_refresh(db):
    old = opened(db)
    clock = ManualClock(NOW)
    keys = ChannelKeys(db, clock, refresh_s=5)
    keys.authenticate(f"app.{old}")
    with db.write() as connection:
        new = rotate_channel_key(connection, "app", now_us=NOW, randomness=CHANCE)
    clock.advance(seconds=5)
    with pytest.raises(ChannelRefused):
        keys.authenticate(f"app.{old}")
    assert keys.authenticate(f"app.{new}") == "app"


def test_a_closed_channel_is_shut_out_and_stays_so(db):
    key = opened(db)
    clock = ManualClock(NOW)
    keys = ChannelKeys(db, clock, refresh_s=5)
    keys.authenticate(f"app.{key}")
    with db.write() as connection:
        deactivate_channel(connection, "app", now_us=NOW + 1, staff_id="op_1")
    keys.refresh()
    with pytest.raises(ChannelRefused):
        keys.authenticate(f"app.{key}")
    with pytest.raises(NotFound), db.write() as connection:
        rotate_channel_key(connection, "app", now_us=NOW, randomness=CHANCE)
    with db.read() as connection:
        (channel,) = list_channels(connection)
    assert (channel.active, channel.changed_at_us) == (False, NOW + 1)


def test_each_change_has_its_event(db):
    opened(db)
    with db.write() as connection:
        rotate_channel_key(connection, "app", now_us=NOW, randomness=CHANCE, staff_id="op_1")
        deactivate_channel(connection, "app", now_us=NOW, staff_id="op_2")
    with db.read() as connection:
        rows = [row for chunk in event_log.read(connection) for row in chunk]
    assert [(r["kind"], r["channel"], r["detail"]["change"], r["staff_id"]) for r in rows] == [
        ("channel_changed", "app", "created", None),
        ("channel_changed", "app", "key_rotated", "op_1"),
        ("channel_changed", "app", "deactivated", "op_2"),
    ]


def test_the_database_is_asked_once_a_refresh(sqlite_db):
    key = opened(sqlite_db)
    clock = ManualClock(NOW)
    db = LostDatabase(sqlite_db)
    keys = ChannelKeys(db, clock, refresh_s=5)
    for _ in range(100):
        keys.authenticate(f"app.{key}")
        with pytest.raises(ChannelRefused):
            keys.authenticate("app.wrong")
    assert db.reads == 1
    clock.advance(seconds=5)
    keys.authenticate(f"app.{key}")
    assert db.reads == 2


def test_known_keys_outlive_a_short_outage_and_not_a_long_one(sqlite_db):
    key = opened(sqlite_db)
    clock = ManualClock(NOW)
    db = LostDatabase(sqlite_db)
    keys = ChannelKeys(db, clock, refresh_s=5, serve_stale_s=60)
    keys.authenticate(f"app.{key}")
    db.away = True
    clock.advance(seconds=59)
    assert keys.authenticate(f"app.{key}") == "app"
    clock.advance(seconds=5)
    for _ in range(3):
        with pytest.raises(Unavailable):
            keys.authenticate(f"app.{key}")
    assert db.reads == 3  # the first, and one a refresh
    db.away = False
    clock.advance(seconds=5)
    assert keys.authenticate(f"app.{key}") == "app"


def test_a_clock_set_back_does_not_keep_an_old_key_alive(sqlite_db):
    key = opened(sqlite_db)
    clock = ManualClock(NOW)
    keys = ChannelKeys(sqlite_db, clock)
    keys.authenticate(f"app.{key}")
    with sqlite_db.write() as connection:
        deactivate_channel(connection, "app", now_us=NOW)
    clock._now_us -= 3_600_000_000
    with pytest.raises(ChannelRefused):
        keys.authenticate(f"app.{key}")


def test_many_threads_at_once_ask_the_database_once(sqlite_db):
    key = opened(sqlite_db)
    db = LostDatabase(sqlite_db)
    keys = ChannelKeys(db, ManualClock(NOW))
    gate = threading.Barrier(8)
    heard: list[str] = []

    def ask() -> None:
        gate.wait()
        heard.append(keys.authenticate(f"app.{key}"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == ["app"] * 8
    assert db.reads == 1


def test_wrong_headers_are_not_remembered(sqlite_db):
    key = opened(sqlite_db)
    keys = ChannelKeys(sqlite_db, ManualClock(NOW))

    @given(st.text())
    def ask(header: str) -> None:
        with pytest.raises(ChannelRefused):
            keys.authenticate(header)

    keys.authenticate(f"app.{key}")
    ask()
    assert keys._table is not None
    assert list(keys._table.accepted) == [f"app.{key}"]


def test_keys_come_from_the_given_chance(sqlite_db):
    with sqlite_db.write() as connection:
        first = create_channel(connection, "app", now_us=NOW, randomness=SeededRandomness(1))
        second = rotate_channel_key(connection, "app", now_us=NOW, randomness=SeededRandomness(1))
        third = rotate_channel_key(connection, "app", now_us=NOW, randomness=SeededRandomness(2))
    assert first == second != third
    assert len(first) == 43
