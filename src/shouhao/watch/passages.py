"""Passages: which shots show one person passing one camera, whatever the order in which they come.

Two shots belong together when they lie close in time and are alike; a device that tracks needs less likeness, and is
not believed where the faces differ plainly. What is joined by a third shot is one passage, so that the order of the
shots changes nothing. A shot that came before is dropped. Nothing here knows the clock, a picture or a gallery: shots
carry what their owner needs of them, and how the best are fused is decided in faces/passages.py.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shouhao.kernel.clock import SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageRules:
    """What joins shots, and how much is remembered."""

    same_cos: float  #: likeness from which two shots show one person; a list's threshold is one
    same_track_share: float = 0.5  #: of that, where the device says that it is one
    gap_s: float = 10.0  #: between two shots of a passage, by the time at which they were taken
    closes_after_s: float = 10.0  #: without another shot, by the time of arrival
    longest_s: float = 30.0  #: somebody who stands there: what comes later is another passage
    shots_most: int = 16  #: of one passage; the worst is dropped
    open_most: int = 2_000  #: passages; the one that waits longest is closed
    seen_most: int = 50_000  #: shots that would be known again
    seen_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PassageShot:
    """One face in one shot."""

    key: bytes  #: by which it is known again; see `key_of`
    track: str | None  #: the device's own id of the passage
    at_us: int  #: when it was taken, as far as that is believed
    arrived_at_us: int
    vector: NDArray[np.float32]  #: (dims,), length 1
    quality: float  #: 0 to 1
    late: bool = False
    what: Any = None  #: its owner's


@dataclass(slots=True, kw_only=True, eq=False)
class Passage:
    """The shots of one person before one camera."""

    id: str
    camera_id: str
    number: int  #: in the order of opening
    shots: list[PassageShot] = field(default_factory=list)  #: the best first
    first_arrived_us: int
    last_arrived_us: int
    matched: dict[str, float] = field(default_factory=dict)  #: list entries it was like enough to, and how much
    owned: Any = None  #: its owner's

    @property
    def late(self) -> bool:
        """Every shot of it came late."""
        return all(shot.late for shot in self.shots)

    @property
    def best(self) -> PassageShot:
        """The best shot."""
        return self.shots[0]

    @property
    def last_seen_us(self) -> int:
        """When its last shot was taken."""
        return max(shot.at_us for shot in self.shots)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Added:
    """What a shot did."""

    passage: Passage
    is_new: bool  #: it opened the passage
    joined: tuple[Passage, ...] = ()  #: open ones that turned out to be the same, and are in it now


class Passages:
    """The passages that are open before all cameras."""

    def __init__(self, rules: PassageRules) -> None:
        self.rules = rules
        self._open: dict[str, list[Passage]] = {}  #: by camera, in the order of opening
        self._seen: OrderedDict[tuple[str, bytes], int] = OrderedDict()
        self._number = 0

    def __iter__(self) -> Iterator[Passage]:
        """Those that are open, the longest first."""
        return iter(sorted((one for some in self._open.values() for one in some), key=lambda one: one.number))

    def __len__(self) -> int:
        return sum(len(some) for some in self._open.values())

    def is_known(self, camera_id: str, key: bytes) -> bool:
        """Whether this shot was here before."""
        return (camera_id, key) in self._seen

    def know(self, camera_id: str, key: bytes, *, now_us: int) -> None:
        """Remember that this shot was here."""
        while self._seen:
            oldest = next(iter(self._seen.values()))
            if len(self._seen) < self.rules.seen_most and now_us - oldest < self.rules.seen_s * SECOND_US:
                break
            self._seen.popitem(last=False)
        self._seen.setdefault((camera_id, key), now_us)

    def add(self, camera_id: str, shot: PassageShot) -> Added:
        """Put a shot where it belongs: into a passage, into several that become one, or into a new one."""
        there = self._open.setdefault(camera_id, [])
        belongs = [one for one in there if any(self._is_same(shot, other) for other in one.shots)]
        if not belongs:
            passage = self._opened(camera_id, shot)
            there.append(passage)
        else:
            passage = belongs[0]
            for other in belongs[1:]:
                _join(passage, other)
                there.remove(other)
            passage.shots.append(shot)
            passage.first_arrived_us = min(passage.first_arrived_us, shot.arrived_at_us)
            passage.last_arrived_us = max(passage.last_arrived_us, shot.arrived_at_us)
        passage.shots.sort(key=lambda one: (-one.quality, one.key))
        del passage.shots[self.rules.shots_most :]
        return Added(passage=passage, is_new=not belongs, joined=tuple(belongs[1:]))

    def close(self, *, now_us: int) -> list[Passage]:
        """Take out those that are over, and those for which there is no room; the longest open first."""
        rules = self.rules
        over = [
            one
            for one in self
            if now_us - one.last_arrived_us >= rules.closes_after_s * SECOND_US
            or now_us - one.first_arrived_us >= rules.longest_s * SECOND_US
        ]
        crowded = len(self) - len(over) - rules.open_most
        if crowded > 0:
            waits = sorted((one for one in self if one not in over), key=lambda one: (one.last_arrived_us, one.number))
            over += waits[:crowded]
        for one in over:
            self._open[one.camera_id].remove(one)
        return over

    def close_all(self) -> list[Passage]:
        """Take out all."""
        all_open = list(self)
        self._open.clear()
        return all_open

    def forget(self) -> None:
        """As if nothing had been here."""
        self._open.clear()
        self._seen.clear()

    def _opened(self, camera_id: str, shot: PassageShot) -> Passage:
        self._number += 1
        told = b"\0".join([camera_id.encode(), shot.key, b"%d" % shot.arrived_at_us])
        return Passage(
            # From the shot alone: reading the same arrivals again after a crash finds the same passage.
            id=f"ps_{hashlib.sha256(told).hexdigest()[:26]}",
            camera_id=camera_id,
            number=self._number,
            shots=[shot],
            first_arrived_us=shot.arrived_at_us,
            last_arrived_us=shot.arrived_at_us,
        )

    def _is_same(self, one: PassageShot, other: PassageShot) -> bool:
        if abs(one.at_us - other.at_us) > self.rules.gap_s * SECOND_US:
            return False
        least = self.rules.same_cos
        if one.track is not None and one.track == other.track:
            least *= self.rules.same_track_share
        return float(one.vector @ other.vector) >= least


def key_of(ref: str, picture: bytes | None) -> bytes:
    """By what a shot is known again: the device's id of it and the picture itself.

    Some devices give all shots one id, and some send the same shot again with its scene added; neither may make a
    person disappear.
    """
    told = hashlib.blake2b(digest_size=16)
    told.update(len(ref.encode(errors="replace")).to_bytes(8, "big"))
    told.update(ref.encode(errors="replace"))
    told.update(picture or b"")
    return told.digest()


def _join(passage: Passage, other: Passage) -> None:
    passage.shots += other.shots
    passage.first_arrived_us = min(passage.first_arrived_us, other.first_arrived_us)
    passage.last_arrived_us = max(passage.last_arrived_us, other.last_arrived_us)
    for entry_id, similarity_cos in other.matched.items():
        passage.matched[entry_id] = max(similarity_cos, passage.matched.get(entry_id, -1.0))
