"""The authority's line against a server that speaks it, over real mutual TLS."""

import base64
import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shouhao.kernel.clock import ManualClock, SystemClock, iso
from shouhao.kernel.errors import Tampered, Unavailable
from shouhao.kernel.randomness import SeededRandomness
from shouhao.patients.authority import IdentityQuestion
from shouhao.protocols.circuit_breaker import BreakerSettings, Closed, Open
from shouhao.protocols.identity_authority import (
    HTTPIdentityAuthority,
    HTTPIdentityAuthoritySettings,
    check_again,
)

QUESTION = IdentityQuestion(
    name="张三", document_kind="resident_id", document_number="11010519491231002X", nonce="n" * 32
)
Reply = tuple[int, bytes]


class ReferenceAuthority:
    """Speaks docs/reference/identity-authority.md, written from that page alone."""

    def __init__(self, clock: ManualClock, key: Ed25519PrivateKey) -> None:
        self.clock, self.key = clock, key
        self.people = {("张三", "11010519491231002X"): "match", ("李四", "11010519491231002X"): "mismatch"}
        self.asked: list[dict[str, Any]] = []
        self.reply: Callable[[bytes], Reply] = self.answer
        self.let_go = threading.Event()

    def answer(self, body: bytes, **changed: str) -> Reply:
        question = json.loads(body)
        answer = {
            "version": 1,
            "nonce": question["nonce"],
            "verdict": self.people.get((question["name"], question["document"]["number"]), "unknown"),
            "answered_at": iso(self.clock.now_us()),
            **changed,
        }
        digest = hashlib.sha256(body).hexdigest()
        lines = ["shouhao identity verdict v1", answer["nonce"], digest, answer["verdict"], answer["answered_at"]]
        answer["signature"] = base64.b64encode(self.key.sign("\n".join(lines).encode())).decode()
        return 200, json.dumps(answer).encode()

    def fail_times(self, times: int, status: int = 503) -> None:
        left = [times]

        def reply(body: bytes) -> Reply:
            left[0] -= 1
            return (status, b"busy") if left[0] >= 0 else self.answer(body)

        self.reply = reply


class QuietServer(ThreadingHTTPServer):
    """Handshakes in its own thread; a client that is refused is no trouble of the test's."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self._context.wrap_socket(request, server_side=True) as line:
            super().finish_request(line, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(SystemClock().now_us())


@pytest.fixture
def server(clock: ManualClock) -> ReferenceAuthority:
    return ReferenceAuthority(clock, Ed25519PrivateKey.generate())


@pytest.fixture
def url(ca: trustme.CA, server: ReferenceAuthority) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            server.asked.append(json.loads(body))
            status, reply = server.reply(body)
            self.send_response(status)
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    listening = QuietServer(context, Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://127.0.0.1:{listening.server_port}/verify"
    server.let_go.set()
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture
def line(url: str, ca: trustme.CA, server: ReferenceAuthority, tmp_path: Path) -> HTTPIdentityAuthoritySettings:
    return HTTPIdentityAuthoritySettings(
        name="test",
        url=url,
        verdict_key=server.key.public_key().public_bytes_raw(),
        read_timeout_s=5,
        **_certificates(tmp_path, client_ca=ca, server_ca=ca),
    )


def _certificates(folder: Path, *, client_ca: trustme.CA, server_ca: trustme.CA) -> dict[str, Path]:
    certificate = client_ca.issue_cert("client.hospital.example")
    paths = {
        name: folder / f"{len(list(folder.iterdir()))}-{name}.pem"
        for name in ("ca_file", "client_cert_file", "client_key_file")
    }
    server_ca.cert_pem.write_to_path(str(paths["ca_file"]))
    certificate.private_key_pem.write_to_path(str(paths["client_key_file"]))
    certificate.cert_chain_pems[0].write_to_path(str(paths["client_cert_file"]))
    return paths


@pytest.fixture
def connect(line: HTTPIdentityAuthoritySettings, clock: ManualClock) -> Iterator[Callable[..., HTTPIdentityAuthority]]:
    made: list[HTTPIdentityAuthority] = []

    def make(**changed: Any) -> HTTPIdentityAuthority:
        authority = HTTPIdentityAuthority(
            replace(line, **changed),
            clock=clock,
            randomness=SeededRandomness(1),
            sleep=lambda seconds: clock.advance(seconds=seconds),
        )
        made.append(authority)
        return authority

    yield make
    for authority in made:
        authority.close()


Connect = Callable[..., HTTPIdentityAuthority]


@pytest.mark.parametrize(("name", "outcome"), [("张三", "match"), ("李四", "mismatch"), ("王五", "unknown")])
def test_each_verdict_arrives_and_can_be_checked_again_later(
    connect: Connect, server: ReferenceAuthority, name: str, outcome: str
) -> None:
    verdict = connect().verify(replace(QUESTION, name=name))
    assert verdict.outcome == outcome
    assert verdict.signed_text is not None
    assert name not in verdict.signed_text
    key = server.key.public_key().public_bytes_raw()
    assert check_again(verdict.signed_text, verdict_key=key) == outcome
    for other in {"match", "mismatch", "unknown"} - {outcome}:
        with pytest.raises(Tampered):
            check_again(verdict.signed_text.replace(f"\n{outcome}\n", f"\n{other}\n"), verdict_key=key)


def test_the_question_is_as_documented(connect: Connect, server: ReferenceAuthority, clock: ManualClock) -> None:
    asked_at = iso(clock.now_us())
    connect().verify(QUESTION)
    assert server.asked == [
        {
            "version": 1,
            "nonce": "n" * 32,
            "asked_at": asked_at,
            "name": "张三",
            "document": {"kind": "resident_id", "number": "11010519491231002X"},
        }
    ]


def test_a_client_whose_certificate_the_authority_does_not_know_is_refused(
    connect: Connect, server: ReferenceAuthority, ca: trustme.CA, tmp_path: Path
) -> None:
    stranger = _certificates(tmp_path, client_ca=trustme.CA(), server_ca=ca)
    with pytest.raises(Unavailable):
        connect(**stranger).verify(QUESTION)
    assert server.asked == []


def test_a_client_without_a_certificate_is_refused(
    url: str, line: HTTPIdentityAuthoritySettings, server: ReferenceAuthority
) -> None:
    import httpx  # noqa: PLC0415 - only here is the line used without its adapter

    context = ssl.create_default_context(cafile=str(line.ca_file))
    with httpx.Client(verify=context, trust_env=False) as client, pytest.raises(httpx.TransportError):
        client.post(url, content=b"{}")
    assert server.asked == []


def test_a_server_of_another_certificate_authority_is_told_nothing(
    connect: Connect, server: ReferenceAuthority, ca: trustme.CA, tmp_path: Path
) -> None:
    wrong = _certificates(tmp_path, client_ca=ca, server_ca=trustme.CA())
    with pytest.raises(Unavailable):
        connect(**wrong).verify(QUESTION)
    assert server.asked == []


def test_an_old_answer_played_again_is_refused(connect: Connect, server: ReferenceAuthority) -> None:
    kept: list[Reply] = []

    def record(body: bytes) -> Reply:
        kept.append(server.answer(body))
        return kept[-1]

    authority = connect()
    server.reply = record
    authority.verify(QUESTION)
    server.reply = lambda _body: kept[0]
    with pytest.raises(Tampered):
        authority.verify(replace(QUESTION, nonce="m" * 32))
    assert len(server.asked) == 2


def test_an_answer_about_somebody_else_is_refused(connect: Connect, server: ReferenceAuthority) -> None:
    real = QUESTION.name.encode()
    server.reply = lambda body: server.answer(body.replace("王五".encode(), real))
    with pytest.raises(Tampered):
        connect().verify(replace(QUESTION, name="王五"))


def test_a_signed_answer_with_another_nonce_is_refused(connect: Connect, server: ReferenceAuthority) -> None:
    server.reply = lambda body: server.answer(body, nonce="x" * 32)
    with pytest.raises(Tampered):
        connect().verify(QUESTION)


@pytest.mark.parametrize("off_s", [-3600, -36, 6, 3600])
def test_an_answer_of_another_time_is_refused(
    connect: Connect, server: ReferenceAuthority, clock: ManualClock, off_s: int
) -> None:
    server.reply = lambda body: server.answer(body, answered_at=iso(clock.now_us() + off_s * 1_000_000))
    with pytest.raises(Tampered):
        connect().verify(QUESTION)


@pytest.mark.parametrize("off_s", [-4, 4])
def test_clocks_a_little_apart_are_forgiven(
    connect: Connect, server: ReferenceAuthority, clock: ManualClock, off_s: int
) -> None:
    server.reply = lambda body: server.answer(body, answered_at=iso(clock.now_us() + off_s * 1_000_000))
    assert connect().verify(QUESTION).outcome == "match"


def test_a_forged_signature_is_refused_and_not_asked_for_again(connect: Connect, server: ReferenceAuthority) -> None:
    forger = ReferenceAuthority(server.clock, Ed25519PrivateKey.generate())
    server.reply = forger.answer
    with pytest.raises(Tampered):
        connect().verify(QUESTION)
    server.reply = lambda body: (200, server.answer(body)[1].replace(b'"match"', b'"mismatch"'))
    with pytest.raises(Tampered):
        connect().verify(QUESTION)
    server.reply = lambda body: (200, json.dumps({**json.loads(server.answer(body)[1]), "signature": "?"}).encode())
    with pytest.raises(Tampered):
        connect().verify(QUESTION)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "reply", [(200, b"not json"), (200, b"{}"), (200, b"[" * 70_000), (404, b""), (302, b""), (200, b"\xff\xfe")]
)
def test_what_cannot_be_understood_is_unavailable_and_not_retried(
    connect: Connect, server: ReferenceAuthority, reply: Reply
) -> None:
    server.reply = lambda _body: reply
    with pytest.raises(Unavailable):
        connect().verify(QUESTION)
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again_after_growing_pauses(
    connect: Connect, server: ReferenceAuthority, clock: ManualClock
) -> None:
    server.fail_times(2)
    began_us = clock.now_us()
    assert connect(backoff_s=1.0).verify(QUESTION).outcome == "match"
    assert 1.5 <= (clock.now_us() - began_us) / 1_000_000 <= 3.0
    assert len(server.asked) == 3


def test_a_slow_server_times_out(connect: Connect, server: ReferenceAuthority) -> None:
    def wait(body: bytes) -> Reply:
        server.let_go.wait(30)
        return server.answer(body)

    server.reply = wait
    with pytest.raises(Unavailable):
        connect(read_timeout_s=0.1, attempts=2).verify(QUESTION)
    assert len(server.asked) == 2


def test_a_failing_server_opens_the_breaker_and_one_probe_finds_it_well_again(
    connect: Connect, server: ReferenceAuthority, clock: ManualClock
) -> None:
    authority = connect(attempts=2, backoff_s=0.0, breaker=BreakerSettings(failures=4, open_s=60))
    server.fail_times(4)
    for _ in range(2):
        with pytest.raises(Unavailable):
            authority.verify(QUESTION)
    assert isinstance(authority.breaker.state, Open)
    with pytest.raises(Unavailable) as caught:
        authority.verify(QUESTION)
    assert caught.value.retry_after_s == 60
    assert len(server.asked) == 4
    clock.advance(seconds=60)
    assert authority.verify(QUESTION).outcome == "match"
    assert authority.breaker.state == Closed(0)


def test_eight_threads_share_one_line(connect: Connect, server: ReferenceAuthority) -> None:
    authority = connect()
    outcomes: list[str] = []

    def go(number: int) -> None:
        outcomes.append(authority.verify(replace(QUESTION, nonce=f"{number:032x}")).outcome)

    threads = [threading.Thread(target=go, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["match"] * 8


def test_a_line_that_is_not_https_is_refused(line: HTTPIdentityAuthoritySettings) -> None:
    with pytest.raises(ValueError, match="https"):
        replace(line, url="http://127.0.0.1/verify")
