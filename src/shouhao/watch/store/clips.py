"""Clips store: which alarms want a clip of a stream, and which clips were kept."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from shouhao.watch.store.alarm_tables import alarms, sightings
from shouhao.watch.store.recordings_tables import clips


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOn:
    """An alarm, and when its person was last seen by one camera."""

    alarm_id: str
    camera_id: str
    seen_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptClip:
    """A clip of an alarm; its bytes are a still, looked at through the access register alone."""

    still_id: str
    camera_id: str
    from_us: int
    to_us: int


def to_be_clipped(connection: Connection, camera_ids: Collection[str], *, since_us: int) -> list[SeenOn]:
    """Alarms raised since then whose person these cameras saw, one for each camera, without those that have a clip."""
    has_clip = select(clips.c.still_id).where(
        clips.c.alarm_id == sightings.c.alarm_id, clips.c.camera_id == sightings.c.camera_id
    )
    query = (
        select(sightings.c.alarm_id, sightings.c.camera_id, sightings.c.seen_at_us)
        .join(alarms, alarms.c.id == sightings.c.alarm_id)
        .where(
            alarms.c.raised_at_us >= since_us,
            sightings.c.camera_id.in_(sorted(camera_ids)),
            sightings.c.late.is_(False),
            ~has_clip.exists(),
        )
        .order_by(sightings.c.seen_at_us.desc())
    )
    newest: dict[tuple[str, str], SeenOn] = {}
    for row in connection.execute(query):
        seen = SeenOn(alarm_id=row.alarm_id, camera_id=row.camera_id, seen_at_us=row.seen_at_us)
        newest.setdefault((seen.alarm_id, seen.camera_id), seen)
    return list(newest.values())


def add_clip(connection: Connection, still_id: str, *, alarm_id: str, camera_id: str, from_us: int, to_us: int) -> None:
    """Keep which alarm a frozen clip belongs to, and which time it shows."""
    connection.execute(
        insert(clips).values(still_id=still_id, alarm_id=alarm_id, camera_id=camera_id, from_us=from_us, to_us=to_us)
    )


def clips_of(connection: Connection, alarm_id: str) -> list[KeptClip]:
    """The clips of an alarm, in the order of their time."""
    query = select(clips).where(clips.c.alarm_id == alarm_id).order_by(clips.c.from_us, clips.c.still_id)
    return [
        KeptClip(still_id=row.still_id, camera_id=row.camera_id, from_us=row.from_us, to_us=row.to_us)
        for row in connection.execute(query)
    ]
