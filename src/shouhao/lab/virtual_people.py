"""Virtual people: who they are on one virtual day, how fast they are and what they do. Pure: a seed in, people out.

The numbers are assumptions, told in the report. Honest patients need seconds to look, choose and press, and minutes to
notice a message; the gang's script needs milliseconds for either.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

WISHES = 3  #: sessions that each person would take, honest or not

_HUMAN_MEDIAN_S, _HUMAN_SPREAD, _HUMAN_LEAST_S = 3.0, 0.6, 0.6
_STEP_S = (1.0, 2.5)  # to read "sold out" and press the next one
_NOTICE_MEDIAN_S, _NOTICE_SPREAD = 240.0, 0.8
_PAY_S = (20.0, 180.0)
_RETURN_S = (300.0, 3 * 3600.0)
_LOOKS_EVERY_S = (300.0, 1800.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How common a behaviour is among honest patients, in parts of one."""

    pays: float = 0.95
    returns: float = 0.10  #: of those who got a slot, within three hours
    notices: float = 0.93  #: an offer in time
    looks_again: float = 0.30  #: of those who went away with nothing, at times, where there is no waitlist
    would_buy: float = 0.40  #: from a scalper, having got nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """One honest patient."""

    wishes: tuple[str, ...]  #: session ids, the dearest first
    reaction_s: float  #: from the moment that one may act to having pressed
    step_s: float  #: to press the next one
    pays_after_s: float | None  #: None: lets the time to pay run out
    returns_after_s: float | None  #: None: keeps the slot
    accepts_after_s: float | None  #: None: misses the offer
    looks_every_s: float | None  #: None: does not look again
    would_buy: bool


def plan_people(count: int, session_ids: Sequence[str], *, seed: int, habits: Habits | None = None) -> list[Traits]:
    """That many honest patients."""
    chance, given = random.Random(seed), habits or Habits()  # noqa: S311 - repeatable on purpose
    return [_one(chance, session_ids, given) for _ in range(count)]


def plan_wishes_of_gang(count: int, session_ids: Sequence[str], *, seed: int) -> list[tuple[str, ...]]:
    """What each of the gang's identities asks for: as many sessions as anybody, spread evenly."""
    chance = random.Random(f"gang {seed}")  # noqa: S311 - as above
    return [tuple(chance.sample(list(session_ids), WISHES)) for _ in range(count)]


def _one(chance: random.Random, session_ids: Sequence[str], habits: Habits) -> Traits:
    def some(part: float, low_high: tuple[float, float]) -> float | None:
        wanted, value = chance.random() < part, chance.uniform(*low_high)
        return value if wanted else None

    wishes = tuple(chance.sample(list(session_ids), WISHES))
    reaction_s = max(_HUMAN_LEAST_S, _HUMAN_MEDIAN_S * chance.lognormvariate(0, _HUMAN_SPREAD))
    notices, notice_s = chance.random() < habits.notices, chance.lognormvariate(0, _NOTICE_SPREAD)
    return Traits(
        wishes=wishes,
        reaction_s=reaction_s,
        step_s=chance.uniform(*_STEP_S),
        pays_after_s=some(habits.pays, _PAY_S),
        returns_after_s=some(habits.returns, _RETURN_S),
        accepts_after_s=_NOTICE_MEDIAN_S * notice_s if notices else None,
        looks_every_s=some(habits.looks_again, _LOOKS_EVERY_S),
        would_buy=chance.random() < habits.would_buy,
    )
