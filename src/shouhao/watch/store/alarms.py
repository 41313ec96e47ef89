"""Alarms store: raises them from sightings, keeps each step, tells what changed. What a step means is in alarm.py.

Whoever raises holds the row of that person and place, whoever steps holds the alarm's row: of two at once one is second
and sees what the first did. Steps are only ever added.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, and_, func, insert, select, update

from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.store import event_log, policies
from shouhao.store.engine import dialect_of
from shouhao.watch.alarm import STEPS, Actor, Alarm, Asked, Outcome, State, Step, Taken
from shouhao.watch.model import Sighting
from shouhao.watch.response import KIND, ResponsePolicy, StepTime, absorbing, response_from
from shouhao.watch.store import sightings as sighting_store
from shouhao.watch.store.alarm_tables import alarm_feed, alarm_labels, alarm_steps, alarm_turns, alarms, sightings

_BEST = tuple(sightings.c[name].label(f"best_{name}") for name in Sighting.__dataclass_fields__)
_JOINED = alarms.join(
    sightings, and_(sightings.c.passage_id == alarms.c.passage_id, sightings.c.entry_id == alarms.c.entry_id)
)
_LOOKED_AT = 8  #: alarms of one person and place that a sighting may belong to
FEED_KEPT_US = DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The alarm that a sighting belongs to."""

    alarm_id: str
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTaken:
    """One row of an alarm's history."""

    version: int
    step: str  #: a `Step`, or raised
    state: State
    at_us: int  #: when it happened, as far as that is believed
    heard_at_us: int
    said_at_us: int | None  #: by the guard's phone
    believed: bool
    actor_id: str | None  #: None: the machine raised it
    reason: str
    outcome: Outcome | None
    guard_id: str | None


def raise_or_extend(connection: Connection, sighting: Sighting, *, now_us: int) -> Raised:
    """The alarm of a sighting: a new one, or the one of the same person and place within the cool-down.

    More frames of a known passage better its sighting and never raise anew: the same call twice is one alarm. A passage
    that is like two people of the list is a sighting, and an alarm, of each.
    """
    policy = response_in_force(connection, now_us=now_us)
    _take_turn(connection, sighting)
    known = sighting_store.find_sighting(connection, sighting.passage_id, sighting.entry_id)
    if known is not None:
        before, alarm_id = known
        if _is_better(sighting, before):
            sighting_store.better_sighting(connection, sighting, alarm_id=alarm_id)
            _seen(connection, lock_alarm(connection, alarm_id), sighting, count=0, now_us=now_us)
        return Raised(alarm_id=alarm_id, new=False)
    nearest = absorbing(_recent(connection, sighting), sighting, policy)
    if nearest is not None:
        alarm = lock_alarm(connection, nearest.id)  # it may have had its outcome meanwhile; it stays the same alarm
        sighting_store.add_sighting(connection, sighting, alarm_id=alarm.id)
        _seen(connection, alarm, sighting, count=1, now_us=now_us)
        return Raised(alarm_id=alarm.id, new=False)
    return Raised(alarm_id=_raise(connection, sighting, now_us=now_us), new=True)


def find_alarm(connection: Connection, alarm_id: str) -> Alarm | None:
    """An alarm, or None."""
    row = connection.execute(_alarms().where(alarms.c.id == alarm_id)).one_or_none()
    return None if row is None else _alarm(row)


def lock_alarm(connection: Connection, alarm_id: str) -> Alarm:
    """An alarm, held until the unit of work ends.

    Raises:
        NotFound: there is none of this id.
    """
    held = select(alarms.c.id).where(alarms.c.id == alarm_id).with_for_update()
    if connection.execute(held).one_or_none() is None:
        raise NotFound("alarm", "alarm_id")
    found = find_alarm(connection, alarm_id)
    if found is None:
        raise NotFound("alarm", "alarm_id")
    return found


def list_alarms(
    connection: Connection, *, open_only: bool = False, before_us: int | None = None, most: int = 100
) -> list[Alarm]:
    """Alarms, the newest first.

    Args:
        open_only: those that are not closed.
        before_us: raised before this.
    """
    found = _alarms()
    if open_only:
        found = found.where(alarms.c.closed_at_us.is_(None))
    if before_us is not None:
        found = found.where(alarms.c.raised_at_us < before_us)
    newest = found.order_by(alarms.c.raised_at_us.desc(), alarms.c.id.desc()).limit(most)
    return [_alarm(row) for row in connection.execute(newest)]


def find_alarms(connection: Connection, alarm_ids: Collection[str]) -> dict[str, Alarm]:
    """These alarms by id."""
    if not alarm_ids:
        return {}
    return {row.id: _alarm(row) for row in connection.execute(_alarms().where(alarms.c.id.in_(alarm_ids)))}


def of_entry(connection: Connection, entry_id: str, *, most: int = 20) -> list[Alarm]:
    """The alarms of a listed person, the newest first: what came of earlier ones."""
    newest = _alarms().where(alarms.c.entry_id == entry_id).order_by(alarms.c.raised_at_us.desc()).limit(most)
    return [_alarm(row) for row in connection.execute(newest)]


def steps_of(connection: Connection, alarm_id: str) -> list[StepTaken]:
    """Everything that was done, in order."""
    found = select(alarm_steps).where(alarm_steps.c.alarm_id == alarm_id).order_by(alarm_steps.c.version)
    return [
        StepTaken(
            version=row.version,
            step=row.step,
            state=row.state,
            at_us=row.at_us,
            heard_at_us=row.heard_at_us,
            said_at_us=row.said_at_us,
            believed=row.believed,
            actor_id=row.actor_id,
            reason=row.reason,
            outcome=row.outcome,
            guard_id=row.guard_id,
        )
        for row in connection.execute(found)
    ]


def last_step_at_us(connection: Connection, alarm_id: str) -> int:
    """When the alarm's last step happened."""
    last = select(func.max(alarm_steps.c.at_us)).where(alarm_steps.c.alarm_id == alarm_id)
    return int(connection.execute(last).scalar_one())


def keep_step(
    connection: Connection, alarm: Alarm, asked: Asked, taken: Taken, *, actor: Actor, at: StepTime, now_us: int
) -> Alarm:
    """Write a step that alarm.py has allowed, with its event and its labelled pair, and return the alarm after it.

    Args:
        alarm: as it is locked, with the dispatch that the step leads to already in it.
    """
    reached = _reached_after(alarm, asked.step, at.at_us)
    after = replace(alarm, state=taken.state, outcome=taken.outcome, version=alarm.version + 1, reached=reached)
    instants = {f"{step}_at_us": reached.get(step) for step in STEPS}
    connection.execute(
        update(alarms)
        .where(alarms.c.id == alarm.id, alarms.c.version == alarm.version)
        .values(
            state=after.state,
            outcome=after.outcome,
            version=after.version,
            dispatch_id=after.dispatch_id,
            guard_id=after.guard_id,
            **instants,
        )
    )
    connection.execute(insert(alarm_steps).values(_step_row(after, asked, taken, actor=actor, at=at, now_us=now_us)))
    if taken.same_person is not None:
        _label(connection, alarm, same_person=taken.same_person, now_us=now_us)
    detail = {"alarm_id": alarm.id, "step": asked.step, "state": after.state, "version": after.version}
    if asked.step == "outcome":
        detail["outcome"] = str(taken.outcome)
    event_log.append(connection, [Event(at_us=at.at_us, kind="alarm_step", staff_id=actor.id, detail=detail)])
    tell(connection, alarm.id, "step", now_us=now_us)
    return after


def response_in_force(connection: Connection, *, now_us: int) -> ResponsePolicy:
    """The newest version that has begun, or the defaults."""
    kept = policies.effective(connection, KIND, now_us=now_us)
    return ResponsePolicy() if kept is None else response_from(kept.body)


def tell(connection: Connection, alarm_id: str, what: str, *, now_us: int) -> None:
    """Let whoever watches live know that this alarm changed."""
    connection.execute(insert(alarm_feed).values(alarm_id=alarm_id, what=what, at_us=now_us))


def forget_feed(connection: Connection, *, now_us: int) -> int:
    """Throw away what changed over a day ago; the alarms and their steps stay."""
    return connection.execute(alarm_feed.delete().where(alarm_feed.c.at_us < now_us - FEED_KEPT_US)).rowcount


def _take_turn(connection: Connection, sighting: Sighting) -> None:
    """Hold the row of this person and place."""
    if dialect_of(connection) == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as put  # noqa: PLC0415 - one of the two is there
    else:
        from sqlalchemy.dialects.sqlite import insert as put  # type: ignore[assignment]  # noqa: PLC0415 - as above
    mine = {"entry_id": sighting.entry_id, "place_id": sighting.place_id}
    connection.execute(put(alarm_turns).values(mine).on_conflict_do_nothing())
    row = and_(alarm_turns.c.entry_id == sighting.entry_id, alarm_turns.c.place_id == sighting.place_id)
    connection.execute(select(alarm_turns).where(row).with_for_update()).one()


def _recent(connection: Connection, sighting: Sighting) -> list[Alarm]:
    here = and_(alarms.c.entry_id == sighting.entry_id, alarms.c.place_id == sighting.place_id)
    newest = _alarms().where(here).order_by(alarms.c.raised_at_us.desc()).limit(_LOOKED_AT)
    return [_alarm(row) for row in connection.execute(newest)]


def _raise(connection: Connection, sighting: Sighting, *, now_us: int) -> str:
    alarm_id = new_id("al")
    connection.execute(
        insert(alarms).values(
            id=alarm_id,
            entry_id=sighting.entry_id,
            list_id=sighting.list_id,
            place_id=sighting.place_id,
            passage_id=sighting.passage_id,
            state="raised",
            version=1,
            late=sighting.late,
            sightings=1,
            last_camera_id=sighting.camera_id,
            first_seen_at_us=sighting.seen_at_us,
            last_seen_at_us=sighting.seen_at_us,
            raised_at_us=now_us,
        )
    )
    connection.execute(
        insert(alarm_steps).values(
            alarm_id=alarm_id,
            version=1,
            step="raised",
            state="raised",
            at_us=now_us,
            heard_at_us=now_us,
            believed=True,
            reason="",
        )
    )
    sighting_store.add_sighting(connection, sighting, alarm_id=alarm_id)
    detail = {
        "alarm_id": alarm_id,
        "entry_id": sighting.entry_id,
        "list_id": sighting.list_id,
        "place_id": sighting.place_id,
        "camera_id": sighting.camera_id,
        "passage_id": sighting.passage_id,
        "late": sighting.late,
    }
    event_log.append(connection, [Event(at_us=now_us, kind="alarm_raised", detail=detail)])
    tell(connection, alarm_id, "raised", now_us=now_us)
    return alarm_id


def _seen(connection: Connection, alarm: Alarm, sighting: Sighting, *, count: int, now_us: int) -> None:
    """The person was seen once more, or better; the version stays, so nobody's step is refused for it."""
    later = sighting.seen_at_us >= alarm.last_seen_at_us
    best = sighting.passage_id == alarm.best.passage_id or _is_better(sighting, alarm.best)
    connection.execute(
        update(alarms)
        .where(alarms.c.id == alarm.id)
        .values(
            sightings=alarms.c.sightings + count,
            first_seen_at_us=min(alarm.first_seen_at_us, sighting.seen_at_us),
            last_seen_at_us=max(alarm.last_seen_at_us, sighting.seen_at_us),
            last_camera_id=sighting.camera_id if later else alarm.last_camera_id,
            passage_id=sighting.passage_id if best else alarm.best.passage_id,
        )
    )
    tell(connection, alarm.id, "seen", now_us=now_us)


def _is_better(sighting: Sighting, than: Sighting) -> bool:
    """How far above its own threshold it is: lists have thresholds of their own, and a pack may change meanwhile."""
    margin, before = sighting.similarity_cos - sighting.threshold_cos, than.similarity_cos - than.threshold_cos
    return (margin, sighting.frames) > (before, than.frames)


def _reached_after(alarm: Alarm, step: Step, at_us: int) -> dict[Step, int]:
    reached = {**alarm.reached, step: at_us}
    # The clocks of a guard who gave up or was replaced are over; those of the next one begin anew.
    ended: Sequence[Step] = ()
    if step == "dispatched":
        ended = ("accepted", "arrived")
    elif step == "declined":
        ended = ("dispatched", "accepted", "arrived")
    return {name: when for name, when in reached.items() if name not in ended}


def _step_row(after: Alarm, asked: Asked, taken: Taken, *, actor: Actor, at: StepTime, now_us: int) -> dict[str, Any]:
    return {
        "alarm_id": after.id,
        "version": after.version,
        "step": asked.step,
        "state": after.state,
        "at_us": at.at_us,
        "heard_at_us": now_us,
        "said_at_us": asked.said_at_us,
        "believed": at.believed,
        "actor_id": actor.id,
        "reason": taken.reason,
        "outcome": taken.outcome,
        "dispatch_id": after.dispatch_id,
        "guard_id": after.guard_id,
    }


def _label(connection: Connection, alarm: Alarm, *, same_person: bool, now_us: int) -> None:
    best = alarm.best
    connection.execute(
        insert(alarm_labels).values(
            alarm_id=alarm.id,
            same_person=same_person,
            list_id=best.list_id,
            camera_id=best.camera_id,
            pack=best.pack,
            similarity_cos=best.similarity_cos,
            threshold_cos=best.threshold_cos,
            quality=best.quality,
            frames=best.frames,
            at_us=now_us,
        )
    )


def _alarms() -> Select[Any]:
    return select(alarms, *_BEST).select_from(_JOINED)


def _alarm(row: Any) -> Alarm:
    best = Sighting(**{name: getattr(row, f"best_{name}") for name in Sighting.__dataclass_fields__})
    reached: dict[Step, int] = {}
    for step in STEPS:
        at_us = getattr(row, f"{step}_at_us")
        if at_us is not None:
            reached[step] = at_us
    return Alarm(
        id=row.id,
        best=best,
        state=row.state,
        version=row.version,
        late=row.late,
        raised_at_us=row.raised_at_us,
        first_seen_at_us=row.first_seen_at_us,
        last_seen_at_us=row.last_seen_at_us,
        last_camera_id=row.last_camera_id,
        sightings=row.sightings,
        outcome=row.outcome,
        dispatch_id=row.dispatch_id,
        guard_id=row.guard_id,
        reached=reached,
    )
