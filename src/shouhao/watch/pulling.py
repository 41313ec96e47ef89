"""Pulling: what the process that pulls streams and the one that watches over it say to each other.

The one that pulls decodes whatever a camera sends, and so has neither database nor key: it is told what to open, and
hands back best shots, clips and signs of life through a pipe. A frame is four bytes of length and MessagePack.
"""

import struct
from typing import IO

import msgspec

from shouhao.watch.shots import WrittenShot

LENGTH = struct.Struct(">I")
FRAME_MAX = 128 * 1024 * 1024


class PulledCamera(msgspec.Struct, frozen=True, kw_only=True):
    """One camera to pull."""

    camera_id: str
    address: str  #: with its password, where it has one: through the pipe, since arguments can be read by others


class PullOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame: what is pulled, and how."""

    cameras: list[PulledCamera]
    folder: str  #: in which files and folders lie that stand in for a camera
    models_dir: str
    pack: str
    frames_a_s: float = 5.0
    detect_px: int = 960
    silent_s: float = 10.0
    run: str = ""  #: names this run, so that refs of two runs never meet
    memory_max_bytes: int = 0  #: of the process; nought: no limit
    log_level: str = "INFO"
    log_format: str = "json"


class WantClip(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a stream that is to be kept."""

    id: str
    camera_id: str
    from_us: int
    to_us: int


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Models are loaded."""


class CameraPulse(msgspec.Struct, frozen=True, kw_only=True):
    """How the reading of one camera goes."""

    camera_id: str
    alive_ago_s: float  #: since its reader did anything at all: a packet, or another try
    heard_at_us: int | None = None  #: last packet
    why: str | None = None  #: it is not being read
    looked: int = 0  #: pictures, since the process began
    left_out: int = 0  #: pictures that were due and for which there was no time
    decoded: int = 0
    corrupt: int = 0
    shots: int = 0


class Pulse(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Once a second: a process that does not say this hangs."""

    cameras: list[CameraPulse]


class Shots(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Best shots of one picture."""

    camera_id: str
    shots: list[WrittenShot]


class ClipCut(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A clip that was wanted."""

    id: str
    camera_id: str
    mp4: bytes | None
    from_us: int = 0
    to_us: int = 0


Said = Ready | Pulse | Shots | ClipCut

_encode = msgspec.msgpack.Encoder().encode
decode_order = msgspec.msgpack.Decoder(PullOrder).decode
decode_want = msgspec.msgpack.Decoder(WantClip).decode
decode_said = msgspec.msgpack.Decoder(Said).decode


def write(stream: IO[bytes], message: PullOrder | WantClip | Said) -> None:
    """Write one frame.

    Raises:
        OSError: the other end is gone.
    """
    frame = _encode(message)
    stream.write(LENGTH.pack(len(frame)) + frame)
    stream.flush()


def read(stream: IO[bytes]) -> bytes | None:
    """One frame; None at the end of the pipe, or where what came is no frame of ours."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    if size > FRAME_MAX:
        return None
    frame = stream.read(size)
    return frame if len(frame) == size else None
