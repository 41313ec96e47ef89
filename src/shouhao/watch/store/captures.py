"""Captures store: how far spools were worked off, what could not be understood, and the day's counts.

All of it is written in the transaction of what came of the captures, so that a crash counts nothing twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from shouhao.kernel.clock import day_of
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.watch.model import Source
from shouhao.watch.spool_format import Place
from shouhao.watch.spool_reader import Position
from shouhao.watch.store.capture_tables import not_understood, shadow, spool_positions, traffic

DEVICE_MOST = 64  #: characters of what a device calls itself
PLACE_MOST = 200
WHY_MOST = 300
TROUBLES_A_DAY = 2_000  #: more kinds of trouble than this are counted in one row: ids of rogue devices cost nothing
_REST = "others"
_GALLERY_KINDS = ("face_enrolled", "face_erased", "face_threshold_set", "face_pack_changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that a device sent and that was not understood; never what it sent."""

    device_id: str
    source: Source
    place: str  #: where in it
    why_zh: str
    why_en: str
    camera_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubleSeen:
    """A kind of trouble on one day, and how often."""

    day: str
    trouble: Trouble
    times: int
    first_at_us: int
    last_at_us: int


@dataclass(slots=True, kw_only=True)
class Counts:
    """Of one camera and day."""

    passages: int = 0
    shots: int = 0  #: with a face that could be compared
    faceless: int = 0
    repeated: int = 0
    late: int = 0


def positions(connection: Connection) -> dict[str, Position]:
    """How far each writer's spool was worked off."""
    rows = connection.execute(select(spool_positions))
    return {
        row.writer: Position(
            done=Place(row.done_segment, row.done_offset), kept=Place(row.kept_segment, row.kept_offset)
        )
        for row in rows
    }


def gallery_changed(connection: Connection, *, after_seq: int) -> tuple[bool, int]:
    """Whether the event log tells of a change of the galleries of faces after this row, and its last row.

    Rows are numbered before they are committed, so that one may come to be seen after a later one: who follows looks
    at all of it now and then.
    """
    log = event_log.events
    last = connection.scalar(select(func.max(log.c.seq))) or 0
    if after_seq == 0:
        return True, last  # all of the log would be looked through
    told = select(log.c.seq).where(log.c.seq > after_seq, log.c.seq <= last, log.c.kind.in_(_GALLERY_KINDS)).limit(1)
    return connection.scalar(told) is not None, last


def swept_to_us(connection: Connection) -> int:
    """Up to when passages were closed."""
    return connection.scalar(select(func.max(spool_positions.c.swept_to_us))) or 0


def put_positions(connection: Connection, reached: Mapping[str, Position], *, swept_to_us: int) -> None:
    """Write down how far was read."""
    for writer, position in reached.items():
        values = {
            "done_segment": position.done.segment,
            "done_offset": position.done.offset,
            "kept_segment": position.kept.segment,
            "kept_offset": position.kept.offset,
            "swept_to_us": swept_to_us,
        }
        known = spool_positions.c.writer == writer
        if not connection.execute(update(spool_positions).where(known).values(**values)).rowcount:
            connection.execute(insert(spool_positions).values(writer=writer, **values))


def count_traffic(connection: Connection, counted: Mapping[tuple[str, str], Counts]) -> None:
    """Add to the counts of cameras (id) and days."""
    names = tuple(Counts.__dataclass_fields__)
    added = ", ".join(f"{name} = watch_traffic.{name} + excluded.{name}" for name in names)
    statement = text(
        f"INSERT INTO watch_traffic (camera_id, day, {', '.join(names)}) "
        f"VALUES (:camera_id, :day, {', '.join(f':{name}' for name in names)}) "
        f"ON CONFLICT (camera_id, day) DO UPDATE SET {added}"
    )
    for (camera_id, day), counts in sorted(counted.items()):
        values = {name: getattr(counts, name) for name in names}
        connection.execute(statement, {"camera_id": camera_id, "day": day, **values})


def count_shadow(connection: Connection, counted: Mapping[tuple[str, str, str], int]) -> None:
    """Add to the counts of lists, cameras and days."""
    statement = text(
        "INSERT INTO watch_shadow (list_id, camera_id, day, passages) VALUES (:list_id, :camera_id, :day, :passages) "
        "ON CONFLICT (list_id, camera_id, day) DO UPDATE SET passages = watch_shadow.passages + excluded.passages"
    )
    for (list_id, camera_id, day), passages in sorted(counted.items()):
        values = {"list_id": list_id, "camera_id": camera_id, "day": day, "passages": passages}
        connection.execute(statement, values)


def note_troubles(connection: Connection, troubles: Sequence[Trouble], *, now_us: int) -> None:
    """List what was not understood: one row, and one event, for each kind of it on a day."""
    day = day_of(now_us).isoformat()
    for trouble, times in _together(troubles).items():
        key = _key(trouble, day)
        values = {"times": not_understood.c.times + times, "last_at_us": now_us}
        if connection.execute(_of_key(update(not_understood)).values(**values), _bound(key)).rowcount:
            continue
        full = select(func.count()).select_from(not_understood).where(not_understood.c.day == day)
        if (connection.scalar(full) or 0) >= TROUBLES_A_DAY:
            key = {"day": day, "device_id": _REST, "source": trouble.source, "place": "", "why_en": _REST}
            if connection.execute(_of_key(update(not_understood)).values(**values), _bound(key)).rowcount:
                continue
        row = {**key, "why_zh": trouble.why_zh[:WHY_MOST], "camera_id": trouble.camera_id}
        connection.execute(insert(not_understood).values(**row, times=times, first_at_us=now_us, last_at_us=now_us))
        detail = {name: key[name] for name in ("device_id", "source", "place")}
        told = Event(
            at_us=now_us,
            kind="capture_not_understood",
            detail={**detail, "camera_id": trouble.camera_id, "why": key["why_en"]},
        )
        event_log.append(connection, [told])


def list_troubles(connection: Connection, *, day: str, most: int = 200) -> list[TroubleSeen]:
    """What was not understood on a day, the most frequent first."""
    query = select(not_understood).where(not_understood.c.day == day)
    rows = connection.execute(query.order_by(not_understood.c.times.desc(), *not_understood.primary_key).limit(most))
    return [
        TroubleSeen(
            day=row.day,
            trouble=Trouble(
                device_id=row.device_id,
                source=row.source,
                place=row.place,
                why_zh=row.why_zh,
                why_en=row.why_en,
                camera_id=row.camera_id,
            ),
            times=row.times,
            first_at_us=row.first_at_us,
            last_at_us=row.last_at_us,
        )
        for row in rows
    ]


def traffic_between(connection: Connection, *, from_day: str, to_day: str) -> dict[tuple[str, str], Counts]:
    """Counts by camera and day, both days included: what thresholds are derived from."""
    rows = connection.execute(select(traffic).where(traffic.c.day >= from_day, traffic.c.day <= to_day))
    return {
        (row.camera_id, row.day): Counts(**{name: getattr(row, name) for name in Counts.__dataclass_fields__})
        for row in rows
    }


def shadow_between(connection: Connection, *, from_day: str, to_day: str) -> dict[tuple[str, str, str], int]:
    """Passages in the shadow band by list, camera and day, both days included."""
    rows = connection.execute(select(shadow).where(shadow.c.day >= from_day, shadow.c.day <= to_day))
    return {(row.list_id, row.camera_id, row.day): row.passages for row in rows}


def _together(troubles: Sequence[Trouble]) -> dict[Trouble, int]:
    counted: dict[Trouble, int] = {}
    for trouble in troubles:
        counted[trouble] = counted.get(trouble, 0) + 1
    return counted


def _key(trouble: Trouble, day: str) -> dict[str, str]:
    return {
        "day": day,
        "device_id": _plain(trouble.device_id, DEVICE_MOST),
        "source": trouble.source,
        "place": _plain(trouble.place, PLACE_MOST),
        "why_en": trouble.why_en[:WHY_MOST],
    }


def _plain(said: str, most: int) -> str:
    """What a device said of itself, without what databases and terminals stumble over."""
    return "".join(character if character.isprintable() else "?" for character in said[:most])


def _of_key(statement: Any) -> Any:
    for column in not_understood.primary_key:
        statement = statement.where(column == bindparam(f"key_{column.name}"))
    return statement


def _bound(key: Mapping[str, str]) -> dict[str, str]:
    return {f"key_{name}": value for name, value in key.items()}
