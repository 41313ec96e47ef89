"""Data: what the plots need, counted where the rows lie; only small results leave the tables.

Bins are whole numbers of microseconds, so that every engine puts a row into the same one. Others of a kind are drawn by
a hash of their ids: the same ones whatever the order of the rows, and on every machine.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr.types import IntegerValue, Table

from shouhao.detect.identifiers import prefix_of
from shouhao.detect.model import Subject, SubjectKind, Tables
from shouhao.detect.report.model import (
    Activity,
    Compared,
    HotSession,
    LookedAt,
    Rhythm,
    Ring,
    RingEdge,
    RingNode,
    SellOutCurve,
)
from shouhao.detect.rings import joining as rings
from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US, from_us

OTHERS = 5_000  #: of a kind, at most, that a subject is compared with
MOST_SESSIONS = 12
_OTHERS_ROWS = 500_000  # of these others together
_ONE_OTHERS_ROWS = 25_000  # of one of them: an address of a million hits would leave no room for anybody else
_LEAST_SLOTS = 5  # with fewer, one family empties a session
_MOST_SLOTS = 500  # drawn of one session
_LEAST_ACTS, _LEAST_TRIES, _LEAST_OTHERS = 20, 5, 20  # below, a histogram is chance
_HOURS = 24
_DECADE = (100, 158, 251, 398, 631)  # a fifth of a power of ten each

#: From a millisecond to twelve days, and one bin on either side.
GAP_EDGES_US = (0, *(step * 10**power for power in range(1, 10) for step in _DECADE), 10**12)
#: From ten milliseconds to seventeen minutes.
REACTION_EDGES_US = (0, *(step * 10**power for power in range(2, 7) for step in _DECADE), 10**9)

_COLUMNS: Mapping[str, str] = {
    "account": "account_id",
    "device": "device_id",
    "ip": "ip",
    "prefix": "ip",
    "patient": "patient_id",
    "payer": "payer_id",
    "staff": "staff_id",
}
_RINGS_MEMBERS: tuple[SubjectKind, ...] = ("account", "device", "ip")
_TRIES = ("booked", "refused", "waitlisted")
# The zone has had no summer time since 1991, so its distance from UTC is a constant.
_ZONE_US = int((from_us(0).utcoffset() or from_us(0) - from_us(0)).total_seconds()) * SECOND_US


def hot_sessions(tables: Tables, *, most: int = MOST_SESSIONS) -> tuple[HotSession, ...]:
    """The sessions whose slots went fastest, the fastest first; without forecasts."""
    if not _knows_releases(tables):
        return ()
    slots = _first_taken(tables)
    n = ibis.row_number().over(ibis.window(group_by=slots.session_id, order_by=[slots.taken_us, slots.slot]))
    of = slots.count().over(ibis.window(group_by=slots.session_id))
    placed = slots.mutate(place=n + 1, of=of)
    sessions = placed.group_by("session_id").agg(
        slots=placed.count(),
        released_at_us=placed.released_at_us.min(),
        doctor_id=placed.doctor_id.min(),
        department_id=placed.department_id.min(),
        half_us=placed.taken_us.min(where=2 * placed.place >= placed.of),
        most_us=placed.taken_us.min(where=10 * placed.place >= 9 * placed.of),
        last_us=placed.taken_us.max(),
    )
    hottest = sessions.filter(sessions.slots >= _LEAST_SLOTS).order_by("most_us", "half_us", "session_id").limit(most)
    return tuple(
        HotSession(
            session_id=row["session_id"],
            doctor_id=row["doctor_id"],
            department_id=row["department_id"],
            released_at_us=row["released_at_us"],
            slots=row["slots"],
            half_s=row["half_us"] / SECOND_US,
            most_s=row["most_us"] / SECOND_US,
            last_s=row["last_us"] / SECOND_US,
        )
        for row in _rows(hottest)
    )


def sell_out_curves(tables: Tables, session_ids: Sequence[str]) -> tuple[SellOutCurve, ...]:
    """When each slot of these sessions was first taken, in the order of the ids given."""
    if not session_ids or not _knows_releases(tables):
        return ()
    slots = _first_taken(tables)
    chosen = slots.filter(slots.session_id.isin(sorted(set(session_ids)))).order_by("session_id", "taken_us", "slot")
    taken: dict[str, list[float]] = defaultdict(list)
    for row in _rows(chosen.select("session_id", "taken_us")):
        taken[row["session_id"]].append(row["taken_us"] / SECOND_US)
    return tuple(
        SellOutCurve(session_id=session_id, taken_s=tuple(_thinned(taken[session_id])))
        for session_id in session_ids
        if taken[session_id]
    )


def activity(tables: Tables) -> Activity | None:
    """Requests by minute of the day: log lines where there are any, else events."""
    for name, table in (("hits", tables.hits), ("events", tables.events)):
        if f"{name}.at_us" not in tables.has:
            continue
        minutes = table.filter(table.at_us.notnull()).select(minute=_of_day(table.at_us) // MINUTE_US)
        by_minute = [0] * (DAY_US // MINUTE_US)
        for row in _rows(minutes.group_by("minute").agg(n=minutes.count()).order_by("minute")):
            by_minute[row["minute"]] = row["n"]
        return Activity(of="hits" if name == "hits" else "events", by_minute=tuple(by_minute))
    return None


def looked_at(tables: Tables) -> tuple[LookedAt, ...]:
    """How many of each kind stand in the tables."""
    found = []
    for kind in ("account", "device", "ip", "patient", "payer", "staff"):
        known = [one for table in _tables_of(tables, kind) if (one := _subjects(table, kind)) is not None]
        if known:
            each = ibis.union(*known, distinct=True) if len(known) > 1 else known[0].distinct()
            found.append(LookedAt(kind=kind, count=int(_rows(each.agg(n=each.count()))[0]["n"])))
    return tuple(found)


def subjects_of(finding: Mapping[str, Any]) -> tuple[Subject, ...]:
    """Whose rhythm a finding's plot shows: the subject's, or the members' of a ring."""
    subject = finding["subject"]
    if subject["kind"] != "ring":
        return (Subject(kind=subject["kind"], id=subject["id"]),)
    members = finding.get("members", ())
    for kind in _RINGS_MEMBERS:
        of_kind = sorted({member["id"] for member in members if member["kind"] == kind})
        if of_kind:
            return tuple(Subject(kind=kind, id=each) for each in of_kind)
    return ()


def rhythms(tables: Tables, suspects: Mapping[str, Sequence[Subject]]) -> dict[str, Rhythm]:
    """The rhythm of suspects against the others of their kind, by the key given (the finding_id).

    Args:
        suspects: subjects of one kind under each key, as `subjects_of` gives them.
    """
    by_kind: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for key in sorted(suspects):
        for subject in suspects[key]:
            by_kind[subject.kind].append((key, subject.id))
    found: dict[str, dict[str, Compared]] = defaultdict(dict)
    for kind, asked in sorted(by_kind.items()):
        acts, tries = _acts(tables, kind), _tries(tables, kind)
        if acts is not None:
            group = _Group(acts, asked)
            hours = group.rows.select("subject", bin=_of_day(group.rows.at_us) // HOUR_US)
            for key, compared in group.compared(_binned(_gaps(group.rows), GAP_EDGES_US), GAP_EDGES_US):
                found[key]["gaps"] = compared
            for key, compared in group.compared(hours, range(_HOURS + 1)):
                found[key]["hours"] = compared
        if tries is not None:
            group = _Group(tries, asked, least=_LEAST_TRIES)
            first = _binned(_reactions(group.rows), REACTION_EDGES_US)
            for key, compared in group.compared(first, REACTION_EDGES_US):
                found[key]["reactions"] = compared
    return {key: Rhythm(**found[key]) for key in sorted(found)}


def ring_nodes(ring: rings.Ring, *, finding_id: str) -> Ring:
    """A ring as it is drawn: members on one side, what they share on the other."""
    members = [RingNode(kind=member.kind, id=member.id) for member in ring.members]
    shared_by = {(one.edge.kind, one.edge.value): one.shared_by for one in ring.edges}
    shared = sorted(shared_by)
    place = {(node.kind, node.id): n for n, node in enumerate(members)}
    place |= {(f"shared {kind}", value): len(members) + n for n, (kind, value) in enumerate(shared)}
    edges = [
        RingEdge(
            a=place[(one.edge.member.kind, one.edge.member.id)],
            b=place[(f"shared {one.edge.kind}", one.edge.value)],
            weight=one.weight,
            bridge=one.bridge,
            n=one.edge.n,
            first_at_us=one.edge.first_at_us,
            last_at_us=one.edge.last_at_us,
        )
        for one in ring.edges
        if (one.edge.member.kind, one.edge.member.id) in place
    ]
    things = (RingNode(kind=kind, id=value, shared_by=shared_by[(kind, value)]) for kind, value in shared)
    nodes = (*members, *things)
    return Ring(finding_id=finding_id, nodes=nodes, edges=tuple(edges))


def _knows_releases(tables: Tables) -> bool:
    return {"events.session_id", "events.released_at_us", "events.kind"} <= tables.has


def _first_taken(tables: Tables) -> Table:
    """Slots with the moment each was first booked after its release: session_id, slot, taken_us and what is known."""
    events = tables.events
    booked = events.filter(
        (events.kind == "booked") & events.session_id.notnull() & (events.at_us >= events.released_at_us)
    )
    slots = booked.select(
        "session_id",
        "released_at_us",
        "doctor_id",
        "department_id",
        slot=ibis.coalesce(booked.slot_id, booked.event_id),
        taken_us=booked.at_us - booked.released_at_us,
    )
    return slots.group_by("session_id", "slot").agg(
        taken_us=slots.taken_us.min(),
        released_at_us=slots.released_at_us.min(),
        doctor_id=slots.doctor_id.min(),
        department_id=slots.department_id.min(),
    )


def _thinned(taken_s: Sequence[float]) -> Sequence[float]:
    """At most so many that a page can hold, the last among them."""
    step = -(-len(taken_s) // _MOST_SLOTS)
    return [taken_s[n] for n in range(len(taken_s) - 1, -1, -step)][::-1]


def _of_day(at_us: IntegerValue) -> IntegerValue:
    return (at_us + _ZONE_US) % DAY_US


def _tables_of(tables: Tables, kind: str) -> list[Table]:
    column = _COLUMNS.get(kind)
    named = (("hits", tables.hits), ("events", tables.events))
    return [table for name, table in named if f"{name}.{column}" in tables.has]


def _subjects(table: Table, kind: str) -> Table | None:
    column = table[_COLUMNS[kind]]
    return table.filter(column.notnull()).select(subject=column)


def _acts(tables: Tables, kind: str) -> Table | None:
    """Who acted when: the requests of the logs where they name the kind, else the events."""
    known = _tables_of(tables, kind)
    if not known:
        return None
    named = known[0]
    column = prefix_of(named.ip) if kind == "prefix" else named[_COLUMNS[kind]]
    acts = named.select(subject=column, at_us=named.at_us)
    return acts.filter(acts.subject.notnull() & acts.at_us.notnull())


def _gaps(acts: Table) -> Table:
    in_turn = ibis.window(group_by=acts.subject, order_by=acts.at_us)
    gaps = acts.select("subject", value=acts.at_us - acts.at_us.lag().over(in_turn))
    return gaps.filter(gaps.value.notnull())


def _tries(tables: Tables, kind: str) -> Table | None:
    """Who tried at which session how long after its release."""
    if kind == "prefix" or kind not in _COLUMNS or not _knows_releases(tables):
        return None
    if f"events.{_COLUMNS[kind]}" not in tables.has:
        return None
    events = tables.events
    tries = events.filter(events.kind.isin(_TRIES)).select(
        "session_id", subject=events[_COLUMNS[kind]], value=events.at_us - events.released_at_us
    )
    return tries.filter(tries.subject.notnull() & tries.session_id.notnull() & (tries.value >= 0))


def _reactions(tries: Table) -> Table:
    """The first try of each at each session."""
    return tries.group_by("subject", "session_id").agg(value=tries.value.min()).select("subject", "value")


class _Group:
    """Rows of those asked about and of others drawn: it is their rows that get sorted, and not everybody's."""

    def __init__(self, rows: Table, asked: Sequence[tuple[str, str]], *, least: int = _LEAST_ACTS) -> None:
        self._least = least
        self._wanted = ibis.memtable(pa.table({"key": [key for key, _ in asked], "asked": [who for _, who in asked]}))
        each = (
            rows.group_by("subject").agg(n=rows.count()).anti_join(self._wanted, ibis._.subject == self._wanted.asked)
        )
        lots = each.filter(each.n <= _ONE_OTHERS_ROWS).mutate(lot=each.subject.hexdigest("md5"))
        in_turn = lots.mutate(
            upto=lots.n.sum().over(ibis.window(order_by=[lots.lot, lots.subject], preceding=(None, 0)))
        )
        drawn = in_turn.filter(in_turn.upto <= _OTHERS_ROWS).order_by("lot", "subject").limit(OTHERS).select("subject")
        others = [row["subject"] for row in _rows(drawn)]
        self._people = len(others)
        kept = pa.table({"subject": pa.array(sorted({*others, *(who for _, who in asked)}), pa.string())})
        self.rows = rows.semi_join(ibis.memtable(kept), "subject")

    def compared(self, binned: Table, edges: Sequence[int]) -> Iterator[tuple[str, Compared]]:
        """Histograms of those asked about, each against the one of the others, where both have enough to show."""
        if self._people < _LEAST_OTHERS:
            return
        each = binned.group_by("subject", "bin").agg(n=binned.count())
        told = each.left_join(self._wanted, each.subject == self._wanted.asked)
        by_key: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
        for row in _rows(told.group_by("key", "bin").agg(n=told.n.sum()).order_by("key", "bin")):
            by_key[row["key"]].append(row)
        others = _histogram(by_key.pop(None, ()), len(edges) - 1)
        for key in sorted(key for key in by_key if key is not None):
            subject = _histogram(by_key[key], len(edges) - 1)
            if sum(subject) >= self._least:
                yield key, Compared(edges=tuple(edges), subject=subject, others=others, people=self._people)


def _binned(values: Table, edges: Sequence[int]) -> Table:
    """Each value's bin; a value outside of all bins is left out."""
    return values.mutate(bin=values.value.bucket([*edges], include_over=False)).filter(ibis._.bin.notnull())


def _histogram(rows: Iterable[Mapping[str, Any]], bins: int) -> tuple[int, ...]:
    counts = [0] * bins
    for row in rows:
        counts[int(row["bin"])] += row["n"]
    return tuple(counts)


def _rows(table: Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows
