"""Book: a batch of requests becomes bookings, refusals, events and answers in one transaction.

Order: what was said to these keys before; the people, locked; the sessions, locked; the decision, which is pure;
the writing. The locks are taken in the same order by every flow, so processes wait for each other and never die
in an embrace.
"""

from collections.abc import Sequence

import msgspec
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from shouhao.booking.decide import Granted, HoldTimes, Outcome, decide
from shouhao.booking.limits import KIND as LIMITS
from shouhao.booking.model import ASSISTED_CHANNELS, Applicant, BookRequest, OpenSession, view
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store.rules import limits_of
from shouhao.gate.store import ended_among
from shouhao.kernel.clock import Clock
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_ids
from shouhao.patients.policy import KIND as BINDING
from shouhao.patients.standing import PatientUnknown, Standing, standings
from shouhao.patients.store import binding_of
from shouhao.store import answers, batch, event_log, policies
from shouhao.store.answers import Answer, IdempotencyKeyReused
from shouhao.store.engine import Database

DONE, REFUSED = 0, 1  #: `Answer.status`

_log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode
_UNKNOWN = Applicant(refusal=PatientUnknown("patient_id"))


class SignedOut(Refused):
    """The sign-in was ended."""

    code = "gate.signed_out"
    zh = "登录已失效，请重新登录"
    en = "Signed out, please sign in again"


class BookingDesk:
    """The decision that `booking.desk.Desk` is given."""

    def __init__(self, db: Database, clock: Clock, hold: HoldTimes) -> None:
        self._db = db
        self._clock = clock
        self._hold = hold

    def decide(self, requests: Sequence[BookRequest]) -> Sequence[Answer | Refused | Exception]:
        """Answer a batch durably; in the order it was asked. What keeps one request from being written is its answer.

        Raises:
            Unavailable: the database does not answer; nothing was done, or the answer is kept under its key.
        """
        try:
            started_us = self._clock.now_us()
            try:
                said = self._book(requests, started_us)
            except (IntegrityError, desk_store.SlotMoved):
                # Somebody outside this batch used one of its keys or slots a moment ago; looked at again, it is seen.
                said = self._book(requests, started_us)
        except (IntegrityError, DataError, desk_store.SlotMoved) as error:
            # Whatever still cannot be written is one request's, and must not cost the others their answers.
            if len(requests) == 1:
                _log.error("request_not_written", error=type(error).__name__, exc_info=True)
                return [error]
            half = len(requests) // 2
            return [*self._part(requests[:half]), *self._part(requests[half:])]
        _log.info(
            "batch_decided",
            requests=len(requests),
            granted=sum(isinstance(a, Answer) and a.status == DONE for a in said),
            took_ms=(self._clock.now_us() - started_us) / 1000,
        )
        return said

    def _part(self, requests: Sequence[BookRequest]) -> Sequence[Answer | Refused | Exception]:
        try:
            return self.decide(requests)
        except Unavailable as error:  # the other part may have its answers
            return [error] * len(requests)

    def _book(self, requests: Sequence[BookRequest], now_us: int) -> list[Answer | Refused]:
        with self._db.write(ahead=True) as connection:
            return book(connection, requests, hold=self._hold, now_us=now_us)


def book(
    connection: Connection, requests: Sequence[BookRequest], *, hold: HoldTimes, now_us: int
) -> list[Answer | Refused]:
    """Decide a batch within a unit of work. A request with a key is answered with what is kept under it."""
    said: list[Answer | Refused | None] = [None] * len(requests)
    echoes = _echo(connection, requests, said)
    fresh = [n for n, answer in enumerate(said) if answer is None and n not in echoes]
    if fresh:
        asked = [requests[n] for n in fresh]
        outcomes, sessions = _decide(connection, asked, hold=hold, now_us=now_us)
        made = [_answer(outcome) for outcome in outcomes]
        granted = [outcome for outcome in outcomes if isinstance(outcome, Granted)]
        keyed = [(r.once, answer) for r, answer in zip(asked, made, strict=True) if r.once is not None]
        happened = [
            _event(r, outcome, sessions.get(r.session_id), now_us) for r, outcome in zip(asked, outcomes, strict=True)
        ]
        desk_store.take_slots(connection, granted)
        with batch.together(connection):
            desk_store.add_bookings(connection, granted)
            answers.keep(connection, keyed, now_us=now_us)
            event_log.append(connection, happened)
        for n, answer in zip(fresh, made, strict=True):
            said[n] = answer
    for n, first in echoes.items():
        said[n] = said[first]
    return [answer for answer in said if answer is not None]


def refusal_body(refusal: Refused) -> str:
    """A refusal as it is kept: code, field and both languages."""
    return _encode(
        {"code": refusal.code, "field": refusal.field, "zh": refusal.says("zh"), "en": refusal.says("en")}
    ).decode()


def _echo(
    connection: Connection, requests: Sequence[BookRequest], said: list[Answer | Refused | None]
) -> dict[int, int]:
    """Fill in what was said before; return which requests repeat an earlier one of this batch."""
    first: dict[str, int] = {}
    echoes: dict[int, int] = {}
    before = answers.find(connection, {r.once.key for r in requests if r.once is not None})
    for n, request in enumerate(requests):
        once = request.once
        if once is None:
            continue
        kept = before.get(once.key)
        if kept is not None:
            body_hash, answer = kept
            said[n] = answer if body_hash == once.body_hash else IdempotencyKeyReused("Idempotency-Key")
        elif once.key in first:
            earlier = first[once.key]
            twin = requests[earlier].once
            if twin is not None and twin.body_hash == once.body_hash:
                echoes[n] = earlier
            else:
                said[n] = IdempotencyKeyReused("Idempotency-Key")
        else:
            first[once.key] = n
    return echoes


def _decide(
    connection: Connection, asked: Sequence[BookRequest], *, hold: HoldTimes, now_us: int
) -> tuple[list[Outcome], dict[str, OpenSession]]:
    people = standings(connection, {(r.patient_id, r.account_id) for r in asked})
    ended = ended_among(connection, {r.sign_in_id for r in asked if r.sign_in_id is not None})
    rules = policies.all_effective(connection, now_us=now_us)
    hot_binding_age_s = binding_of(rules.get(BINDING)).hot_binding_age_s
    seen = desk_store.look(connection, asked, now_us=now_us)
    outcomes = decide(
        [(r, _applicant(r, people.get((r.patient_id, r.account_id)), ended, hot_binding_age_s)) for r in asked],
        seen,
        ids=new_ids("bk", len(asked)),
        policy=limits_of(rules.get(LIMITS)),
        hold=hold,
        now_us=now_us,
    )
    return outcomes, dict(seen.sessions)


def _applicant(request: BookRequest, standing: Standing | None, ended: set[str], hot_binding_age_s: int) -> Applicant:
    if request.sign_in_id is not None and request.sign_in_id in ended:
        return Applicant(refusal=SignedOut())
    if standing is None:
        return _UNKNOWN
    assisted = request.account_id is None and request.channel in ASSISTED_CHANNELS
    return Applicant(
        refusal=standing.refusal(assisted=assisted),
        hot_from_us=standing.hot_from_us(binding_age_s=hot_binding_age_s),
    )


def _answer(outcome: Outcome) -> Answer:
    if isinstance(outcome, Refused):
        return Answer(status=REFUSED, body=refusal_body(outcome))
    slot = outcome.slot
    return Answer(
        status=DONE, body=_encode(view(outcome.booking, number=slot.number, ends_at_us=slot.ends_at_us)).decode()
    )


def _event(request: BookRequest, outcome: Outcome, session: OpenSession | None, now_us: int) -> Event:
    slot_id: str | None
    detail: dict[str, str]
    if isinstance(outcome, Refused):
        slot_id, detail = request.slot_id, {"code": outcome.code}
    else:
        slot_id, detail = outcome.slot.id, {"booking_id": outcome.booking.id}
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
