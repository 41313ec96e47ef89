"""Frequent visitors' store: sealed rows that live as long as the key of their day, and not a moment longer."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, update

from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.store import event_log
from shouhao.store.invariants import Invariant
from shouhao.store.sealed_keys import erase_key, find_key, make_key
from shouhao.store.vault import Sealer
from shouhao.watch.frequent import Vector, Visit
from shouhao.watch.store.frequent_tables import days, leads, salts, stills, visits

LeadState = Literal["checking", "waiting", "opened", "dismissed"]
_PAGE = 1_000

INVARIANTS = (
    Invariant(
        code="watch.frequent_visit_beyond_window",
        zh="每条不识别身份的到访都属于仍保留的日期与本期的秘密",
        en="every nameless visit is of a day that is kept and turned by the window's secret",
        sql="""
            SELECT v.id FROM frequent_visits v
            WHERE NOT EXISTS (SELECT 1 FROM frequent_days d WHERE d.day = v.day)
               OR NOT EXISTS (SELECT 1 FROM frequent_salts s WHERE s.id = v.salt_id)
            """,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowKeys:
    """The keys of days and salts: one file each, sealed by the hospital's."""

    folder: Path
    sealer: Sealer

    def make(self, what: str) -> Sealer:
        """The sealer of a day or a salt, made now if there is none."""
        found = self.find(what)
        if found is not None:
            return found
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return make_key(self._path(what), self.sealer, context=what.encode())

    def find(self, what: str) -> Sealer | None:
        """The sealer, if its key was not erased."""
        return find_key(self._path(what), self.sealer, context=what.encode())

    def erase(self, what: str) -> None:
        """Erase a key: what it sealed opens nowhere any more."""
        if self.folder.is_dir():
            erase_key(self._path(what))

    def names(self) -> list[str]:
        """Every key that is there."""
        return sorted(path.stem for path in self.folder.glob("*.key"))

    def _path(self, what: str) -> Path:
        return self.folder / f"{what}.key"


class Seen(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is sealed of a visit."""

    at_us: int
    camera_id: str
    near: tuple[str, ...]
    vector: bytes  #: float32, little-endian, turned


@dataclass(frozen=True, slots=True, kw_only=True)
class Salt:
    """What faces of the window are turned by."""

    id: str
    pack: str
    dims: int
    secret: bytes
    made_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Somebody without a name who was there on many days."""

    id: str
    day: int
    state: LeadState
    days: int
    approval_id: str | None
    raised_at_us: int


def day_key(day: int) -> str:
    """The name of a day's key."""
    return f"day-{day}"


def salt_key(salt_id: str) -> str:
    """The name of a salt's key."""
    return f"salt-{salt_id}"


def find_salt(connection: Connection, keys: WindowKeys, *, lock: bool = False) -> Salt | None:
    """The salt of the window; None where there is none, or its key was erased.

    Args:
        lock: hold it, so that nobody turns or forgets the window until the unit of work ends.
    """
    query = select(salts).order_by(salts.c.made_at_us.desc(), salts.c.id.desc())
    row = connection.execute(query.with_for_update() if lock else query).first()
    sealer = None if row is None else keys.find(salt_key(row.id))
    if row is None or sealer is None:
        return None
    secret = sealer.open(row.sealed, context=row.id.encode())
    return Salt(id=row.id, pack=row.pack, dims=row.dims, secret=secret, made_at_us=row.made_at_us)


def put_salt(connection: Connection, keys: WindowKeys, salt: Salt) -> None:
    """Keep a salt in place of all that are there; whoever did so erases their keys afterwards (`erase_salts`)."""
    sealed = keys.make(salt_key(salt.id)).seal(salt.secret, context=salt.id.encode())
    connection.execute(delete(salts))
    connection.execute(
        insert(salts).values(id=salt.id, pack=salt.pack, dims=salt.dims, sealed=sealed, made_at_us=salt.made_at_us)
    )


def erase_salts(connection: Connection, keys: WindowKeys) -> None:
    """Erase the keys of salts that no row has."""
    known = {salt_key(salt_id) for salt_id in connection.scalars(select(salts.c.id))}
    for name in keys.names():
        if name.startswith("salt-") and name not in known:
            keys.erase(name)


def open_day(connection: Connection, keys: WindowKeys, day: int, *, now_us: int) -> Sealer:
    """The sealer of a day, made with its row when it begins."""
    if connection.scalar(select(days.c.day).where(days.c.day == day)) is None:
        connection.execute(insert(days).values(day=day, made_at_us=now_us))
    return keys.make(day_key(day))


def live_days(connection: Connection) -> list[int]:
    """The days of which something is kept."""
    return list(connection.scalars(select(days.c.day).order_by(days.c.day)))


def add_visit(connection: Connection, sealer: Sealer, visit: Visit, *, seen: Seen, salt_id: str) -> None:
    """Keep a visit."""
    sealed = sealer.seal(msgspec.msgpack.encode(seen), context=visit.id.encode())
    connection.execute(insert(visits).values(id=visit.id, day=visit.day, salt_id=salt_id, sealed=sealed))


def read_visits(connection: Connection, keys: WindowKeys, *, salt_id: str) -> Iterator[tuple[Visit, Seen]]:
    """Every visit that opens, page by page in the order in which they were kept."""
    sealers: dict[int, Sealer | None] = {}
    after = ""
    while True:
        query = select(visits).where(visits.c.id > after, visits.c.salt_id == salt_id).order_by(visits.c.id)
        page = connection.execute(query.limit(_PAGE)).all()
        for row in page:
            if row.day not in sealers:
                sealers[row.day] = keys.find(day_key(row.day))
            sealer = sealers[row.day]
            if sealer is not None:
                seen = _seen(sealer, row.id, row.sealed)
                yield Visit(id=row.id, day=row.day, at_us=seen.at_us), seen
        if len(page) < _PAGE:
            return
        after = page[-1].id


def find_visits(connection: Connection, keys: WindowKeys, visit_ids: Sequence[str]) -> list[tuple[Visit, Seen]]:
    """Those of these visits that open, the oldest first."""
    found = []
    for row in connection.execute(select(visits).where(visits.c.id.in_(visit_ids))):
        sealer = keys.find(day_key(row.day))
        if sealer is not None:
            seen = _seen(sealer, row.id, row.sealed)
            found.append((Visit(id=row.id, day=row.day, at_us=seen.at_us), seen))
    return sorted(found, key=lambda one: one[0].at_us)


def reseal_visits(
    connection: Connection, keys: WindowKeys, turned: Sequence[tuple[Visit, Seen]], *, salt_id: str
) -> None:
    """Keep visits as another salt has them."""
    rows = []
    sealers: dict[int, Sealer] = {}
    for visit, seen in turned:
        sealer = sealers.setdefault(visit.day, keys.make(day_key(visit.day)))
        sealed = sealer.seal(msgspec.msgpack.encode(seen), context=visit.id.encode())
        rows.append({"id": visit.id, "day": visit.day, "salt_id": salt_id, "sealed": sealed})
    connection.execute(delete(visits))
    if rows:
        connection.execute(insert(visits), rows)


def raise_lead(
    connection: Connection, sealer: Sealer, *, day: int, visit_ids: Sequence[str], days_seen: int, now_us: int
) -> str:
    """Keep that somebody was there on many days; nobody may look before it was checked."""
    lead_id = new_id("fl")
    sealed = sealer.seal(msgspec.msgpack.encode(list(visit_ids)), context=lead_id.encode())
    values = {"state": "checking", "days": days_seen, "sealed": sealed, "raised_at_us": now_us}
    connection.execute(insert(leads).values(id=lead_id, day=day, changed_at_us=now_us, **values))
    _tell(connection, lead_id, "checking", days_seen=days_seen, now_us=now_us)
    return lead_id


def extend_lead(
    connection: Connection, sealer: Sealer, lead_id: str, *, visit_ids: Sequence[str], days_seen: int, now_us: int
) -> None:
    """Keep more visits of a lead that is there, under the key of the day on which it was raised."""
    sealed = sealer.seal(msgspec.msgpack.encode(list(visit_ids)), context=lead_id.encode())
    values = {"days": days_seen, "sealed": sealed, "changed_at_us": now_us}
    connection.execute(update(leads).where(leads.c.id == lead_id).values(**values))


def set_lead(
    connection: Connection,
    lead_id: str,
    state: LeadState,
    *,
    after: Collection[LeadState],
    now_us: int,
    staff_id: str | None = None,
    approval_id: str | None = None,
) -> bool:
    """Move a lead on; False where it is in none of the states that this may come after.

    Raises:
        NotFound: there is none, or its day is over.
    """
    values: dict[str, str | int] = {"state": state, "changed_at_us": now_us}
    if approval_id is not None:
        values["approval_id"] = approval_id
    lead = find_lead(connection, lead_id)
    moved = update(leads).where(leads.c.id == lead_id, leads.c.state.in_(sorted(after))).values(**values)
    if not connection.execute(moved).rowcount:
        return False
    if state == "dismissed":
        connection.execute(delete(stills).where(stills.c.lead_id == lead_id))
    _tell(connection, lead_id, state, days_seen=lead.days, now_us=now_us, staff_id=staff_id)
    return True


def find_lead(connection: Connection, lead_id: str) -> Lead:
    """One lead.

    Raises:
        NotFound: there is none, or its day is over.
    """
    row = connection.execute(select(*_LEAD).where(leads.c.id == lead_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("lead", "lead_id")
    return Lead(**row)


def find_leads(connection: Connection, lead_ids: Collection[str]) -> list[Lead]:
    """Those of these leads that are there, the oldest first."""
    query = select(*_LEAD).where(leads.c.id.in_(sorted(lead_ids))).order_by(leads.c.id)
    return [Lead(**row) for row in connection.execute(query).mappings()]


def list_leads(connection: Connection, *states: LeadState) -> list[Lead]:
    """Leads in these states, the oldest first."""
    rows = connection.execute(select(*_LEAD).where(leads.c.state.in_(states)).order_by(leads.c.id)).mappings()
    return [Lead(**row) for row in rows]


def visits_of_lead(connection: Connection, keys: WindowKeys, lead_id: str) -> list[str]:
    """The ids of a lead's visits; none when the key of its day is gone."""
    row = connection.execute(select(leads.c.day, leads.c.sealed).where(leads.c.id == lead_id)).one_or_none()
    sealer = None if row is None else keys.find(day_key(row.day))
    if row is None or sealer is None:
        return []
    return msgspec.msgpack.decode(sealer.open(row.sealed, context=lead_id.encode()), type=list[str])


def add_still(connection: Connection, sealer: Sealer, lead_id: str, *, day: int, picture: bytes) -> bool:
    """Keep one picture of a lead for a day; a second one of that day is not kept. Whether it was."""
    this = (stills.c.lead_id == lead_id, stills.c.day == day)
    if connection.scalar(select(func.count()).select_from(stills).where(*this)):
        return False
    sealed = sealer.seal(picture, context=f"{lead_id}:{day}".encode())
    connection.execute(insert(stills).values(lead_id=lead_id, day=day, sealed=sealed))
    return True


def stills_of_lead(connection: Connection, keys: WindowKeys, lead_id: str) -> dict[int, bytes]:
    """The pictures of a lead, by day."""
    found = {}
    for row in connection.execute(select(stills).where(stills.c.lead_id == lead_id).order_by(stills.c.day)):
        sealer = keys.find(day_key(row.day))
        if sealer is not None:
            found[row.day] = sealer.open(row.sealed, context=f"{lead_id}:{row.day}".encode())
    return found


def purge(connection: Connection, keys: WindowKeys, *, before_day: int, now_us: int) -> list[int]:
    """Forget the days before this one: their keys first, then their rows; which days those were."""
    connection.execute(select(salts.c.id).with_for_update()).all()  # whoever keeps a visit just now does so before
    over = [day for day in live_days(connection) if day < before_day]
    known = {int(name.removeprefix("day-")) for name in keys.names() if name.startswith("day-")}
    for day in {*over, *(day for day in known if day < before_day)}:
        keys.erase(day_key(day))
    if not over:
        return []
    counted = connection.scalar(select(func.count()).select_from(visits).where(visits.c.day.in_(over))) or 0
    old_leads = select(leads.c.id).where(leads.c.day.in_(over))
    connection.execute(delete(stills).where(stills.c.day.in_(over) | stills.c.lead_id.in_(old_leads)))
    for table in (leads, visits, days):
        connection.execute(delete(table).where(table.c.day.in_(over)))
    detail = {"days": len(over), "visits": counted}
    event_log.append(connection, [Event(at_us=now_us, kind="frequent_purged", detail=detail)])
    return over


def purge_all(connection: Connection, keys: WindowKeys, *, now_us: int) -> list[int]:
    """Forget everything, the salt included."""
    over = purge(connection, keys, before_day=2**31 - 1, now_us=now_us)
    connection.execute(delete(salts))
    for name in keys.names():
        keys.erase(name)
    return over


def count_visits(connection: Connection) -> int:
    """How many visits are kept; each is counted as a stored face of its own, which is the most that it can be."""
    return connection.scalar(select(func.count()).select_from(visits)) or 0


def vector_of(seen: Seen) -> Vector:
    """The turned face of a visit."""
    return np.frombuffer(seen.vector, "<f4").astype(np.float32)


def packed_vector(vector: Vector) -> bytes:
    """A turned face as it is sealed."""
    return np.ascontiguousarray(vector, "<f4").tobytes()


_LEAD = (leads.c.id, leads.c.day, leads.c.state, leads.c.days, leads.c.approval_id, leads.c.raised_at_us)


def _seen(sealer: Sealer, visit_id: str, sealed: bytes) -> Seen:
    return msgspec.msgpack.decode(sealer.open(sealed, context=visit_id.encode()), type=Seen)


def _tell(
    connection: Connection, lead_id: str, state: LeadState, *, days_seen: int, now_us: int, staff_id: str | None = None
) -> None:
    detail = {"lead_id": lead_id, "state": state, "days": days_seen}
    told = Event(at_us=now_us, kind="frequent_lead_changed", staff_id=staff_id, detail=detail)
    event_log.append(connection, [told])
