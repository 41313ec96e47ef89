"""Bundle difference: what a bundle would change here, before anybody accepts it. Pure.

People accept it as a whole or not at all. What an issuer takes back ends at once whatever people decide: it says itself
that these entries are no longer right.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from shouhao.watch.bundle import Bundle, GivenEntry, Problem
from shouhao.watch.watchlist import Entry

#: How an entry of the bundle is known to be here already: by document, by name, or by face (for a person to decide).
How = Literal["document", "name", "face"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyHere:
    """Somebody of the bundle who seems to be listed here from another source."""

    id: str  #: as the issuer calls the entry
    entry_id: str
    how: How
    similarity_cos: float | None = None  #: by face


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Two entries of the bundle, or one and a member of staff, who look so alike that a person must decide."""

    id: str
    other_id: str | None
    operator_id: str | None
    similarity_cos: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What would change. Ids are the issuer's, but `gone`, which are ours."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]
    gone: tuple[str, ...]  #: ours: in an earlier bundle of this issuer and not in this one any more
    already: tuple[AlreadyHere, ...] = ()
    alike: tuple[Alike, ...] = ()
    refused: tuple[Problem, ...] = ()
    alike_from_cos: float | None = None  #: from which likeness on faces were named; None: no threshold is known
    pack: str | None = None
    photo_reports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  #: by SHA-256

    @property
    def taken(self) -> frozenset[str]:
        """The issuer's ids that acceptance would list."""
        return frozenset({*self.new, *self.changed})


def difference_of(
    bundle: Bundle,
    here: Sequence[Entry],
    *,
    ended_here: Collection[str],
    usable: Collection[str],
    refused: Sequence[Problem],
    now_us: int,
) -> Difference:
    """Hold a bundle against what its issuer's earlier ones have left here.

    Args:
        here: entries of this issuer and list that are under way.
        ended_here: the issuer's ids of entries that people here ended; a bundle does not bring them back, and neither
            does it get around an appeal that is open.
        usable: ids of the entries whose photographs show a fit face.
        refused: what was found wrong with photographs.
    """
    known = {one.foreign_id: one for one in here if one.foreign_id is not None}
    problems = [*bundle.problems, *refused]
    new: list[str] = []
    changed: list[str] = []
    same: list[str] = []
    for given in bundle.entries:
        ours = known.get(given.id)
        if given.expires_at_us <= now_us:
            problems.append(_problem(given, "expires_at", "over", "期限已过", "its term is over"))
        elif ours is None and given.id in ended_here:
            en = "people here ended this entry; a bundle does not bring it back"
            problems.append(_problem(given, "id", "ended_here", "本院已终止该条目，名单包不能使其恢复", en))
        elif ours is not None and ours.state == "suspended":
            en = "an appeal is open here; the entry stays as it is"
            problems.append(_problem(given, "id", "appeal_open", "本院正在处理申诉，条目保持原状", en))
        elif ours is not None and ours.foreign_digest == given.digest:
            same.append(given.id)
        elif given.id in usable:
            (new if ours is None else changed).append(given.id)
    told = {given.id for given in bundle.entries} | {problem.entry_id for problem in bundle.problems}
    gone = tuple(one.id for one in here if one.foreign_id not in told)
    return Difference(
        new=tuple(new),
        changed=tuple(changed),
        same=tuple(same),
        gone=gone,
        refused=tuple(sorted(problems, key=lambda one: (_number(one.place), one.place))),
    )


def packed(difference: Difference) -> tuple[str, str]:
    """As it is kept, and its SHA-256, which is what people approve."""
    written = msgspec.json.encode(difference, order="deterministic")
    return written.decode(), hashlib.sha256(written).hexdigest()


def unpacked(written: str) -> Difference:
    """As it was kept."""
    return msgspec.json.decode(written, type=Difference)


def _problem(given: GivenEntry, field: str, code: str, zh: str, en: str) -> Problem:
    return Problem(place=f"{given.place}.{field}", entry_id=given.id, code=code, zh=zh, en=en)


def _number(place: str) -> int:
    inside = place.partition("[")[2].partition("]")[0]
    return int(inside) if inside.isdigit() else -1
