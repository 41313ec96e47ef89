"""Hot slots: which sessions vanish in seconds, by doctor and weekday, and what to expect of the next release.

It accuses nobody. What it tells is for the gate, which can ask for more where a session will be fought over, and for
release policies, which can draw instead. A session is sold out when as many of its slots are taken as ever were at
once: exports tell what was booked, not how much there was. A session that never filled up looks slow, which is what it
is.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, ClassVar

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.model import Speaks, Suspicion, Tables
from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US

_EAST_US = 8 * HOUR_US  # the hospital's zone
_FIRST_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0
_LEAST_VARIANCE = 0.0025  # five per cent: no two mornings are alike
_STEP = {"booked": 1, "cancelled": -1, "expired": -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is hot, and how the forecast leans on what it knows."""

    hot_s: float = 10.0  #: sold out within; nobody who was not waiting got one
    curve_s: float = 600.0  #: sessions that last longer need no curve
    recent: int = 12  #: releases of one doctor and weekday that count; older demand is another's
    most_prior: float = 8.0  #: releases that others' mean is worth, where weekdays or doctors hardly differ
    unknown_spread: float = math.log(3.0)  #: of seconds to sell out, as a factor, where nothing was seen twice
    least_known: int = 8  #: repetitions, to trust the spread that was seen
    coverage: float = 0.8  #: of the interval
    shortest_s: float = 0.05  #: less is told as this: clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What to expect when slots of a doctor are released on a weekday."""

    doctor_id: str
    weekday: int  #: of the release, Monday is 0, in the hospital's zone
    releases: int  #: seen; 0 where only the doctor's other days are known
    expected_s: float  #: until sold out, the median
    least_s: float  #: of the interval
    most_s: float
    hot: float  #: chance that it is sold out within `Policy.hot_s`


class HotSlots:
    """Which sessions vanish in seconds: see the file."""

    code: ClassVar[str] = "hot_slots"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"events.kind", "events.session_id", "events.released_at_us"})

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """Each session that was released, and how the fast ones went.

        `sessions`: doctor_id, session_id, released_at_us, slots, after_us (until sold out), refused (afterwards).
        `curves`: session_id, taken, after_us, of sessions that went within `Policy.curve_s`.
        """
        if not self.needs <= tables.has:
            return {}
        live = _live(tables)
        sold = _sold(live)
        refused = tables.events.filter(tables.events.kind == "refused").select("session_id", refused_us="at_us")
        joined = sold.left_join(refused, "session_id")
        late = joined.refused_us - joined.released_at_us >= joined.after_us
        keys = ["doctor_id", "session_id", "released_at_us", "slots", "after_us"]
        sessions = joined.group_by(*keys).agg(refused=late.sum().cast("int64"))
        fast = sold.filter(sold.after_us <= int(self.policy.curve_s * SECOND_US)).select("session_id")
        steps = live.semi_join(fast, "session_id").filter(ibis._.taken > 0)
        curves = steps.group_by("session_id", "taken").agg(after_us=(steps.at_us - steps.released_at_us).min())
        return {"sessions": sessions.mutate(refused=sessions.refused.fill_null(0)), "curves": curves}

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Nobody is accused of wanting a good doctor."""
        del counted
        return ()


def forecast(counted: Mapping[str, pa.Table], *, policy: Policy | None = None) -> tuple[Forecast, ...]:
    """What to expect of the next releases, by doctor and weekday.

    Times to sell out are told on a logarithmic scale. A weekday that was seen seldom leans on the doctor's other days,
    a doctor who was seen seldom on all; the spread from one release to the next is that of all together.

    Args:
        counted: as `HotSlots.count` gives it, run.
    """
    policy = policy or Policy()
    groups = _groups(counted["sessions"], policy) if "sessions" in counted else {}
    if not groups:
        return ()
    by_doctor: dict[str, list[float]] = {}
    for (doctor, _), logs in groups.items():
        by_doctor.setdefault(doctor, []).extend(logs)
    everybody = list(by_doctor.values())
    again = _variance(list(groups.values()), policy)  # from one release to the next of the same doctor and weekday
    of_doctor = _variance(everybody, policy) or again or policy.unknown_spread**2
    within = again or of_doctor
    to_weekday = _worth(within, of_doctor - within if again else None, policy)
    to_doctor = _worth(
        of_doctor, _variance([[one for logs in everybody for one in logs]], policy, less=of_doctor), policy
    )
    overall = _mean([one for logs in everybody for one in logs])
    reach = NormalDist().inv_cdf((1 + policy.coverage) / 2)
    found = []
    for (doctor, weekday), logs in groups.items():
        middle = _leaning(logs, _leaning(by_doctor[doctor], overall, to_doctor), to_weekday)
        sigma = math.sqrt(within * (1 + 1 / (len(logs) + to_weekday)))
        found.append(
            Forecast(
                doctor_id=doctor,
                weekday=weekday,
                releases=len(logs),
                expected_s=round(math.exp(middle), 3),
                least_s=round(math.exp(middle - reach * sigma), 3),
                most_s=round(math.exp(middle + reach * sigma), 3),
                hot=round(NormalDist(middle, sigma).cdf(math.log(policy.hot_s)), 4),
            )
        )
    return tuple(found)


def foretold(tables: Tables) -> tuple[Forecast, ...]:
    """What to expect of the next releases, counted from these tables."""
    counted = HotSlots().count(tables)
    return forecast({"sessions": counted["sessions"].to_pyarrow()}) if counted else ()


def weekday_of(at_us: int) -> int:
    """Monday is 0, in the hospital's zone.

    >>> weekday_of(0)
    3
    """
    return ((at_us + _EAST_US) // DAY_US + _FIRST_WEEKDAY) % 7


def _live(tables: Tables) -> Table:
    """How many slots of a session are taken, at each booking and return: ..., at_us, taken."""
    events = tables.events
    steps = events.filter(events.kind.isin(tuple(_STEP)) & events.session_id.notnull())
    step = ibis.cases(*((steps.kind == kind, step) for kind, step in _STEP.items()), else_=0)
    rows = steps.select("session_id", "doctor_id", "released_at_us", "at_us", "event_id", step=step.cast("int64"))
    of_session = {"group_by": rows.session_id}
    told = rows.mutate(
        doctor_id=rows.doctor_id.min().over(**of_session),
        released_at_us=rows.released_at_us.min().over(**of_session),
        taken=rows.step.sum()
        .over(rows=(None, 0), group_by=rows.session_id, order_by=[rows.at_us, rows.event_id])
        .cast("int64"),
    )
    return told.filter(told.released_at_us.notnull() & (told.at_us >= told.released_at_us))


def _sold(live: Table) -> Table:
    """When each session was as full as it ever was: doctor_id, session_id, released_at_us, slots, after_us."""
    most = live.mutate(slots=live.taken.max().over(group_by=live.session_id))
    full = most.filter((most.taken == most.slots) & (most.slots > 0))
    sold = full.group_by("doctor_id", "session_id", "released_at_us", "slots").agg(sold_us=full.at_us.min())
    return sold.select(
        "doctor_id", "session_id", "released_at_us", "slots", after_us=sold.sold_us - sold.released_at_us
    )


def _groups(sessions: pa.Table, policy: Policy) -> dict[tuple[str, int], list[float]]:
    """Logarithms of seconds to sell out, of the latest releases by doctor and weekday, in order."""
    by: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in sessions.to_pylist():
        if row["doctor_id"] is not None:
            by.setdefault((row["doctor_id"], weekday_of(row["released_at_us"])), []).append(row)
    found = {}
    for key, rows in sorted(by.items()):
        latest = sorted(rows, key=lambda row: (row["released_at_us"], row["session_id"]))[-policy.recent :]
        found[key] = [math.log(max(policy.shortest_s, row["after_us"] / SECOND_US)) for row in latest]
    return found


def _variance(groups: Sequence[Sequence[float]], policy: Policy, *, less: float = 0.0) -> float | None:
    """Of single releases around the mean of their group; None where too few groups have several."""
    known = sum(len(logs) - 1 for logs in groups)
    if known < policy.least_known:
        return None
    off = math.fsum((one - mean) ** 2 for logs in groups for mean in (_mean(logs),) for one in logs)
    return max(_LEAST_VARIANCE, off / known - less)


def _worth(within: float, between: float | None, policy: Policy) -> float:
    """How many releases the mean of a larger group is worth: few where the smaller ones within it differ much."""
    if between is None:
        return policy.most_prior / 4
    return min(policy.most_prior, within / max(_LEAST_VARIANCE, between))


def _mean(logs: Sequence[float]) -> float:
    return math.fsum(logs) / len(logs)


def _leaning(logs: Sequence[float], towards: float, prior: float) -> float:
    return (math.fsum(logs) + prior * towards) / (len(logs) + prior)
