"""Book: a batch of requests becomes bookings, refusals, events and answers in one transaction.

Order: what was said to these keys before; the people, locked; the sessions, locked; the decision, which is pure;
the writing. The locks are taken in the same order by every flow, so processes wait for each other and never die
in an embrace.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from shouhao.booking.decide import CARE, PHONE, Granted, HoldTimes, Outcome, decide
from shouhao.booking.limits import KIND as LIMITS
from shouhao.booking.model import BookRequest, OpenSession, view
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store.rules import limits_of
from shouhao.flows.applicants import look_at
from shouhao.flows.once import Keep, done, each_once, no
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import Refused
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_ids
from shouhao.patients.care_store import care_grounds
from shouhao.store import batch, event_log, policies
from shouhao.store.answers import Answer


def book(
    connection: Connection, requests: Sequence[BookRequest], *, hold: HoldTimes, now_us: int
) -> list[Answer | Refused]:
    """Decide a batch within a unit of work. A request with a key is answered with what is kept under it."""

    def fresh(asked: Sequence[BookRequest], keep: Keep) -> list[Answer]:
        outcomes, sessions = _decide(connection, asked, hold=hold, now_us=now_us)
        made = [_answer(outcome) for outcome in outcomes]
        granted = [outcome for outcome in outcomes if isinstance(outcome, Granted)]
        happened = [
            _event(r, outcome, sessions.get(r.session_id), now_us) for r, outcome in zip(asked, outcomes, strict=True)
        ]
        desk_store.take_slots(connection, granted)
        with batch.together(connection):
            desk_store.add_bookings(connection, granted)
            keep(made)
            event_log.append(connection, happened)
        return made

    return each_once(connection, requests, fresh, now_us=now_us)


def _decide(
    connection: Connection, asked: Sequence[BookRequest], *, hold: HoldTimes, now_us: int
) -> tuple[list[Outcome], dict[str, OpenSession]]:
    rules = policies.all_effective(connection, now_us=now_us)
    caring = {r.patient_id for r in asked if r.pool == CARE or r.channel == PHONE}
    people = look_at(
        connection,
        {(r.patient_id, r.account_id) for r in asked},
        {r.sign_in_id for r in asked},
        rules,
        grounds=lambda: care_grounds(connection, caring, today=day_of(now_us)) if caring else {},
    )
    seen = desk_store.look(connection, asked, now_us=now_us)
    outcomes = decide(
        [(r, people.applicant(r, r.patient_id)) for r in asked],
        seen,
        ids=new_ids("bk", len(asked)),
        policy=limits_of(rules.get(LIMITS)),
        hold=hold,
        now_us=now_us,
    )
    return outcomes, dict(seen.sessions)


def _answer(outcome: Outcome) -> Answer:
    if isinstance(outcome, Refused):
        return no(outcome)
    slot = outcome.slot
    return done(view(outcome.booking, number=slot.number, ends_at_us=slot.ends_at_us))


def _event(request: BookRequest, outcome: Outcome, session: OpenSession | None, now_us: int) -> Event:
    slot_id: str | None
    detail: dict[str, str]
    if isinstance(outcome, Refused):
        slot_id, detail = request.slot_id, {"code": outcome.code}
    else:
        slot_id, detail = outcome.slot.id, {"booking_id": outcome.booking.id}
        if outcome.slot.reserved_for is not None:
            detail["pool"] = outcome.slot.reserved_for
        if request.note is not None:
            detail["note"] = request.note
    return Event(
        at_us=now_us,
        kind="refused" if isinstance(outcome, Refused) else "booked",
        channel=request.channel,
        account_id=request.account_id,
        patient_id=request.patient_id,
        device_id=request.device_id,
        session_token=request.sign_in_id,
        ip=request.ip,
        user_agent=request.user_agent,
        department_id=None if session is None else session.department_id,
        doctor_id=None if session is None else session.doctor_id,
        session_id=request.session_id,
        slot_id=slot_id,
        released_at_us=None if session is None else session.released_at_us,
        staff_id=request.staff_id,
        detail=detail,
    )
