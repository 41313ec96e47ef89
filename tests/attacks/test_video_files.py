"""Recordings that lie, never end, or lead elsewhere: refused, or read as far as they go, and nothing else is opened."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from attacks.made_video import claiming
from shouhao.kernel.clock import SystemClock
from shouhao.kernel.errors import InvalidInput
from shouhao.lab.walking import Encoding, encode, write_recording
from shouhao.protocols.video import StreamSettings
from shouhao.protocols.video_files import FileSource, files_in
from shouhao.protocols.video_local import LocalSource
from shouhao.watch.video import VideoBroken

SETTINGS = StreamSettings(frames_a_s=5)
SMALL = Encoding(width=320, height=192, preset="ultrafast")
#: Read a file with no more memory than a pulling process has.
_READ = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (900 << 20, 900 << 20))
from pathlib import Path
from shouhao.protocols.video import StreamSettings
from shouhao.protocols.video_files import FileSource
from shouhao.watch.video import VideoBroken
count = 0
try:
    for frame in FileSource(Path(sys.argv[1]), settings=StreamSettings(frames_a_s=5)).frames():
        count += 1
except VideoBroken as broken:
    # Not ru_maxrss, which begins with what the process that started this one held.
    peak = next(int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(count, broken.why, peak)
"""


def read(path, **given):
    """How many pictures came, and why no more."""
    source, count = FileSource(path, settings=SETTINGS, **given), 0
    with pytest.raises(VideoBroken) as broken:
        for count, _ in enumerate(source.frames(), 1):  # noqa: B007 - counted
            pass
    return count, broken.value.why


@pytest.fixture(scope="module")
def stream():
    return b"".join(unit.data for unit in encode([], seconds=2, encoding=SMALL)[0])


@pytest.fixture(scope="module")
def mp4(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    with path.open("wb") as out:
        write_recording(out, [], seconds=2, encoding=SMALL)
    return path


def test_a_picture_that_claims_the_memory_of_the_machine_is_refused(tmp_path, stream):
    file = tmp_path / "bomb.h264"
    file.write_bytes(claiming(stream, width_px=16_384, height_px=16_384))
    said = subprocess.run(
        [sys.executable, "-c", _READ, str(file)], capture_output=True, text=True, timeout=60, check=True
    )
    count, why, peak_mib = said.stdout.split()
    assert count == "0"
    assert why in {"too_large", "corrupt"}
    assert int(peak_mib) < 700


def test_a_size_that_fits_and_is_a_lie_harms_nobody(tmp_path, stream):
    file = tmp_path / "lie.h264"
    file.write_bytes(claiming(stream, width_px=1920, height_px=1088))
    assert read(file)[1] in {"ended", "corrupt"}


def test_a_pipe_and_a_device_are_no_recordings(tmp_path):
    pipe = tmp_path / "endless.mp4"
    os.mkfifo(pipe)
    assert read(pipe) == (0, "refused")
    device = tmp_path / "zero"
    device.symlink_to("/dev/zero")
    assert read(device) == (0, "refused")
    with pytest.raises(InvalidInput):
        files_in(pipe)


def test_a_recording_that_grows_while_it_is_read_has_an_end(tmp_path, stream):
    file, stop = tmp_path / "growing.h264", threading.Event()
    file.write_bytes(stream)

    def grow():
        with file.open("ab") as out:
            while not stop.wait(0.002) and out.tell() < 200_000_000:
                out.write(stream)
                out.flush()

    growing = threading.Thread(target=grow)
    growing.start()
    try:
        count, why = read(file)
    finally:
        stop.set()
        growing.join()
    assert why == "ended"
    assert count <= 10 + 10  # of two seconds, as long as it was when it was opened, or little longer


def test_links_lead_nowhere(tmp_path, mp4):
    folder = tmp_path / "handed-in"
    folder.mkdir()
    (folder / "link.mp4").symlink_to(mp4)
    (folder / ".hidden.mp4").write_bytes(mp4.read_bytes())
    (folder / "sub").mkdir()
    assert read(folder / "link.mp4") == (0, "refused")
    assert files_in(folder) == []
    other = tmp_path / "other"
    other.symlink_to(folder)
    with pytest.raises(InvalidInput):
        files_in(other)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{path}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
        "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>{url}</BaseURL></MPD>",
        "[playlist]\nFile1={url}\n",
        "rtsp://127.0.0.1:{port}/x",
    ],
)
@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list.sdp", "list.ts"])
def test_a_file_that_names_others_opens_none(tmp_path, mp4, text, name):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        file = tmp_path / name
        file.write_text(text.format(url=f"http://127.0.0.1:{port}/a.ts", path=mp4, port=port))
        assert read(file) == (0, "no_video")
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize("length", [0, 1, 7, 64, 400, 5_000])
@pytest.mark.parametrize(
    "start", [b"\0\0\0\x20ftypisom", b"\x1aE\xdf\xa3", b"RIFF....AVI ", b"\0\0\1\xba", b"FLV\1", b"G"]
)
def test_beginnings_without_a_recording_are_named(tmp_path, start, length):
    file = tmp_path / "x.mp4"
    file.write_bytes(start + bytes(n * 37 & 0xFF for n in range(length)))
    assert read(file)[1] in {"corrupt", "no_video", "truncated", "ended"}


def test_every_cut_of_a_recording_is_read_or_named(tmp_path, mp4):
    whole, file = mp4.read_bytes(), tmp_path / "cut.mp4"
    for part in range(20):
        file.write_bytes(whole[: len(whole) * part // 20])
        count, why = read(file)
        assert why in {"corrupt", "no_video", "truncated"} or count >= 9


def test_noise_in_a_recording_is_passed_over_or_named(tmp_path, mp4):
    whole, file = bytearray(mp4.read_bytes()), tmp_path / "noise.mp4"
    for seed in range(12):
        noisy = bytearray(whole)
        for n in range(40):
            noisy[(seed * 7919 + n * 104_729) % len(noisy)] ^= 0xA5
        file.write_bytes(noisy)
        assert read(file)[1] in {"corrupt", "no_video", "truncated", "too_large", "ended"}


@pytest.mark.parametrize(
    "address",
    [
        "file:../secret.mp4",
        "file:/etc/passwd",
        "folder:..",
        "folder:/",
        "file:",
        "folder:a/../../b",
        "http:x",
        "file:link/a",
    ],
)
def test_an_address_leads_nowhere_but_below_its_folder(tmp_path, address):
    below = tmp_path / "pull"
    below.mkdir()
    (below / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="no address"):
        LocalSource(
            address,
            below=below,
            settings=SETTINGS,
            now_us=SystemClock().now_us,
            on_packet=lambda _: None,
            on_clip=lambda _: None,
        )
