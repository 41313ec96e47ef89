"""The beacon's line against a server that speaks drand's HTTP, with every fault such a line has."""

import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from sqlalchemy import update

from flows.drawing import AFTER, file_of_draw, open_draw, the_draw
from shouhao.booking.draw_tables import draws
from shouhao.kernel.clock import ManualClock
from shouhao.kernel.errors import Tampered, Unavailable
from shouhao.protocols.beacon import DrandBeacon, DrandBeaconSettings
from shouhao.protocols.circuit_breaker import BreakerSettings, Open
from shouhao.settings import Settings, SettingsRefused, check_start
from shouhao.store.engine import Database
from shouhao.wiring import assemble, randomness_beacon

SIGNATURE = "8d61d9100567de44682506aea1a7a6fa6e5491cd27a0a0ed349ef6910ac5ac20"
RANDOMNESS = hashlib.sha256(bytes.fromhex(SIGNATURE)).digest()
ROUND = 7
Reply = tuple[int, dict[str, str], bytes]


def answer(**changed: Any) -> bytes:
    said = {"round": ROUND, "randomness": RANDOMNESS.hex(), "signature": SIGNATURE, "previous_signature": "00"}
    return json.dumps({**said, **changed}).encode()


class Drand:
    """A drand server; `reply` may be anything."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let_go = threading.Event()
        self.reply: Callable[[], Reply] = lambda: (200, {}, answer())


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def drand() -> Drand:
    return Drand()


@pytest.fixture
def url(ca: trustme.CA, drand: Drand) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            drand.asked.append(self.path)
            status, headers, body = drand.reply()
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def finish_request(self, request: Any, client_address: Any) -> None:
            with context.wrap_socket(request, server_side=True) as line:
                super().finish_request(line, client_address)

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing: a client that hangs up is no trouble of the test's."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    listening = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://127.0.0.1:{listening.server_port}/chain"
    drand.let_go.set()
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_760_000_000_000_000)


@pytest.fixture
def connect(url: str, ca: trustme.CA, clock: ManualClock, tmp_path: Path) -> Callable[..., DrandBeacon]:
    ca_file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    patient = {"breaker": BreakerSettings(failures=99), "url": url, "ca_file": ca_file, "timeout_s": 5.0}
    return lambda **changed: DrandBeacon(DrandBeaconSettings(name="drand", **{**patient, **changed}), clock=clock)


Connect = Callable[..., DrandBeacon]


def test_a_round_arrives_as_the_hash_of_its_signature(connect: Connect, drand: Drand) -> None:
    assert connect().value(ROUND) == RANDOMNESS
    assert drand.asked == ["/chain/public/7"]


@pytest.mark.parametrize("status", [404, 425])
def test_a_round_that_is_not_published_is_none(connect: Connect, drand: Drand, status: int) -> None:
    drand.reply = lambda: (status, {}, b"too early")
    assert connect().value(ROUND) is None


@pytest.mark.parametrize(
    "changed",
    [{"round": 8}, {"randomness": "00" * 32}, {"randomness": ""}, {"signature": "11" * 48}],
)
def test_what_is_not_this_round_is_an_alarm(connect: Connect, drand: Drand, changed: dict[str, Any]) -> None:
    drand.reply = lambda: (200, {}, answer(**changed))
    with pytest.raises(Tampered):
        connect().value(ROUND)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 5000,
        answer(round="7"),
        answer(signature=1),
        answer(signature="zz" * 32),
        answer(signature="00"),
        answer(padding="x" * 20_000),
        b"x" * 1_000_000,
    ],
    ids=range(12),
)
def test_an_answer_that_cannot_be_read_or_is_too_large_is_no_answer(
    connect: Connect, drand: Drand, body: bytes
) -> None:
    drand.reply = lambda: (200, {}, body)
    with pytest.raises(Unavailable):
        connect().value(ROUND)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 403, 429, 500, 503])
def test_another_status_is_no_answer_and_a_redirect_is_not_followed(
    connect: Connect, drand: Drand, url: str, status: int
) -> None:
    drand.reply = lambda: (status, {"location": f"{url}/public/7"}, answer())
    with pytest.raises(Unavailable):
        connect().value(ROUND)
    assert len(drand.asked) == 1


def test_a_body_that_ends_early_is_no_answer(connect: Connect, drand: Drand) -> None:
    drand.reply = lambda: (200, {"content-length": "9999"}, answer())
    with pytest.raises(Unavailable):
        connect().value(ROUND)


def test_a_server_that_does_not_answer_is_given_up_on(connect: Connect, drand: Drand) -> None:
    def silent() -> Reply:
        drand.let_go.wait(timeout=20)
        return 200, {}, answer()

    drand.reply = silent
    with pytest.raises(Unavailable):
        connect(timeout_s=0.2).value(ROUND)


def test_a_server_of_another_certificate_authority_is_not_believed(
    connect: Connect, drand: Drand, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    for ca_file in (other, None):
        with pytest.raises(Unavailable):
            connect(ca_file=ca_file).value(ROUND)
    assert drand.asked == []


def test_after_failures_the_beacon_is_left_alone_for_a_while(
    connect: Connect, drand: Drand, clock: ManualClock
) -> None:
    drand.reply = lambda: (500, {}, b"")
    beacon = connect(breaker=BreakerSettings(failures=2, open_s=15))
    for _ in range(3):
        with pytest.raises(Unavailable):
            beacon.value(ROUND)
    assert len(drand.asked) == 2
    assert isinstance(beacon.breaker.state, Open)
    drand.reply = lambda: (200, {}, answer())
    clock.advance(seconds=15)
    assert beacon.value(ROUND) == RANDOMNESS


def test_a_beacon_is_asked_over_https_only() -> None:
    with pytest.raises(ValueError, match="https"):
        DrandBeaconSettings(name="drand", url="http://beacon.example")


def test_the_worker_fetches_the_round_that_the_rule_names(
    url: str, ca: trustme.CA, drand: Drand, sqlite_db: Database, sqlite_url: str, tmp_path: Path
) -> None:
    draw_id = open_draw(sqlite_db, body={"kind": "draw", "draw": {"beacon": "drand"}})["id"]
    ca_file, clock = tmp_path / "drand.pem", ManualClock(AFTER)
    ca.cert_pem.write_to_path(str(ca_file))
    settings = Settings(database_url=sqlite_url, data_dir=tmp_path, beacon_url=url, beacon_ca_file=ca_file)
    system = assemble(settings, clock=clock)
    with system.db.write() as connection:  # the draw was opened with another key
        connection.execute(update(draws).values(commitment=system.draw_keys.commitment(draw_id)))
    drand.reply = lambda: (200, {}, answer(round=the_draw(sqlite_db)["beacon_round"]))
    system.worker.look()
    assert the_draw(sqlite_db)["state"] == "sealed"
    assert drand.asked == []
    clock.advance(seconds=60)
    for _ in range(2):
        system.worker.look()
    assert drand.asked == [f"/chain/public/{the_draw(sqlite_db)['beacon_round']}"]
    (given,) = file_of_draw(sqlite_db, draw_id)["contributions"]
    assert (given["kind"], given["who"], given["value"]) == ("beacon", "drand", RANDOMNESS.hex())
    system.close()


def test_without_an_address_no_beacon_is_asked(tmp_path: Path, clock: ManualClock) -> None:
    assert randomness_beacon(Settings(data_dir=tmp_path), clock) is None
    with pytest.raises(SettingsRefused) as refusal:
        check_start(Settings(data_dir=tmp_path, beacon_ca_file=tmp_path / "none"))
    assert [problem.setting for problem in refusal.value.problems] == ["beacon_ca_file"]
