"""Compare: the same morning under several regimes, repeated with several seeds, as plain numbers."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from shouhao.lab.gang import PRICE_YUAN
from shouhao.lab.play import Outcome
from shouhao.lab.players import play_all
from shouhao.lab.regimes import Regime
from shouhao.lab.stage import Size, built
from shouhao.lab.virtual_people import WISHES, Habits

SCENARIOS: Final = ("morning",)
SEEDS: Final = 3

Progress = Callable[[int, int], None]  #: mornings played, of how many


def compare(
    regimes: Sequence[Regime],
    *,
    seeds: int = SEEDS,
    size: Size | None = None,
    processes: int | None = None,
    progress: Progress = lambda _done, _of: None,
) -> dict[str, Any]:
    """Play a morning under each regime with each seed, and give means and spreads.

    Args:
        seeds: how many, from 1; each is other people with other wishes, the same under every regime.
        processes: at once; by default one a core. Nought: in this process, for tests.
    """
    started = time.monotonic()
    chosen = size or Size()
    jobs = [(regime.name, seed) for seed in range(1, seeds + 1) for regime in regimes]
    outcomes: list[Outcome] = []
    with built(chosen) as stage:
        for outcome in play_all(stage, jobs, processes=processes):
            outcomes.append(outcome)
            progress(len(outcomes), len(jobs))
    return {
        "scenario": SCENARIOS[0],
        "seeds": seeds,
        "size": {**asdict(chosen), "slots": chosen.slots, "people": chosen.people},
        "fair_share": chosen.gang / chosen.people,
        "assumed": {"price_yuan": PRICE_YUAN, "wishes": WISHES, **asdict(Habits())},
        "policies": [
            summary(regime, sorted((o for o in outcomes if o.regime == regime.name), key=lambda o: o.seed))
            for regime in regimes
        ],
        "took_s": round(time.monotonic() - started, 1),
    }


def summary(regime: Regime, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """One regime's mornings as means and spreads; a share is in parts of one."""
    return {
        "name": regime.name,
        "zh": regime.zh,
        "en": regime.en,
        "in_the_product": not regime.opens_returns,
        **{
            name: {"unit": _UNITS.get(name, "share"), **_mean_and_spread([figure(o) for o in outcomes])}
            for name, figure in FIGURES.items()
        },
        "by_speed": [_mean_and_spread(tenth) for tenth in zip(*(o.by_speed for o in outcomes), strict=True)],
        "mornings": [{**asdict(o), "by_speed": list(o.by_speed)} for o in outcomes],
    }


#: What is told of each regime. None: it has no meaning there.
FIGURES: Final[Mapping[str, Callable[[Outcome], float | None]]] = {
    "gang_share_of_entries": lambda o: o.entries_gang / (o.entries_gang + o.entries_honest),
    "gang_share_first": lambda o: o.first_gang / o.slots,
    "honest_share_first": lambda o: o.first_honest / o.slots,
    "held_by_patients": lambda o: o.end_honest / o.slots,
    "held_by_buyers": lambda o: o.end_bought / o.slots,
    "held_by_gang": lambda o: o.end_gang / o.slots,
    "sales_tried": lambda o: o.sales_tried,
    "sales_reached": lambda o: o.sales_reached / o.sales_tried if o.sales_tried else None,
    "strangers_chance": lambda o: o.strangers_chance / o.sales_tried if o.sales_tried else None,
    "extra_yuan": lambda o: o.extra_yuan,
    "honest_chance": lambda o: o.end_honest / o.honest,
    "sold_out_s": lambda o: o.sold_out_s,
}

_UNITS: Final = {"sales_tried": "count", "extra_yuan": "yuan", "sold_out_s": "s"}


def _mean_and_spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean and standard deviation over the mornings; None where it has no meaning."""
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": None, "sd": None}
    return {
        "mean": round(statistics.fmean(known), 6),
        "sd": round(statistics.stdev(known), 6) if len(known) > 1 else 0.0,
    }
