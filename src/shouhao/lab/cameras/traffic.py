"""Traffic: who walks past which camera when, from a seed alone; each passage is one to three posts of one person."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from shouhao.lab.cameras.people import Look, Person

SHOTS = (1, 2, 3)
SHOTS_MEAN = sum(SHOTS) / len(SHOTS)
_BETWEEN_S = (0.15, 0.7)  #: between two shots of a passage


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """One shot of a passage."""

    after_s: float  #: since the passage began
    look: Look


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passage:
    """One person before one camera."""

    number: int
    begins_s: float  #: since the start
    camera: int
    person: Person
    shots: tuple[Shown, ...]


def passages(
    people: Sequence[Person], *, cameras: int, rate: float, seconds: float, listed_share: float, seed: int
) -> Iterator[Passage]:
    """Passages in the order in which they begin; they come at random, `rate` shots a second on the whole.

    Args:
        listed_share: of the passages, by listed people; nobody listed walks where there is none.
    """
    rng = Random(seed)  # noqa: S311 - a simulation is repeated by its seed
    listed = [person for person in people if person.listed]
    others = [person for person in people if not person.listed]
    at_s = 0.0
    number = 0
    while True:
        at_s += rng.expovariate(rate / SHOTS_MEAN)
        if at_s >= seconds:
            return
        from_list = listed and (not others or rng.random() < listed_share)
        person = rng.choice(listed if from_list else others)
        yield Passage(
            number=number,
            begins_s=at_s,
            camera=rng.randrange(cameras),
            person=person,
            shots=tuple(_shots(person, rng)),
        )
        number += 1


def _shots(person: Person, rng: Random) -> Iterator[Shown]:
    after_s = 0.0
    for _ in range(rng.choice(SHOTS)):
        yield Shown(after_s=after_s, look=rng.choice(person.looks))
        after_s += rng.uniform(*_BETWEEN_S)
