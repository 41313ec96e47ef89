"""`shouhao serve public` on PostgreSQL, as in production: the server, its desk process, and the death of either."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from hospital import Person, add_department, add_people, add_session, assert_sound, rows
from shouhao.booking.tables import bookings
from shouhao.gate.channels import create_channel
from shouhao.gate.model import SignInSettings
from shouhao.gate.sign_ins import SignInKey, new_sign_in
from shouhao.kernel.clock import SystemClock, day_of
from shouhao.kernel.randomness import SystemRandomness
from shouhao.lab.running_server import reserved_port
from shouhao.store.engine import Database, open_database
from shouhao.store.vault import Vault


@dataclass
class Served:
    process: "subprocess.Popen[bytes]"
    client: httpx.Client
    db: Database
    session: str
    people: list[Person]
    sign_ins: SignInKey
    channel_key: str

    def book(self, n: int, key: str | None = None) -> httpx.Response:
        person, now_us = self.people[n], SystemClock().now_us()
        settings = SignInSettings(life_s=600)
        sign_in = new_sign_in(person.account_id, channel="web", device_id=None, settings=settings, now_us=now_us)
        headers = {
            "X-Channel-Key": self.channel_key,
            "Authorization": f"Bearer {self.sign_ins.issue(sign_in)}",
            "Idempotency-Key": key or f"k{n}",
        }
        body = {"patient_id": person.patient_id, "session_id": self.session}
        return self.client.post("/api/v1/bookings", json=body, headers=headers)

    def desk_pid(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found = [int(pid) for pid in children if b"desk_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert len(found) == 1
        return found[0]


@pytest.fixture
def served(postgresql_url: str, tmp_path: Path) -> Iterator[Served]:
    key = tmp_path / "master.key"
    key.write_bytes(secrets.token_bytes(32))
    key.chmod(0o600)
    db = open_database(postgresql_url)
    add_department(db)
    session = add_session(db, seats=20, day=day_of(SystemClock().now_us()) + timedelta(days=3))
    people = add_people(db, 20)
    with db.write() as connection:
        now_us = SystemClock().now_us()
        channel = create_channel(connection, "web", now_us=now_us, randomness=SystemRandomness())
    environment = {
        **os.environ,
        "SHOUHAO_DATABASE_URL": postgresql_url,
        "SHOUHAO_MASTER_KEY_FILE": str(key),
        "SHOUHAO_DATA_DIR": str(tmp_path),
    }
    with reserved_port() as port:
        command = [sys.executable, "-m", "shouhao.cli.main", "serve", "public", "--port", str(port)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        until(lambda: process.poll() is None and ready(client))
    try:
        sign_ins = SignInKey(Vault(key.read_bytes()).derive("sign-in", 32))
        yield Served(process, client, db, session, people, sign_ins, f"web.{channel}")
    finally:
        process.kill()
        process.wait()
        client.close()
        db.close()


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def until(holds: Callable[[], bool], *, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


def test_a_booking_survives_the_death_of_the_desk_process(served: Served) -> None:
    assert served.book(0).status_code == 201
    first = served.desk_pid()
    os.kill(first, signal.SIGKILL)
    until(lambda: gone(first))
    answers = [served.book(1)]
    while answers[-1].status_code == 503 and len(answers) < 20:
        assert int(answers[-1].headers["Retry-After"]) >= 1
        time.sleep(0.2)
        answers.append(served.book(1))
    assert answers[-1].status_code == 201
    assert served.desk_pid() != first
    assert len(rows(served.db, bookings)) == 2
    assert_sound(served.db)


def test_a_server_told_to_stop_ends_with_its_desk(served: Served) -> None:
    assert served.book(0).status_code == 201
    desk = served.desk_pid()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=30) == 0
    assert gone(desk)


def test_a_killed_server_leaves_no_desk_behind(served: Served) -> None:
    desk = served.desk_pid()
    served.process.kill()
    served.process.wait()
    until(lambda: gone(desk))


def test_the_same_key_hears_the_same_answer_from_another_process(served: Served) -> None:
    first = served.book(0, key="again")
    os.kill(served.desk_pid(), signal.SIGKILL)
    until(lambda: served.book(0, key="again").status_code == 201)
    assert served.book(0, key="again").json() == first.json()
    assert len(rows(served.db, bookings)) == 1
