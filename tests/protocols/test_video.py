"""Video: streams of a real RTSP server, with all that goes wrong with one; recordings whole, cut and changed."""

import io
import threading
import time
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from shouhao.kernel.clock import SECOND_US, SystemClock
from shouhao.lab.streams import StreamServer
from shouhao.lab.walking import Encoding, encode
from shouhao.protocols.video import RTSPStream, StreamSettings
from shouhao.protocols.video_local import LocalSource
from shouhao.watch.pulling import WantClip
from shouhao.watch.video import VideoBroken

SMALL = Encoding(width=320, height=192, keyframe_every_s=1.0, preset="ultrafast")
NOW_US = SystemClock().now_us


@pytest.fixture(scope="module")
def units():
    """Eight seconds of an empty corridor."""
    return encode([], seconds=8, encoding=SMALL)[0]


@pytest.fixture
def server(units):
    with StreamServer({"cam": units}) as running:
        yield running


def stream(server, **settings):
    given = {"silent_s": 3.0, **settings}
    clips: list = []
    source = RTSPStream(server.address("cam"), settings=StreamSettings(**given), now_us=NOW_US, on_clip=clips.append)
    return source, clips


def first(source, count):
    """So many pictures."""
    frames = []
    for frame in source.frames():
        frames.append(frame)
        if len(frames) == count:
            break
    return frames


def broken(source):
    """Read until it breaks; the pictures and why."""
    frames = []
    with pytest.raises(VideoBroken) as why:
        frames.extend(source.frames())  # keeps what came before the break
    return frames, why.value.why


def test_pictures_come_at_the_rate_asked_with_the_times_at_which_they_were_taken(server):
    frames = first(stream(server)[0], 12)
    steps = np.diff([frame.at_us for frame in frames[2:]]) / SECOND_US  # what was read while opening comes at once
    assert steps == pytest.approx(0.2, abs=0.02)
    assert frames[0].pixels.shape == (192, 320, 3)
    assert abs(frames[-1].at_us - frames[-1].arrived_at_us) < SECOND_US


def test_a_password_is_answered_by_digest(units):
    with StreamServer({"cam": units}, credentials=("admin", "a secret")) as server:
        assert (
            len(
                first(
                    RTSPStream(
                        f"rtsp://admin:a%20secret@127.0.0.1:{server.port}/cam", settings=StreamSettings(), now_us=NOW_US
                    ),
                    1,
                )
            )
            == 1
        )
        assert server.counts["cam"].refused == 1
        wrong = RTSPStream(f"rtsp://admin:wrong@127.0.0.1:{server.port}/cam", settings=StreamSettings(), now_us=NOW_US)
        with pytest.raises(VideoBroken) as why:
            next(iter(wrong.frames()))
        assert why.value.why == "refused"
        chain = f"{why.value!r} {why.value.__cause__!r} {why.value.__suppress_context__}"
        assert "wrong" not in chain
        assert chain.endswith("True")  # a traceback shows nothing of the address either


def test_a_stream_that_stalls_is_given_up_in_time(server):
    server.faults["cam"].stall_after_s = 2.0
    began_s = time.monotonic()
    frames, why = broken(stream(server)[0])
    assert (why, len(frames) >= 4) == ("silent", True)
    assert time.monotonic() - began_s < 12


def test_a_server_that_says_nothing_is_given_up_in_time(server):
    server.faults["cam"].hang = True
    began_s = time.monotonic()
    assert broken(stream(server, silent_s=2.0)[0]) == ([], "silent")
    assert time.monotonic() - began_s < 10


def test_a_stream_cut_in_the_middle_of_a_group_ends_and_is_read_again(server):
    server.faults["cam"].cut_after_s = 2.5
    source, _ = stream(server)
    frames, why = broken(source)
    assert why in {"ended", "corrupt"}
    assert len(frames) >= 8
    server.faults["cam"].cut_after_s = None
    assert len(first(source, 3)) == 3


@pytest.mark.parametrize("fault", ["refuse", "no_video"])
def test_a_server_that_offers_nothing_says_so(server, fault):
    setattr(server.faults["cam"], fault, True)
    frames, why = broken(stream(server)[0])
    assert frames == []
    assert why in {"refused", "no_video"}


def test_wrong_parameter_sets_in_the_description_are_overcome_by_those_in_the_stream(server):
    server.faults["cam"].wrong_sdp = True
    assert len(first(stream(server)[0], 5)) == 5


def test_sound_beside_the_picture_is_not_asked_for(server):
    server.faults["cam"].audio = True
    assert len(first(stream(server)[0], 3)) == 3


def test_corrupt_packets_are_passed_over(server):
    server.faults["cam"].corrupt = 0.05
    source, _ = stream(server)
    assert len(first(source, 15)) == 15


def test_a_stream_without_key_frames_is_given_up(server):
    server.faults["cam"].no_keyframes = True
    frames, why = broken(stream(server, no_keyframe_s=2.0)[0])
    assert frames == []
    assert why in {"no_keyframe", "corrupt", "refused", "silent"}


def test_a_picture_that_changes_its_size_is_followed(units):
    larger = encode([], seconds=2, encoding=Encoding(width=640, height=384, preset="ultrafast"))[0]
    later = [replace(unit, presented_s=unit.presented_s + 2) for unit in larger]
    with StreamServer({"cam": [*units[:50], *later]}) as server:
        sizes = {frame.pixels.shape for frame in first(stream(server)[0], 20)}
    assert sizes == {(192, 320, 3), (384, 640, 3)}


def test_pictures_of_b_frames_come_in_their_order():
    units = encode([], seconds=4, encoding=Encoding(width=320, height=192, b_frames=3, preset="veryfast"))[0]
    with StreamServer({"cam": units}) as server:
        frames = first(stream(server)[0], 12)
    steps = np.diff([frame.at_us for frame in frames[2:]]) / SECOND_US
    assert steps == pytest.approx(0.2, abs=0.05)


def test_a_clip_is_what_the_camera_sent_from_before_to_after(server):
    source, clips = stream(server)
    asked = False
    for frame in source.frames():
        if not asked and len(clips) == 0 and frame.at_us:
            seen_us = frame.at_us + 2 * SECOND_US
            source.want_clip(WantClip(id="a", camera_id="c", from_us=seen_us - SECOND_US, to_us=seen_us + SECOND_US))
            asked = True
        if clips:
            break
    with av.open(io.BytesIO(clips[0].mp4)) as clip:
        pictures = [picture.pts * picture.time_base for picture in clip.decode(video=0)]
    assert 2.0 <= float(pictures[-1] - pictures[0]) <= 3.2  # from the key frame before
    assert pictures == sorted(pictures)
    assert pictures[0] < Fraction(1, 10)


def test_a_clip_that_a_break_cuts_short_is_kept_as_far_as_it_goes(server):
    server.faults["cam"].cut_after_s = 3.0
    source, clips = stream(server)
    now_us = NOW_US()
    source.want_clip(WantClip(id="a", camera_id="c", from_us=now_us - SECOND_US, to_us=now_us + 60 * SECOND_US))
    broken(source)
    assert clips[0].mp4
    assert clips[0].to_us - clips[0].from_us > SECOND_US


def test_nothing_but_rtsp_is_a_stream():
    for address in ("http://127.0.0.1/x", "file:///etc/passwd", "/etc/passwd", "concat:a|b", "rtsp:/x", ""):
        with pytest.raises(ValueError, match="rtsp"):
            RTSPStream(address, settings=StreamSettings(), now_us=NOW_US)


def local(tmp_path, address, **given):
    settings = StreamSettings(**given)
    return LocalSource(
        address, below=tmp_path, settings=settings, now_us=NOW_US, on_packet=lambda _: None, on_clip=lambda _: None
    )


def test_a_folder_gives_each_new_picture_once(tmp_path):
    folder = tmp_path / "door"
    folder.mkdir()
    picture = np.full((64, 64, 3), 90, np.uint8)
    source, seen, done = local(tmp_path, "folder:door"), [], threading.Event()

    def read():
        for frame in source.frames():
            seen.append(frame)
            if len(seen) == 2:
                done.set()

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    for name in ("a.jpg", "b.jpg"):
        draft = folder / f".{name}"
        draft.write_bytes(_jpeg(picture))
        draft.rename(folder / name)
    assert done.wait(10)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    until_s = time.monotonic() + 10
    while source.corrupt == 0 and time.monotonic() < until_s:
        time.sleep(0.02)
    source.close()
    reading.join(5)
    assert not reading.is_alive()
    assert (len(seen), source.corrupt) == (2, 1)


def test_a_file_is_played_at_its_pace_and_happens_now(tmp_path, units):
    file = tmp_path / "trial.h264"
    file.write_bytes(b"".join(unit.data for unit in units[:50]))
    began_us = NOW_US()
    frames, why = broken(local(tmp_path, "file:trial.h264"))
    assert why == "ended"
    assert 9 <= len(frames) <= 11
    assert frames[-1].at_us - began_us == pytest.approx(1.8 * SECOND_US, abs=0.3 * SECOND_US)


def _jpeg(pixels):
    import cv2  # noqa: PLC0415 - this test's alone

    return cv2.imencode(".jpg", pixels)[1].tobytes()
