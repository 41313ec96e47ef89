"""Inventory in the database: departments, doctors, sessions and slots go in here.

Imports are set-based and idempotent: a second import of the same plan writes nothing. What a plan may change is
decided in `booking/changes.py`, what pages read is in `catalogue.py`, who holds a slot is left to the desk.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, select, text

from shouhao.booking.changes import Change, StoredSession, StoredSlot, decide
from shouhao.booking.schedule import Department, Doctor, Place, PlannedSession, PlannedSlot, broken_rules
from shouhao.booking.tables import sessions, slots
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.ids import new_ids
from shouhao.store import batch
from shouhao.store.engine import dialect_of
from shouhao.store.invariants import Invariant

_CHUNK_SESSIONS = 500
_CHUNK_SLOTS = 20_000
_SESSION_COLUMNS: dict[str, batch.SQLType] = {
    "id": "text",
    "department_id": "text",
    "doctor_id": "text",
    "day": "text",
    "half": "text",
    "kind": "text",
    "starts_at_us": "bigint",
    "ends_at_us": "bigint",
    "fee_cents": "bigint",
    "state": "text",
    "release_at_us": "bigint",
    "hot": "boolean",
    "source": "text",
}
_CHANGING = ("starts_at_us", "ends_at_us", "fee_cents", "release_at_us", "hot", "source")
_SLOT_COLUMNS = ("id", "session_id", "number", "starts_at_us", "ends_at_us", "state", "extra")
#: How many extra slots a day a newly imported doctor may add alone; staff change it afterwards, imports never do.
EXTRA_DAILY_CAP = 2

INVARIANTS = (
    Invariant(
        code="booking.slot_number_unique",
        zh="同一场次内号序不重复",
        en="Slot numbers do not repeat within a session",
        sql="SELECT session_id FROM slots GROUP BY session_id, number HAVING COUNT(*) > 1",
    ),
    Invariant(
        code="booking.slot_within_session",
        zh="号的时段在场次时间之内",
        en="A slot's segment lies within its session",
        sql="SELECT s.id FROM slots s JOIN sessions e ON e.id = s.session_id WHERE s.starts_at_us < e.starts_at_us"
        " OR s.ends_at_us > e.ends_at_us OR s.starts_at_us >= s.ends_at_us",
    ),
    Invariant(
        code="booking.taken_has_booking",
        zh="被占用的号有且只有它才有预约",
        en="A slot is taken exactly when it names a booking",
        sql="SELECT id FROM slots WHERE (state = 'taken') <> (booking_id IS NOT NULL)",
    ),
    Invariant(
        code="booking.planned_session_untouched",
        zh="未放号的场次除加号外没有开放或被占用的号",
        en="A session that is not released has no free or taken slot, extra slots apart",
        sql="SELECT s.id FROM slots s JOIN sessions e ON e.id = s.session_id"
        " WHERE e.state = 'planned' AND NOT s.extra AND s.state IN ('free', 'taken')",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRefused:
    """A session that was not stored or not changed, with the field and the rule."""

    session_id: str
    place: Place
    field: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCounts:
    """What an import of sessions did."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    grown: tuple[str, ...] = ()  #: released sessions that got more slots
    refused: tuple[SessionRefused, ...] = ()


def upsert_departments(connection: Connection, given: Sequence[Department]) -> int:
    """Store departments by id; a name the source does not know keeps the stored one. Returns how many changed."""
    rows = {d.id: {"id": d.id, "name_zh": d.name_zh, "name_en": d.name_en} for d in given}
    source = batch.records(dialect_of(connection), "rows", {"id": "text", "name_zh": "text", "name_en": "text"}, "r")
    return connection.execute(
        text(
            f"INSERT INTO departments (id, name_zh, name_en) SELECT id, name_zh, name_en FROM {source} WHERE true"
            " ON CONFLICT (id) DO UPDATE SET name_zh = excluded.name_zh,"
            " name_en = CASE excluded.name_en WHEN '' THEN departments.name_en ELSE excluded.name_en END"
            " WHERE departments.name_zh <> excluded.name_zh"
            " OR excluded.name_en NOT IN ('', departments.name_en)"
        ),
        {"rows": batch.encode([rows[key] for key in sorted(rows)])},
    ).rowcount


def upsert_doctors(connection: Connection, given: Sequence[Doctor]) -> int:
    """Store doctors by id; what the source does not know keeps the stored text. Returns how many changed.

    Their departments must be stored. The daily cap on extra slots is set for new doctors only.
    """
    names = ("id", "department_id", "name_zh", "name_en", "title_zh")
    rows = {d.id: {name: getattr(d, name) for name in names} for d in given}
    source = batch.records(dialect_of(connection), "rows", dict.fromkeys(names, "text"), "r")
    columns = ", ".join(names)
    return connection.execute(
        text(
            f"INSERT INTO doctors ({columns}, extra_daily_cap) SELECT {columns}, {EXTRA_DAILY_CAP} FROM {source}"
            " WHERE true ON CONFLICT (id) DO UPDATE SET"
            " department_id = excluded.department_id, name_zh = excluded.name_zh,"
            " name_en = CASE excluded.name_en WHEN '' THEN doctors.name_en ELSE excluded.name_en END,"
            " title_zh = CASE excluded.title_zh WHEN '' THEN doctors.title_zh ELSE excluded.title_zh END"
            " WHERE doctors.department_id <> excluded.department_id OR doctors.name_zh <> excluded.name_zh"
            " OR excluded.name_en NOT IN ('', doctors.name_en) OR excluded.title_zh NOT IN ('', doctors.title_zh)"
        ),
        {"rows": batch.encode([rows[key] for key in sorted(rows)])},
    ).rowcount


def import_sessions(connection: Connection, given: Sequence[PlannedSession], *, now_us: int) -> ImportCounts:
    """Bring the stored sessions to what is planned, each session whole or not at all.

    Two imports at once take turns at each session: rows are written and locked in the order of their ids.
    Refusals come in the order of `given`.
    """
    wanted: dict[str, PlannedSession] = {}
    refused: list[SessionRefused] = []
    for session in given:
        broken = broken_rules(session, now_us=now_us)
        if session.id in wanted:
            broken.append(InvalidInput("id", zh="场次重复", en="the session is given twice"))
        if not broken:
            wanted[session.id] = session
        refused.extend(_refused(session, rule) for rule in broken)
    added = updated = unchanged = 0
    grown: list[str] = []
    for chunk in _chunks([wanted[key] for key in sorted(wanted)]):
        known = _with_known_ids(connection, chunk, refused)
        fresh = _insert_new(connection, known)
        changes = _changes(connection, [session for session in known if session.id not in fresh], refused)
        _apply(connection, changes)
        added += len(fresh)
        updated += sum(1 for change in changes.values() if change)
        grown += [key for key, change in changes.items() if change.added and change.added_state == "free"]
        unchanged += sum(1 for change in changes.values() if not change)
    position = {session.id: index for index, session in enumerate(given)}
    refused.sort(key=lambda entry: position[entry.session_id])
    return ImportCounts(added=added, updated=updated, unchanged=unchanged, grown=tuple(grown), refused=tuple(refused))


def _refused(session: PlannedSession, rule: InvalidInput) -> SessionRefused:
    return SessionRefused(
        session_id=session.id,
        place=session.place,
        field=rule.field or "",
        zh=str(rule.data["rule_zh"]),
        en=str(rule.data["rule_en"]),
    )


def _chunks(ordered: Sequence[PlannedSession]) -> Iterator[list[PlannedSession]]:
    """Pieces that one statement carries well, counted in sessions and in slots."""
    chunk: list[PlannedSession] = []
    size = 0
    for session in ordered:
        if chunk and (len(chunk) == _CHUNK_SESSIONS or size + session.capacity > _CHUNK_SLOTS):
            yield chunk
            chunk, size = [], 0
        chunk.append(session)
        size += session.capacity
    if chunk:
        yield chunk


def _with_known_ids(
    connection: Connection, chunk: Sequence[PlannedSession], refused: list[SessionRefused]
) -> list[PlannedSession]:
    """The sessions whose department and doctor are stored; the others are added to the refused."""
    dialect = dialect_of(connection)
    known: dict[str, set[str]] = {}
    for table, name in (("departments", "department_id"), ("doctors", "doctor_id")):
        ids = sorted({value for session in chunk if (value := getattr(session, name)) is not None})
        found = connection.execute(
            text(f"SELECT id FROM {table} WHERE id IN " + batch.values(dialect, "ids")), {"ids": batch.encode(ids)}
        )
        known[name] = set(found.scalars())
    kept = []
    for session in chunk:
        missing = [
            InvalidInput(name, zh="没有这个编号", en="there is none with this id")
            for name, ids in known.items()
            if getattr(session, name) is not None and getattr(session, name) not in ids
        ]
        refused.extend(_refused(session, rule) for rule in missing)
        if not missing:
            kept.append(session)
    return kept


def _insert_new(connection: Connection, chunk: Sequence[PlannedSession]) -> set[str]:
    """Insert the sessions that are not stored, with their slots; the ids of those that were new."""
    columns = ", ".join(_SESSION_COLUMNS)
    source = batch.records(dialect_of(connection), "rows", _SESSION_COLUMNS, "r")
    inserted = connection.execute(
        text(
            f"INSERT INTO sessions ({columns}) SELECT {columns} FROM {source} WHERE true"
            " ON CONFLICT (id) DO NOTHING RETURNING id"
        ),
        {"rows": batch.encode([{**_session_row(session), "state": "planned"} for session in chunk])},
    )
    fresh = set(inserted.scalars())
    _insert_slots(connection, [(s.id, slot, "planned") for s in chunk if s.id in fresh for slot in s.slots])
    return fresh


def _session_row(session: PlannedSession) -> dict[str, Any]:
    row = {name: getattr(session, name) for name in _SESSION_COLUMNS if name not in {"state", "day"}}
    return {**row, "day": session.day.isoformat()}


def _insert_slots(connection: Connection, new: Sequence[tuple[str, PlannedSlot, str]]) -> None:
    rows = [
        {
            "id": slot_id,
            "session_id": session_id,
            "number": slot.number,
            "starts_at_us": slot.starts_at_us,
            "ends_at_us": slot.ends_at_us,
            "state": "withdrawn" if slot.withheld else state,
            "extra": False,
        }
        for slot_id, (session_id, slot, state) in zip(new_ids("sl", len(new)), new, strict=True)
    ]
    batch.insert(connection, slots, _SLOT_COLUMNS, rows)


def _changes(
    connection: Connection, chunk: Sequence[PlannedSession], refused: list[SessionRefused]
) -> dict[str, Change]:
    """What each stored session's plan changes; plans that may not be followed are added to the refused."""
    stored = _lock(connection, [session.id for session in chunk])
    changes: dict[str, Change] = {}
    for session in chunk:
        try:
            changes[session.id] = decide(session, stored[session.id])
        except InvalidInput as rule:
            refused.append(_refused(session, rule))
    return changes


def _lock(connection: Connection, ids: Sequence[str]) -> dict[str, StoredSession]:
    """The stored sessions with their slots; until the transaction ends nobody else changes these sessions."""
    if not ids:
        return {}
    wanted = {"ids": batch.encode(ids)}
    within = text("sessions.id IN " + batch.values(dialect_of(connection), "ids"))
    # SQLite has one writer at a time and no FOR UPDATE; SQLAlchemy leaves it out there.
    rows = connection.execute(select(sessions).where(within).order_by(sessions.c.id).with_for_update(), wanted).all()
    of_session: dict[str, list[StoredSlot]] = {row.id: [] for row in rows}
    for slot in connection.execute(
        select(slots)
        .where(text("slots.session_id IN " + batch.values(dialect_of(connection), "ids")))
        .order_by(slots.c.session_id, slots.c.number),
        wanted,
    ):
        of_session[slot.session_id].append(
            StoredSlot(
                id=slot.id,
                number=slot.number,
                starts_at_us=slot.starts_at_us,
                ends_at_us=slot.ends_at_us,
                state=slot.state,
                extra=slot.extra,
            )
        )
    return {row.id: _stored_session(row, of_session[row.id]) for row in rows}


def _stored_session(row: Any, held: Sequence[StoredSlot]) -> StoredSession:
    return StoredSession(
        id=row.id,
        department_id=row.department_id,
        doctor_id=row.doctor_id,
        day=date.fromisoformat(row.day),
        half=row.half,
        kind=row.kind,
        starts_at_us=row.starts_at_us,
        ends_at_us=row.ends_at_us,
        fee_cents=row.fee_cents,
        state=row.state,
        release_at_us=row.release_at_us,
        hot=row.hot,
        in_draw=row.draw_id is not None,
        slots=tuple(held),
    )


def _apply(connection: Connection, changes: Mapping[str, Change]) -> None:
    dialect = dialect_of(connection)
    rewritten = [_session_row(change.session) for change in changes.values() if change.session]
    if rewritten:
        columns = {name: _SESSION_COLUMNS[name] for name in ("id", *_CHANGING)}
        changed = ", ".join(f"{name} = r.{name}" for name in _CHANGING)
        connection.execute(
            text(
                f"UPDATE sessions SET {changed} FROM {batch.records(dialect, 'rows', columns, 'r')}"
                " WHERE sessions.id = r.id"
            ),
            {"rows": batch.encode(rewritten)},
        )
    moved = [
        {"id": slot.id, "starts_at_us": slot.starts_at_us, "ends_at_us": slot.ends_at_us, "state": slot.state}
        for change in changes.values()
        for slot in change.moved
    ]
    if moved:
        source = batch.records(
            dialect, "rows", {"id": "text", "starts_at_us": "bigint", "ends_at_us": "bigint", "state": "text"}, "r"
        )
        connection.execute(
            text(
                "UPDATE slots SET starts_at_us = r.starts_at_us, ends_at_us = r.ends_at_us, state = r.state"
                f" FROM {source} WHERE slots.id = r.id AND slots.booking_id IS NULL"
            ),
            {"rows": batch.encode(moved)},
        )
    removed = [slot.id for change in changes.values() for slot in change.removed]
    if removed:
        connection.execute(
            text("DELETE FROM slots WHERE booking_id IS NULL AND id IN " + batch.values(dialect, "ids")),
            {"ids": batch.encode(removed)},
        )
    _insert_slots(
        connection,
        [(key, slot, change.added_state) for key, change in changes.items() for slot in change.added],
    )
