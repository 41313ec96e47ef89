"""Cohorts: groups that hang together because a rule has asked whether chance would bring them together.

Two sources. A rule that finds many at once (accounts made one after the other, one batch of phones, one picture for
many) says so in `Suspicion.cohort`. And whatever identifier those use who are suspected for deeds of their own, and
hardly anybody else, is theirs: that two suspects share a line at home says far more than that two neighbours do. How
many identifiers were looked at is paid for. Neither accuses anybody of more than was said of them before.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shouhao.detect.families import family_of
from shouhao.detect.model import Subject, Suspicion
from shouhao.detect.odds import binomial_tail
from shouhao.detect.rings.joining import SUSPECTS_SHARE, Edge

#: What one does, rather than what one is or whom one knows.
DEEDS = ("complaints", "faces", "machine", "addresses", "trade", "customers", "visits", "favours")


#: What is said of many as one: each has it from the others already, and company would count it once more.
_AS_ONE = frozenset({"fleets.quick_together"})


def deed_of(one: Suspicion) -> str | None:
    """What kind of thing an account is suspected of having done itself; None where it is of no such kind."""
    family = family_of(one.code)
    own = one.subject.kind == "account" and one.code not in _AS_ONE
    return family if own and family in DEEDS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortPolicy:
    """When an identifier belongs to suspects."""

    suspected_from: float = 2.0  #: of a family of deeds, for an account to count as suspected
    suspects: int = 3  #: who share it
    share: float = 0.6  #: of all who use it
    chance: float = 0.001  #: that any identifier in the data is so by chance


def suspects_of(said: Iterable[object], policy: CohortPolicy | None = None) -> frozenset[str]:
    """Accounts that are suspected for a deed of their own."""
    policy = policy or CohortPolicy()
    return frozenset(
        one.subject.id
        for one in said
        if isinstance(one, Suspicion) and deed_of(one) is not None and one.weight >= policy.suspected_from
    )


def suspects_edges(
    links: Iterable[Mapping[str, Any]],
    *,
    suspects: Collection[str],
    everybody: int,
    policy: CohortPolicy | None = None,
) -> list[Edge]:
    """Edges of suspects to what is theirs.

    Args:
        links: rows as `rings.edges_in` gives them, run.
        everybody: how many accounts there are.
    """
    policy = policy or CohortPolicy()
    of: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in links:
        if row["member"] in suspects and row["kind"] in SUSPECTS_SHARE:
            of[(row["kind"], row["value"])].append(row)
    of = {shared: rows for shared, rows in of.items() if len(rows) >= policy.suspects}
    rate = min(0.5, (len(suspects) + 1) / (everybody + 2))
    found = []
    for (kind, value), rows in sorted(of.items()):
        rows.sort(key=lambda row: row["member"])
        users, count = rows[0]["users"], len(rows)
        p = binomial_tail(n=users - 1, k=count - 1, p=rate)  # the first of them made us look
        if count >= policy.share * users and p * len(of) <= policy.chance:
            found += [_edge(row["member"], f"{kind} {value}", row) for row in rows]
    return found


def cohort_edges(said: Iterable[object]) -> list[Edge]:
    """Edges of those whom a rule has found together."""
    return [
        Edge(
            member=one.subject,
            kind="cohort",
            value=one.cohort,
            first_at_us=one.first_at_us,
            last_at_us=one.last_at_us,
            event_ids=tuple(sorted({e for wanted in one.wanted for e in wanted.event_ids})),
        )
        for one in said
        if isinstance(one, Suspicion) and one.subject.kind == "account" and one.cohort is not None
    ]


def _edge(account: str, value: str, row: Mapping[str, Any]) -> Edge:
    return Edge(
        member=Subject(kind="account", id=account),
        kind="cohort",
        value=value,
        n=row["n"],
        first_at_us=row["first_at_us"],
        last_at_us=row["last_at_us"],
    )
