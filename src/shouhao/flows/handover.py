"""Handing the wall over 交接班: one person writes down how it stands, another takes over under their own sign-in.

How the alarms, their clocks, the cameras and the guards stand is read by the server at that moment, not taken from a
page, and is kept as it was. One handover waits at most; everybody at the wall sees it until another person has taken
over.
"""

from sqlalchemy import Connection

from shouhao.flows.camera_health import cameras_now
from shouhao.flows.respond import guard_ids
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.ids import new_id
from shouhao.staff.model import Operator, Role, require
from shouhao.watch.handover import (
    AlarmThen,
    CameraOut,
    ClockThen,
    GuardThen,
    Handover,
    HandoverWaits,
    Standing,
    check_note,
    check_remark,
    may_take,
)
from shouhao.watch.response import clocks
from shouhao.watch.store import dispatches
from shouhao.watch.store.alarms import list_alarms, response_in_force
from shouhao.watch.store.handovers import add_handover, list_handovers, lock_handover, newest_handover, set_taken

AT_THE_WALL: tuple[Role, ...] = ("monitoring", "security")
SHOWN_US = 14 * DAY_US  #: how far back handovers are shown
_MOST_ALARMS = 500
_MOST_SHOWN = 200


def standing_now(connection: Connection, *, now_us: int) -> Standing:
    """The alarms that are not closed, the cameras that are out and the guards on duty."""
    policy = response_in_force(connection, now_us=now_us)
    guards = guard_ids(connection)
    return Standing(
        alarms=tuple(
            AlarmThen(
                alarm_id=alarm.id,
                place_id=alarm.best.place_id,
                state=alarm.state,
                late=alarm.late,
                raised_at_us=alarm.raised_at_us,
                guard_id=alarm.guard_id,
                clocks=tuple(
                    ClockThen(target=clock.target, due_at_us=clock.due_at_us)
                    for clock in clocks(alarm, policy)
                    if clock.done_at_us is None
                ),
            )
            for alarm in list_alarms(connection, open_only=True, most=_MOST_ALARMS)
        ),
        cameras_out=tuple(
            CameraOut(
                camera_id=one.camera.id,
                name=one.camera.name,
                place_id=one.camera.place_id,
                state=one.state,
                heard_at_us=one.health.heard_at_us,
            )
            for one in cameras_now(connection, now_us=now_us)
            if one.camera.state == "live" and one.state != "online"
        ),
        guards=tuple(
            GuardThen(guard_id=post.guard_id, place_id=post.place_id, busy=post.busy)
            for post in dispatches.posts(connection, policy, now_us=now_us)
            if post.guard_id in guards
        ),
    )


def hand_over(connection: Connection, *, note: str, operator: Operator, now_us: int) -> Handover:
    """Hand the wall over to whoever comes next; the same note once more while it waits is the same handover.

    Raises:
        RoleMissing: another role.
        InvalidInput: without a note, or with one that is too long.
        HandoverWaits: one waits to be taken over.
    """
    require(operator, *AT_THE_WALL)
    kept = check_note(note)
    last = newest_handover(connection)
    if last is not None and last.taken_by is None:
        if (last.handed_by, last.note) == (operator.id, kept):
            return last
        raise HandoverWaits
    made = Handover(
        id=new_id("ho"),
        turn=1 if last is None else last.turn + 1,
        handed_by=operator.id,
        handed_at_us=now_us,
        note=kept,
        standing=standing_now(connection, now_us=now_us),
    )
    add_handover(connection, made)
    return made


def take_over(connection: Connection, handover_id: str, *, remark: str, operator: Operator, now_us: int) -> Handover:
    """Take the wall over: it is as it was told, or the remark says what is not. Once more by the same person is once.

    Raises:
        RoleMissing: another role.
        NotFound: there is no such handover.
        OwnHandover, HandoverTaken: as `may_take`.
        InvalidInput: the remark is too long.
    """
    require(operator, *AT_THE_WALL)
    kept = check_remark(remark)
    if may_take(lock_handover(connection, handover_id), operator.id):
        set_taken(connection, handover_id, taken_by=operator.id, remark=kept, now_us=now_us)
    return lock_handover(connection, handover_id)


def handovers_shown(connection: Connection, *, now_us: int) -> tuple[Handover | None, list[Handover]]:
    """The one that waits, however old it is, and those of the last two weeks, the newest first."""
    last = newest_handover(connection)
    waiting = last if last is not None and last.taken_by is None else None
    return waiting, list_handovers(connection, since_us=now_us - SHOWN_US, most=_MOST_SHOWN)
