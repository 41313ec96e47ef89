"""Checks: the invariants on the database, and every answer a client heard against what is stored.

All of it looks at one snapshot, while the server goes on working.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from shouhao.booking.limits import week_of
from shouhao.booking.model import Booking, BookingUnknown
from shouhao.booking.store import lifecycle
from shouhao.booking.store.rules import limits_in_force
from shouhao.kernel.clock import to_us
from shouhao.lab.figures import Happened
from shouhao.lab.heard import BOOKS, CREATED, Asked, Entered
from shouhao.store import event_log
from shouhao.store.invariants import Invariant, check

_OF_SLOTS = {"booked", "offered", "accepted", "cancelled", "expired", "paid", "released", "refunded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One sentence that must hold, and how often it did not."""

    code: str
    zh: str
    en: str
    looked_at: int | None  #: how many things; None: the whole database
    broken: int

    @property
    def holds(self) -> bool:
        """Whether it holds."""
        return self.broken == 0


def check_invariants(connection: Connection, invariants: Sequence[Invariant]) -> list[Check]:
    """Each invariant of the data by itself."""
    broken = {violation.code: violation.count for violation in check(connection, invariants)}
    return [Check(code=i.code, zh=i.zh, en=i.en, looked_at=None, broken=broken.get(i.code, 0)) for i in invariants]


def read_happened(connection: Connection, session_ids: Iterable[str]) -> list[Happened]:
    """What the log says of these sessions' slots, in its order."""
    wanted = set(session_ids)
    return [
        Happened(
            at_us=to_us(datetime.fromisoformat(row["at"])),
            kind=row["kind"],
            session_id=row["session_id"],
            slot_id=row["slot_id"] or "",
            booking_id=str((row["detail"] or {}).get("booking_id", "")),
            patient_id=row["patient_id"] or "",
            why=str((row["detail"] or {}).get("why", "")),
        )
        for rows in event_log.read(connection)
        for row in rows
        if row["session_id"] in wanted and row["kind"] in _OF_SLOTS
    ]


def stored_bookings(connection: Connection, booking_ids: Iterable[str]) -> dict[str, Booking]:
    """The bookings that exist among these."""
    found: dict[str, Booking] = {}
    for booking_id in booking_ids:
        try:
            found[booking_id] = lifecycle.find_booking(connection, booking_id).booking
        except BookingUnknown:
            continue
    return found


def check_answers(
    connection: Connection,
    asked: Sequence[Asked],
    happened: Sequence[Happened],
    *,
    days: Mapping[str, str],
    now_us: int,
    entered: Sequence[Entered] = (),
) -> list[Check]:
    """What clients heard against what is stored: nothing lost, nothing given twice.

    Args:
        days: the day of each session that something happened in.
        entered: entries in draws; who loses waits for the sessions of their wishes.
    """
    confirmed = {a.booking_id: a for a in asked if a.deed in BOOKS and a.status == CREATED}
    confirmed |= {a.booking_id: a for a in asked if a.deed == "accept" and a.is_definite and not a.code}
    given = {e.booking_id for e in happened if e.kind in {"booked", "accepted"}}
    stored = stored_bookings(connection, confirmed.keys() | given)
    last = {a.key: a for a in asked}
    joined = {(a.who, a.session_id) for a in asked if a.deed == "join" and a.status == CREATED}
    joined |= {(e.who, wish) for e in entered for wish in e.wishes}
    offered = [e for e in happened if e.kind == "offered"]
    paid = [a for a in asked if a.deed == "pay" and a.is_definite and not a.code]
    most = limits_in_force(connection, now_us=now_us).live_per_week
    return [
        Check(
            code="every_request_was_answered",
            zh="每个请求都得到了明确答复",
            en="Every request got a definite answer",
            looked_at=len(last),
            broken=sum(not a.is_definite for a in last.values()),
        ),
        Check(
            code="every_confirmed_slot_is_stored",
            zh="客户端收到的每个预约成功都在数据库中，且就诊人、排班、号序一致",
            en="Every booking a client was told of is stored, with the same person, session and slot",
            looked_at=len(confirmed),
            broken=sum(not _agrees(a, stored.get(booking_id)) for booking_id, a in confirmed.items()),
        ),
        Check(
            code="every_stored_booking_was_told",
            zh="数据库中的每个预约都告知过客户端",
            en="Every stored booking was told to its client",
            looked_at=len(given),
            broken=len(given - confirmed.keys()),
        ),
        Check(
            code="no_slot_was_given_twice",
            zh="按事件记录重放：任何时刻一个号只属于一个人",
            en="Replaying the event log: at any time a slot belongs to one person",
            looked_at=len(happened),
            broken=given_twice(happened),
        ),
        Check(
            code="same_key_same_answer",
            zh="同一幂等键重发，得到同一答复",
            en="The same idempotency key heard the same answer",
            looked_at=len(last),
            broken=differing_answers(asked),
        ),
        Check(
            code="paid_means_booked_or_refunded",
            zh="付款成功的预约已确认，或款项已退",
            en="What was paid is booked, or the money goes back",
            looked_at=len(paid),
            broken=sum(not _kept(stored.get(a.booking_id)) for a in paid),
        ),
        Check(
            code="offers_went_to_who_waited",
            zh="每个中签或候补到的号，都发给了报名或候补该排班的人",
            en="Every slot that was offered went to somebody who entered for that session, or waited for it",
            looked_at=len(offered),
            broken=sum((e.patient_id, e.session_id) not in joined for e in offered),
        ),
        Check(
            code="nothing_came_back_to_the_open",
            zh="退回、超时的号没有一个再被抢走：只给候补的人，或休息中",
            en="No slot that was returned or not paid could be snatched: it went to the waitlist, or rests",
            looked_at=sum(e.kind in {"cancelled", "expired"} for e in happened),
            broken=booked_after_return(happened),
        ),
        Check(
            code="nobody_holds_more_than_allowed",
            zh=f"按事件记录重放：任何时刻没有人持有同一周超过 {most} 个号",
            en=f"Replaying the event log: at no time did anybody hold more than {most} slots of one week",
            looked_at=len({e.patient_id for e in happened if e.kind == "booked"}),
            broken=over_the_week(happened, days, most=most),
        ),
    ]


def given_twice(happened: Sequence[Happened]) -> int:
    """How often a slot was given while somebody held it, or let go by somebody who did not."""
    holder: dict[str, str] = {}
    broken = 0
    for event in happened:
        if event.kind in {"booked", "offered"}:
            broken += event.slot_id in holder
            holder[event.slot_id] = event.patient_id
        elif event.kind in {"cancelled", "expired"}:
            broken += holder.pop(event.slot_id, None) != event.patient_id
    return broken


def booked_after_return(happened: Sequence[Happened]) -> int:
    """How often a slot was there for whoever is fastest after somebody had let it go."""
    came_back: set[str] = set()
    broken = 0
    for event in happened:
        if event.kind in {"cancelled", "expired"}:
            came_back.add(event.slot_id)
        elif event.kind == "booked":
            broken += event.slot_id in came_back
    return broken


def over_the_week(happened: Sequence[Happened], days: Mapping[str, str], *, most: int) -> int:
    """How often somebody was given one slot of a week too many.

    Args:
        days: the day of each session.
    """
    holding: Counter[tuple[str, tuple[int, int]]] = Counter()
    broken = 0
    for event in happened:
        change = {"booked": 1, "offered": 1, "cancelled": -1, "expired": -1}.get(event.kind, 0)
        if change:
            mine = (event.patient_id, week_of(days[event.session_id]))
            holding[mine] += change
            broken += change > 0 and holding[mine] > most
    return broken


def differing_answers(asked: Sequence[Asked]) -> int:
    """How many keys heard two different definite answers to the same request."""
    first: dict[str, tuple[int, str, str]] = {}
    differing: set[str] = set()
    for a in asked:
        if a.is_definite:
            said = (a.status, a.code, a.booking_id)
            if first.setdefault(a.key, said) != said:
                differing.add(a.key)
    return len(differing)


def _agrees(a: Asked, booking: Booking | None) -> bool:
    heard = (a.who, a.session_id, a.slot_id)
    return booking is not None and heard == (booking.patient_id, booking.session_id, booking.slot_id)


def _kept(booking: Booking | None) -> bool:
    return booking is not None and booking.state in {"booked", "checked_in", "returned", "expired"}


def as_rows(checks: Sequence[Check]) -> list[Mapping[str, object]]:
    """Checks as they stand in the report."""
    return [
        {"code": c.code, "zh": c.zh, "en": c.en, "looked_at": c.looked_at, "broken": c.broken, "holds": c.holds}
        for c in checks
    ]
