"""Bookings over HTTP: the real server in its own process, real sign-ins and channel key, each answer checked."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import text

from bench.harness import Figure
from bench.hospital import Hospital, build
from bench.load import Outcome, post, send
from bench.ready import wait_until_ready
from bench.servers import PostgreSQL
from shouhao.gate.channels import create_channel
from shouhao.gate.model import SignInSettings
from shouhao.gate.sign_ins import SignInKey, new_sign_in
from shouhao.kernel.clock import SystemClock
from shouhao.kernel.randomness import SystemRandomness
from shouhao.lab.running_server import reserved_port
from shouhao.store.engine import open_database
from shouhao.store.invariants import check
from shouhao.store.migrate import upgrade
from shouhao.store.vault import Vault
from shouhao.wiring import INVARIANTS

HERE = Path(__file__).resolve().parent
PATH = "/api/v1/bookings"
CONNECTIONS = 256
BOOKINGS = 36_000  #: six mornings
SESSIONS_A_DAY, SLOTS_EACH = 120, 50
NOTHINGS = 60_000
RUSH_PATIENTS, RUSH_SESSIONS, RUSH_SLOTS_EACH = 20_000, 20, 50


def http_figures(server: PostgreSQL) -> list[Figure]:
    """The figures that go over HTTP."""
    steady: dict[str, list[float]] = {"p50_ms": [], "p99_ms": []}
    rush: dict[str, list[float]] = {"sold_out_after_s": [], "p99_ms": [], "booked": [], "double": [], "lost": []}
    return [
        Figure(
            name="http",
            unit="bookings/s, durable, over HTTP",
            measure=lambda: _steady(server, steady),
            floor=do_nothing,
            floor_is=f"do-nothing POST, {CONNECTIONS} connections",
            reach=0.5,
            notes=steady,
        ),
        Figure(
            name="rush",
            unit="answers/s, 1,000 slots, 20,000 patients",
            measure=lambda: _rush(server, rush),
            floor=do_nothing,
            floor_is=f"do-nothing POST, {CONNECTIONS} connections",
            reach=0.5,
            notes=rush,
        ),
    ]


def do_nothing() -> float:
    """Answers a second of a server that only reads and answers."""
    body = msgspec.json.encode({"patient_id": f"pa_{0:026x}", "session_id": f"se_{0:026x}"})
    requests = [post(PATH, {"authorization": "Bearer " + "x" * 200}, body)] * NOTHINGS
    with _process([sys.executable, str(HERE / "do_nothing.py")], {}) as port:
        return send(port, requests, connections=CONNECTIONS).rate()


def _steady(server: PostgreSQL, notes: dict[str, list[float]]) -> float:
    sessions = BOOKINGS // SLOTS_EACH
    with hospital(server, sessions=sessions, slots_each=SLOTS_EACH, patients=BOOKINGS) as (made, url, environment):
        requests = _requests(made, environment, [_morning(n) for n in range(BOOKINGS)])
        with serving(url, environment) as port:
            outcome = send(port, requests, connections=CONNECTIONS)
        _verify(url, outcome, expected=BOOKINGS)
    notes["p50_ms"].append(outcome.percentile_ms(0.50))
    notes["p99_ms"].append(outcome.percentile_ms(0.99))
    return outcome.rate()


def _morning(n: int) -> int:
    day, k = divmod(n, SESSIONS_A_DAY * SLOTS_EACH)
    return day * SESSIONS_A_DAY + k * 7919 % SESSIONS_A_DAY


def _rush(server: PostgreSQL, notes: dict[str, list[float]]) -> float:
    with hospital(server, sessions=RUSH_SESSIONS, slots_each=RUSH_SLOTS_EACH, patients=RUSH_PATIENTS) as house:
        made, url, environment = house
        requests = _requests(made, environment, [secrets.randbelow(RUSH_SESSIONS) for _ in range(RUSH_PATIENTS)])
        with serving(url, environment) as port:
            outcome = send(port, requests, connections=CONNECTIONS)
        double, lost = _verify(url, outcome, expected=RUSH_SESSIONS * RUSH_SLOTS_EACH)
    granted_at = [at for at, status in zip(outcome.done_at_s, outcome.statuses, strict=True) if status == 201]
    notes["sold_out_after_s"].append(max(granted_at))
    notes["p99_ms"].append(outcome.percentile_ms(0.99))
    notes["booked"].append(len(granted_at))
    notes["double"].append(double)
    notes["lost"].append(lost)
    return outcome.rate()


def _requests(made: Hospital, environment: dict[str, str], sessions: Sequence[int]) -> list[bytes]:
    """One booking request a patient, each with its own sign-in and key."""
    vault = Vault(Path(environment["SHOUHAO_MASTER_KEY_FILE"]).read_bytes())
    key = SignInKey(vault.derive("sign-in", 32))
    now_us = SystemClock().now_us()
    settings = SignInSettings(life_s=3600)
    requests = []
    for n, session in enumerate(sessions):
        sign_in = new_sign_in(made.account(n), channel="web", device_id=None, settings=settings, now_us=now_us)
        headers = {
            "authorization": f"Bearer {key.issue(sign_in)}",
            "x-channel-key": environment["BENCH_CHANNEL_KEY"],
            "idempotency-key": f"bench-{n}",
        }
        body = msgspec.json.encode({"patient_id": made.patient(n), "session_id": made.session(session)})
        requests.append(post(PATH, headers, body))
    return requests


@contextmanager
def hospital(
    server: PostgreSQL, *, sessions: int, slots_each: int, patients: int
) -> Iterator[tuple[Hospital, str, dict[str, str]]]:
    """A filled database, its URL, and the environment of a server on it."""
    name = server.new_database()
    with tempfile.TemporaryDirectory(prefix="shouhao-bench-") as folder:
        key_file = Path(folder) / "master.key"
        key_file.write_bytes(secrets.token_bytes(32))
        key_file.chmod(0o600)
        url = server.url(name)
        upgrade(url)
        db = open_database(url)
        made = build(db, sessions=sessions, slots_each=slots_each, patients=patients)
        with db.write() as connection:
            channel = create_channel(connection, "web", now_us=SystemClock().now_us(), randomness=SystemRandomness())
        db.close()
        environment = {
            "SHOUHAO_DATA_DIR": folder,
            "SHOUHAO_MASTER_KEY_FILE": str(key_file),
            "BENCH_CHANNEL_KEY": f"web.{channel}",
        }
        try:
            yield made, url, environment
        finally:
            server.drop(name)


@contextmanager
def serving(url: str, environment: dict[str, str]) -> Iterator[int]:
    """The real public server on it; the port."""
    command = [sys.executable, "-m", "shouhao.cli.main", "serve", "public", "--port"]
    settings = {name: value for name, value in environment.items() if name.startswith("SHOUHAO_")}
    with _process(command, {**settings, "SHOUHAO_DATABASE_URL": url}) as port:
        yield port


@contextmanager
def _process(command: Sequence[str], environment: dict[str, str]) -> Iterator[int]:
    """A server in a process of its own, on a free port that ends its command line."""
    with reserved_port() as port:
        process = subprocess.Popen(
            [*command, str(port)],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=60)


def _verify(url: str, outcome: Outcome, *, expected: int) -> tuple[int, int]:
    """Doubles and losses; the run does not count unless both are nought and every answer was a definite one."""
    confirmed = Counter(
        msgspec.json.decode(body)["id"]
        for body, status in zip(outcome.bodies, outcome.statuses, strict=True)
        if status == 201
    )
    db = open_database(url)
    with db.read() as connection:
        kept = {row[0] for row in connection.execute(text("SELECT id FROM bookings WHERE live"))}
        slots = connection.execute(text("SELECT count(DISTINCT slot_id) FROM bookings WHERE live")).scalar()
        broken = check(connection, INVARIANTS)
    db.close()
    double = len(kept) - int(slots or 0) + sum(count - 1 for count in confirmed.values())
    lost = len(confirmed.keys() - kept)
    statuses = Counter(outcome.statuses)
    if double or lost or broken or len(kept) != expected or statuses.keys() - {201, 409}:
        raise SystemExit(f"not a valid run: {statuses}, {len(kept)} kept, {double} double, {lost} lost, {broken}")
    return double, lost
