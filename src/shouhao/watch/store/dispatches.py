"""Dispatches store: where guards are posted, and whose task an alarm is. One live task a guard and an alarm."""

from typing import Any

from sqlalchemy import Connection, insert, select, update

from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.store import event_log
from shouhao.watch.dispatch import Dispatch, DispatchState, GuardBusy, GuardOffDuty, Post
from shouhao.watch.response import ResponsePolicy
from shouhao.watch.store.alarm_tables import dispatches, guard_posts

_ENDS: frozenset[DispatchState] = frozenset({"done", "declined", "recalled"})


def check_in(connection: Connection, guard_id: str, *, place_id: str | None, now_us: int) -> None:
    """A guard is at this place from now on, or off duty."""
    mine = {"place_id": place_id, "since_us": now_us}
    if connection.execute(update(guard_posts).where(guard_posts.c.guard_id == guard_id).values(mine)).rowcount == 0:
        connection.execute(insert(guard_posts).values(guard_id=guard_id, **mine))
    detail = {"what": "post", "guard_id": guard_id, "place_id": place_id}
    event_log.append(connection, [Event(at_us=now_us, kind="dispatched", staff_id=guard_id, detail=detail)])


def post_of(connection: Connection, guard_id: str) -> tuple[str | None, int] | None:
    """Where a guard last said to be, and since when."""
    row = connection.execute(select(guard_posts).where(guard_posts.c.guard_id == guard_id)).one_or_none()
    return None if row is None else (row.place_id, row.since_us)


def posts(connection: Connection, policy: ResponsePolicy, *, now_us: int) -> list[Post]:
    """Guards on duty: checked in at a place, and not so long ago that they must have gone home."""
    busy = {row.guard_id for row in connection.execute(select(dispatches.c.guard_id).where(_live()))}
    found = select(guard_posts).where(
        guard_posts.c.place_id.is_not(None), guard_posts.c.since_us > now_us - policy.post_s * SECOND_US
    )
    return [
        Post(guard_id=row.guard_id, place_id=row.place_id, since_us=row.since_us, busy=row.guard_id in busy)
        for row in connection.execute(found.order_by(guard_posts.c.guard_id))
    ]


def send(
    connection: Connection, *, alarm_id: str, guard_id: str, sent_by: str, policy: ResponsePolicy, now_us: int
) -> Dispatch:
    """Give a guard an alarm; two who send the same guard at once wait for each other at his post.

    Raises:
        GuardOffDuty: he has not checked in.
        GuardBusy: he has a task.
    """
    held = select(guard_posts).where(guard_posts.c.guard_id == guard_id).with_for_update()
    post = connection.execute(held).one_or_none()
    if post is None or post.place_id is None or post.since_us <= now_us - policy.post_s * SECOND_US:
        raise GuardOffDuty("guard_id")
    if live_of_guard(connection, guard_id) is not None:
        raise GuardBusy("guard_id")
    made = Dispatch(
        id=new_id("dp"),
        alarm_id=alarm_id,
        guard_id=guard_id,
        sent_by=sent_by,
        state="sent",
        sent_at_us=now_us,
        ended_at_us=None,
    )
    connection.execute(insert(dispatches).values({name: getattr(made, name) for name in Dispatch.__slots__}))
    detail = {"what": "sent", "dispatch_id": made.id, "alarm_id": alarm_id, "guard_id": guard_id}
    event_log.append(connection, [Event(at_us=now_us, kind="dispatched", staff_id=sent_by, detail=detail)])
    return made


def mark(connection: Connection, dispatch_id: str, state: DispatchState, *, now_us: int) -> None:
    """Where a live dispatch stands now; done, declined and recalled end it."""
    ended_at_us = now_us if state in _ENDS else None
    connection.execute(
        update(dispatches).where(dispatches.c.id == dispatch_id, _live()).values(state=state, ended_at_us=ended_at_us)
    )


def find_dispatch(connection: Connection, dispatch_id: str) -> Dispatch | None:
    """A dispatch, or None."""
    row = connection.execute(select(dispatches).where(dispatches.c.id == dispatch_id)).one_or_none()
    return None if row is None else _dispatch(row)


def live_of_guard(connection: Connection, guard_id: str) -> Dispatch | None:
    """The task a guard has now."""
    row = connection.execute(select(dispatches).where(dispatches.c.guard_id == guard_id, _live())).one_or_none()
    return None if row is None else _dispatch(row)


def of_guard(connection: Connection, guard_id: str, *, since_us: int, most: int = 30) -> list[Dispatch]:
    """A guard's own tasks, the newest first."""
    mine = select(dispatches).where(dispatches.c.guard_id == guard_id, dispatches.c.sent_at_us >= since_us)
    newest = mine.order_by(dispatches.c.sent_at_us.desc()).limit(most)
    return [_dispatch(row) for row in connection.execute(newest)]


def _live() -> Any:
    return dispatches.c.ended_at_us.is_(None)


def _dispatch(row: Any) -> Dispatch:
    return Dispatch(**{name: getattr(row, name) for name in Dispatch.__slots__})
