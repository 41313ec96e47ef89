"""Sightings store: one row a passage, bettered by later frames of it, and where one listed person was seen.

Only captures that matched the list come here; nothing of any other face is known to this table.
"""

from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.watch.model import Sighting
from shouhao.watch.store.alarm_tables import alarm_labels, alarm_stills, alarms, sightings

_NAMES = tuple(f.name for f in fields(Sighting))
_SHOWN = tuple(sightings.c[name] for name in _NAMES)
MOST_OF_A_TRAIL = 500


def find_sighting(connection: Connection, passage_id: str, entry_id: str) -> tuple[Sighting, str] | None:
    """What is known of a listed person in a passage, and the alarm it belongs to."""
    found = select(*_SHOWN, sightings.c.alarm_id).where(_of(passage_id, entry_id))
    row = connection.execute(found).one_or_none()
    return None if row is None else (sighting_of(row), row.alarm_id)


def add_sighting(connection: Connection, sighting: Sighting, *, alarm_id: str) -> None:
    """The first of a passage, with its event."""
    connection.execute(insert(sightings).values(alarm_id=alarm_id, **_values(sighting)))
    _note_stills(connection, sighting, alarm_id)
    event_log.append(connection, [_sighted(sighting, alarm_id)])


def better_sighting(connection: Connection, sighting: Sighting, *, alarm_id: str) -> None:
    """More frames of a passage that is known: the newer match takes its place."""
    known = _of(sighting.passage_id, sighting.entry_id)
    connection.execute(update(sightings).where(known).values(**_values(sighting)))
    _note_stills(connection, sighting, alarm_id)


def of_alarm(connection: Connection, alarm_id: str) -> list[Sighting]:
    """The sightings of an alarm, in the order in which they were seen."""
    found = select(*_SHOWN).where(sightings.c.alarm_id == alarm_id)
    ordered = found.order_by(sightings.c.seen_at_us, sightings.c.passage_id)
    return [sighting_of(row) for row in connection.execute(ordered.limit(MOST_OF_A_TRAIL))]


def of_entry(connection: Connection, entry_id: str, *, from_us: int, until_us: int) -> list[Sighting]:
    """Where a listed person was seen in this time, the newest 500 at most, in the order in which they were seen."""
    found = select(*_SHOWN).where(sightings.c.entry_id == entry_id, sightings.c.seen_at_us.between(from_us, until_us))
    newest = found.order_by(sightings.c.seen_at_us.desc(), sightings.c.passage_id.desc()).limit(MOST_OF_A_TRAIL)
    return [sighting_of(row) for row in connection.execute(newest)][::-1]


def labels(
    connection: Connection, *, pack: str | None = None, list_id: str | None = None, most: int = 2000
) -> list[Any]:
    """Labelled pairs, the newest first: numbers alone, and whether it was one person."""
    query = select(alarm_labels).order_by(alarm_labels.c.at_us.desc(), alarm_labels.c.alarm_id).limit(most)
    if pack is not None:
        query = query.where(alarm_labels.c.pack == pack)
    if list_id is not None:
        query = query.where(alarm_labels.c.list_id == list_id)
    return list(connection.execute(query))


def stills_to_erase(connection: Connection, *, before_us: int, limit: int = 200) -> list[tuple[str, str]]:
    """Alarm and still, of alarms that were found before this to be about somebody else.

    A still that another alarm, which stands, was raised from is not among them.
    """
    wrong = or_(alarms.c.rejected_at_us <= before_us, _mistaken(before_us))
    others = alarms.alias("others")
    kept = alarm_stills.alias("kept")
    needed = (
        select(kept.c.still_id)
        .join(others, others.c.id == kept.c.alarm_id)
        .where(
            kept.c.still_id == alarm_stills.c.still_id,
            kept.c.alarm_id != alarm_stills.c.alarm_id,
            others.c.rejected_at_us.is_(None),
            or_(others.c.outcome.is_(None), others.c.outcome != "mistaken_identity"),
        )
    )
    query = (
        select(alarm_stills.c.alarm_id, alarm_stills.c.still_id)
        .join(alarms, alarms.c.id == alarm_stills.c.alarm_id)
        .where(alarm_stills.c.erased_at_us.is_(None), wrong, ~needed.exists())
    )
    return [(row.alarm_id, row.still_id) for row in connection.execute(query.limit(limit))]


def still_erased(connection: Connection, alarm_id: str, still_id: str, *, now_us: int) -> None:
    """The still of a wrong alarm is gone; its numbers stay."""
    this = and_(alarm_stills.c.alarm_id == alarm_id, alarm_stills.c.still_id == still_id)
    connection.execute(update(alarm_stills).where(this).values(erased_at_us=now_us))


def sighting_of(row: Any) -> Sighting:
    """The sighting that a row holds."""
    return Sighting(**{name: getattr(row, name) for name in _NAMES})


def _mistaken(before_us: int) -> ColumnElement[bool]:
    return and_(alarms.c.outcome == "mistaken_identity", alarms.c.outcome_at_us <= before_us)


def _note_stills(connection: Connection, sighting: Sighting, alarm_id: str) -> None:
    for still_id in (sighting.crop_id, sighting.scene_id):
        this = {"alarm_id": alarm_id, "still_id": still_id}
        if still_id is None or connection.execute(select(alarm_stills).filter_by(**this)).one_or_none() is not None:
            continue
        connection.execute(insert(alarm_stills).values(this))


def _of(passage_id: str, entry_id: str) -> ColumnElement[bool]:
    return and_(sightings.c.passage_id == passage_id, sightings.c.entry_id == entry_id)


def _values(sighting: Sighting) -> dict[str, Any]:
    return {name: getattr(sighting, name) for name in _NAMES}


def _sighted(sighting: Sighting, alarm_id: str) -> Event:
    detail = {
        "alarm_id": alarm_id,
        "passage_id": sighting.passage_id,
        "camera_id": sighting.camera_id,
        "place_id": sighting.place_id,
        "entry_id": sighting.entry_id,
        "list_id": sighting.list_id,
        "similarity_cos": round(sighting.similarity_cos, 6),
        "threshold_cos": round(sighting.threshold_cos, 6),
        "frames": sighting.frames,
        "pack": sighting.pack,
        "crop_id": sighting.crop_id,
        "scene_id": sighting.scene_id,
        "late": sighting.late,
    }
    return Event(at_us=sighting.seen_at_us, kind="sighted", detail=detail)
