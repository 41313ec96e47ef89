"""Spool format: what a segment's bytes mean, for the one who writes and the one who reads.

A segment is a file `<number>.seg` beside its key `<number>.key`. Its number is the microsecond of its making, made
larger where the clock stood still, so that numbers only grow and are never used twice. The file is a header and frames;
a frame is its length, a checksum by which a torn one is known, and one arrival sealed under the segment's own key for
its place in it, so that frames can neither be read without the key nor moved, doubled or exchanged.
"""

import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from shouhao.store.vault import Sealer
from shouhao.watch.model import Arrival

HEADER = b"shouhao spool 1\n"
_HEAD = struct.Struct("<II")  #: length of what follows, its CRC-32
FRAME_MAX = 64 * 1024 * 1024  #: larger is no length but damage

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Arrival).decode


class Place(NamedTuple):
    """A place in one writer's spool; places compare as they were written."""

    segment: int
    offset: int  #: bytes from the segment's start


class Torn(Exception):  # noqa: N818 - no error of ours: what a power cut leaves
    """No whole frame stands here: it is being written, was cut by a crash, or was damaged."""


def frame_of(arrival: Arrival, sealer: Sealer, place: Place) -> bytes:
    """One arrival as it is written at this place."""
    sealed = sealer.seal(_encode(arrival), context=_context(place))
    return _HEAD.pack(len(sealed), zlib.crc32(sealed)) + sealed


def size_of(arrival: Arrival) -> int:
    """About how many bytes its frame takes."""
    return len(arrival.body) + 1024


def sealed_at(handle: int, offset: int) -> bytes:
    """The sealed bytes of the frame that stands there in an open file.

    Raises:
        Torn: there is no whole frame.
    """
    length, checksum = _head_at(handle, offset)
    sealed = os.pread(handle, length, offset + _HEAD.size)
    if len(sealed) < length or zlib.crc32(sealed) != checksum:
        raise Torn
    return sealed


def end_of(sealed: bytes, offset: int) -> int:
    """Where the frame ends that holds these and stands there."""
    return offset + _HEAD.size + len(sealed)


def next_whole(handle: int, offset: int, size: int) -> int:
    """Where reading goes on behind a frame that is damaged: the next one if that is whole, else the file's end."""
    try:
        length, _ = _head_at(handle, offset)
        after = offset + _HEAD.size + length
        if after < size:
            sealed_at(handle, after)
    except Torn:
        return size
    return min(after, size)


def arrival_of(sealed: bytes, sealer: Sealer, place: Place) -> Arrival:
    """Open one arrival.

    Raises:
        Tampered: it was changed, or stands in another place than it was written for.
        msgspec.MsgspecError: another version of this program wrote it.
    """
    return _decode(sealer.open(sealed, context=_context(place)))


def segments_in(folder: Path) -> list[int]:
    """The numbers of all segments, in the order in which they were written."""
    with os.scandir(folder) as found:
        names = [one.name.removesuffix(".seg") for one in found if one.name.endswith(".seg")]
    return sorted(int(name) for name in names if name.isdecimal())


def segment_path(folder: Path, number: int) -> Path:
    """Where a segment lies."""
    return folder / f"{number:020d}.seg"


def key_path(folder: Path, number: int) -> Path:
    """Where its key lies."""
    return folder / f"{number:020d}.key"


def key_context(writer: str, number: int) -> bytes:
    """What a segment's key is sealed for."""
    return b"spool key\0" + writer.encode() + b"\0%d" % number


def _head_at(handle: int, offset: int) -> tuple[int, int]:
    head = os.pread(handle, _HEAD.size, offset)
    if len(head) < _HEAD.size:
        raise Torn
    length, checksum = _HEAD.unpack(head)
    if length > FRAME_MAX:
        raise Torn
    return length, checksum


def _context(place: Place) -> bytes:
    return b"arrival\0%d\0%d" % place
