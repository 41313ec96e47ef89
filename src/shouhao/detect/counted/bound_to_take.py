"""Bound to take: for each returned slot that an account takes, it binds somebody new just before; for hand_over.py.

Two who let minutes pass between the return and the booking need not bind the buyer before the return (preparations.py),
but before the booking they must. Of strangers who come across a returned slot hardly any has just bound that patient:
they book for whom they are there. Once and twice it happens to whoever helps a relative; what is bound on signing up is
left out (fresh_patients.py). How often it happens is learnt from those who took once, among whom takers
by trade are rare, and is never held to be rarer than at all other bookings.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from shouhao.detect.counted.retakes import Retake, suspicion
from shouhao.detect.model import Says, Subject, Suspicion
from shouhao.detect.odds import Usual, weight_of
from shouhao.kernel.clock import MINUTE_US

BOUND_TO_TAKE = "hand_over.bound_to_take"
_OWASP = "OAT-005 Scalping"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundPolicy:
    """From when on those who are bound are customers."""

    just_minutes: int = 10  #: to bind somebody and find the slot
    patients: int = 3  #: a family that binds its own as it needs them does so once or twice
    least_people: int = 30  #: who took once, to know what is usual
    spread: float = 0.1  #: of people in this; who helps relatives at all does so more often
    least_weight: float = 3.0
    most: float = 6.0


def bound_to_take(
    every: Sequence[Retake], counted: Mapping[str, pa.Table], policy: BoundPolicy | None = None
) -> Iterator[Suspicion]:
    """Who binds somebody new for each slot that it takes, by account.

    Args:
        counted: `bound` and `ages`, as preparations.py counts them.
    """
    policy = policy or BoundPolicy()
    bound = {row["take_event"]: row["last_at_us"] for row in counted["bound"].to_pylist()}
    by_taker: dict[Subject, list[Retake]] = defaultdict(list)
    for one in every:
        by_taker[one.taker].append(one)
    just_us = policy.just_minutes * MINUTE_US
    just = {
        taker: [one for one in of if one.taken_at_us - bound.get(one.event_ids[1], -just_us) < just_us]
        for taker, of in by_taker.items()
    }
    once = [len(just[taker]) for taker, of in by_taker.items() if len(of) == 1]
    if len(once) < policy.least_people:
        return
    mean = max((sum(once) + 1) / (len(once) + 2), _elsewhere(counted["ages"], policy))
    rate = Usual(mean=mean, spread=policy.spread, people=len(once))
    for taker, fresh in sorted(just.items(), key=lambda item: (item[0].kind, item[0].id)):
        patients = {one.taker_patient for one in fresh}
        n = len(by_taker[taker])
        if taker.kind != "account" or len(patients) < policy.patients:
            continue
        weight = weight_of(rate.tail(n=n, k=len(fresh)), most=policy.most)
        if weight < policy.least_weight:
            continue
        yield suspicion(
            taker,
            BOUND_TO_TAKE,
            Says(
                zh=f"所取他人退出的 {n} 个号中，{len(fresh)} 个的就诊人是取号前 {policy.just_minutes} 分钟内才绑定的，"
                f"共 {len(patients)} 人，其他人平均每 {1 / rate.mean:.0f} 个有一个",
                en=f"Of {n} slots it took that others gave back, {len(fresh)} were for somebody bound in the "
                f"{policy.just_minutes} min before, {len(patients)} people in all; of others one in "
                f"{1 / rate.mean:.0f} is",
            ),
            figures=(len(fresh), n * rate.mean, policy.patients),
            weight=weight,
            of=fresh,
            owasp=_OWASP,
        )


def _elsewhere(ages: pa.Table, policy: BoundPolicy) -> float:
    """Of all other bookings, how many were for somebody bound just before."""
    rows = ages.to_pylist()
    just = sum(
        row["bookings"] for row in rows if row["age_minutes"] is not None and row["age_minutes"] < policy.just_minutes
    )
    return float((just + 1) / (sum(row["bookings"] for row in rows) + 2))
