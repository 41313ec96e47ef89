"""Tracks: which faces of one picture after another are the same person's, for one camera.

At five pictures a second somebody who walks moves by nearly two widths of a face, so that boxes of neighbouring
pictures often do not touch. Boxes are therefore compared where they would be by now, and with a margin around them that
grows with the time in between. Sure faces are matched first, then the doubtful ones to the tracks that are left: they
prolong a track and never begin one. Nothing here knows who anybody is. Which pictures are kept is left to
best_shots.py.

Source: Zhang et al., ByteTrack (2022), for the second match; Yang et al., Hard to Track Objects with Irregular Motions
and Similar Appearances (2023), for boxes with a margin.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shouhao.kernel.clock import SECOND_US

Boxes = NDArray[np.float64]  #: (n, 4) xyxy, px

_NONE = -1
_FARTHEST = 1e6  #: cost of what cannot be the same


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRules:
    """How tracks are made. Widths are those of the face."""

    sure_at_least: float = 0.75  #: detector's score from which a face begins a track
    lost_after_us: int = 3 * SECOND_US // 2  #: without being seen
    margin: float = 0.6  #: of the box, around it, at once
    margin_a_s: float = 1.5  #: more for each second since it was seen
    margin_at_most: float = 2.0
    size_ratio_at_most: float = 1.8  #: between one picture and the next
    tracks_at_most: int = 128  #: at once on one camera; a wall of faces on a poster must not fill the memory


@dataclass(slots=True, kw_only=True, eq=False)
class _Track:
    number: int
    middle_px: NDArray[np.float64]  #: (2,) x, y
    size_px: NDArray[np.float64]  #: (2,) width, height
    speed_px_s: NDArray[np.float64]  #: (2,)
    seen_at_us: int
    times_seen: int = 1

    def box_at(self, at_us: int) -> NDArray[np.float64]:
        """Where it would be, (4,) xyxy; it is not believed to walk on for more than a second."""
        ahead_s = min((at_us - self.seen_at_us) / SECOND_US, 1.0)
        middle = self.middle_px + self.speed_px_s * ahead_s
        return np.concatenate([middle - self.size_px / 2, middle + self.size_px / 2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """What one picture did to the tracks."""

    numbers: tuple[int, ...]  #: for each face of the picture its track, or -1: too doubtful to begin one
    ended: tuple[int, ...]  #: tracks that were lost for good


class Tracker:
    """The tracks of one camera. Numbers are never used again."""

    def __init__(self, rules: TrackRules | None = None) -> None:
        """Begin with nobody."""
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - heavy, and servers that track nobody know us

        self._assign = linear_sum_assignment
        self._rules = rules or TrackRules()
        self._tracks: list[_Track] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._tracks)

    def update(self, boxes_xyxy_px: Boxes, scores: Sequence[float], *, at_us: int) -> Tracked:
        """Take in the faces of one picture.

        Args:
            at_us: later than that of the picture before; one that is not later only prolongs.
        """
        ended = self._forget(at_us)
        boxes = np.array(boxes_xyxy_px, np.float64).reshape(-1, 4)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)  # a box without a size would be like nothing
        numbers = np.full(len(boxes), _NONE, np.int64)
        sure = np.asarray(scores, np.float64) >= self._rules.sure_at_least
        free = list(self._tracks)
        for some in (np.flatnonzero(sure), np.flatnonzero(~sure)):
            free = self._match(boxes, some, free, numbers, at_us)
        for n in np.flatnonzero(sure & (numbers == _NONE)):
            if len(self._tracks) < self._rules.tracks_at_most:
                numbers[n] = self._begin(boxes[n], at_us)
        return Tracked(numbers=tuple(numbers.tolist()), ended=ended)

    def end(self) -> tuple[int, ...]:
        """End all tracks, since the stream did."""
        ended = tuple(track.number for track in self._tracks)
        self._tracks = []
        return ended

    def _forget(self, at_us: int) -> tuple[int, ...]:
        lost = [track for track in self._tracks if at_us - track.seen_at_us > self._rules.lost_after_us]
        self._tracks = [track for track in self._tracks if at_us - track.seen_at_us <= self._rules.lost_after_us]
        return tuple(track.number for track in lost)

    def _match(
        self, boxes: Boxes, some: NDArray[np.int64], free: list[_Track], numbers: NDArray[np.int64], at_us: int
    ) -> list[_Track]:
        """Give these boxes the tracks they belong to; returns the tracks that are left."""
        if not len(some) or not free:
            return free
        costs = np.stack([self._costs(track, boxes[some], at_us) for track in free])
        rows, columns = self._assign(costs)
        left = set(range(len(free)))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if costs[row, column] < _FARTHEST:
                numbers[some[column]] = free[row].number
                _follow(free[row], boxes[some[column]], at_us)
                left.discard(row)
        return [track for n, track in enumerate(free) if n in left]

    def _costs(self, track: _Track, boxes: Boxes, at_us: int) -> NDArray[np.float64]:
        """Nought for the same place and size; what cannot be the same person is farthest."""
        rules = self._rules
        away_s = max(0, at_us - track.seen_at_us) / SECOND_US
        margin = min(rules.margin + rules.margin_a_s * away_s, rules.margin_at_most)
        if track.times_seen == 1:  # it may be walking, and nobody knows where to
            margin = rules.margin_at_most
        expected = track.box_at(at_us)
        shared = _overlaps(_widened(expected[None], margin)[0], _widened(boxes, margin))
        sizes = np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1e-9))
        ratio = np.exp(np.abs(np.log(sizes / np.sqrt(max(float(track.size_px.prod()), 1e-9)))))
        possible = (shared > 0) & (ratio <= rules.size_ratio_at_most * (1 + away_s))
        return np.where(possible, 1 - shared + 0.2 * np.log(ratio), _FARTHEST)

    def _begin(self, box: NDArray[np.float64], at_us: int) -> int:
        self._next += 1
        self._tracks.append(
            _Track(
                number=self._next,
                middle_px=(box[:2] + box[2:]) / 2,
                size_px=np.maximum(box[2:] - box[:2], 1.0),
                speed_px_s=np.zeros(2),
                seen_at_us=at_us,
            )
        )
        return self._next


def _follow(track: _Track, box: NDArray[np.float64], at_us: int) -> None:
    """Move a track to where it was seen. Its speed is smoothed: a detector's box trembles."""
    middle, size = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], 1.0)
    elapsed_s = (at_us - track.seen_at_us) / SECOND_US
    if elapsed_s > 0:
        speed = (middle - track.middle_px) / elapsed_s
        track.speed_px_s = speed if track.times_seen == 1 else 0.4 * track.speed_px_s + 0.6 * speed
    track.middle_px, track.size_px = middle, 0.5 * track.size_px + 0.5 * size
    track.seen_at_us = max(track.seen_at_us, at_us)
    track.times_seen += 1


def _widened(boxes: Boxes, margin: float) -> Boxes:
    more = (boxes[:, 2:] - boxes[:, :2]) * margin
    return np.concatenate([boxes[:, :2] - more, boxes[:, 2:] + more], 1)


def _overlaps(box: NDArray[np.float64], others: Boxes) -> NDArray[np.float64]:
    """Intersection over union."""
    sides = np.maximum(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0)
    shared = sides.prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1) + float((box[2:] - box[:2]).prod()) - shared
    return np.asarray(shared / np.maximum(areas, 1e-9), np.float64)
