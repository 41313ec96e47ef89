"""The stream of alarms over real HTTP: what comes first, what comes after a lost connection, and how it ends."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url, text

from shouhao.staff.model import ROLES
from shouhao.store.engine import open_database
from web.alarmed import WATCHING, do, furnish, raised
from web.served import Caller, Hospital, error_of, served


@pytest.fixture
def people(hospital: Hospital) -> dict[str, str]:
    return furnish(hospital)


@contextmanager
def watching(who: Caller, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """Messages of the stream, as they come."""
    sent_headers = {**who.headers, **headers}
    with (
        httpx.Client(timeout=20) as client,
        client.stream("GET", who.base + "/alarms/stream", headers=sent_headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _messages(answer.iter_lines())


def _messages(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    message: dict[str, Any] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            message[name] = json.loads(value) if name == "data" else value
        elif message.keys() >= {"event"}:
            yield message
            message = {}
        else:
            message = {}


def _alarm(messages: Iterator[dict[str, Any]]) -> dict[str, Any]:
    return next(m for m in messages if m["event"] == "alarm")


def test_a_watcher_hears_of_open_alarms_first_and_then_of_each_change(
    hospital: Hospital, people: dict[str, str]
) -> None:
    alarm_id, monitoring = raised(hospital), hospital.staff("monitoring")
    with watching(monitoring) as messages:
        first = _alarm(messages)
        assert (first["data"]["what"], first["data"]["alarm"]["alarm_id"]) == ("snapshot", alarm_id)
        assert next(messages)["event"] == "beat"
        do(monitoring, alarm_id, "acknowledged", 1)
        then = _alarm(messages)
        assert (then["data"]["what"], then["data"]["alarm"]["version"]) == ("step", 2)
        other = raised(hospital, 2, entry_id="we_2")
        assert (new := _alarm(messages))["data"]["what"] == "raised"
        assert new["data"]["alarm"]["alarm_id"] == other


def test_whoever_comes_back_hears_what_changed_meanwhile_and_of_what_was_closed(
    hospital: Hospital, people: dict[str, str]
) -> None:
    alarm_id, monitoring = raised(hospital), hospital.staff("monitoring")
    with watching(monitoring) as messages:
        last_id = [next(messages), next(messages)][-1]["id"]
    do(monitoring, alarm_id, "acknowledged", 1)
    do(monitoring, alarm_id, "rejected", 2, reason="另一个人")
    do(monitoring, alarm_id, "closed", 3)
    with watching(monitoring, **{"Last-Event-ID": last_id}) as messages:
        assert _alarm(messages)["data"]["alarm"]["state"] == "closed"
    for nonsense in ("x", "-1", "9" * 40):
        with watching(monitoring, **{"Last-Event-ID": nonsense}) as messages:
            assert next(messages)["event"] == "beat"


def test_only_who_handles_alarms_may_watch(hospital: Hospital) -> None:
    for role in set(ROLES) - WATCHING:
        said = hospital.staff(role).get("/alarms/stream")
        assert (said.status_code, error_of(said)["code"]) == (403, "staff.role_missing")


def test_of_all_who_come_at_once_each_hears_each_change_once(sqlite_hospital: Hospital) -> None:
    furnish(sqlite_hospital)
    monitoring = sqlite_hospital.staff("monitoring")
    gate = threading.Barrier(8)
    heard: list[list[int]] = []

    def listen() -> None:
        gate.wait(timeout=10)
        with watching(monitoring) as messages:
            assert next(messages)["event"] == "beat"
            gate.wait(timeout=10)
            told = [_alarm(messages) for _ in range(3)]
            heard.append([int(message["id"]) for message in told])

    listeners = [threading.Thread(target=listen) for _ in range(7)]
    for one in listeners:
        one.start()
    for _ in range(2):
        gate.wait(timeout=10)
    for number in range(3):
        raised(sqlite_hospital, number, entry_id=f"we_{number}")
    for one in listeners:
        one.join(timeout=20)
    assert heard == [sorted(set(heard[0]))] * 7


def test_streams_end_while_nothing_can_be_read_and_heal(
    postgresql_server: str, postgresql_url: str, tmp_path: Path
) -> None:
    name = make_url(postgresql_url).database

    def connections(allowed: str) -> None:
        own = open_database(postgresql_server.format(name="postgres"), pool_size=1)
        with own.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}"))
            connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
        own.close()

    with served(postgresql_url, tmp_path) as hospital:
        furnish(hospital)
        alarm_id, monitoring = raised(hospital), hospital.staff("monitoring")
        with watching(monitoring) as messages:
            assert [next(messages)["event"] for _ in range(2)] == ["alarm", "beat"]
            connections("false")
            assert [message for message in messages if message["event"] == "alarm"] == [], "it ends by itself"
        connections("true")
        with watching(monitoring) as messages:
            assert _alarm(messages)["data"]["alarm"]["alarm_id"] == alarm_id


def test_stopping_the_server_ends_the_streams(sqlite_url: str, tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []
    began = threading.Event()

    def listen(who: Caller) -> None:
        with watching(who) as messages:
            for message in messages:
                heard.append(message)
                began.set()

    with served(sqlite_url, tmp_path) as hospital:
        listener = threading.Thread(target=listen, args=(hospital.staff("monitoring"),))
        listener.start()
        assert began.wait(timeout=10)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 10, "it waited for somebody who watches"
    listener.join(timeout=10)
    assert not listener.is_alive()
    assert heard[-1]["event"] == "beat"
