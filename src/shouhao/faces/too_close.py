"""Too close: a list against itself: people no threshold can tell apart, photographs under a wrong name.

No tail of a curve foresees twins, or one person listed twice under two names. They are found by looking: before a
threshold is set, and whenever somebody is added to a list. Deciding what a pair is, is left to a person.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.pairs import Pairs, impostor_pairs, numbered

MOST = 1000  #: pairs that are named; more than a person will look at


@dataclass(frozen=True, slots=True, kw_only=True)
class TooClose:
    """Two people of whom one may be taken for the other."""

    first_subject: int
    second_subject: int
    first_row: int  #: their most alike photographs
    second_row: int
    similarity_cos: float
    pairs: int  #: of their photographs that are so close, of those that were looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelierOther:
    """A photograph that resembles somebody else more than any other photograph of its own person."""

    row: int
    subject: int  #: under whose name it stands
    own_cos: float  #: the most alike of the same person
    other_row: int
    other_subject: int
    other_cos: float


def too_close(
    embeddings: NDArray[np.float32], subjects: NDArray[np.int64], *, threshold_cos: float, most: int = MOST
) -> tuple[TooClose, ...]:
    """People at least so alike, the most alike first; each pair of people once.

    Args:
        embeddings: (n, dims), length 1.
        subjects: (n,) a number for each person, whatever it is; answers use the same.
        most: how many pairs of photographs are looked at, the most alike.
    """
    pairs = impostor_pairs(embeddings, subjects, at_least_cos=threshold_cos, most=most)
    found: dict[tuple[int, int], TooClose] = {}
    for row, other, similarity in _by_likeness(pairs):
        first, second = sorted((row, other), key=lambda n: (int(subjects[n]), n))
        who = (int(subjects[first]), int(subjects[second]))
        known = found.get(who)
        found[who] = TooClose(
            first_subject=who[0],
            second_subject=who[1],
            first_row=known.first_row if known else first,
            second_row=known.second_row if known else second,
            similarity_cos=known.similarity_cos if known else similarity,
            pairs=known.pairs + 1 if known else 1,
        )
    return tuple(found.values())


def likelier_others(
    embeddings: NDArray[np.float32], subjects: NDArray[np.int64], *, threshold_cos: float, most: int = MOST
) -> tuple[LikelierOther, ...]:
    """Photographs that are probably under a wrong name, the most alike to somebody else first.

    A person of whom there is one photograph is left out: nothing says what they look like otherwise.

    Args:
        threshold_cos: how alike to somebody else at least; without it every blurred photograph would be named.
    """
    pairs = impostor_pairs(embeddings, subjects, at_least_cos=threshold_cos, most=most)
    number, people = numbered(subjects)
    rows_of = np.split(np.argsort(number, kind="stable"), np.cumsum(np.bincount(number, minlength=people))[:-1])
    seen: set[int] = set()
    found = []
    for row, other, similarity in (
        turn for pair in _by_likeness(pairs) for turn in (pair, (pair[1], pair[0], pair[2]))
    ):
        own = rows_of[number[row]]
        if row in seen or len(own) < 2:  # noqa: PLR2004 - nothing else of this person
            continue
        seen.add(row)
        own_cos = float((embeddings[own[own != row]] @ embeddings[row]).max())
        if similarity > own_cos:
            found.append(
                LikelierOther(
                    row=row,
                    subject=int(subjects[row]),
                    own_cos=own_cos,
                    other_row=other,
                    other_subject=int(subjects[other]),
                    other_cos=similarity,
                )
            )
    return tuple(found)


def _by_likeness(pairs: Pairs) -> list[tuple[int, int, float]]:
    """Rows and similarity, the most alike first; equal ones in the order of their rows, so that answers repeat."""
    order = np.lexsort((pairs.second, pairs.first, -pairs.similarity_cos))
    sorted_pairs = pairs.where(order)
    return list(
        zip(
            sorted_pairs.first.tolist(),
            sorted_pairs.second.tolist(),
            sorted_pairs.similarity_cos.astype(float).tolist(),
            strict=True,
        )
    )
