"""Respond: from an alarm to its outcome, where staff, the watchlist and the guards meet in one unit of work.

What a step means and who may take it is decided in watch/alarm.py; here the operator behind it is known, the guard is
sent or called back, and what came of it goes into the history of the entry. The machine's own part is at the end: it
tells who is late and forgets what nobody reads any more. It confirms nothing and sends nobody.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.staff.model import Operator, require
from shouhao.staff.store import list_operators
from shouhao.store.engine import Database
from shouhao.watch.alarm import Actor, Alarm, Asked, Step, StepNotYours, TaskEnded, take
from shouhao.watch.dispatch import Candidate, DispatchState, nearest
from shouhao.watch.response import step_time
from shouhao.watch.store import alarms as alarm_store
from shouhao.watch.store import dispatches as dispatch_store
from shouhao.watch.store import escalations
from shouhao.watch.store import sightings as sighting_store
from shouhao.watch.store.cameras import list_cameras, list_places, walking_s
from shouhao.watch.store.stills import StillFolder, erase_still, find_still
from shouhao.watch.store.watchlist import find_entry, note_step

#: How a step leaves the guard's task.
_DISPATCH_AFTER: Mapping[Step, DispatchState] = {
    "accepted": "accepted",
    "arrived": "arrived",
    "outcome": "done",
    "declined": "declined",
    "rejected": "recalled",
}
_ENDING: frozenset[Step] = frozenset({"outcome", "declined", "rejected"})
_IN_HISTORY: frozenset[Step] = frozenset({"outcome", "rejected", "handed_to_police"})


class GuardUnknown(InvalidInput):
    """Nobody who works here as a guard."""

    code = "watch.guard_unknown"

    def __init__(self) -> None:
        super().__init__("guard_id", zh="不是在职保安员", en="is no guard who works here")


def actor_of(operator: Operator) -> Actor:
    """An operator as the watch knows people: an id and roles."""
    return Actor(id=operator.id, roles=frozenset(operator.roles))


def step(connection: Connection, *, alarm_id: str, asked: Asked, operator: Operator, now_us: int) -> Alarm:
    """Take one step of an alarm, and return the alarm after it.

    Raises:
        NotFound: there is no such alarm.
        StepNotYours, AlarmChanged, StepRefused: as `take`.
        GuardUnknown, GuardOffDuty, GuardBusy: the guard cannot be sent.
        InvalidInput: something that the step needs is missing.
    """
    policy = alarm_store.response_in_force(connection, now_us=now_us)
    alarm = alarm_store.lock_alarm(connection, alarm_id)
    actor = actor_of(operator)
    taken = take(alarm, asked, actor)
    at = step_time(
        said_at_us=asked.said_at_us,
        sent_at_us=asked.sent_at_us,
        not_before_us=alarm_store.last_step_at_us(connection, alarm.id),
        policy=policy,
        now_us=now_us,
    )
    moved = alarm
    if asked.step == "dispatched":
        moved = _send(connection, alarm, asked, operator, now_us=now_us)
    elif alarm.dispatch_id is not None and asked.step in _DISPATCH_AFTER:
        dispatch_store.mark(connection, alarm.dispatch_id, _DISPATCH_AFTER[asked.step], now_us=now_us)
        if asked.step in _ENDING:
            moved = replace(alarm, dispatch_id=None, guard_id=None)
    after = alarm_store.keep_step(connection, moved, asked, taken, actor=actor, at=at, now_us=now_us)
    if asked.step in _IN_HISTORY:
        _into_history(connection, after, asked.step, operator, now_us=now_us)
    return after


def dispatch_of(connection: Connection, dispatch_id: str, operator: Operator) -> Alarm:
    """The alarm of a guard's own dispatch; another guard's is not there for him.

    Raises:
        NotFound: there is no such dispatch, or it is not this guard's.
    """
    found = dispatch_store.find_dispatch(connection, dispatch_id)
    if found is None or found.guard_id != operator.id:
        raise NotFound("dispatch", "dispatch_id")
    alarm = alarm_store.find_alarm(connection, found.alarm_id)
    if alarm is None:
        raise NotFound("alarm", "alarm_id")
    return alarm


def guard_step(connection: Connection, *, dispatch_id: str, asked: Asked, operator: Operator, now_us: int) -> Alarm:
    """A guard's step on his own dispatch; as `step`.

    Raises:
        NotFound: as `dispatch_of`.
        TaskEnded: it was taken back, given to somebody else, or is done.
    """
    alarm = dispatch_of(connection, dispatch_id, operator)
    if "guard" not in operator.roles:
        raise StepNotYours(step=asked.step)
    if alarm.dispatch_id != dispatch_id:
        raise TaskEnded
    mine = replace(asked, dispatch_id=dispatch_id)
    return step(connection, alarm_id=alarm.id, asked=mine, operator=operator, now_us=now_us)


def check_in(connection: Connection, *, place_id: str | None, operator: Operator, now_us: int) -> None:
    """A guard is on duty at this place, or off duty.

    Raises:
        RoleMissing: not a guard.
        InvalidInput: there is no such place.
    """
    require(operator, "guard")
    if place_id is not None and all(place.id != place_id for place in list_places(connection)):
        raise InvalidInput("place_id", zh="没有这个位置", en="there is no such place")
    dispatch_store.check_in(connection, operator.id, place_id=place_id, now_us=now_us)


def candidates(connection: Connection, alarm: Alarm, *, now_us: int) -> list[Candidate]:
    """Guards on duty, the free and near first; the person is where the last camera saw them."""
    policy = alarm_store.response_in_force(connection, now_us=now_us)
    cameras = list_cameras(connection)
    cameras_at: dict[str, list[str]] = defaultdict(list)
    for camera in cameras:
        cameras_at[camera.place_id].append(camera.id)
    last = next((camera.place_id for camera in cameras if camera.id == alarm.last_camera_id), alarm.best.place_id)
    guards = guard_ids(connection)
    on_duty = [p for p in dispatch_store.posts(connection, policy, now_us=now_us) if p.guard_id in guards]
    return nearest(on_duty, to_place=last, cameras_at=cameras_at, walking=walking_s(connection))


def guard_ids(connection: Connection) -> set[str]:
    """Who works here as a guard now; somebody who left stays checked in and is not sent."""
    return {operator.id for operator in list_operators(connection) if "guard" in operator.roles}


def escalate_late(db: Database, *, now_us: int) -> int:
    """Tell of every clock that has run out, once; returns how many."""
    with db.read() as connection:
        late = escalations.due(connection, now_us=now_us)
    told = 0
    for alarm_id in late:
        with db.write() as connection:
            told += escalations.escalate(connection, alarm_id, now_us=now_us)
    return told


def forget_alarm_feed(db: Database, *, now_us: int) -> int:
    """Throw away what watchers had a day to read."""
    with db.write() as connection:
        return alarm_store.forget_feed(connection, now_us=now_us)


def forget_wrong_faces(db: Database, stills: StillFolder, *, now_us: int) -> int:
    """Erase the pictures of alarms that were about somebody else; how many. Numbers and hashes stay.

    A face that matched nobody is kept nowhere (invariant 6), and it matched nobody once a person has said so.
    """
    with db.read() as connection:
        policy = alarm_store.response_in_force(connection, now_us=now_us)
        due = sighting_store.stills_to_erase(connection, before_us=now_us - policy.rejected_kept_s * SECOND_US)
    for alarm_id, still_id in due:  # a unit of work each: erasing a file is not undone when a later one fails
        with db.write() as connection:
            if find_still(connection, still_id) is not None:
                erase_still(connection, stills, still_id, now_us=now_us)
            sighting_store.still_erased(connection, alarm_id, still_id, now_us=now_us)
    return len(due)


def _send(connection: Connection, alarm: Alarm, asked: Asked, operator: Operator, *, now_us: int) -> Alarm:
    guard_id = asked.guard_id or ""
    if guard_id not in guard_ids(connection):
        raise GuardUnknown
    policy = alarm_store.response_in_force(connection, now_us=now_us)
    if alarm.dispatch_id is not None:
        dispatch_store.mark(connection, alarm.dispatch_id, "recalled", now_us=now_us)
    sent = dispatch_store.send(
        connection, alarm_id=alarm.id, guard_id=guard_id, sent_by=operator.id, policy=policy, now_us=now_us
    )
    return replace(alarm, dispatch_id=sent.id, guard_id=guard_id)


def _into_history(connection: Connection, alarm: Alarm, took: Step, operator: Operator, *, now_us: int) -> None:
    """What came of it, into the history of the entry; one that was wiped meanwhile has an alarm without it."""
    entry = find_entry(connection, alarm.best.entry_id)
    if entry is not None:
        act = f"alarm_{alarm.outcome}" if took == "outcome" else f"alarm_{took}"
        note_step(connection, entry, act, now_us=now_us, staff_id=operator.id)
