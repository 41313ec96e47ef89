"""Rings: accounts that belong together, and by what.

Accounts and the identifiers they have used are the two sides of a graph. What two accounts share weighs the more the
more specific it is (a face, a phone, a purse before an address) and the less the more others share it too, by the
logarithm of their number. A hub (the hospital's Wi-Fi, a carrier's gateway, an agency's purse) joins nobody. Accounts
that share much are one by union-find; groups that share little but densely are joined by a community step that has no
chance in it. Whatever alone holds two parts together is marked as a bridge, for that is where a ring may be two.

Edges may come night by night: what results depends on the set of edges alone. A ring accuses nobody: what its members
do, and what that says about the others, is company.py's.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr.types import Table
from scipy import sparse
from scipy.sparse import csgraph

from shouhao.detect.identifiers import IdentifierKind
from shouhao.detect.model import Subject, Suspicion, Tables
from shouhao.detect.rings.articulation import articulations
from shouhao.detect.rings.communities import communities
from shouhao.detect.rings.links import links

Identifier = tuple[IdentifierKind, str]
#: What suspects may have in common. A network is not among it, for two gangs hire from one provider; and a patient or
#: a hand-over joins its two by itself.
SUSPECTS_SHARE: tuple[IdentifierKind, ...] = ("device", "payer", "phone", "ip")
_LEAST_SUSPECTS = 3
HAND_OVERS = frozenset({"hand_over.pair", "hand_over.prepared"})
_MILLI = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RingPolicy:
    """What sharing says, and from when on accounts belong together."""

    #: What it says when exactly two share it, as log-odds.
    specificity: Mapping[IdentifierKind, float] = field(
        default_factory=lambda: MappingProxyType(
            {
                "frame": 6.0,  # a camera makes no picture twice
                "face": 5.0,  # a picture is sent again, or a parent shows it for a child
                "device": 4.0,  # a family, or a phone that was sold on
                "payer": 4.0,
                "phone": 4.0,
                "session_token": 4.0,
                "hand_over": 4.0,  # the same two, slot after slot
                "cohort": 2.0,  # a rule has asked whether chance brings them together, however many they are
                "patient": 1.5,  # one is whoever a seller has booked for; two and more are passed around
                "ip": 1.5,  # a household, a shop
            }
        )
    )
    #: With more accounts an identifier is a hub and joins nobody.
    hub_from: Mapping[IdentifierKind, int] = field(
        default_factory=lambda: MappingProxyType(
            {
                "frame": 200,
                "face": 200,
                "device": 60,  # a phone of a gang signs in for dozens; a terminal in the lobby for hundreds
                "payer": 120,  # a purse pays for a gang; an insurer for thousands
                "phone": 60,
                "session_token": 20,
                "hand_over": 2,
                "cohort": 400,  # what brings more together is a place and not a group
                "patient": 30,
                "ip": 8,  # beyond a household an address says nothing; a carrier's gateway has thousands
            }
        )
    )
    #: Kinds that go together anyway: who shares a phone shares its address. Of each row only the most counts.
    alike: tuple[tuple[IdentifierKind, ...], ...] = (
        ("device", "session_token", "ip"),
        ("face", "frame"),
        ("payer",),
        ("phone",),
        ("patient",),
        ("hand_over",),
        ("cohort",),
    )
    undamped: frozenset[IdentifierKind] = frozenset({"cohort"})  #: says as much of many as of two
    strong: float = 2.0  #: a phone of four, two patients of two: these are one
    weak: float = 0.6  #: a purse of a hundred, an address of five: less joins nobody
    density: float = 0.5  #: a community is kept where its pairs share at least this on the average
    least_accounts: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One member has used one identifier."""

    member: Subject
    kind: IdentifierKind
    value: str
    n: int = 1
    first_at_us: int = 0
    last_at_us: int = 0
    event_ids: tuple[str, ...] = ()  #: where known; otherwise member and value say which rows


@dataclass(frozen=True, slots=True, kw_only=True)
class RingEdge:
    """An edge of a ring, with what it carries."""

    edge: Edge
    shared_by: int  #: members that have used the identifier, in all the data
    weight: float
    bridge: bool  #: without this identifier the ring falls apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Members that belong together."""

    id: str  #: of its members
    members: tuple[Subject, ...]
    edges: tuple[RingEdge, ...]
    patients: tuple[str, ...] = ()  #: for whom the members book, where asked

    @property
    def kinds(self) -> tuple[IdentifierKind, ...]:
        """What its members share."""
        return tuple(sorted({one.edge.kind for one in self.edges}))

    @property
    def over_one(self) -> bool:
        """Whether a single identifier holds it together: few of the members share anything else."""
        users: dict[Identifier, set[Subject]] = defaultdict(set)
        for one in self.edges:
            users[(one.edge.kind, one.edge.value)].add(one.edge.member)
        widest = max(users, key=lambda identifier: (len(users[identifier]), identifier), default=None)
        others = {member for identifier, who in users.items() if identifier != widest for member in who}
        return 2 * len(others) < len(self.members)


class Rings:
    """The graph so far; `found` looks anew only at what new edges have touched."""

    def __init__(self, policy: RingPolicy | None = None) -> None:
        self._policy = policy or RingPolicy()
        self._edges: dict[Subject, dict[Identifier, Edge]] = defaultdict(dict)
        self._users: dict[Identifier, set[Subject]] = defaultdict(set)
        self._touched: set[Identifier] = set()
        self._part_of: dict[Subject, int] = {}
        self._parts: dict[int, tuple[list[Subject], list[Ring]]] = {}
        self._next_part = 0

    def add(self, edges: Iterable[Edge]) -> None:
        """Take in edges; one that is known already becomes one with it."""
        for edge in edges:
            if edge.kind not in self._policy.specificity:
                continue
            identifier = (edge.kind, edge.value)
            mine = self._edges[edge.member]
            mine[identifier] = _merged(mine[identifier], edge) if identifier in mine else edge
            self._users[identifier].add(edge.member)
            self._touched.add(identifier)

    def found(self) -> tuple[Ring, ...]:
        """All rings, by id."""
        touched = sorted({m for identifier in self._touched for m in self._users[identifier]}, key=_key)
        self._touched.clear()
        region = set(touched)
        for member in touched:
            part = self._part_of.pop(member, None)
            if part in self._parts:
                members, _ = self._parts.pop(part)
                region.update(members)
        for members, rings in self._looked_at(sorted(region, key=_key)):
            self._parts[self._next_part] = members, rings
            self._part_of |= dict.fromkeys(members, self._next_part)
            self._next_part += 1
        every = [ring for _, rings in self._parts.values() for ring in rings]
        return tuple(sorted(every, key=lambda ring: ring.id))

    def _looked_at(self, members: Sequence[Subject]) -> list[tuple[list[Subject], list[Ring]]]:
        """The parts into which these fall, each with its rings; a part of one is not kept."""
        if not members:
            return []
        pairs = sparse.triu(self._pairs(members), k=1).tocoo()
        joined = pairs.data >= round(self._policy.weak * _MILLI)
        rows, columns, data = pairs.row[joined], pairs.col[joined], pairs.data[joined]
        part_of = _components(len(members), rows, columns)
        strong = data >= round(self._policy.strong * _MILLI)
        one_of = _components(len(members), rows[strong], columns[strong])
        shared: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for row, column, value in zip(rows.tolist(), columns.tolist(), data.tolist(), strict=True):
            shared[part_of[row]].append((row, column, value))
        numbers: dict[int, list[int]] = defaultdict(list)
        for n, part in enumerate(part_of):
            numbers[part].append(n)
        return [
            ([members[n] for n in mine], self._rings(mine, shared[part], members, one_of))
            for part, mine in numbers.items()
            if len(mine) > 1
        ]

    def _rings(
        self,
        mine: Sequence[int],
        shared: Sequence[tuple[int, int, int]],
        members: Sequence[Subject],
        one_of: Sequence[int],
    ) -> list[Ring]:
        """The rings of one part: strong edges have made some members one, the community step joins those.

        Args:
            mine: numbers of the members in the part.
            one_of: for each number, the label of those that strong edges have joined.
        """
        least = self._policy.least_accounts
        if len(mine) < least:
            return []
        place = {n: k for k, n in enumerate(mine)}
        here = [(place[a], place[b], milli) for a, b, milli in shared]
        start = [one_of[n] for n in mine]
        labels = communities(here, start=start, density_milli=round(self._policy.density * _MILLI))
        groups: dict[int, list[Subject]] = defaultdict(list)
        for n, label in zip(mine, labels, strict=True):
            groups[label].append(members[n])
        return [self._ring(group) for _, group in sorted(groups.items()) if len(group) >= least]

    def _pairs(self, members: Sequence[Subject]) -> sparse.csr_matrix:
        """How much each two of them share: symmetric, float64 (n, n)."""
        used: dict[str, list[tuple[int, Identifier]]] = defaultdict(list)
        for n, member in enumerate(members):
            for identifier in self._edges[member]:
                used[identifier[0]].append((n, identifier))
        total = sparse.csr_matrix((len(members), len(members)), dtype=np.int64)
        for kinds in self._policy.alike:
            most: sparse.csr_matrix | None = None
            for kind in kinds:
                shared = self._pairs_by(used[kind], len(members))
                most = shared if most is None else most.maximum(shared)
            total = total + most
        return total

    def _pairs_by(self, used: Sequence[tuple[int, Identifier]], count: int) -> sparse.csr_matrix:
        """How much each two share of one kind, in whole thousandths: a sum that no order can change."""
        milli = {identifier: round(_MILLI * self._weight(identifier)) for identifier in sorted({i for _, i in used})}
        column = {identifier: n for n, identifier in enumerate(milli)}
        rows = np.array([n for n, _ in used], dtype=np.int64)
        columns = np.array([column[identifier] for _, identifier in used], dtype=np.int64)
        weights = np.array(list(milli.values()), dtype=np.int64)
        kept = weights[columns] > 0 if len(columns) else np.zeros(0, dtype=bool)
        rows, columns = rows[kept], columns[kept]
        shape = (count, max(1, len(weights)))
        by = sparse.csr_matrix((np.ones(len(rows), dtype=np.int64), (rows, columns)), shape=shape)
        weighed = sparse.csr_matrix((weights[columns], (rows, columns)), shape=shape)
        return (weighed @ by.T).tocsr()

    def _weight(self, identifier: Identifier) -> float:
        """What the identifier says to any two that share it; nothing if one alone uses it, or it is a hub."""
        users = len(self._users[identifier])
        if users < 2 or users > self._policy.hub_from[identifier[0]]:  # noqa: PLR2004 - shared
            return 0.0
        says = self._policy.specificity[identifier[0]]
        return says if identifier[0] in self._policy.undamped else float(says / np.log2(users))

    def _ring(self, members: Sequence[Subject]) -> Ring:
        inside: dict[Identifier, list[Subject]] = defaultdict(list)
        for member in members:
            for identifier in self._edges[member]:
                inside[identifier].append(member)
        joining = {i: who for i, who in inside.items() if len(who) > 1 and self._weight(i) > 0}
        bridges = articulations({i: [str(_key(m)) for m in who] for i, who in joining.items()})
        edges = [
            RingEdge(
                edge=self._edges[member][identifier],
                shared_by=len(self._users[identifier]),
                weight=round(self._weight(identifier), 3),
                bridge=identifier in bridges,
            )
            for identifier in sorted(joining)
            for member in sorted(joining[identifier], key=_key)
        ]
        ordered = tuple(sorted(members, key=_key))
        return Ring(id=_id_of(ordered), members=ordered, edges=tuple(edges))


def edges_in(tables: Tables, *, suspects: Collection[str] = (), shared_alone: bool = True) -> Table:
    """The links of accounts that can join them, each with how many use the same: as links.links, with users.

    Args:
        suspects: what at least three of these use, and hardly anybody else, is told as well, whatever it is.
        shared_alone: leave out what one account alone has used; not where other nights' edges come to it.
    """
    policy = RingPolicy()
    every = links(tables, kinds=tuple(policy.specificity))
    every = every.filter(every.member_kind == "account")
    named = ibis.memtable(pa.table({"suspect": pa.array(sorted(suspects), pa.string())}))
    marked = every.left_join(named, every.member == named.suspect)
    degrees = marked.group_by("kind", "value").agg(users=marked.count(), suspects=marked.suspect.count())
    limit = ibis.cases(*((degrees.kind == kind, most) for kind, most in sorted(policy.hub_from.items())), else_=0)
    joining = (degrees.users >= (2 if shared_alone else 1)) & (degrees.users <= limit)
    theirs = (degrees.suspects >= _LEAST_SUSPECTS) & (degrees.suspects * 2 > degrees.users) & (degrees.value != "")
    joining = degrees.filter(joining | (theirs & degrees.kind.isin(SUSPECTS_SHARE)))
    return every.join(joining.drop("suspects"), ["kind", "value"])


def edges_of(counted: pa.Table) -> list[Edge]:
    """Counted links as edges."""
    return [
        Edge(
            member=Subject(kind=row["member_kind"], id=row["member"]),
            kind=row["kind"],
            value=row["value"],
            n=row["n"],
            first_at_us=row["first_at_us"],
            last_at_us=row["last_at_us"],
        )
        for row in counted.to_pylist()
    ]


def hand_over_edges(said: Iterable[object]) -> list[Edge]:
    """Edges of two who hand over again and again, or prepare for it; a buyer, who does so once, is no companion."""
    return [
        Edge(
            member=who,
            kind="hand_over",
            value=">".join(sorted((one.subject.id, other.id))),
            n=round(one.measured),
            first_at_us=one.first_at_us,
            last_at_us=one.last_at_us,
            event_ids=tuple(sorted(e for wanted in one.wanted for e in wanted.event_ids)),
        )
        for one in said
        if isinstance(one, Suspicion) and one.code in HAND_OVERS and one.subject.kind == "account"
        for other in one.members
        if other.kind == "account"
        for who in (one.subject, other)
    ]


def patients_of(tables: Tables, rings: Iterable[Ring]) -> Table:
    """For whom the members of rings book: account_id, patient_id."""
    accounts = sorted({m.id for ring in rings for m in ring.members if m.kind == "account"})
    named = ibis.memtable(pa.table({"account_id": pa.array(accounts, pa.string())}))
    events = tables.events.filter(
        tables.events.patient_id.notnull() & tables.events.kind.isin(("booked", "patient_bound"))
    )
    return events.semi_join(named, "account_id").select("account_id", "patient_id").distinct()


def with_patients(rings: Iterable[Ring], counted: pa.Table) -> tuple[Ring, ...]:
    """The same rings, with the patients for whom their members book."""
    of: dict[str, set[str]] = defaultdict(set)
    for row in counted.to_pylist():
        of[row["account_id"]].add(row["patient_id"])
    return tuple(
        replace(ring, patients=tuple(sorted({p for m in ring.members for p in of.get(m.id, ())}))) for ring in rings
    )


def belongs(rings: Iterable[Ring]) -> dict[Subject, str]:
    """The ring of each member, of each patient of theirs and of each purse that is not a hub, by id."""
    found: dict[Subject, str] = {}
    for ring in sorted(rings, key=lambda one: one.id):
        purses = {one.edge.value for one in ring.edges if one.edge.kind == "payer"}
        own = [
            *ring.members,
            *(Subject(kind="patient", id=one) for one in ring.patients),
            *(Subject(kind="payer", id=one) for one in sorted(purses)),
        ]
        found |= {one: ring.id for one in own if one not in found}
    return found


def _components(count: int, rows: np.ndarray, columns: np.ndarray) -> list[int]:
    """For each of so many, the label of those it hangs together with."""
    joined = sparse.csr_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(count, count))
    _, labels = csgraph.connected_components(joined, directed=False)
    return [int(label) for label in labels]


def _merged(one: Edge, other: Edge) -> Edge:
    return replace(
        one,
        n=one.n + other.n,
        first_at_us=min(one.first_at_us, other.first_at_us),
        last_at_us=max(one.last_at_us, other.last_at_us),
        event_ids=tuple(sorted({*one.event_ids, *other.event_ids})),
    )


def _key(subject: Subject) -> tuple[str, str]:
    return subject.kind, subject.id


def _id_of(members: Sequence[Subject]) -> str:
    text = "\n".join(f"{m.kind} {m.id}" for m in members)
    return "ring-" + hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]
