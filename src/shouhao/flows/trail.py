"""Trail: whose may be opened, by whom, for how long; the access register has its row before anything is read.

Two ways lead to a trail and there is no third: an alarm that is being answered, or was within the day; or an inquiry
that a second person approved, for one entry and one span of time, opened once. A rejected alarm has no trail: the face
was somebody else's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US
from shouhao.kernel.errors import InvalidInput, NotFound, Refused
from shouhao.kernel.events import Event
from shouhao.staff import approvals, register
from shouhao.staff.approvals import Approval
from shouhao.staff.model import Operator, require
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.watch.alarm import OPEN, Alarm
from shouhao.watch.store import alarms as alarm_store
from shouhao.watch.store import sightings as sighting_store
from shouhao.watch.store.cameras import list_cameras, walking_s
from shouhao.watch.store.watchlist import entry_of
from shouhao.watch.trail import Label, LastSeen, Next, OddsCurve, Trail, follow, forecast, last_seen, learned

BEFORE_US = 2 * HOUR_US  #: an alarm's trail begins so long before the alarm
AFTER_US = HOUR_US  #: and ends so long after the alarm did
OPEN_FOR_US = DAY_US  #: after an alarm has ended, its trail may be opened so long; then it takes an inquiry
LOOK_LASTS_US = 30 * MINUTE_US  #: following live is one look, not one every few seconds
LONGEST_INQUIRY_US = 7 * DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailShown:
    """A trail as it may be shown, and the row of the register it stands on."""

    entry_id: str
    from_us: int
    until_us: int
    look_id: str
    trail: Trail
    curve: OddsCurve  #: what its odds stand on
    last: LastSeen | None  #: only while an alarm is open, as what may come next
    next: tuple[Next, ...]


class TrailClosed(Refused):
    """The alarm is over; following somebody now takes an inquiry."""

    code = "watch.trail_closed"
    zh = "报警已结束超过一天，查看轨迹须另行申请并经批准"
    en = "The alarm ended over a day ago: its trail takes an inquiry that somebody approves"


class NoTrail(Refused):
    """The alarm was rejected."""

    code = "watch.no_trail"
    zh = "该报警已被驳回，不得追踪此人"
    en = "This alarm was rejected: nobody may be followed"


def trail_of_alarm(
    db: Database, operator: Operator, alarm_id: str, *, reason: str, look_id: str | None, now_us: int
) -> TrailShown:
    """Where the person of an alarm went, and may come up next.

    Args:
        look_id: the operator's own look at this alarm's trail of the last half hour; live following goes on under it.
    Raises:
        RoleMissing: another role.
        NotFound: there is no such alarm.
        NoTrail, TrailClosed: it may not be opened.
        InvalidInput, NotTrained: as `register.look`.
    """
    require(operator, "monitoring", "security", "police_liaison")
    with db.read() as connection:
        alarm = _may_be_followed(connection, alarm_id, now_us=now_us)
        going_on = look_id is not None and _own_look(connection, look_id, operator, alarm_id, now_us=now_us)
    if look_id is None or not going_on:
        look_id = register.look(
            db,
            operator,
            data_class="trail",
            what=f"alarm:{alarm_id}",
            reason=reason,
            authority=f"alarm:{alarm_id}",
            now_us=now_us,
        )
        _tell(db, operator, now_us=now_us, alarm_id=alarm_id, entry_id=alarm.best.entry_id, look_id=look_id)
    from_us = alarm.first_seen_at_us - BEFORE_US
    until_us = now_us if alarm.state in OPEN else min(now_us, _ended_at_us(alarm) + AFTER_US)
    return _read(db, alarm.best.entry_id, from_us, until_us, look_id=look_id, now_us=now_us, live=alarm.state in OPEN)


def ask_for_trail(
    connection: Connection,
    *,
    entry_id: str,
    from_us: int,
    until_us: int,
    reason: str,
    operator: Operator,
    now_us: int,
) -> Approval:
    """Ask to follow one listed person through one span of time; a second person decides.

    Raises:
        RoleMissing, NotFound, InvalidInput: not for this role; no such entry; no such span.
    """
    require(operator, "security", "police_liaison")
    entry_of(connection, entry_id)
    if not from_us < until_us <= now_us or until_us - from_us > LONGEST_INQUIRY_US:
        raise InvalidInput("until", zh="时间段须在过去，且不超过 7 天", en="a span in the past, of 7 days at most")
    payload: Mapping[str, object] = {"entry_id": entry_id, "from_us": from_us, "until_us": until_us}
    return approvals.ask(
        connection,
        kind="trail",
        subject=f"entry:{entry_id}",
        payload=payload,
        reason=reason,
        operator=operator,
        now_us=now_us,
    )


def trail_of_inquiry(db: Database, operator: Operator, approval_id: str, *, reason: str, now_us: int) -> TrailShown:
    """Open an approved inquiry, once, by whoever asked for it; a retry within half an hour sees it again.

    Raises:
        RoleMissing: another role.
        NotFound: there is no such inquiry of this operator.
        NotApproved, ApprovalEnded: nobody agreed, or it was opened before.
        InvalidInput, NotTrained: as `register.look`.
    """
    require(operator, "security", "police_liaison")
    with db.read() as connection:
        asked = approvals.find(connection, approval_id)
    if asked.kind != "trail" or asked.asked_by != operator.id:
        raise NotFound("inquiry", "approval_id")
    given: Mapping[str, Any] = asked.payload
    entry_id = str(given["entry_id"])
    look_id = _opened_just_now(db, asked, operator, now_us=now_us)
    if look_id is None:
        # The look comes first: without a reason or a training it is refused, and the approval is not used up by that.
        look_id = register.look(
            db,
            operator,
            data_class="trail",
            what=asked.subject,
            reason=reason,
            authority=f"approval:{approval_id}",
            now_us=now_us,
        )
        with db.write() as connection:
            approvals.use(connection, approval_id, kind="trail", subject=asked.subject, now_us=now_us)
        _tell(db, operator, now_us=now_us, approval_id=approval_id, entry_id=entry_id, look_id=look_id)
    return _read(db, entry_id, given["from_us"], given["until_us"], look_id=look_id, now_us=now_us, live=False)


def _may_be_followed(connection: Connection, alarm_id: str, *, now_us: int) -> Alarm:
    alarm = alarm_store.find_alarm(connection, alarm_id)
    if alarm is None:
        raise NotFound("alarm", "alarm_id")
    if "rejected" in alarm.reached or alarm.outcome == "mistaken_identity":
        raise NoTrail
    if alarm.state not in OPEN and now_us > _ended_at_us(alarm) + OPEN_FOR_US:
        raise TrailClosed
    return alarm


def _ended_at_us(alarm: Alarm) -> int:
    return max(alarm.reached.get("outcome", 0), alarm.reached.get("closed", 0), alarm.raised_at_us)


def _own_look(connection: Connection, look_id: str, operator: Operator, alarm_id: str, *, now_us: int) -> bool:
    looks = register.search(
        connection,
        operator_id=operator.id,
        data_class="trail",
        what=alarm_id,
        from_us=now_us - LOOK_LASTS_US,
        limit=20,
    )
    return any(look.id == look_id and look.what == f"alarm:{alarm_id}" for look in looks)


def _opened_just_now(db: Database, asked: Approval, operator: Operator, *, now_us: int) -> str | None:
    """The look of an opening whose answer may have been lost on the way."""
    if asked.state != "used":
        return None
    with db.read() as connection:
        looks = register.search(
            connection, operator_id=operator.id, data_class="trail", from_us=now_us - LOOK_LASTS_US, limit=50
        )
    return next((look.id for look in looks if look.authority == f"approval:{asked.id}"), None)


def _read(
    db: Database, entry_id: str, from_us: int, until_us: int, *, look_id: str, now_us: int, live: bool
) -> TrailShown:
    with db.read() as connection:
        seen = sighting_store.of_entry(connection, entry_id, from_us=from_us, until_us=until_us)
        walking = walking_s(connection)
        pack = seen[-1].pack if seen else None
        told = [] if pack is None else sighting_store.labels(connection, pack=pack)
        working = [camera.id for camera in list_cameras(connection) if camera.state == "live"]
    curve = learned([Label(above_cos=t.similarity_cos - t.threshold_cos, same_person=t.same_person) for t in told])
    trail = follow(seen, walking, curve)
    last = last_seen(trail, now_us=now_us) if live else None
    coming = tuple(forecast(last, walking, live=working)) if last is not None else ()
    return TrailShown(
        entry_id=entry_id,
        from_us=from_us,
        until_us=until_us,
        look_id=look_id,
        trail=trail,
        curve=curve,
        last=last,
        next=coming,
    )


def _tell(db: Database, operator: Operator, *, now_us: int, **detail: str) -> None:
    with db.write() as connection:
        event_log.append(connection, [Event(at_us=now_us, kind="trail_opened", staff_id=operator.id, detail=detail)])
