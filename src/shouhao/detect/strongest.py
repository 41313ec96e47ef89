"""Strongest: where a rule sees one thing in several tables or windows, it says it once, where it weighs most.

Weights of one rule about one subject do not add up: a burst in the log is the same burst in the events.
"""

from collections.abc import Iterable

from shouhao.detect.model import Suspicion


def strongest(each: Iterable[Suspicion | None]) -> list[Suspicion]:
    """One suspicion a subject, ordered by subject; the earlier one where two weigh the same."""
    best: dict[tuple[str, str], Suspicion] = {}
    for one in each:
        if one is None:
            continue
        key = (one.subject.kind, one.subject.id)
        if key not in best or one.weight > best[key].weight:
            best[key] = one
    return [one for _, one in sorted(best.items(), key=lambda item: item[0])]
