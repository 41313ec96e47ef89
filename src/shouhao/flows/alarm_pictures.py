"""Alarm pictures: a face, a scene or a list photograph of an alarm, for one person, marked with who looks and when.

In this order and no other: may this person look, the access register has its row, then the picture is opened. A guard
sees the pictures of his own task while it is his, and not a minute longer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from shouhao.flows.respond import dispatch_of
from shouhao.kernel.clock import iso
from shouhao.kernel.errors import NotFound
from shouhao.staff import register
from shouhao.staff.model import Operator, require
from shouhao.staff.watermark import watermarked
from shouhao.store.engine import Database
from shouhao.watch.alarm import UNDER_WAY, Alarm
from shouhao.watch.store.alarms import find_alarm
from shouhao.watch.store.stills import StillFolder, open_still

Which = Literal["crop", "scene", "listed"]  #: the face that was captured, the place around it, the list's photograph

ANSWERING = "处置报警 answering the alarm"  #: the reason where nobody wrote another one


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Where pictures lie."""

    stills: StillFolder
    listed: Callable[[Connection, str, str], bytes]  #: photograph of an entry, by entry and photo id


def picture_of_alarm(
    db: Database, pictures: Pictures, operator: Operator, *, alarm_id: str, which: Which, reason: str, now_us: int
) -> bytes:
    """A picture of an alarm, as JPEG with the watermark.

    Raises:
        RoleMissing: another role.
        NotFound: no such alarm, or it has no such picture.
        InvalidInput, NotTrained: as `register.look`.
        Tampered: the picture is not the one that was frozen.
    """
    require(operator, "monitoring", "security", "police_liaison")
    with db.read() as connection:
        alarm = find_alarm(connection, alarm_id)
    if alarm is None:
        raise NotFound("alarm", "alarm_id")
    authority = f"alarm:{alarm.id}"
    return look(db, pictures, operator, alarm, which, reason=reason, authority=authority, now_us=now_us)


def picture_of_dispatch(
    db: Database, pictures: Pictures, operator: Operator, *, dispatch_id: str, which: Which, now_us: int
) -> bytes:
    """A picture of a guard's own task, while it is under way; as `picture_of_alarm`.

    Raises:
        NotFound: as there; or the task is another guard's, or over.
    """
    require(operator, "guard")
    with db.read() as connection:
        alarm = dispatch_of(connection, dispatch_id, operator)
    if alarm.dispatch_id != dispatch_id or alarm.state not in UNDER_WAY:
        raise NotFound("dispatch", "dispatch_id")
    authority = f"dispatch:{dispatch_id}"
    return look(db, pictures, operator, alarm, which, reason=ANSWERING, authority=authority, now_us=now_us)


def look(
    db: Database,
    pictures: Pictures,
    operator: Operator,
    alarm: Alarm,
    which: Which,
    *,
    reason: str,
    authority: str,
    now_us: int,
) -> bytes:
    """Write the look down, open the picture and mark it. Whether this person may is the caller's question."""
    best = alarm.best
    picture_id = {"crop": best.crop_id, "scene": best.scene_id, "listed": best.photo_id}[which]
    if picture_id is None:
        raise NotFound("picture", "which")
    register.look(
        db,
        operator,
        data_class="face",
        what=f"alarm:{alarm.id} {which}:{picture_id}",
        reason=reason,
        authority=authority,
        now_us=now_us,
    )
    with db.read() as connection:
        if which == "listed":
            raw = pictures.listed(connection, best.entry_id, picture_id)
        else:
            raw = open_still(connection, pictures.stills, picture_id)
    return watermarked(raw, text=f"{operator.id} {iso(now_us)[:19]}")
