"""Calibrate: everything that a folder of known people can tell about a model and the thresholds it should work at.

Pure: embeddings and numbers of people in, plain values out. Reading pictures is left to the command, showing it all to
calibration_report.py. What a folder of photographs cannot tell is what a hospital's own cameras see.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.budget import Budget, Decision, decide
from shouhao.faces.identification import (
    SearchCurve,
    Searched,
    SearchPoint,
    search_apart,
    search_curve,
    search_points,
    search_rates,
)
from shouhao.faces.pairs import step_at
from shouhao.faces.rates import (
    Compared,
    Curve,
    Histogram,
    OperatingPoint,
    compare_all,
    curve_of,
    histogram_of,
    points_at,
    threshold_at,
    typical_genuine,
)
from shouhao.faces.too_close import LikelierOther, TooClose, likelier_others, too_close
from shouhao.kernel.errors import Refused

PEOPLE_LEAST = 10  #: with a usable face; with fewer, every rate is about one or two of them
WITH_TWO_LEAST = 5  #: of these with two usable photographs or more
_PROBABLY_WRONG_FMR = 1e-5  #: from which likeness on a photograph may stand under a wrong name


class TooFewPeople(Refused):
    """There are too few people in the folder to measure anything."""

    code = "faces.too_few_people"
    zh = (
        "人数不足，无法校准：有可用人脸的共 {people} 人，其中 {with_two} 人有两张以上；"
        "至少需要 {people_least} 人，其中 {with_two_least} 人各有两张以上"
    )
    en = (
        "Too few people to calibrate: {people} with a usable face, {with_two} of them with two photographs or more; "
        "it takes {people_least} people, {with_two_least} of them with two or more"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What searching lists made of these people came to."""

    list_size: int  #: people on the list, one photograph each: half of those there are at most
    draws: int
    stranger_searches: int
    listed_searches: int
    points: tuple[SearchPoint, ...]
    expected_fpir: tuple[float | None, ...]  #: at each point: 1 - (1 - FMR)^list, as if matches were independent
    at_chosen: SearchPoint | None  #: at the threshold that keeps the budget
    curve: SearchCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """All of it."""

    seed: int
    people: int
    people_with_two: int
    photographs: int
    genuine_pairs: int
    impostor_pairs: int
    smallest_fmr: float  #: that these pairs can tell
    points: tuple[OperatingPoint, ...]
    curve: Curve
    histogram: Histogram
    search: Search
    budget: Budget
    decision: Decision
    close_from_cos: (
        float  #: what `too_close` was asked for: the budget's threshold, or as alike as one person usually is
    )
    too_close: tuple[TooClose, ...]
    mislabelled_from_cos: float  #: what `mislabelled` was asked for: FMR 1e-5, or likewise
    mislabelled: tuple[LikelierOther, ...]


def calibrate(
    embeddings: NDArray[np.float32],
    subjects: NDArray[np.int64],
    *,
    budget: Budget,
    seed: int,
) -> Calibration:
    """Measure rates, find the threshold of a budget, and name who is too close to tell apart.

    Args:
        embeddings: (n, dims), length 1; up to some 20,000.
        subjects: (n,) a number for each person; rows and people are named by these in the answer.
    Raises:
        TooFewPeople: nothing can be measured.
    """
    see_enough_people(subjects)
    compared = compare_all(embeddings, subjects)
    decision = decide(compared, budget, seed=seed)
    searched = search_apart(compared, list_size=budget.list_size, seed=seed)
    as_one_person = typical_genuine(compared)
    close_from = decision.chosen.threshold_cos if decision.chosen else as_one_person
    rare = threshold_at(compared, _PROBABLY_WRONG_FMR)
    wrong_from = as_one_person if rare is None else rare
    return Calibration(
        seed=seed,
        people=compared.people,
        people_with_two=int((compared.photos_each > 1).sum()),
        photographs=len(subjects),
        genuine_pairs=compared.counts.genuine_pairs,
        impostor_pairs=compared.counts.impostor_pairs,
        smallest_fmr=compared.smallest_fmr,
        points=points_at(compared),
        curve=curve_of(compared),
        histogram=histogram_of(compared),
        search=_search(compared, searched, decision),
        budget=budget,
        decision=decision,
        close_from_cos=close_from,
        too_close=too_close(embeddings, subjects, threshold_cos=close_from),
        mislabelled_from_cos=wrong_from,
        mislabelled=likelier_others(embeddings, subjects, threshold_cos=wrong_from),
    )


def see_enough_people(subjects: NDArray[np.int64]) -> None:
    """See that there are people enough to measure anything.

    Raises:
        TooFewPeople: there are not.
    """
    _, each = np.unique(subjects, return_counts=True)
    people, with_two = len(each), int((each > 1).sum())
    if people < PEOPLE_LEAST or with_two < WITH_TWO_LEAST:
        raise TooFewPeople(people=people, with_two=with_two, people_least=PEOPLE_LEAST, with_two_least=WITH_TWO_LEAST)


def _search(compared: Compared, searched: Searched, decision: Decision) -> Search:
    points = search_points(searched)
    pairs = compared.counts.impostor_pairs
    alone = [
        None if p.threshold_cos is None else int(compared.counts.impostor[step_at(p.threshold_cos)]) / pairs
        for p in points
    ]
    return Search(
        list_size=searched.list_size,
        draws=searched.draws,
        stranger_searches=len(searched.stranger),
        listed_searches=len(searched.listed),
        points=points,
        expected_fpir=tuple(None if fmr is None else 1 - (1 - fmr) ** searched.list_size for fmr in alone),
        at_chosen=search_rates(searched, decision.chosen.threshold_cos) if decision.chosen else None,
        curve=search_curve(searched),
    )
