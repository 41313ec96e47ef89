"""Best shots: which pictures of a track are sent on, chosen by the quality of the face and early enough for an alarm.

The first good one goes at once, since somebody may be at the door in three seconds. After it only what is clearly
better, not too often; when the track ends, the best that was not sent, if it adds anything. Somebody who stands at a
window for long is one passage after another, each with its own few shots. At most one picture a track is held back, so
memory is bounded by the number of tracks.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from shouhao.kernel.clock import SECOND_US

Picture = TypeVar("Picture")

_WORTH_CUTTING = 1.04  #: times what is held: a quality trembles, and cutting out costs


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotRules:
    """How many shots of a passage are sent, and how good they must be. Qualities are those of `faces.quality`."""

    good_at_least: float = 0.8  #: sent at once
    least: float = 0.35  #: below, a face is of no use even as the only one
    better_by: float = 1.08  #: times the best one sent
    again_better_by: float = 0.8  #: times the best one sent: another view as good as this adds to the fusion, once more
    gap_us: int = SECOND_US  #: between two shots
    wait_us: int = 2 * SECOND_US  #: after which the best so far goes, though it is not good
    shots_at_most: int = 4  #: of one passage
    passage_us: int = 60 * SECOND_US  #: of a track, after which a new passage begins


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate(Generic[Picture]):
    """One face of one picture."""

    picture: Picture
    quality: float
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen(Generic[Picture]):
    """A shot that is to be sent."""

    track: str  #: of the passage
    shot: Candidate[Picture]
    number: int  #: of the passage, from 1


@dataclass(slots=True, kw_only=True, eq=False)
class _Passage(Generic[Picture]):
    began_at_us: int
    part: int = 0  #: of the track
    sent: int = 0
    best_sent: float = 0.0
    sent_at_us: int = 0
    held: Candidate[Picture] | None = None


class BestShots(Generic[Picture]):
    """The shots of one camera's tracks."""

    def __init__(self, prefix: str, rules: ShotRules | None = None) -> None:
        """Begin with nobody.

        Args:
            prefix: before the number of a track: it must name camera and run, since numbers begin anew with each.
        """
        self._prefix, self._rules = prefix, rules or ShotRules()
        self._passages: dict[int, _Passage[Picture]] = {}

    def __len__(self) -> int:
        return len(self._passages)

    def wants(self, track: int, *, quality: float) -> bool:
        """Whether a face of this quality could be sent or held, so that it is worth cutting out."""
        if quality < self._rules.least:
            return False
        passage = self._passages.get(track)
        if passage is None or passage.held is None:
            return True
        return quality > passage.held.quality * _WORTH_CUTTING

    def settled(self, track: int, at_us: int) -> bool:
        """Whether no picture of this track can add anything for now, so that nobody need look at it closely."""
        passage = self._passages.get(track)
        if passage is None or at_us - passage.began_at_us > self._rules.passage_us:
            return False
        if passage.sent >= self._rules.shots_at_most:
            return True
        nothing_better = passage.best_sent * self._rules.better_by > 1
        return nothing_better and passage.held is not None and passage.held.quality * _WORTH_CUTTING > passage.best_sent

    def take(self, track: int, candidate: Candidate[Picture]) -> list[Chosen[Picture]]:
        """Take in one face of a track; the shots that go now."""
        rules = self._rules
        passage = self._passages.get(track)
        if passage is None:
            passage = self._passages[track] = _Passage(began_at_us=candidate.at_us)
        gone: list[Chosen[Picture]] = []
        if candidate.at_us - passage.began_at_us > rules.passage_us:
            gone += self._last(track, passage)
            passage = _Passage(began_at_us=candidate.at_us, part=passage.part + 1)
            self._passages[track] = passage
        if candidate.quality >= rules.least and (passage.held is None or candidate.quality > passage.held.quality):
            passage.held = candidate
        return gone + self.due(track, at_us=candidate.at_us)

    def due(self, track: int, *, at_us: int) -> list[Chosen[Picture]]:
        """The shot that this track has waited long enough with, if any."""
        passage = self._passages.get(track)
        if passage is None or passage.held is None or passage.sent >= max(1, self._rules.shots_at_most - 1):
            return []  # the last place is for the end of the track
        return [self._send(track, passage)] if self._goes(passage, at_us) else []

    def end(self, track: int) -> list[Chosen[Picture]]:
        """The track is over: its last shot, if it adds anything."""
        passage = self._passages.pop(track, None)
        return [] if passage is None else self._last(track, passage)

    def _goes(self, passage: _Passage[Picture], at_us: int) -> bool:
        rules, held = self._rules, passage.held
        if held is None:
            return False
        if not passage.sent:
            return held.quality >= rules.good_at_least or at_us - passage.began_at_us >= rules.wait_us
        rested = at_us - passage.sent_at_us >= rules.gap_us
        return rested and held.quality >= passage.best_sent * rules.better_by

    def _last(self, track: int, passage: _Passage[Picture]) -> list[Chosen[Picture]]:
        held = passage.held
        if held is None or passage.sent >= self._rules.shots_at_most:
            return []
        if held.quality < passage.best_sent * self._rules.again_better_by:
            return []
        return [self._send(track, passage)]

    def _send(self, track: int, passage: _Passage[Picture]) -> Chosen[Picture]:
        held, passage.held = passage.held, None
        if held is None:
            raise ValueError("nothing is held")
        passage.sent += 1
        passage.best_sent, passage.sent_at_us = max(passage.best_sent, held.quality), held.at_us
        name = f"{self._prefix}-{track}" if not passage.part else f"{self._prefix}-{track}.{passage.part}"
        return Chosen(track=name, shot=held, number=passage.sent)
