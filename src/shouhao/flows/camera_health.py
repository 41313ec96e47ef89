"""How the cameras are: who went silent is told once, by event and in the log; what a person has to see to is listed."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from shouhao.store.engine import Database
from shouhao.watch.cameras import Camera, Health, HealthState, Hours, Warned, health_state, warnings_of
from shouhao.watch.store.cameras import hours_of, list_cameras, list_health, note_offline

_log = structlog.get_logger()
_NO_HOURS = Hours(last=0, usual=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStands:
    """A camera, and how it is."""

    camera: Camera
    state: HealthState
    health: Health
    hours: Hours
    warnings: Sequence[Warned]


def cameras_due(db: Database, *, now_us: int) -> int:
    """Tell of cameras that went silent; how many."""
    with db.write() as connection:
        lost = note_offline(connection, now_us=now_us)
    for camera_id in lost:
        _log.warning("camera_offline", camera_id=camera_id)
    return len(lost)


def cameras_now(connection: Connection, *, now_us: int) -> list[CameraStands]:
    """Every camera with what was heard of it."""
    heard = {one.camera_id: one for one in list_health(connection)}
    hours = hours_of(connection, now_us=now_us)
    return [
        CameraStands(
            camera=camera,
            state=health_state(heard[camera.id], now_us=now_us),
            health=heard[camera.id],
            hours=hours.get(camera.id, _NO_HOURS),
            warnings=warnings_of(camera, heard[camera.id], hours.get(camera.id, _NO_HOURS), now_us=now_us),
        )
        for camera in list_cameras(connection)
    ]
