"""Video: what a stream or a recording is to the watch, before anybody looks for faces in it.

When a picture was taken, which pictures are looked at, and what may be skipped when there is not time for all; pure, so
that each can be tried without a camera. Reading streams is left to protocols/video.py, faces to faces/frames.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shouhao.kernel.clock import SECOND_US

#: Why a stream or a file cannot be read on. refused: nobody answers, or not to us; silent: nothing came for too long;
#: no_video, no_keyframe, corrupt, too_large: what came is of no use; ended: it says itself that it is over.
#: outside: of a file that no part of the span that was asked for is in it.
Broken = Literal[
    "refused", "silent", "no_video", "no_keyframe", "corrupt", "too_large", "truncated", "ended", "outside"
]
#: How it is known when a recording began; the last two may be wrong by hours.
BeganFrom = Literal["given", "name", "metadata", "file"]

_REORDERED_US = SECOND_US  #: how far B-frames and jitter may set a time back
_JUMP_US = 10 * SECOND_US  #: a leap of the camera's time that means a new beginning
_WINDOW_US = 30 * SECOND_US
_BEHIND_US = 2 * SECOND_US
_CAUGHT_UP_US = SECOND_US // 2
_LONG_GAP_US = 4 * SECOND_US  #: between key frames: longer, and skipping to the next one skips a whole person


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One picture of a stream, a recording or a folder."""

    pixels: NDArray[np.uint8]  #: (height, width, 3), blue green red
    at_us: int  #: when it was taken, by our clock as far as it can be told
    position_s: float = 0.0  #: from the beginning of its file
    arrived_at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """When a recording began."""

    at_us: int
    known_from: BeganFrom


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span of time: pictures outside it are not looked at."""

    from_us: int
    until_us: int


class VideoBroken(Exception):  # noqa: N818 - a stream that ends is no error of ours
    """Reading ended. What was read until then stands."""

    def __init__(self, why: Broken, *, position_s: float = 0.0, byte: int | None = None) -> None:
        """Say why and where.

        Args:
            position_s: presentation time of the last picture that could be read.
            byte: of the file, as far as its reader had come.
        """
        super().__init__(why)
        self.why, self.position_s, self.byte = why, position_s, byte


class Source(Protocol):
    """Where pictures come from."""

    def frames(self) -> Iterator[Frame]:
        """The pictures that are to be looked at, in order.

        Raises:
            VideoBroken: it cannot be read any further; `ended` where it simply is over.
        """
        ...

    def close(self) -> None:
        """Give it back."""
        ...


@dataclass(slots=True, kw_only=True)
class PresentationClock:
    """From a stream's own time to ours.

    A packet arrives late by as much as the network made of it, never early: the least delay of the last half minute is
    taken for none. So a burst after a pause keeps the times at which its pictures were taken, and a camera whose clock
    runs a little fast or slow is followed.
    """

    lag_us: int = 0  #: how much later than it should the last packet came
    _least_us: int | None = None
    _before_us: int | None = None
    _window_began_us: int = 0
    _last_us: int | None = None

    def at_us(self, presented_us: int | None, *, arrived_at_us: int) -> int:
        """When a picture was taken.

        Args:
            presented_us: its time in the stream; None: the stream does not say.
        """
        if presented_us is None:
            return arrived_at_us
        last, self._last_us = self._last_us, presented_us
        if last is None or not -_REORDERED_US < presented_us - last < _JUMP_US:
            self._least_us = self._before_us = None
        delay_us = arrived_at_us - presented_us
        if self._least_us is None or arrived_at_us - self._window_began_us > _WINDOW_US:
            self._before_us, self._least_us, self._window_began_us = self._least_us, delay_us, arrived_at_us
        self._least_us = min(self._least_us, delay_us)
        least_us = self._least_us if self._before_us is None else min(self._least_us, self._before_us)
        self.lag_us = delay_us - least_us
        return presented_us + least_us


@dataclass(slots=True, kw_only=True)
class Pace:
    """Which packets are decoded and which pictures are looked at.

    All packets are decoded as long as there is time for it, since a picture rests on those before it. Key frames stand
    alone: where they come as often as pictures are asked for, or where reading has fallen behind, the rest is skipped.
    """

    frames_a_s: float
    keys_only: bool = False
    skipped: int = 0  #: packets, because reading had fallen behind
    _key_gap_us: float | None = None
    _last_key_us: int | None = None
    _due_us: int | None = field(default=None)

    def takes(self, *, key: bool, at_us: int, lag_us: int) -> bool:
        """Whether this packet is decoded. The way back from key frames alone begins at a key frame."""
        if key:
            self._note_key(at_us)
            self.keys_only = self._enough_in_keys() or self._behind(lag_us)
            return True
        if not self.keys_only and lag_us > _BEHIND_US and self._keys_are_frequent():
            self.keys_only = True
        self.skipped += self.keys_only and not self._enough_in_keys()
        return not self.keys_only

    def wants(self, at_us: int) -> bool:
        """Whether this picture is looked at."""
        interval_us = round(SECOND_US / self.frames_a_s)
        if self._due_us is None or at_us < self._due_us - 2 * interval_us - _REORDERED_US:
            self._due_us = at_us  # the first, or time began anew
        if at_us < self._due_us:
            return False
        self._due_us = max(self._due_us + interval_us, at_us + interval_us // 2)
        return True

    def _note_key(self, at_us: int) -> None:
        if self._last_key_us is not None and at_us > self._last_key_us:
            gap_us = float(at_us - self._last_key_us)
            self._key_gap_us = gap_us if self._key_gap_us is None else 0.7 * self._key_gap_us + 0.3 * gap_us
        self._last_key_us = at_us

    def _enough_in_keys(self) -> bool:
        return self._key_gap_us is not None and self._key_gap_us <= 1.1 * SECOND_US / self.frames_a_s

    def _keys_are_frequent(self) -> bool:
        return self._key_gap_us is not None and self._key_gap_us <= _LONG_GAP_US

    def _behind(self, lag_us: int) -> bool:
        return lag_us > (_CAUGHT_UP_US if self.keys_only else _BEHIND_US) and self._keys_are_frequent()
