"""Trail: where one listed person seems to have gone, from camera to camera. An inference, and it says so.

Each capture that matched is a point with its own odds of being that person; between two points somebody has to have
walked, in no less than the shortest time that the register of ways knows. The trail is the most likely chain of points
that one person can have walked; a point that does not fit is set apart with the reason, never left out in silence. Only
captures that matched are there: between two points nothing is known. Odds are natural logarithms, so they add up.

The odds of a point begin as a rule of thumb, even at the list's threshold and rising with the distance from it, and are
moved by what people found out: each confirmed or rejected alarm is a labelled pair. They rank, and convict nobody.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from shouhao.kernel.clock import SECOND_US
from shouhao.watch.dispatch import WalkingTimes
from shouhao.watch.model import Sighting

MOST_ODDS = 6.0  #: no single match counts for more (1 in 400): twins, and photographs of photographs, exist
EARLY_SHARE = 0.85  #: of the shortest time: somebody quicker than this did not walk it
CLOCK_S = 2.0  #: what two clocks that were set right may still differ by
SPREAD = 0.45  #: of the logarithm of walking times around the usual one
PAUSE_SHARE = 0.5  #: how many stop on their way
LONGEST_PAUSE_S = 4 * 3600.0
OTHERWISE_S = 1800.0  #: mean time until an unrelated match would come up: what walking is held against
STAYS_S = 900.0  #: how long people stay where no camera sees them
UNSEEN_SHARE = 0.25  #: how many pass a camera unseen or go where there is none

_PRIOR_A, _PRIOR_B = 1.0, 10.0
_NEWTON_STEPS = 40
_EACH = 1.0
_TIME_COUNTS = 0.1

WhyApart = Literal["too_fast", "no_way_known", "less_likely"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a person found out about one match."""

    above_cos: float  #: similarity less the list's threshold then
    same_person: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OddsCurve:
    """How the odds of a match follow from its distance to the threshold; the defaults are the rule of thumb."""

    at_threshold: float = 0.0  #: log-odds of a match that just reaches it
    per_cos: float = 25.0  #: gained with each whole unit of similarity above it
    labels: int = 0  #: what people found out, that moved it

    def odds(self, sighting: Sighting) -> float:
        """How the odds stand that a capture is of the listed person."""
        above = self.at_threshold + self.per_cos * (sighting.similarity_cos - sighting.threshold_cos)
        return max(-MOST_ODDS, min(MOST_ODDS, above))


_RULE_OF_THUMB = OddsCurve()


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One capture in the trail."""

    sighting: Sighting
    match_odds: float  #: that it is the listed person at all

    @property
    def probability(self) -> float:
        """The same as a probability."""
        return probability(self.match_odds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """From one point to the next: inferred, with what speaks for it."""

    from_passage: str
    to_passage: str
    took_s: float
    shortest_s: float | None  #: None: the same camera
    usual_s: float | None
    time_odds: float  #: the time taken, if it was one person walking, against an unrelated match
    odds: float  #: of both points and the time
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """A capture that does not fit, and the link that cannot have been."""

    point: Point
    why: WhyApart
    from_passage: str | None  #: of the point before it in the trail
    to_passage: str | None  #: of the point after it
    took_s: float | None  #: of the link that was cut
    shortest_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """What one person's captures join up to."""

    points: tuple[Point, ...]
    links: tuple[Link, ...]
    apart: tuple[Apart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSeen:
    """Live follow: where the person was seen last, and how long ago."""

    camera_id: str
    place_id: str
    seen_at_us: int
    ago_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """Where the person may be seen next. `camera_id` is None for: stays where no camera looks, or has gone."""

    camera_id: str | None
    probability: float
    from_s: float | None  #: from now: the earliest that somebody can be there
    usual_s: float | None  #: from now: when most are; nought when that is past


def learned(labels: Sequence[Label]) -> OddsCurve:
    """The curve that labelled pairs speak for, held by the rule of thumb while they are few.

    Logistic regression with a normal prior around the rule of thumb (deviations 1 and 10), by Newton's method. The
    slope never turns negative: then it would be the labels that are wrong.
    """
    start = OddsCurve()
    a, b = start.at_threshold, start.per_cos
    for _ in range(_NEWTON_STEPS):
        grad_a, grad_b = (start.at_threshold - a) / _PRIOR_A**2, (start.per_cos - b) / _PRIOR_B**2
        h_aa, h_ab, h_bb = 1 / _PRIOR_A**2, 0.0, 1 / _PRIOR_B**2
        for one in labels:
            p = probability(max(-30.0, min(30.0, a + b * one.above_cos)))
            error, weight = one.same_person - p, p * (1 - p)
            grad_a, grad_b = grad_a + error, grad_b + error * one.above_cos
            h_aa, h_ab, h_bb = (
                h_aa + weight,
                h_ab + weight * one.above_cos,
                h_bb + weight * one.above_cos**2,
            )
        det = h_aa * h_bb - h_ab * h_ab
        step_a, step_b = (h_bb * grad_a - h_ab * grad_b) / det, (h_aa * grad_b - h_ab * grad_a) / det
        a, b = a + max(-1.0, min(1.0, step_a)), b + max(-5.0, min(5.0, step_b))
    return OddsCurve(at_threshold=a, per_cos=max(0.0, b), labels=len(labels))


def time_odds(took_s: float, *, shortest_s: float, usual_s: float) -> float:
    """Log-likelihood of a time under walking, with or without a pause, against an unrelated match.

    Minus infinity where nobody walks as fast. Times far above the usual speak neither way: people wait and talk.
    """
    if took_s + CLOCK_S < EARLY_SHARE * shortest_s:
        return -math.inf
    took_s = max(took_s, 0.5)
    usual_s = max(usual_s, 0.5)
    z = math.log(took_s / usual_s) / SPREAD
    walking = math.exp(-0.5 * z * z) / (took_s * SPREAD * math.sqrt(2 * math.pi))
    pausing = 0.0
    if usual_s < took_s < LONGEST_PAUSE_S:
        pausing = 1 / (took_s * math.log(LONGEST_PAUSE_S / usual_s))  # any length of a pause is as likely as its double
    related = (1 - PAUSE_SHARE) * walking + PAUSE_SHARE * pausing
    unrelated = math.exp(-took_s / OTHERWISE_S) / OTHERWISE_S
    if related <= 0 or unrelated <= 0:
        return 0.0
    return max(-MOST_ODDS, min(MOST_ODDS, math.log(related / unrelated)))


def follow(sightings: Sequence[Sighting], walking: WalkingTimes, curve: OddsCurve = _RULE_OF_THUMB) -> Trail:
    """The most likely chain of captures that one person can have walked, and what does not fit in it.

    Takes n² steps for n captures, which are 500 at most.

    Args:
        sightings: of one listed person, in any order.
        walking: shortest and usual seconds between cameras, over all ways.
        curve: what a match's distance from its threshold is worth.
    """
    points = [
        Point(sighting=one, match_odds=curve.odds(one))
        for one in sorted(sightings, key=lambda s: (s.seen_at_us, s.passage_id))
    ]
    kept = _best_chain(points, walking)
    chain = [points[n] for n in kept]
    links = [link for a, b in pairwise(chain) if (link := _link(a, b, walking)) is not None]
    inside = set(kept)
    apart = [_apart(points[n], chain, walking) for n in range(len(points)) if n not in inside]
    return Trail(points=tuple(chain), links=tuple(links), apart=tuple(apart))


def last_seen(trail: Trail, *, now_us: int) -> LastSeen | None:
    """Where the trail ends, and how long ago that was."""
    if not trail.points:
        return None
    last = trail.points[-1].sighting
    return LastSeen(
        camera_id=last.camera_id,
        place_id=last.place_id,
        seen_at_us=last.seen_at_us,
        ago_s=max(0.0, (now_us - last.seen_at_us) / SECOND_US),
    )


def forecast(last: LastSeen, walking: WalkingTimes, *, live: Sequence[str], most: int = 5) -> list[Next]:
    """Where the person may come up next, the most likely first; the probabilities add up to 1.

    A camera that is reached over another one would have been preceded by it, so near cameras count for more; the longer
    nobody came up at a camera, the less likely it becomes, and the more likely that the person stays or has gone.

    Args:
        live: ids of the cameras that work.
    """
    weights: dict[str | None, float] = {}
    usual = {b: walking[a, b] for a, b in walking if a == last.camera_id and b in set(live)}
    nearest_s = min((times[1] for times in usual.values()), default=0.0)
    for camera_id, (_, usual_s) in usual.items():
        weights[camera_id] = max(nearest_s, 1.0) / max(usual_s, 1.0) * _still_to_come(last.ago_s, usual_s)
    moving = sum(max(nearest_s, 1.0) / max(usual_s, 1.0) for _, usual_s in usual.values())
    share = UNSEEN_SHARE / (1 - UNSEEN_SHARE)
    weights[None] = max(share * moving, 1e-9) * math.exp(-last.ago_s / LONGEST_PAUSE_S)
    total = sum(weights.values())
    ranked = sorted(weights.items(), key=lambda one: (-one[1], one[0] or ""))
    shown = [one for one in ranked if one[0] is not None][:most]
    rest = sum(weight for _, weight in ranked) - sum(weight for _, weight in shown)
    found = [
        Next(
            camera_id=camera_id,
            probability=weight / total,
            from_s=max(0.0, usual[camera_id][0] - last.ago_s),
            usual_s=max(0.0, usual[camera_id][1] - last.ago_s),
        )
        for camera_id, weight in shown
        if camera_id is not None
    ]
    return [*found, Next(camera_id=None, probability=rest / total, from_s=None, usual_s=None)]


def probability(odds: float) -> float:
    """The probability that log-odds stand for.

    >>> round(probability(0.0), 2), round(probability(2.2), 2)
    (0.5, 0.9)
    """
    return 1 / (1 + math.exp(-odds)) if odds > -math.inf else 0.0


def _best_chain(points: Sequence[Point], walking: WalkingTimes) -> list[int]:
    """Indices of the chain that counts most.

    Each point adds more than any possible link takes away, so a point is left out for an impossible link alone.
    """
    best: list[float] = []
    before: list[int | None] = []
    for n, point in enumerate(points):
        counts = _EACH + max(0.0, point.match_odds)
        most, came = counts, None
        for m in range(n):
            odds = _between(points[m], point, walking)
            if odds is not None and best[m] + counts + _TIME_COUNTS * odds > most:
                most, came = best[m] + counts + _TIME_COUNTS * odds, m
        best.append(most)
        before.append(came)
    chain: list[int] = []
    at = max(range(len(points)), key=lambda n: best[n]) if points else None
    while at is not None:
        chain.append(at)
        at = before[at]
    return chain[::-1]


def _between(a: Point, b: Point, walking: WalkingTimes) -> float | None:
    """Odds of the time between two points, or None where one person cannot have been at both."""
    times = _times(a, b, walking)
    if times is None:
        return None
    took_s, shortest_s, usual_s = times
    if shortest_s is None or usual_s is None:
        return 0.0  # the same camera: any time will do
    odds = time_odds(took_s, shortest_s=shortest_s, usual_s=usual_s)
    return None if odds == -math.inf else odds


def _times(a: Point, b: Point, walking: WalkingTimes) -> tuple[float, float | None, float | None] | None:
    took_s = (b.sighting.seen_at_us - a.sighting.seen_at_us) / SECOND_US
    if a.sighting.camera_id == b.sighting.camera_id:
        return took_s, None, None
    known = walking.get((a.sighting.camera_id, b.sighting.camera_id))
    return None if known is None else (took_s, known[0], known[1])


def _link(a: Point, b: Point, walking: WalkingTimes) -> Link | None:
    times, odds = _times(a, b, walking), _between(a, b, walking)
    if times is None or odds is None:
        return None
    both = _both(a.match_odds, b.match_odds) + odds
    return Link(
        from_passage=a.sighting.passage_id,
        to_passage=b.sighting.passage_id,
        took_s=times[0],
        shortest_s=times[1],
        usual_s=times[2],
        time_odds=odds,
        odds=both,
        probability=probability(both),
    )


def _both(a: float, b: float) -> float:
    """Log-odds that two things are so, which are so independently: below the lesser of the two."""
    together = probability(a) * probability(b)
    return math.log(together / (1 - together))


def _apart(point: Point, chain: Sequence[Point], walking: WalkingTimes) -> Apart:
    """Why a point is not in the chain, by its neighbours there."""
    at_us = point.sighting.seen_at_us
    earlier = [p for p in chain if p.sighting.seen_at_us <= at_us]
    later = [p for p in chain if p.sighting.seen_at_us > at_us]
    prior, after = (earlier[-1] if earlier else None), (later[0] if later else None)
    why: WhyApart = "less_likely"
    took_s = shortest_s = None
    for a, b in ((prior, point), (point, after)):
        if a is None or b is None or _between(a, b, walking) is not None:
            continue
        times = _times(a, b, walking)
        why = "no_way_known" if times is None else "too_fast"
        took_s = (b.sighting.seen_at_us - a.sighting.seen_at_us) / SECOND_US
        shortest_s = None if times is None else times[1]
        break
    return Apart(
        point=point,
        why=why,
        from_passage=None if prior is None else prior.sighting.passage_id,
        to_passage=None if after is None else after.sighting.passage_id,
        took_s=took_s,
        shortest_s=shortest_s,
    )


def _still_to_come(ago_s: float, usual_s: float) -> float:
    """How likely somebody who went there has not arrived after this time; walking times are log-normal."""
    if ago_s <= 0:
        return 1.0
    arrived = 0.5 * (1 + math.erf(math.log(ago_s / max(usual_s, 0.5)) / (SPREAD * math.sqrt(2))))
    paused = math.exp(-ago_s / STAYS_S)
    return (1 - PAUSE_SHARE) * (1 - arrived) + PAUSE_SHARE * max(1 - arrived, paused)
