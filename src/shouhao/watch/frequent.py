"""Who comes too often: visits without identity, and which of them are one person's, as far as that can be told.

Faces are compared after they were turned by a secret matrix (`turning`), which keeps every cosine and leaves them
useless to whoever does not hold the secret. Visits are grouped by density, as DBSCAN does: a visit with enough others
like it is a core, cores that are alike are one group, and a visit that is none joins the group of the core that is
most like it and never extends it, so that two people do not become one over a blurred face between them. Groups
follow from which visits are alike and from nothing else: the order in which they came changes none.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shouhao.kernel.clock import SECOND_US
from shouhao.watch.model import ZoneKind

Vector = NDArray[np.float32]

#: Where people queue for slots. Entrances see everybody; nobody is counted there.
ZONES: frozenset[ZoneKind] = frozenset({"window", "pharmacy", "clinic_door"})
_FIRST_ROOM = 1024
_ROUNDING = 1e-5  #: how far a float32 product may be off


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequentRules:
    """What makes a visit, a group and a lead."""

    same_cos: float = 0.5  #: two visits are alike from here on
    least_quality: float = 0.5  #: poor faces are all alike
    interval_s: float = 7_200.0  #: captures closer than this, one after the other, are one visit
    core_visits: int = 3  #: so many alike, itself among them, make a core
    days_more_than: int = 4  #: somebody who was there on more days of the window becomes a lead
    crowd_visits: int = 120  #: a group that large is no person: it is a threshold that is too low


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit, as it was counted."""

    id: str
    day: int  #: ordinal of the hospital's day
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a face did: a visit, or another capture of one that is counted already."""

    visit: Visit | None  #: None: it was counted already
    near: tuple[str, ...]  #: ids of the visits that it is like, itself left out
    group: tuple[Visit, ...]  #: all visits of its group, the oldest first; empty: it is in none, or in a crowd
    days: int  #: of that group
    crowd: bool  #: the group is too large to be a person

    def is_lead(self, rules: FrequentRules) -> bool:
        """Whether people should look."""
        return self.days > rules.days_more_than and not self.crowd


class Visits:
    """The visits of the window, in memory."""

    def __init__(self, rules: FrequentRules, *, dims: int) -> None:
        self.rules = rules
        self.dims = dims
        self._vectors = np.zeros((_FIRST_ROOM, dims), np.float32)
        self._visits: list[Visit | None] = []  # by row; None: it is free
        self._last_us: list[int] = []  # when each was last seen
        self._near: list[set[int]] = []  # rows that are alike
        self._free: list[int] = []
        self._row: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._row)

    def count(self, visit_id: str, vector: Vector, *, day: int, at_us: int) -> Counted:
        """Count a face.

        Args:
            visit_id: of the visit that it becomes if it is one.
            vector: turned, of length 1.
        """
        near = self._alike(vector)
        interval_us = round(self.rules.interval_s * SECOND_US)
        if len(near) > 2 * self.rules.crowd_visits:  # so ordinary a face is nobody's, and its links would fill memory
            return Counted(visit=None, near=(), group=(), days=0, crowd=True)
        again = [row for row in near if abs(at_us - self._last_us[row]) <= interval_us]
        if again:
            for row in again:
                self._last_us[row] = max(self._last_us[row], at_us)
            return self._counted(again[0], visit=None)
        visit = Visit(id=visit_id, day=day, at_us=at_us)
        return self._counted(self._put(visit, vector, near), visit=visit)

    def restore(self, visit: Visit, vector: Vector, near: Iterable[str]) -> None:
        """Put back a visit that was counted before; those it is like that are not back yet name it themselves."""
        self._put(visit, vector, [self._row[other] for other in near if other in self._row])

    def days(self) -> set[int]:
        """The days of which there are visits."""
        return {visit.day for visit in self._visits if visit is not None}

    def drop(self, days: Collection[int]) -> int:
        """Forget the visits of these days, overwriting their faces; how many."""
        gone = [row for row, visit in enumerate(self._visits) if visit is not None and visit.day in days]
        for row in gone:
            for other in self._near[row]:
                self._near[other].discard(row)
            self._forget(row)
        return len(gone)

    def drop_all(self) -> None:
        """Forget everything."""
        self.drop(self.days())

    def vectors_of(self, visits: Iterable[Visit]) -> Vector:
        """Turned faces of visits, (n, dims), a copy."""
        return self._vectors[[self._row[visit.id] for visit in visits]]

    def group_of(self, visit_id: str) -> tuple[Visit, ...]:
        """All visits of a visit's group, the oldest first; none of a crowd."""
        row = self._row.get(visit_id)
        return () if row is None else self._group(row) or ()

    def _alike(self, vector: Vector) -> list[int]:
        used, same = len(self._visits), self.rules.same_cos
        similar = self._vectors[:used] @ vector
        # A product of many rows at once is rounded as its shape has it; who is at the edge is asked again alone.
        close = np.flatnonzero(similar >= same - _ROUNDING).tolist()
        return [row for row in close if similar[row] >= same + _ROUNDING or _cos(self._vectors[row], vector) >= same]

    def _put(self, visit: Visit, vector: Vector, near: Iterable[int]) -> int:
        row = self._free.pop() if self._free else len(self._visits)
        if row == len(self._visits):
            if row == len(self._vectors):
                grown = np.zeros((row * 2, self.dims), np.float32)
                grown[:row] = self._vectors
                self._vectors.fill(0)
                self._vectors = grown
            self._visits.append(None)
            self._last_us.append(0)
            self._near.append(set())
        self._vectors[row] = vector
        self._visits[row] = visit
        self._last_us[row] = visit.at_us
        self._near[row] = set(near)
        for other in self._near[row]:
            self._near[other].add(row)
        self._row[visit.id] = row
        return row

    def _forget(self, row: int) -> None:
        visit = self._visits[row]
        if visit is not None:
            del self._row[visit.id]
        self._vectors[row] = 0
        self._visits[row] = None
        self._near[row] = set()
        self._free.append(row)

    def _counted(self, row: int, *, visit: Visit | None) -> Counted:
        group = self._group(row)
        return Counted(
            visit=visit,
            near=tuple(sorted(one.id for one in map(self._visit, self._near[row]))),
            group=group or (),
            days=len({one.day for one in group or ()}),
            crowd=group is None,
        )

    def _group(self, row: int) -> tuple[Visit, ...] | None:
        """A visit's group; None: it is a crowd, which is not walked to its end."""
        start = self._core_of(row)
        if start is None:
            return ()
        cores, waiting = {start}, [start]
        while waiting:
            if len(cores) > self.rules.crowd_visits:
                return None
            more = {other for other in self._near[waiting.pop()] if self._is_core(other)} - cores
            cores |= more
            waiting += more
        edges = {other for core in cores for other in self._near[core]} - cores
        members = cores | {edge for edge in edges if self._core_of(edge) in cores}
        if len(members) > self.rules.crowd_visits:
            return None
        return tuple(sorted((self._visit(one) for one in members), key=lambda one: (one.at_us, one.id)))

    def _core_of(self, row: int) -> int | None:
        """Itself when it is one, otherwise the core that is most like it."""
        if self._is_core(row):
            return row
        cores = sorted(other for other in self._near[row] if self._is_core(other))
        if not cores:
            return None
        mine = self._vectors[row]
        return max((_cos(self._vectors[core], mine), self._visit(core).id, core) for core in cores)[2]

    def _is_core(self, row: int) -> bool:
        return len(self._near[row]) + 1 >= self.rules.core_visits

    def _visit(self, row: int) -> Visit:
        visit = self._visits[row]
        if visit is None:
            raise KeyError(row)
        return visit


def _cos(one: Vector, other: Vector) -> float:
    """The cosine of two faces, the same however many others are looked at with them."""
    return float(np.dot(one.astype(np.float64), other.astype(np.float64)))


def turning(secret: bytes, dims: int) -> NDArray[np.float64]:
    """The secret matrix of a window: orthogonal, and any of them as likely as another.

    Turned vectors keep their cosines and are compared as they are. Without the secret they tell nothing; whoever holds
    as many faces both as they were and turned as there are dimensions can work the matrix out, so that it does not
    replace the seal, and dies with its window.

    Args:
        secret: 32 bytes or more.
    """
    count = dims * dims
    raw = np.frombuffer(hashlib.shake_256(b"turning\0" + secret).digest(count * 16), np.uint64).reshape(2, count)
    even = (raw >> np.uint64(11)).astype(np.float64)  # 53 bits, as many as a float holds
    radius, angle = (even + 0.5) / 2.0**53
    normal = np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)  # Box and Muller
    turned, upper = np.linalg.qr(normal.reshape(dims, dims))
    return np.asarray(turned * np.sign(np.diag(upper)), np.float64)


def turn(matrix: NDArray[np.float64], vector: Vector) -> Vector:
    """A face as it is compared within a window; of length 1."""
    turned = matrix @ vector.astype(np.float64)
    return np.asarray(turned / np.linalg.norm(turned), np.float32)


def turn_back(matrix: NDArray[np.float64], vectors: Vector) -> Vector:
    """Turned faces as they were, (n, dims)."""
    return np.asarray(vectors.astype(np.float64) @ matrix, np.float32)
