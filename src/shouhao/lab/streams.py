"""Streams: cameras that are not there, as a small RTSP server with faults that can be turned on.

RTSP 1.0 with RTP inside the same connection, H.264 in single units and fragments: what `serve pull` meets in a
hospital, as far as one machine can show it. It serves tests and trials and nothing else.
Source: RFC 2326 (RTSP; section 10.12 for RTP inside it), RFC 3550 (RTP), RFC 6184 (H.264), RFC 7616 and 2617 (digest).
"""

import base64
import hashlib
import itertools
import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from shouhao.lab.walking import Unit

_CLOCK_HZ = 90_000
_PAYLOAD_MAX = 1400
_REQUEST_MAX = 64 * 1024
_START = re.compile(b"\x00\x00\x00?\x01")
_SPS, _PPS, _IDR = 7, 8, 5


@dataclass(slots=True, kw_only=True)
class Faults:
    """What goes wrong. Each may be changed while the server runs."""

    hang: bool = False  #: take the connection and never say a word
    refuse: bool = False  #: 503
    no_video: bool = False  #: the description offers sound alone
    wrong_sdp: bool = False  #: parameter sets that are none
    stall_after_s: float | None = None  #: of a connection: nothing more comes, and nobody hangs up
    cut_after_s: float | None = None  #: of a connection: hung up in the middle of a group of pictures
    corrupt: float = 0.0  #: share of packets whose payload is noise
    no_keyframes: bool = False
    audio: bool = False  #: the description offers sound beside the picture


@dataclass(slots=True, kw_only=True)
class StreamCounts:
    """What the server saw."""

    connections: int = 0
    plays: int = 0
    refused: int = 0  #: without the password
    units: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class _Session:
    """One connection."""

    connection: socket.socket
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    channel: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)
    playing: threading.Thread | None = None

    def send(self, data: bytes) -> None:
        with self.lock:
            self.connection.sendall(data)


class StreamServer:
    """Streams by name, each played from its beginning for every connection, over and over."""

    def __init__(
        self,
        streams: Mapping[str, Sequence[Unit]],
        *,
        frames_a_s: int = 25,
        host: str = "127.0.0.1",
        port: int = 0,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        """Listen; a client that stays away costs nothing.

        Args:
            streams: the units of each, by the name that its address ends in.
            credentials: user and password, asked for by digest.
        """
        self.faults: dict[str, Faults] = {name: Faults() for name in streams}
        self.counts: dict[str, StreamCounts] = {name: StreamCounts() for name in streams}
        self._streams, self._frames_a_s, self._credentials = streams, frames_a_s, credentials
        self._listener = socket.create_server((host, port))
        self.port: int = self._listener.getsockname()[1]
        self._host = host
        self._sessions: set[_Session] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._accepting = threading.Thread(target=self._accept, name="rtsp-accept", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def address(self, name: str) -> str:
        """What a client opens."""
        who = "" if self._credentials is None else f"{self._credentials[0]}:{self._credentials[1]}@"
        return f"rtsp://{who}{self._host}:{self.port}/{name}"

    def hang_up(self) -> None:
        """Close all connections that stand, as a switch does that loses its power."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            _end(session)

    def close(self) -> None:
        """Stop."""
        self._closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        self._accepting.join(timeout=5)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            session = _Session(connection=connection)
            with self._lock:
                self._sessions.add(session)
            threading.Thread(target=self._serve, args=(session,), name="rtsp-session", daemon=True).start()

    def _serve(self, session: _Session) -> None:
        try:
            for method, url, headers in _Requests(session.connection):
                if not self._answer(session, method, url, headers):
                    return
        except OSError:
            return  # hung up
        finally:
            _end(session)
            with self._lock:
                self._sessions.discard(session)

    def _answer(self, session: _Session, method: str, url: str, headers: dict[str, str]) -> bool:
        """Answer one request; whether the connection goes on."""
        sequence = headers.get("cseq", "0")
        name = _name(url)
        if name not in self._streams:
            session.send(_reply(404, "Not Found", sequence))
            return True
        faults, counts = self.faults[name], self.counts[name]
        if faults.hang:
            return not self._closed.wait(3600)
        if faults.refuse:
            session.send(_reply(503, "Service Unavailable", sequence))
            return False
        if method == "OPTIONS":
            session.send(_reply(200, "OK", sequence, Public="OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"))
            return True
        if not self._knows_password(session, method, headers):
            counts.refused += 1
            challenge = f'Digest realm="lab", nonce="{session.nonce}"'
            session.send(_reply(401, "Unauthorized", sequence, WWW_Authenticate=challenge))
            return True
        return self._act(session, method, name, sequence, headers)

    def _act(self, session: _Session, method: str, name: str, sequence: str, headers: dict[str, str]) -> bool:
        faults, counts = self.faults[name], self.counts[name]
        if method == "DESCRIBE":
            counts.connections += 1
            body = _description(self._streams[name], faults).encode()
            session.send(
                _reply(
                    200, "OK", sequence, body=body, Content_Type="application/sdp", Content_Base=f"{self._base(name)}/"
                )
            )
        elif method == "SETUP":
            found = re.search(r"interleaved=(\d+)-(\d+)", headers.get("transport", ""))
            if found is None:
                session.send(_reply(461, "Unsupported Transport", sequence))
                return True
            session.channel = int(found[1]) & 0xFF
            session.send(
                _reply(200, "OK", sequence, Transport=headers["transport"], Session=f"{session.id};timeout=60")
            )
        elif method == "PLAY":
            session.send(_reply(200, "OK", sequence, Session=session.id, Range="npt=0.000-"))
            if session.playing is None:
                counts.plays += 1
                playing = threading.Thread(target=self._play, args=(session, name), name="rtsp-play", daemon=True)
                session.playing = playing
                playing.start()
        elif method == "TEARDOWN":
            session.send(_reply(200, "OK", sequence, Session=session.id))
            return False
        else:  # GET_PARAMETER keeps a session alive
            session.send(_reply(200, "OK", sequence, Session=session.id))
        return True

    def _base(self, name: str) -> str:
        return f"rtsp://{self._host}:{self.port}/{name}"

    def _knows_password(self, session: _Session, method: str, headers: dict[str, str]) -> bool:
        if self._credentials is None:
            return True
        said = dict(re.findall(r'(\w+)="([^"]*)"', headers.get("authorization", "")))
        user, password = self._credentials
        first, second = _md5(f"{user}:lab:{password}"), _md5(f"{method}:{said.get('uri', '')}")
        expected = _md5(f"{first}:{session.nonce}:{second}")
        return said.get("nonce") == session.nonce and secrets.compare_digest(said.get("response", ""), expected)

    def _play(self, session: _Session, name: str) -> None:
        """Send the units at their times, until somebody hangs up or a fault does."""
        units, counts = self._streams[name], self.counts[name]
        sender = _Sender(session)
        began, lasts_s = time.monotonic(), len(units) / self._frames_a_s
        with suppress(OSError):
            for turn in itertools.count():
                for n, unit in enumerate(units):
                    faults = self.faults[name]
                    due_s = turn * lasts_s + n / self._frames_a_s
                    if session.stop.wait(max(0.0, began + due_s - time.monotonic())):
                        return
                    if faults.cut_after_s is not None and due_s >= faults.cut_after_s:
                        _end(session)
                        return
                    if faults.stall_after_s is not None and due_s >= faults.stall_after_s:
                        session.stop.wait()
                        return
                    if faults.no_keyframes and unit.key:
                        continue
                    sender.send(unit.data, at_s=turn * lasts_s + unit.presented_s, corrupt=faults.corrupt)
                    counts.units += 1


class _Sender:
    """RTP packets of one connection."""

    def __init__(self, session: _Session) -> None:
        self._session = session
        self._sequence = secrets.randbelow(1 << 16)
        self._source = secrets.randbelow(1 << 32)
        self._first = secrets.randbelow(1 << 31)

    def send(self, data: bytes, *, at_s: float, corrupt: float) -> None:
        stamp = (self._first + round(at_s * _CLOCK_HZ)) & 0xFFFFFFFF
        payloads = [payload for unit in units_in(data) for payload in _payloads(unit)]
        for n, payload in enumerate(payloads):
            if corrupt and secrets.randbelow(10_000) < corrupt * 10_000:
                payload = payload[:2] + secrets.token_bytes(max(0, len(payload) - 2))  # noqa: PLW2901 - noise in its place
            last = n == len(payloads) - 1
            self._sequence = (self._sequence + 1) & 0xFFFF
            head = struct.pack(">BBHII", 0x80, 96 | (0x80 if last else 0), self._sequence, stamp, self._source)
            self._session.send(
                struct.pack(">BBH", ord("$"), self._session.channel, len(head) + len(payload)) + head + payload
            )


def units_in(data: bytes) -> list[bytes]:
    r"""The network units of one picture in Annex B.

    >>> units_in(bytes.fromhex("00000001 6701 000001 6802"))
    [b'g\x01', b'h\x02']
    """
    return [part for part in _START.split(data) if part]


def _payloads(unit: bytes) -> list[bytes]:
    """One unit in as many RTP payloads as it takes (RFC 6184, 5.6 and 5.8)."""
    if len(unit) <= _PAYLOAD_MAX:
        return [unit]
    indicator, kind = (unit[0] & 0xE0) | 28, unit[0] & 0x1F
    parts = [unit[start : start + _PAYLOAD_MAX] for start in range(1, len(unit), _PAYLOAD_MAX)]
    return [
        bytes([indicator, kind | (0x80 if n == 0 else 0) | (0x40 if n == len(parts) - 1 else 0)]) + part
        for n, part in enumerate(parts)
    ]


def _description(units: Sequence[Unit], faults: Faults) -> str:
    sets = [unit for unit in units_in(units[0].data) if unit[0] & 0x1F in {_SPS, _PPS}]
    if faults.wrong_sdp:
        sets = [b"\x67nothing", b"\x68at all"]
    sound = ["m=audio 0 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=control:track2"]
    picture = [
        "m=video 0 RTP/AVP 96",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 packetization-mode=1;sprop-parameter-sets="
        + ",".join(base64.b64encode(one).decode() for one in sets),
        "a=control:track1",
    ]
    head = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=Shouhao lab", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*"]
    media = [*([] if faults.no_video else picture), *(sound if faults.audio or faults.no_video else [])]
    return "\r\n".join([*head, *media, ""])


class _Requests:
    """The requests of one connection; what a client sends as RTP in between (receiver reports) is passed over."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._held = connection, b""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[str, str, dict[str, str]]:
        while True:
            if self._held.startswith(b"$"):
                self._until(lambda held: len(held) >= 4)  # noqa: PLR2004 - head of an interleaved packet
                size = 4 + int.from_bytes(self._held[2:4], "big")
                self._until(lambda held, size=size: len(held) >= size)  # type: ignore[misc]
                self._held = self._held[size:]
                continue
            self._until(lambda held: held.startswith(b"$") or b"\r\n\r\n" in held)
            if self._held.startswith(b"$"):
                continue
            head, _, self._held = self._held.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            method, url, *_ = [*lines[0].split(" "), "", ""]
            pairs = [line.partition(":") for line in lines[1:]]
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            size = int(headers.get("content-length", "0"))
            self._until(lambda held, size=size: len(held) >= size)  # type: ignore[misc]
            self._held = self._held[size:]
            return method, url, headers

    def _until(self, enough: Callable[[bytes], bool]) -> None:
        while not enough(self._held):
            if len(self._held) > _REQUEST_MAX:
                raise OSError("a request without an end")
            more = self._connection.recv(65_536)
            if not more:
                raise StopIteration
            self._held += more


def _reply(status: int, words: str, sequence: str, *, body: bytes = b"", **headers: str) -> bytes:
    given = {"CSeq": sequence, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body:
        given["Content-Length"] = str(len(body))
    lines = [f"RTSP/1.0 {status} {words}", *(f"{name}: {value}" for name, value in given.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def _name(url: str) -> str:
    path = re.sub(r"^rtsps?://[^/]*", "", url).split("?")[0].strip("/")
    return path.removesuffix("/track1").removesuffix("/track2").strip("/")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _end(session: _Session) -> None:
    session.stop.set()
    with suppress(OSError):
        session.connection.shutdown(socket.SHUT_RDWR)
    session.connection.close()
