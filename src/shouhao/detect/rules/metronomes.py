"""Metronomes: the same request at one interval, more evenly than a hand can.

A metronome alone says nothing: honest people let an extension reload the page, and services watch whether a site is up.
It counts when its series begin on the full second, to which timers are set and people are not, when it goes on for
hours, or when bookings follow its beats at once: whoever lets a page reload must still see it and reach for the button,
and would do so at any moment between two beats. All chances are corrected for how many streams were looked at.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.beats import (
    EXACT_US,
    SECOND_TIGHT_US,
    TIGHT,
    TIGHT_US,
    WIDE,
    bookings_at_release,
    streams,
    waits,
    whole_seconds,
)
from shouhao.detect.counting import WHO, kinds_in
from shouhao.detect.model import TABLES, Says, Speaks, Subject, Suspicion, TableName, Tables, Wanted
from shouhao.detect.odds import binomial_tail, together, weight_of
from shouhao.detect.strongest import strongest
from shouhao.kernel.clock import SECOND_US

OWASP = "OAT-005 Scalping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on it is a machine, and how much that may weigh."""

    least_gaps: int = 30
    #: Standard deviation of the logarithms of a person's pauses: who waits for a page and reads it is off by a factor
    #: of 1.35 every third time. Tapping along with a beat is far more even, but only up to two seconds.
    hand_spread: float = 0.3
    tapped_s: float = 2.0
    tapped: float = 0.7  #: share of close gaps of somebody who taps along: a musician keeps within 4 %
    least_close: float = 0.2  #: share of close gaps that anybody may have
    least_share: float = 0.6  #: of the gaps must be close; the network disturbs some
    intervals: int = 50  #: as many different ones fit into what is possible: the choice of the best is paid for
    chance: float = 0.001  #: that any stream in the data is so even by a hand
    alone: float = 0.9  #: 2.5 to 1: most scripts poll, and so do honest people's pages; jittered or not
    long_s: float = 3 * 3600.0  #: nobody waits for a page that long
    long: float = 0.7  #: 2 to 1: a tab is forgotten
    once: float = 0.05  #: chance, after correction, from which on a start or a booking is no coincidence
    exact_start: float = 2.0  #: 7 to 1 at most; a page may be made to reload on the second
    booked: float = 3.0  #: 20 to 1 at most; some have quick hands and good luck
    soonest_us: int = 50_000  #: less than this after a beat is not more telling: clocks of two machines differ
    release_s: float = 60.0  #: within which a booking came of a release
    most: float = 5.0  #: 150 to 1
    least_weight: float = 1.5  #: 4.5 to 1; less is what many honest people do


class Metronomes:
    """One request at one interval: see the file."""

    code: ClassVar[str] = "metronomes"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """Streams of requests, and how soon after a beat bookings followed."""
        found: dict[str, Table] = {}
        least = self.policy.least_gaps
        booked = bookings_at_release(tables, within_us=int(self.policy.release_s * SECOND_US))
        for name in TABLES:
            if kinds_in(tables, name):
                found[f"streams_{name}"] = streams(tables, name, least=least)
                found[f"seconds_{name}"] = whole_seconds(tables, name)
                if booked is not None:
                    found[f"waits_{name}"] = waits(tables, name, booked, least=least)
        return found

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """One suspicion a subject, of its most telling stream."""
        yield from strongest(one for name in TABLES for one in self._judged(counted, name))

    def _judged(self, counted: Mapping[str, pa.Table], name: TableName) -> Iterator[Suspicion | None]:
        if f"streams_{name}" not in counted:
            return
        policy = self.policy
        (seconds,) = counted[f"seconds_{name}"].to_pylist()
        by_second = seconds["whole"] == seconds["rows"]
        every = counted[f"streams_{name}"].to_pylist()
        even = [(row, one) for row in every if (one := _evenness(row, policy, by_second=by_second)) is not None]
        followed = _followed(counted.get(f"waits_{name}"), policy) if not by_second else {}
        known = [key for row, _ in even if (key := _key(row)) in followed]
        for row, one in sorted(even, key=lambda pair: _key(pair[0])):
            more = _More(
                exact=1.0 if by_second else _beyond_chance(_of_starts(row), len(even), policy),
                soon=_beyond_chance(_of_waits(row, followed.get(_key(row), ())), len(known), policy),
            )
            yield _suspicion(row, name, one, more, policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evenness:
    """How many of a stream's gaps are close to the median, and how close that is."""

    close: int
    within_us: float
    by_hand: float  #: the most of a person's gaps that would be


@dataclass(frozen=True, slots=True, kw_only=True)
class _More:
    """What else is no coincidence about a stream; 1 where it may be one."""

    exact: float  #: chance that its series begin on the full second as often
    soon: float  #: chance that bookings follow its beats so soon


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["kind"], row["id"], row["endpoint"]


def _beyond_chance(p: float, looks: int, policy: Policy) -> float:
    """The same where it is no coincidence among so many streams, else 1."""
    return p if p * max(1, looks) <= policy.once else 1.0


def _of_starts(row: Mapping[str, Any]) -> float:
    return binomial_tail(n=row["starts"], k=row["exact_starts"], p=2 * EXACT_US / SECOND_US)


def _of_waits(row: Mapping[str, Any], waits_us: Sequence[int]) -> float:
    """A hand that does not wait for the beat comes at any moment between two."""
    return together(min(1.0, wait_us / row["gap_us"]) for wait_us in waits_us)


def _followed(table: pa.Table | None, policy: Policy) -> dict[tuple[str, str, str], list[int]]:
    """How long after a beat each booking at a release came, by stream."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for row in [] if table is None else table.to_pylist():
        found.setdefault(_key(row), []).append(max(policy.soonest_us, row["wait_us"]))
    return {key: sorted(each) for key, each in found.items()}


def _evenness(row: Mapping[str, Any], policy: Policy, *, by_second: bool) -> _Evenness | None:
    """The more telling of close and roughly close gaps; None where a hand could be as even."""
    gap_us, gaps = row["gap_us"], row["gaps"]
    least_us = SECOND_TIGHT_US if by_second else TIGHT_US
    looks = policy.intervals * max(1, row["looked_at"]) * 2
    choices = (
        (row["tight_by_second" if by_second else "tight"], max(gap_us * TIGHT, least_us)),
        (row["wide"], gap_us * WIDE),
    )
    for close, within_us in choices:
        by_hand = _by_hand(gap_us, within_us, policy)
        many = by_hand < 1 and close >= policy.least_share * gaps
        if many and binomial_tail(n=gaps, k=close, p=by_hand) * looks <= policy.chance:
            return _Evenness(close=close, within_us=within_us, by_hand=by_hand)
    return None


def _by_hand(gap_us: int, within_us: float, policy: Policy) -> float:
    """The most of a person's gaps that can be so close to the median."""
    if within_us >= gap_us:
        return 1.0
    upper, lower = (math.log1p(side * within_us / gap_us) for side in (1, -1))
    scale = policy.hand_spread * math.sqrt(2)
    share = (math.erf(upper / scale) - math.erf(lower / scale)) / 2
    return max(share, policy.tapped if gap_us < policy.tapped_s * SECOND_US else policy.least_close)


def _suspicion(
    row: Mapping[str, Any], name: TableName, even: _Evenness, more: _More, policy: Policy
) -> Suspicion | None:
    long = row["last_us"] - row["first_us"] >= policy.long_s * SECOND_US and row["starts"] == 1
    weight = policy.alone + (policy.long if long else 0.0)
    weight += weight_of(more.exact, most=policy.exact_start) + weight_of(more.soon, most=policy.booked)
    if weight < policy.least_weight:
        return None
    return Suspicion(
        subject=Subject(kind=row["kind"], id=row["id"]),
        code="metronomes.then_booked" if more.soon < 1 else "metronomes.steady",
        says=_says(row, even, more),
        measured=round(even.close / row["gaps"], 4),
        expected=round(even.by_hand, 4),
        threshold=policy.least_share,
        weight=round(min(weight, policy.most), 3),
        first_at_us=row["first_us"],
        last_at_us=row["last_us"],
        wanted=(_wanted(row, name),),
        owasp=OWASP,
    )


def _wanted(row: Mapping[str, Any], name: TableName) -> Wanted:
    where = {WHO[row["kind"]]: row["id"]} | ({} if name == "hits" else {"kind": row["endpoint"]})
    return Wanted(table=name, where=where, from_us=row["first_us"], until_us=row["last_us"])


def _says(row: Mapping[str, Any], even: _Evenness, more: _More) -> Says:
    gap_s, within_s = row["gap_us"] / SECOND_US, even.within_us / SECOND_US
    zh = f"对“{row['endpoint']}”的 {row['gaps']} 次间隔中，{even.close} 次在 {gap_s:.2f} 秒上下 {within_s:.2f} 秒以内"
    en = f"Of {row['gaps']} pauses between requests for '{row['endpoint']}', {even.close} are within {within_s:.2f} s "
    en += f"of {gap_s:.2f} s"
    if more.exact < 1:
        zh += f"；{row['starts']} 段中有 {row['exact_starts']} 段从整秒开始"
        en += f"; {row['exact_starts']} of {row['starts']} series start on the full second"
    if more.soon < 1:
        zh += "；放号后的预约紧跟在这些请求之后，手动操作者不会如此凑巧"
        en += "; bookings at releases follow its beats sooner than a hand would by chance"
    return Says(zh=zh, en=en)
