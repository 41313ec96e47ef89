"""Pulling a model from a mirror that drops, lies, stalls and redirects: what is in place is right, or nothing is."""

import fcntl
import hashlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme

from shouhao.faces.model import ModelRefused
from shouhao.faces.packs import ModelFile, model_path
from shouhao.kernel.errors import Unavailable
from shouhao.protocols.model_mirror import pull_file

CONTENT, OTHER = (np.random.default_rng(seed).bytes(1_000_000) for seed in (5, 6))
FILE = ModelFile(
    name="net.onnx",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size_bytes=len(CONTENT),
    url="models/net/net.onnx",
    licence="ours",
)
DROPPED_AT = 400_000
SOON_S = 0.3


@dataclass
class Mirror:
    """What the mirror has, how it behaves, and what it was asked for."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    changed: str | None = None
    status: int | None = None
    drop_at: int | None = None  #: hangs up after so many bytes of the file
    stall_at: int | None = None
    knows_ranges: bool = True
    location: Callable[[str], str] | None = None
    chunked: bool = False
    declares: int | None = None
    range_said: str | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    served: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mirror: Mirror

    def do_GET(self) -> None:
        mirror = self.mirror
        mirror.asked.append({name.lower(): value for name, value in self.headers.items()} | {":path": self.path})
        if mirror.location is not None:
            self._head(302, {"location": mirror.location(self.path), "content-length": "0"})
            return
        if mirror.status is not None:
            self._head(mirror.status, {"content-length": "5"})
            self.wfile.write(b"sorry")
            return
        begin = self._begin()
        if begin is None:
            self._head(416, {"content-range": f"bytes */{len(mirror.content)}", "content-length": "0"})
            return
        self._send(begin)

    def _begin(self) -> int | None:
        mirror, asked = self.mirror, self.headers.get("range")
        only_if = self.headers.get("if-range")
        if asked is None or not mirror.knows_ranges or only_if not in {None, mirror.etag, mirror.changed}:
            return 0
        begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        return begin if begin < len(mirror.content) else None

    def _send(self, begin: int) -> None:
        mirror = self.mirror
        body = mirror.content[begin:]
        headers = {"etag": mirror.etag, "last-modified": mirror.changed}
        if begin:
            headers["content-range"] = (
                mirror.range_said or f"bytes {begin}-{len(mirror.content) - 1}/{len(mirror.content)}"
            )
        headers |= (
            {"transfer-encoding": "chunked"}
            if mirror.chunked
            else {"content-length": str(mirror.declares or len(body))}
        )
        self._head(206 if begin else 200, {name: value for name, value in headers.items() if value is not None})
        stop = min(at for at in (mirror.drop_at, mirror.stall_at, len(mirror.content)) if at is not None)
        for at in range(begin, stop, 50_000):
            piece = mirror.content[at : min(at + 50_000, stop)]
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" if mirror.chunked else piece)
            mirror.served += len(piece)
        if mirror.stall_at is not None:
            mirror.let_go.wait(20)
        if mirror.drop_at is not None:
            self.close_connection = True
        elif mirror.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is None:
            super().finish_request(request, client_address)
        else:
            with self.tls.wrap_socket(request, server_side=True) as line:
                super().finish_request(line, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up is no trouble of the test's."""


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def mirror() -> Mirror:
    return Mirror()


def serving(mirror: Mirror, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    server = Quiet(("127.0.0.1", 0), type("Its", (Handler,), {"mirror": mirror}))
    server.tls = tls
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    mirror.let_go.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def base(mirror: Mirror) -> Iterator[str]:
    yield from serving(mirror)


@pytest.fixture
def secure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Mirror, str]]:
    """A second mirror behind https, whose authority the machine trusts."""
    ca, other = trustme.CA(), Mirror()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    for url in serving(other, tls):
        yield other, url


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "models"


def pull(base: str, into: Path, file: ModelFile = FILE, **how: Any) -> Path:
    return pull_file(file, base_url=base, into=into, timeout_s=how.pop("timeout_s", 10.0), **how)


def left(into: Path) -> list[str]:
    return sorted(path.name for path in into.iterdir()) if into.is_dir() else []


def arrived(into: Path) -> int:
    """Bytes that lie in the part."""
    return next((path.stat().st_size for path in into.glob("*.part")), 0)


def broken_off(base: str, into: Path, mirror: Mirror, *, at: int = DROPPED_AT) -> None:
    """A first try that loses its line; the mirror is whole again afterwards."""
    mirror.drop_at = at
    with pytest.raises(Unavailable):
        pull(base, into)
    mirror.drop_at = None
    assert arrived(into) == at
    assert not (into / FILE.name).exists()


def test_a_file_is_pulled_and_is_the_one_named(base: str, into: Path, mirror: Mirror) -> None:
    told: list[tuple[int, int | None]] = []
    path = pull(base, into, progress=lambda here, of: told.append((here, of)))
    assert path == model_path(FILE, into)
    assert left(into) == ["net.onnx"]
    assert mirror.asked[0][":path"] == "/models/net/net.onnx"
    assert (told[0], told[-1]) == ((0, len(CONTENT)), (len(CONTENT), len(CONTENT)))


def test_a_file_that_is_here_is_not_asked_for(base: str, into: Path, mirror: Mirror) -> None:
    pull(base, into)
    pull(base, into)
    assert len(mirror.asked) == 1


def test_a_wrong_file_that_is_here_is_replaced(base: str, into: Path) -> None:
    into.mkdir()
    (into / FILE.name).write_bytes(OTHER)
    assert pull(base, into).read_bytes() == CONTENT


@pytest.mark.parametrize("chunked", [False, True])
def test_what_broke_off_is_resumed_and_no_byte_is_served_twice(
    base: str, into: Path, mirror: Mirror, chunked: bool
) -> None:
    mirror.chunked = chunked
    broken_off(base, into, mirror)
    assert pull(base, into).read_bytes() == CONTENT
    assert mirror.served == len(CONTENT)
    assert mirror.asked[1]["range"] == f"bytes={DROPPED_AT}-"
    assert mirror.asked[1]["if-range"] == '"one"'
    assert left(into) == ["net.onnx"]


def test_it_is_resumed_as_often_as_the_line_breaks(base: str, into: Path, mirror: Mirror) -> None:
    for at in (100_000, 350_000, 600_000, 999_999):
        broken_off(base, into, mirror, at=at)
    pull(base, into)
    assert mirror.served == len(CONTENT)


def test_without_an_entity_tag_the_time_of_change_is_compared(base: str, into: Path, mirror: Mirror) -> None:
    mirror.etag, mirror.changed = 'W/"weak"', "Tue, 03 Nov 2026 00:00:00 GMT"
    broken_off(base, into, mirror)
    pull(base, into)
    assert mirror.asked[1]["if-range"] == mirror.changed
    assert mirror.served == len(CONTENT)


def test_a_file_that_changed_meanwhile_comes_from_the_beginning(base: str, into: Path, mirror: Mirror) -> None:
    mirror.content, mirror.etag = OTHER, '"of yesterday"'
    broken_off(base, into, mirror)
    mirror.content, mirror.etag = CONTENT, '"of today"'
    assert pull(base, into).read_bytes() == CONTENT
    assert mirror.served == DROPPED_AT + len(CONTENT)


def test_two_versions_glued_together_are_found_out_and_pulled_once_more(base: str, into: Path, mirror: Mirror) -> None:
    mirror.content, mirror.etag = OTHER, None  # nothing to compare by
    broken_off(base, into, mirror)
    mirror.content = CONTENT
    assert pull(base, into).read_bytes() == CONTENT
    assert mirror.served == DROPPED_AT + len(CONTENT) - DROPPED_AT + len(CONTENT)


def test_a_mirror_that_ignores_ranges_is_taken_from_the_beginning(base: str, into: Path, mirror: Mirror) -> None:
    broken_off(base, into, mirror)
    mirror.knows_ranges = False
    assert pull(base, into).read_bytes() == CONTENT
    assert mirror.served == DROPPED_AT + len(CONTENT)


@pytest.mark.parametrize("said", ["bytes 0-999999/1000000", "bytes 399999-999999/1000000", "lines 1-2/3", "bytes x"])
def test_a_part_from_another_place_is_not_glued_on(base: str, into: Path, mirror: Mirror, said: str) -> None:
    broken_off(base, into, mirror)
    mirror.range_said = said
    with pytest.raises(Unavailable):
        pull(base, into)
    assert arrived(into) == DROPPED_AT
    mirror.range_said = None
    assert pull(base, into).read_bytes() == CONTENT


def test_a_range_beyond_the_end_begins_anew(base: str, into: Path, mirror: Mirror) -> None:
    broken_off(base, into, mirror)
    mirror.content = CONTENT[: DROPPED_AT - 1]  # 416, and then a file that is too short
    with pytest.raises(ModelRefused):
        pull(base, into)
    assert [("range" in asked) for asked in mirror.asked] == [False, True, False]
    assert left(into) == []


def test_a_part_that_is_already_whole_asks_for_nothing(base: str, into: Path, mirror: Mirror) -> None:
    broken_off(base, into, mirror)
    next(into.glob("*.part")).write_bytes(CONTENT)
    assert pull(base, into).read_bytes() == CONTENT
    assert len(mirror.asked) == 1


def test_a_part_that_is_too_long_is_thrown_away(base: str, into: Path, mirror: Mirror) -> None:
    broken_off(base, into, mirror)
    next(into.glob("*.part")).write_bytes(CONTENT + b"more")
    assert pull(base, into).read_bytes() == CONTENT


def test_wrong_content_is_refused_and_nothing_is_left_of_it(base: str, into: Path, mirror: Mirror) -> None:
    mirror.content = OTHER
    with pytest.raises(ModelRefused) as refused:
        pull(base, into)
    assert "SHA-256" in refused.value.says("zh")
    assert left(into) == []


def test_wrong_content_leaves_what_was_in_place(base: str, into: Path, mirror: Mirror) -> None:
    pull(base, into)
    newer = ModelFile(name=FILE.name, sha256="0" * 64, size_bytes=len(CONTENT), url=FILE.url, licence="ours")
    with pytest.raises(ModelRefused):
        pull(base, into, newer)
    assert (into / FILE.name).read_bytes() == CONTENT


@pytest.mark.parametrize("chunked", [False, True])
def test_more_than_was_declared_is_not_taken(base: str, into: Path, mirror: Mirror, chunked: bool) -> None:
    mirror.content, mirror.chunked = CONTENT + bytes(50_000_000), chunked
    with pytest.raises(ModelRefused):
        pull(base, into)
    assert left(into) == []
    assert mirror.served < 30_000_000  # what fits into the buffers of two sockets, and no more


def test_a_file_of_unknown_size_is_told_by_its_hash_alone(base: str, into: Path, mirror: Mirror) -> None:
    unknown = ModelFile(name="x.onnx", sha256=FILE.sha256, size_bytes=None, url=FILE.url, licence="ours")
    assert pull(base, into, unknown).read_bytes() == CONTENT
    mirror.content = OTHER
    (into / "x.onnx").unlink()
    with pytest.raises(ModelRefused):
        pull(base, into, unknown)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 500, 503, 204, 304, 416])
def test_an_error_of_the_mirror_is_a_dependency_that_is_away(
    base: str, into: Path, mirror: Mirror, status: int
) -> None:
    mirror.status = status
    with pytest.raises(Unavailable) as away:
        pull(base, into)
    assert str(status) in away.value.what
    assert left(into) == []


def test_a_redirect_to_https_is_followed_and_resumed_there(
    base: str, into: Path, mirror: Mirror, secure: tuple[Mirror, str]
) -> None:
    other, elsewhere = secure
    mirror.location = lambda path: f"{elsewhere}/media{path}"
    broken_off(base, into, other)
    assert pull(base, into).read_bytes() == CONTENT
    assert other.served == len(CONTENT)
    assert other.asked[-1][":path"] == "/media/models/net/net.onnx"


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:1/net.onnx", "/net.onnx", "ftp://127.0.0.1/x", "file:///etc/passwd"]
)
def test_a_redirect_to_anything_else_is_not_followed(base: str, into: Path, mirror: Mirror, target: str) -> None:
    """A relative one too: of a mirror on this machine it is plain http."""
    mirror.location = lambda _: target
    with pytest.raises(Unavailable):
        pull(base, into)
    assert len(mirror.asked) == 1


def test_a_redirect_loop_ends(into: Path, secure: tuple[Mirror, str]) -> None:
    other, url = secure
    other.location = lambda path: path
    with pytest.raises(Unavailable, match="redirects"):
        pull(url, into)
    assert len(other.asked) == 6


def test_a_mirror_without_a_trusted_certificate_is_not_asked(
    into: Path, secure: tuple[Mirror, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "another.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "another.pem"))
    with pytest.raises(Unavailable):
        pull(secure[1], into)
    assert secure[0].asked == []


def test_a_mirror_that_stalls_is_given_up_and_resumed_later(base: str, into: Path, mirror: Mirror) -> None:
    mirror.stall_at = DROPPED_AT
    began = time.monotonic()
    with pytest.raises(Unavailable):
        pull(base, into, timeout_s=SOON_S)
    assert time.monotonic() - began < 10
    mirror.stall_at = None
    mirror.let_go.set()
    kept = arrived(into)
    assert 0 < kept <= DROPPED_AT
    before = mirror.served
    assert pull(base, into).read_bytes() == CONTENT
    assert mirror.served - before == len(CONTENT) - kept


def test_a_mirror_that_is_not_there_is_away(into: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(Unavailable) as away:
        pull(f"http://someone:a-password@127.0.0.1:{port}", into)
    assert "a-password" not in away.value.what


@pytest.mark.parametrize(
    "base_url", ["http://mirror.invalid", "ftp://127.0.0.1", "file:///tmp", "mirror", "", "http://[x"]
)
def test_only_https_is_asked(into: Path, base_url: str) -> None:
    with pytest.raises(Unavailable):
        pull(base_url, into)
    assert left(into) == []


def test_a_file_without_an_address_is_refused(base: str, into: Path) -> None:
    own = ModelFile(name="own.onnx", sha256=FILE.sha256, size_bytes=None, url=None, licence="ours")
    with pytest.raises(ModelRefused):
        pull(base, into, own)


def test_a_name_that_leaves_the_folder_is_refused(base: str, into: Path, mirror: Mirror) -> None:
    for name in ("../net.onnx", "/net.onnx", "a/b", ""):
        with pytest.raises(ModelRefused):
            pull(base, into, ModelFile(name=name, sha256=FILE.sha256, size_bytes=None, url="x", licence="ours"))
    assert mirror.asked == []


def test_two_pulls_into_one_folder_do_not_mix(base: str, into: Path) -> None:
    into.mkdir()
    held = os.open(into, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        with pytest.raises(Unavailable, match="another process"):
            pull(base, into)
    finally:
        os.close(held)
    pull(base, into)


def test_a_folder_that_cannot_be_made_is_told(base: str, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises(Unavailable, match="models folder"):
        pull(base, tmp_path / "a file" / "models")
