"""Cameras that attack whoever pulls them: by the size they claim, by where they send us, by what they never say."""

import socket
import threading
import time
from itertools import islice

import pytest

from attacks.made_video import claiming
from shouhao.flows.pull_group import PullGroup
from shouhao.kernel.clock import SystemClock
from shouhao.lab.streams import StreamServer
from shouhao.lab.walking import Encoding, Unit, encode
from shouhao.protocols.video import RTSPStream, StreamSettings
from shouhao.watch.pulling import LENGTH, ClipCut, PulledCamera, Pulse, WantClip, read
from shouhao.watch.video import VideoBroken

SMALL = Encoding(width=320, height=192, keyframe_every_s=1.0, preset="ultrafast")
NOW_US = SystemClock().now_us
SETTINGS = StreamSettings(silent_s=2.0)


@pytest.fixture(scope="module")
def units():
    return encode([], seconds=2, encoding=SMALL)[0]


def broken(address, settings=SETTINGS):
    frames = []
    with pytest.raises(VideoBroken) as why:
        frames.extend(RTSPStream(address, settings=settings, now_us=NOW_US).frames())
    return len(frames), why.value.why


def test_a_stream_that_claims_the_memory_of_the_machine_is_refused(units):
    bomb = [
        Unit(data=claiming(unit.data, width_px=16_384, height_px=16_384), presented_s=unit.presented_s, key=unit.key)
        if unit.key
        else unit
        for unit in units
    ]
    with StreamServer({"cam": bomb}) as server:
        count, why = broken(server.address("cam"))
    assert count == 0
    assert why in {"too_large", "refused", "silent", "corrupt"}


def test_a_bomb_in_the_middle_of_a_stream_is_passed_over(units):
    first = [unit for unit in units if unit.presented_s < 1]
    bomb = Unit(data=claiming(units[0].data, width_px=16_384, height_px=16_384), presented_s=1.0, key=True)
    with StreamServer({"cam": [*first, bomb, *units[25:]]}) as server:
        shapes = set()
        for frame in islice(RTSPStream(server.address("cam"), settings=SETTINGS, now_us=NOW_US).frames(), 25):
            shapes.add(frame.pixels.shape)
    assert shapes == {(192, 320, 3)}  # what is sound before and after it is seen


def answering(*answers: bytes):
    """A server that says this, one after the other, and then nothing."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            for answer in answers:
                if not connection.recv(65_536):
                    return
                connection.sendall(answer)
            while connection.recv(65_536):
                pass

    threading.Thread(target=serve, daemon=True).start()
    return listener


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 2000000000\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: -1\r\n\r\n",
        b'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n',
        b"\xff" * 4096,
        b"$\0\xff\xff" + b"\0" * 65_535,
        b"",
    ],
)
def test_a_server_that_answers_nonsense_is_given_up_in_time(answer):
    with answering(answer) as listener:
        began_s = time.monotonic()
        count, why = broken(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x")
    assert count == 0
    assert why in {"refused", "silent", "ended", "no_video"}
    assert time.monotonic() - began_s < 15


@pytest.mark.parametrize("place", ["http://127.0.0.1:{port}/x", "file:///etc/passwd", "tcp://127.0.0.1:{port}"])
def test_a_camera_sends_us_to_no_other_kind_of_address(place):
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        where = place.format(port=other.getsockname()[1]).encode()
        redirect = b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: " + where + b"\r\n\r\n"
        with answering(redirect, redirect) as listener:
            count, _ = broken(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x")
        assert count == 0
        with pytest.raises(TimeoutError):
            other.accept()


class NoFaces:
    def find(self, _picture):
        raise RuntimeError("a picture that nobody foresaw")

    def look(self, *_):
        raise AssertionError("nothing was found")


def test_a_camera_that_breaks_the_looking_ends_neither_the_others_nor_itself(units):
    from shouhao.pull_process import _open  # noqa: PLC0415 - what the process opens with

    said, pulses = [], threading.Event()

    def say(one):
        said.append(one)
        if isinstance(one, Pulse) and all(camera.decoded >= 5 for camera in one.cameras):
            pulses.set()

    from pathlib import Path  # noqa: PLC0415 - as above

    with StreamServer({"a": units, "b": units}) as server:
        cameras = [PulledCamera(camera_id=name, address=server.address(name)) for name in "ab"]
        group = PullGroup(cameras, NoFaces(), lambda opening: _open(opening, SETTINGS, Path("/nowhere")), say, run="r")
        group.start()
        try:
            assert pulses.wait(20)
        finally:
            group.stop()


def test_an_address_that_cannot_be_is_tried_no_faster_than_a_broken_one():
    tried = []

    def open_source(opening):
        tried.append(time.monotonic())
        raise ValueError("no address")

    said: list = []
    group = PullGroup([PulledCamera(camera_id="a", address="gopher://x")], NoFaces(), open_source, said.append, run="r")
    group.start()
    try:
        until_s = time.monotonic() + 10
        while len(tried) < 3 and time.monotonic() < until_s:
            time.sleep(0.05)
        group.want_clip(WantClip(id="c", camera_id="a", from_us=0, to_us=1))
        group.want_clip(WantClip(id="d", camera_id="none", from_us=0, to_us=1))
    finally:
        group.stop()
    assert len(tried) == 3
    assert tried[2] - tried[1] > 1.5
    assert [one.id for one in said if isinstance(one, ClipCut) and one.mp4 is None] == ["c", "d"]


def test_a_process_that_was_broken_into_cannot_fill_our_memory(tmp_path):
    """A length that no frame of ours has ends the line."""
    pipe = tmp_path / "pipe"
    pipe.write_bytes(LENGTH.pack(0xFFFFFFFF) + b"x" * 100)
    with pipe.open("rb") as stream:
        assert read(stream) is None
