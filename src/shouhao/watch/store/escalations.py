"""Escalations store: which clocks have run out and were told. Each clock of an alarm is told once."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.watch.response import RunningClock, overdue
from shouhao.watch.store.alarm_tables import alarm_escalations
from shouhao.watch.store.alarms import list_alarms, lock_alarm, response_in_force, tell

_MOST_OPEN = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """A target that was missed, as it was told."""

    target: str
    since_us: int
    due_at_us: int
    at_us: int


def due(connection: Connection, *, now_us: int) -> list[str]:
    """Open alarms with a clock that has run out and was not told; a look, so that most turns write nothing."""
    policy = response_in_force(connection, now_us=now_us)
    return [
        alarm.id
        for alarm in list_alarms(connection, open_only=True, most=_MOST_OPEN)
        if _untold(connection, alarm.id, overdue(alarm, policy, now_us=now_us))
    ]


def escalate(connection: Connection, alarm_id: str, *, now_us: int) -> int:
    """Tell each clock of this alarm that has run out and was not told; returns how many."""
    policy = response_in_force(connection, now_us=now_us)
    alarm = lock_alarm(connection, alarm_id)  # somebody may have acted since it was looked at
    untold = _untold(connection, alarm.id, overdue(alarm, policy, now_us=now_us))
    for clock in untold:
        row = {"alarm_id": alarm.id, "target": clock.target, "since_us": clock.since_us, "due_at_us": clock.due_at_us}
        connection.execute(insert(alarm_escalations).values(**row, at_us=now_us))
        event_log.append(connection, [Event(at_us=now_us, kind="alarm_escalated", detail=row)])
    if untold:
        tell(connection, alarm.id, "escalated", now_us=now_us)
    return len(untold)


def escalations_of(connection: Connection, alarm_id: str) -> list[Escalation]:
    """What was missed, in order."""
    found = select(alarm_escalations).where(alarm_escalations.c.alarm_id == alarm_id)
    return [
        Escalation(target=row.target, since_us=row.since_us, due_at_us=row.due_at_us, at_us=row.at_us)
        for row in connection.execute(found.order_by(alarm_escalations.c.at_us, alarm_escalations.c.target))
    ]


def _untold(connection: Connection, alarm_id: str, missed: list[RunningClock]) -> list[RunningClock]:
    if not missed:
        return []
    told = {(one.target, one.since_us) for one in escalations_of(connection, alarm_id)}
    return [clock for clock in missed if (clock.target, clock.since_us) not in told]
