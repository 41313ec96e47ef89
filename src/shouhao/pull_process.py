"""Pull process: the other end of `flows.pull`: opens streams, looks for faces, hands back best shots.

It decodes whatever a camera sends, and so holds no key, no database and no gallery: a decoder that is broken into finds
the pictures that are before the camera now, and nothing else. It dumps no core, since one would hold faces. It ends
when its pipe does. Signals for the group are the business of whoever started it.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import IO

import cv2

from shouhao.faces.frames import open_frame_faces
from shouhao.faces.packs import load_pack
from shouhao.flows.pull_group import LiveSource, Opening, PullGroup
from shouhao.kernel.clock import SystemClock
from shouhao.log import configure_log
from shouhao.protocols.video import RTSPStream, StreamSettings
from shouhao.protocols.video_local import LocalSource
from shouhao.watch.pulling import PullOrder, Ready, Said, decode_order, decode_want, read, write


def work(reading: IO[bytes], writing: IO[bytes]) -> None:
    """Pull until the pipe ends."""
    frame = read(reading)
    if frame is None:
        return
    order = decode_order(frame)
    configure_log(level=order.log_level, form="json" if order.log_format == "json" else "console")
    _bound(order)
    cv2.setNumThreads(1)  # one core looks; more of them would take turns with those that decode
    models_dir = Path(order.models_dir)
    faces = open_frame_faces(
        load_pack(order.pack, models_dir=models_dir), models_dir=models_dir, longest_px=order.detect_px
    )
    lock = threading.Lock()

    def say(said: Said) -> None:
        with lock:
            write(writing, said)

    settings = StreamSettings(frames_a_s=order.frames_a_s, silent_s=order.silent_s)
    group = PullGroup(
        order.cameras, faces, lambda opening: _open(opening, settings, Path(order.folder)), say, run=order.run
    )
    say(Ready())
    group.start()
    while (frame := read(reading)) is not None:
        group.want_clip(decode_want(frame))
    group.stop()


def _open(opening: Opening, settings: StreamSettings, below: Path) -> LiveSource:
    """The source that an address names.

    Raises:
        ValueError: no address of a kind that is pulled.
    """
    address, now_us = opening.camera.address, SystemClock().now_us
    if address.startswith(("rtsp://", "rtsps://")):
        return RTSPStream(
            address, settings=settings, now_us=now_us, on_packet=opening.on_packet, on_clip=opening.on_clip
        )
    return LocalSource(
        address,
        below=below,
        settings=settings,
        now_us=now_us,
        on_packet=opening.on_packet,
        on_clip=opening.on_clip,
    )


def _bound(order: PullOrder) -> None:
    """No core dump, no more memory than was given, and behind whatever must answer somebody."""
    import resource  # noqa: PLC0415 - there is none on Windows, where only tests of other parts run

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if order.memory_max_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (order.memory_max_bytes, order.memory_max_bytes))
    os.nice(5)


def main() -> None:
    """Work on the standard streams."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    work(sys.stdin.buffer, sys.stdout.buffer)
    os._exit(0)  # a reader that hangs in FFmpeg must not keep the process


if __name__ == "__main__":
    main()
