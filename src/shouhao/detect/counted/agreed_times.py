"""Agreed times: who gives slots back by the clock, so that another stands ready at that moment; for rules/hand_over.py.

Whoever cannot come gives a slot back when they know it, at any second of the hour. At a full or half hour to the second
one gives back who has agreed on it. How often that happens to people anyway is learnt from slots that then lay about:
for strangers it says nothing of how fast a slot goes, so that the two are independent, and slots that a gang hands over
do not set the measure by which they are judged. Where a hospital's own clock gives slots back, it is usual and says
nothing. A friend agrees on one slot, perhaps on two with the same friend.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shouhao.detect.counted.retakes import Retake, suspicion
from shouhao.detect.model import Says, Subject, Suspicion
from shouhao.detect.odds import usual, weight_of
from shouhao.kernel.clock import MINUTE_US

BY_THE_CLOCK = "hand_over.by_the_clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedPolicy:
    """From when on it is no coincidence."""

    times: int = 2
    takers: int = 2  #: a couple that agrees on a time is no trade
    slow_us: int = MINUTE_US  #: who agreed on a time does not leave the slot for longer
    least_people: int = 30  #: to know what is usual
    least_weight: float = 3.0
    most: float = 6.0


def by_the_clock(every: Sequence[Retake], policy: AgreedPolicy | None = None) -> Iterator[Suspicion]:
    """Who gives back at agreed times again and again, by account."""
    policy = policy or AgreedPolicy()
    timed = _once_a_moment(one for one in every if one.on_time is not None and one.seller.kind == "account")
    crowd = _by_seller(one for one in timed if one.gap_us > policy.slow_us).values()
    rate = usual(((len(of), _on_time(of)) for of in crowd), least_people=policy.least_people)
    if rate is None:
        return
    for seller, of in sorted(_by_seller(timed).items(), key=lambda item: item[0].id):
        agreed = [one for one in of if one.on_time]
        if len(agreed) < policy.times or len({one.taker for one in agreed}) < policy.takers:
            continue
        weight = weight_of(rate.tail(n=len(of), k=len(agreed)), most=policy.most)
        if weight < policy.least_weight:
            continue
        yield suspicion(
            seller,
            BY_THE_CLOCK,
            Says(
                zh=f"退出且被他人取走的 {len(of)} 个号中，{len(agreed)} 个恰在整点或半点后数秒内退出，"
                f"其他人平均每 {1 / rate.mean:.0f} 个有一个",
                en=f"Of {len(of)} slots it gave back and another took, {len(agreed)} came back within seconds of a "
                f"full or half hour; of other people's one in {1 / rate.mean:.0f} does",
            ),
            figures=(len(agreed), len(of) * rate.mean, policy.times),
            weight=weight,
            of=agreed,
        )


def _once_a_moment(retakes: Iterable[Retake]) -> list[Retake]:
    """The first that each gave back in a minute: who gives back all at once has decided once."""
    found: dict[tuple[Subject, int], Retake] = {}
    for one in retakes:
        found.setdefault((one.seller, one.returned_at_us // MINUTE_US), one)
    return list(found.values())


def _by_seller(retakes: Iterable[Retake]) -> dict[Subject, list[Retake]]:
    found: dict[Subject, list[Retake]] = defaultdict(list)
    for one in retakes:
        found[one.seller].append(one)
    return found


def _on_time(retakes: Iterable[Retake]) -> int:
    return sum(bool(one.on_time) for one in retakes)
