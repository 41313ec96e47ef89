"""Preparations: the taker had made room for the next patient before the slot came back.

Two who hand a slot over find a buyer first, bind the buyer to the taking account, and only then give the slot back.
A stranger cannot know that it will come back: of strangers who book, few have bound that patient in just those minutes.
How many have is learnt from all bookings that were not of returned slots, at the same distance from the booking; how
fast strangers are at returned slots is judged in retakes.py, and those who were prepared are not among the strangers
there. Both coincide by chance only as often as their product. Newcomers sign up, bind and book in one go and may come
across a returned slot, so what is bound on signing up is left out (fresh_patients.py).
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.fresh_patients import bindings
from shouhao.detect.counted.retakes import Judged, Retake
from shouhao.detect.discoveries import beyond_chance
from shouhao.detect.identifiers import in_house
from shouhao.detect.model import Subject
from shouhao.detect.odds import together
from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US

_MOST_AGE_US = DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationPolicy:
    """When a preparation is no coincidence."""

    least_bookings: int = 200  #: of strangers, to know how old bindings are
    least_gap_p: float = 0.01  #: a short gap says no more beside it; fast hands take whatever comes back
    unjudged_p: float = 1.0  #: where no gaps are known to compare with
    honest: float = 0.05  #: of all pairs that are named, at most this share is there by chance
    most_p: float = 0.01  #: and none with more: twice one in a hundred is not rare


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A retake with the chance that strangers would look so much like partners; 1 where nothing was prepared."""

    retake: Retake
    p: float
    lead_us: int | None  #: from the binding of the taker's patient to the return


def known_before(events: Table, retakes: Table) -> Mapping[str, Table]:
    """When takers had bound their patients, and how old bindings are when strangers book.

    `bound`: take_event, bound_at_us (the last before the return, if any), last_at_us (before the booking). `ages`:
    age_minutes, bookings; without an age where the patient was bound more than a day before, or nobody knows when.
    """
    booked = events.filter(~in_house(events) & events.account_id.notnull() & (events.kind == "booked"))
    booked = booked.select("event_id", "at_us", "account_id", "patient_id")
    made = bindings(events)
    taken = retakes.select(
        "take_event", "returned_at_us", "taken_at_us", account_id="taker_account", patient_id="taker_patient"
    )
    met = taken.join(made, ["account_id", "patient_id"])
    met = met.filter((met.bound_at_us <= met.taken_at_us) & (met.returned_at_us - met.bound_at_us <= _MOST_AGE_US))
    bound = met.group_by("take_event").agg(
        bound_at_us=ibis.cases((met.bound_at_us <= met.returned_at_us, met.bound_at_us)).max(),
        last_at_us=met.bound_at_us.max(),
    )
    booked = booked.anti_join(taken, booked.event_id == taken.take_event)
    old = booked.join(made, ["account_id", "patient_id"])
    old = old.filter((old.bound_at_us <= old.at_us) & (old.at_us - old.bound_at_us <= _MOST_AGE_US))
    last = old.group_by("event_id").agg(age_us=old.at_us.max() - old.bound_at_us.max())
    every = booked.left_join(last, "event_id").select(age_minutes=last.age_us // MINUTE_US)
    return {"bound": bound, "ages": every.group_by("age_minutes").agg(bookings=every.count())}


def ready(every: Iterable[Retake], counted: Mapping[str, pa.Table]) -> frozenset[tuple[str, str]]:
    """Retakes, by their events, whose taker had bound the patient at most an hour before."""
    bound = _bound_before(counted["bound"])
    return frozenset(
        one.event_ids
        for one in every
        if one.event_ids[1] in bound and one.returned_at_us - bound[one.event_ids[1]] <= HOUR_US
    )


def prepared(
    each: Iterable[Judged],
    every: Sequence[Retake],
    counted: Mapping[str, pa.Table],
    policy: PreparationPolicy | None = None,
) -> list[Prepared]:
    """Every retake, in the order given, with the chance that it happens between strangers.

    Args:
        each: those whose gaps could be judged.
        counted: `bound` and `ages`.
    """
    policy = policy or PreparationPolicy()
    ages = _Ages(counted["ages"].to_pylist())
    if ages.bookings < policy.least_bookings:
        return []
    gap_p = {one.retake.event_ids: one.p for one in each}
    bound = _bound_before(counted["bound"])
    found = []
    for one in every:
        bound_at_us = bound.get(one.event_ids[1])
        if bound_at_us is None:
            found.append(Prepared(retake=one, p=1.0, lead_us=None))
            continue
        lead_us = one.returned_at_us - bound_at_us
        of_gap = max(policy.least_gap_p, gap_p.get(one.event_ids, policy.unjudged_p))
        found.append(Prepared(retake=one, p=together((of_gap, ages.chance(one, lead_us))), lead_us=lead_us))
    return found


def by_pair(each: Iterable[Prepared], policy: PreparationPolicy | None = None) -> dict[tuple[Subject, Subject], float]:
    """Who hands over to whom, with the chance that it is coincidence; only those that are none.

    Between the same two it happens again: their chances are taken together, and how many pairs were looked at is paid.
    """
    policy = policy or PreparationPolicy()
    of: dict[tuple[Subject, Subject], list[float]] = defaultdict(list)
    for one in each:
        of[(one.retake.seller, one.retake.taker)].append(one.p)
    chances = {pair: together(ps) for pair, ps in of.items()}
    limit = beyond_chance(chances.values(), rate=policy.honest)
    return {pair: p for pair, p in chances.items() if p <= min(limit, policy.most_p)}


def _bound_before(bound: pa.Table) -> dict[str, int]:
    """When the taker had bound the patient before the slot came back, by the booking."""
    return {row["take_event"]: row["bound_at_us"] for row in bound.to_pylist() if row["bound_at_us"] is not None}


class _Ages:
    """How old bindings were when strangers booked, in minutes."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        known = sorted((row["age_minutes"], row["bookings"]) for row in rows if row["age_minutes"] is not None)
        self.bookings = sum(row["bookings"] for row in rows)
        self._minutes = [minutes for minutes, _ in known]
        self._upto = [0]
        for _, bookings in known:
            self._upto.append(self._upto[-1] + bookings)

    def chance(self, one: Retake, lead_us: int) -> float:
        """That a stranger has bound the patient as short a while before the moment at which the slot came back."""
        age_us = one.taken_at_us - one.returned_at_us
        first = bisect_left(self._minutes, age_us // MINUTE_US)
        last = bisect_right(self._minutes, (age_us + lead_us) // MINUTE_US)
        return float((1 + self._upto[last] - self._upto[first]) / (1 + self.bookings))
