"""Connections that say little, slowly, for ever, or too much at once: they end, and the others are served meanwhile."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from protocols.camera_messages import CROP, face, faces, image
from shouhao.watch.model import Arrival
from shouhao.web.internal.bounded_http import ConnectionLimits
from web.cameras_served import DEVICES, Served, cameras_served

SHOT = faces(face(SubImageList={"SubImageInfoObject": [image("11", CROP)]}))
LIMITS = ConnectionLimits(connections=24, per_address=16, head_s=2.0, head_bytes=8 * 1024)
MIB = 1024 * 1024
WITHIN_S = 15.0


@pytest.fixture
def kept() -> list[Arrival]:
    return []


@pytest.fixture
def cameras(sqlite_url: str, tmp_path: Path, kept: list[Arrival]) -> Iterator[Served]:
    def append(arrivals: Sequence[Arrival]) -> None:
        kept.extend(arrivals)

    with cameras_served(
        sqlite_url,
        tmp_path,
        append=append,
        limits=LIMITS,
        camera_body_s=3.0,
        camera_body_bytes=8 * MIB,
        camera_in_flight_bytes=24 * MIB,
    ) as running:
        yield running


@pytest.fixture
def lines() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def line(cameras: Served, lines: ExitStack) -> socket.socket:
    return lines.enter_context(socket.create_connection(("127.0.0.1", cameras.port), timeout=WITHIN_S))


def ended(caller: socket.socket, *, drips: bytes = b"") -> bytes:
    """What was said until the other side hung up, while dripping a byte now and then."""
    said = b""
    until = time.monotonic() + WITHIN_S
    caller.settimeout(0.2)
    while True:
        assert time.monotonic() < until
        try:
            if drips:
                caller.sendall(drips)
            part = caller.recv(10_000)
        except TimeoutError:
            continue
        except OSError:
            return said
        if not part:
            return said
        said += part


@pytest.mark.parametrize(
    ("begins", "drips"),
    [
        (b"", b""),
        (b"", b"\r\n"),
        (b"POST /VIID/Faces HTTP/1.1\r\nHost: x\r\n", b""),
        (b"POST /VIID/Faces HTTP/1.1\r\nHost: x\r\nA: ", b"b"),
        (b"POST /", b"a"),
    ],
    ids=["silence", "blank lines", "half a head", "a header that grows", "a path that grows"],
)
def test_a_head_that_does_not_come_ends_the_connection(
    cameras: Served, lines: ExitStack, begins: bytes, drips: bytes
) -> None:
    caller = line(cameras, lines)
    caller.sendall(begins)
    assert ended(caller, drips=drips) == b""


def test_a_head_that_does_not_end_is_cut_off(cameras: Served, lines: ExitStack) -> None:
    caller = line(cameras, lines)
    caller.sendall(b"POST /VIID/Faces HTTP/1.1\r\nHost: x\r\n")
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        _send_for_ever(caller, b"A: " + b"b" * 1000 + b"\r\n")


def _send_for_ever(caller: socket.socket, data: bytes) -> None:
    for _ in range(100_000):
        caller.sendall(data)


def test_after_an_answer_the_next_head_has_its_time_too(cameras: Served, lines: ExitStack) -> None:
    caller = line(cameras, lines)
    caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    said = b""
    while not said.endswith(b"}"):
        said += caller.recv(4000)
    assert b"200 OK" in said
    caller.sendall(b"GET /health")
    assert ended(caller) == b""


def test_a_body_that_drips_is_answered_and_ended(cameras: Served, lines: ExitStack, kept: list[Arrival]) -> None:
    device = cameras.device()
    device.register()
    caller = line(cameras, lines)
    head = f"POST /VIID/Faces HTTP/1.1\r\nHost: x\r\nUser-Identify: {DEVICES[0]}\r\nContent-Length: 1000\r\n\r\n"
    caller.sendall(head.encode())
    assert b" 408 " in ended(caller, drips=b"x")
    assert kept == []


def test_half_a_body_is_no_capture(cameras: Served, lines: ExitStack, kept: list[Arrival]) -> None:
    device = cameras.device()
    device.register()
    caller = line(cameras, lines)
    head = f"POST /VIID/Faces HTTP/1.1\r\nHost: x\r\nUser-Identify: {DEVICES[0]}\r\nContent-Length: 1000\r\n\r\n"
    caller.sendall(head.encode() + b"x" * 500)
    caller.shutdown(socket.SHUT_WR)
    ended(caller)
    assert device.faces(SHOT).status_code == 200
    assert len(kept) == 1


def test_nobody_has_more_connections_than_their_share_and_others_are_served(
    cameras: Served, lines: ExitStack, kept: list[Arrival]
) -> None:
    device = cameras.device()
    device.register()
    held = [line(cameras, lines) for _ in range(LIMITS.per_address + 8)]
    assert device.faces(SHOT).status_code == 200  # on the connection that it holds
    assert [ended(caller) for caller in held] == [b""] * len(held)
    assert device.faces(SHOT).status_code == 200
    assert len(kept) == 2


def test_a_device_that_stalls_large_bodies_takes_nothing_from_the_others(
    cameras: Served, lines: ExitStack, kept: list[Arrival]
) -> None:
    bad, good = cameras.device(0), cameras.device(1)
    bad.register()
    good.register()
    head = f"POST /VIID/Faces HTTP/1.1\r\nHost: x\r\nUser-Identify: {DEVICES[0]}\r\nContent-Length: {7 * MIB}\r\n\r\n"
    stalled = [line(cameras, lines) for _ in range(4)]
    answers: list[bytes] = []

    def send(caller: socket.socket) -> None:
        with suppress(OSError):
            caller.sendall(head.encode() + b"x" * (6 * MIB))
        answers.append(ended(caller))

    threads = [threading.Thread(target=send, args=(caller,)) for caller in stalled]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert good.faces(SHOT).status_code == 200
    for thread in threads:
        thread.join()
    assert {code for answer in answers for code in (b" 503 ", b" 408 ") if code in answer} == {b" 503 ", b" 408 "}
    assert len(kept) == 5
