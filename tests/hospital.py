"""A hospital for tests: departments, sessions and people put in quickly, and short ways to act on them.

People are rows, not registrations: what their sealed fields hold does not matter to booking. Everything is put in
through `store.batch.insert`, so thousands cost a moment.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from sqlalchemy import Table, select

from shouhao.booking.decide import HoldTimes
from shouhao.booking.limits import KIND
from shouhao.booking.model import BookRequest
from shouhao.booking.store import lifecycle
from shouhao.booking.tables import bookings, departments, doctors, payments, sessions, slots
from shouhao.flows import pay as pay_flow
from shouhao.flows.book import book
from shouhao.flows.once import DONE
from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US, start_of_day_us
from shouhao.kernel.errors import Refused
from shouhao.kernel.ids import new_ids
from shouhao.patients.tables import accounts, bindings, identity_checks, patients
from shouhao.protocols.reference_payment import ReferenceGateway
from shouhao.store import answers, batch, event_log, policies
from shouhao.store.answers import Answer
from shouhao.store.engine import Database
from shouhao.store.invariants import check
from shouhao.store.schema import metadata
from shouhao.wiring import INVARIANTS

DAY = date(2026, 3, 9)  #: a Monday
NOW_US = start_of_day_us(DAY) - 3 * DAY_US + 9 * HOUR_US  #: the Friday before, 09:00
HOLD = HoldTimes(hold_s=900, cap_s=1800)
GATEWAY = ReferenceGateway(b"g" * 32, pay_page="http://127.0.0.1/pay")

_HALVES = {"am": (8, 12), "pm": (13, 17), "evening": (17, 20)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an account that is bound to them."""

    patient_id: str
    account_id: str


def put(db: Database, table: Table, *rows: Mapping[str, Any]) -> None:
    """Insert rows that name the same columns."""
    if rows:
        with db.write() as connection:
            batch.insert(connection, table, tuple(rows[0]), rows)


def add_department(db: Database, department_id: str = "OBS", *, doctor_ids: Iterable[str] = ("D1",)) -> None:
    """A department with its doctors, each with two extra slots a day."""
    put(db, departments, {"id": department_id, "name_zh": "产科", "name_en": "Obstetrics"})
    doctor = {"department_id": department_id, "name_zh": "林华", "name_en": "Lin Hua", "title_zh": "主任医师"}
    put(db, doctors, *({"id": doctor_id, **doctor, "extra_daily_cap": 2} for doctor_id in doctor_ids))


def add_session(
    db: Database,
    session_id: str = "S1",
    *,
    seats: int = 8,
    department_id: str = "OBS",
    doctor_id: str | None = "D1",
    day: date = DAY,
    half: str = "am",
    fee_cents: int = 5000,
    state: str = "released",
    release_at_us: int = NOW_US - DAY_US,
    hot: bool = False,
) -> str:
    """A session; slot 3 of S1 is `S1-003`. A planned one has planned slots, any other free ones."""
    first, last = _HALVES[half]
    starts_at_us, ends_at_us = (start_of_day_us(day) + hour * HOUR_US for hour in (first, last))
    put(
        db,
        sessions,
        {
            "id": session_id,
            "department_id": department_id,
            "doctor_id": doctor_id,
            "day": day.isoformat(),
            "half": half,
            "kind": "expert",
            "starts_at_us": starts_at_us,
            "ends_at_us": ends_at_us,
            "fee_cents": fee_cents,
            "state": state,
            "release_at_us": release_at_us,
            "released_at_us": None if state == "planned" else release_at_us,
            "hot": hot,
            "source": "console",
        },
    )
    length_us = (ends_at_us - starts_at_us) // max(seats, 1)
    put(
        db,
        slots,
        *(
            {
                "id": f"{session_id}-{n:03d}",
                "session_id": session_id,
                "number": n,
                "starts_at_us": starts_at_us + (n - 1) * length_us,
                "ends_at_us": starts_at_us + n * length_us,
                "state": "planned" if state == "planned" else "free",
                "extra": False,
            }
            for n in range(1, seats + 1)
        ),
    )
    return session_id


def add_week(db: Database, *, seats: int = 2, departments_: Sequence[str] = ("OBS", "PED"), days: int = 3) -> list[str]:
    """Departments with one session a half-day for some days: ids such as `OBS-0-am`."""
    made = []
    for department_id in departments_:
        doctor_id = f"D-{department_id}"
        add_department(db, department_id, doctor_ids=[doctor_id])
        for offset in range(days):
            for half in ("am", "pm"):
                session_id = f"{department_id}-{offset}-{half}"
                add_session(
                    db,
                    session_id,
                    seats=seats,
                    department_id=department_id,
                    doctor_id=doctor_id,
                    day=DAY + timedelta(days=offset),
                    half=half,
                )
                made.append(session_id)
    return made


def add_people(
    db: Database, count: int, *, verification: str = "verified", bound_at_us: int = NOW_US - 30 * DAY_US
) -> list[Person]:
    """People, each with an account of their own."""
    people = [
        Person(patient_id=patient_id, account_id=account_id)
        for patient_id, account_id in zip(new_ids("pt", count), new_ids("ac", count), strict=True)
    ]
    sealed = {"document_sealed": "-", "document_masked": "-", "name_sealed": "-", "name_masked": "*"}
    phone = {"phone_sealed": "-", "phone_masked": "*"}
    sure = verification == "verified"
    put(
        db,
        accounts,
        *(
            {"id": p.account_id, "phone_hash": p.account_id, **phone, "active": True, "created_at_us": bound_at_us}
            for p in people
        ),
    )
    put(
        db,
        patients,
        *(
            {
                "id": p.patient_id,
                "document_kind": "resident_id",
                "document_hash": p.patient_id,
                **sealed,
                "phone_hash": p.patient_id,
                **phone,
                "birth_day": "1985-06-01",
                "verification": verification,
                "verified_by": "window" if sure else None,
                "verified_at_us": bound_at_us if sure else None,
                "created_at_us": bound_at_us,
                "version": 1,
            }
            for p in people
        ),
    )
    checks = [
        {"id": f"ic-{p.patient_id}", "patient_id": p.patient_id, "authority": "window", "verdict": "match"}
        for p in people
        if sure
    ]
    put(db, identity_checks, *({**row, "at_us": bound_at_us} for row in checks))
    bind(db, [(p.account_id, p.patient_id) for p in people], bound_at_us=bound_at_us, relation="self")
    return people


def add_person(db: Database, **how: Any) -> Person:
    """One person, as `add_people`."""
    return add_people(db, 1, **how)[0]


def bind(db: Database, pairs: Sequence[tuple[str, str]], *, bound_at_us: int, relation: str = "other") -> None:
    """Bind (account, patient) pairs."""
    put(
        db,
        bindings,
        *(
            {
                "id": f"bd-{account_id}-{patient_id}",
                "account_id": account_id,
                "patient_id": patient_id,
                "relation": relation,
                "guarded": False,
                "bound_at_us": bound_at_us,
            }
            for account_id, patient_id in pairs
        ),
    )


def set_limits(db: Database, *, now_us: int = NOW_US - DAY_US, **body: int) -> None:
    """Put booking limits in force."""
    with db.write() as connection:
        policies.add(connection, KIND, body, effective_at_us=now_us, staff_id="st", reason="test", now_us=now_us)


def ask(
    person: Person,
    session_id: str,
    *,
    channel: str = "app",
    key: str | None = None,
    body: str | None = None,
    **more: Any,
) -> BookRequest:
    """A request of a person; at a window or kiosk without their account.

    Args:
        key: the idempotency key the caller sends, if any.
        body: what the caller sent with it, when that differs from the request.
    """
    assisted = channel in {"window", "phone", "kiosk"}
    said = body or f"{person.patient_id} {session_id} {more.get('slot_id')}"
    once = None if key is None else answers.once(caller="c", route="book", key=key, body=said.encode())
    return BookRequest(
        patient_id=person.patient_id,
        session_id=session_id,
        channel=channel,
        account_id=None if assisted else person.account_id,
        staff_id="st" if assisted else None,
        once=once,
        **more,
    )


def book_now(db: Database, *requests: BookRequest, now_us: int = NOW_US) -> list[Answer | Refused]:
    """Decide a batch in one unit of work."""
    with db.write() as connection:
        return book(connection, requests, hold=HOLD, now_us=now_us)


def booked(db: Database, person: Person, session_id: str, *, now_us: int = NOW_US, **more: Any) -> str:
    """Book and give the booking's id."""
    (answer,) = book_now(db, ask(person, session_id, **more), now_us=now_us)
    assert code(answer) == "done", answer
    return booking_of(answer)


def paid(db: Database, person: Person, session_id: str, *, now_us: int = NOW_US, **more: Any) -> str:
    """Book, pay, and give the booking's id."""
    booking_id = booked(db, person, session_id, now_us=now_us, **more)
    pay(db, booking_id, now_us=now_us)
    return booking_id


def code(answer: Answer | Refused | Exception) -> str:
    """`done`, or the code of a refusal, kept or not."""
    if isinstance(answer, Answer):
        return "done" if answer.status == DONE else str(msgspec.json.decode(answer.body)["code"])
    return str(getattr(answer, "code", type(answer).__name__))


def booking_of(answer: Answer | Refused) -> str:
    """The id of the booking that an answer tells of."""
    assert isinstance(answer, Answer)
    return str(msgspec.json.decode(answer.body)["id"])


def notice_for(db: Database, booking_id: str, *, now_us: int = NOW_US) -> tuple[bytes, str]:
    """Begin to pay, pay at the gateway, and give the signed notice that follows."""
    with db.write() as connection:
        owner = lifecycle.find_booking(connection, booking_id).booking.account_id or ""
        due = pay_flow.begin_payment(
            connection, booking_id=booking_id, owner=owner, gateway=GATEWAY.name, hold=HOLD, now_us=now_us
        )
    url = GATEWAY.pay_url(payment_id=due.payment_id, amount_cents=due.amount_cents, expires_at_us=due.expires_at_us)
    order = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
    return GATEWAY.pay(
        payment_id=order["payment_id"],
        amount_cents=int(order["amount_cents"]),
        expires_at_us=int(order["expires_at_us"]),
        mac=order["mac"],
        payer_id="py-1",
        now_us=now_us,
    )


def deliver(db: Database, notice: tuple[bytes, str], *, now_us: int = NOW_US) -> str:
    """Take a signed notice, as the route does."""
    read = GATEWAY.read_notice(*notice)
    with db.write() as connection:
        return pay_flow.take_notice(connection, read, now_us=now_us)


def pay(db: Database, booking_id: str, *, now_us: int = NOW_US) -> str:
    """Pay a held booking; the payment's state after it."""
    return deliver(db, notice_for(db, booking_id, now_us=now_us), now_us=now_us)


def rows(db: Database, table: Table, **where: Any) -> list[dict[str, Any]]:
    """Rows of a table whose columns have these values, in the order of its first column."""
    query = select(table).order_by(*table.primary_key.columns or [table.c[0]])
    for name, value in where.items():
        query = query.where(table.c[name] == value)
    with db.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def events(db: Database, kind: str) -> list[dict[str, Any]]:
    """Events of a kind, in their order."""
    return rows(db, event_log.events, kind=kind)


def booking_state(db: Database, booking_id: str) -> str:
    """The state of a booking."""
    return str(rows(db, bookings, id=booking_id)[0]["state"])


def payment_state(db: Database, booking_id: str) -> str:
    """The state of a booking's payment."""
    return str(rows(db, payments, booking_id=booking_id)[0]["state"])


def dump(db: Database, *, without: Iterable[str] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, so that two moments can be compared."""
    left_out = set(without)
    with db.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name not in left_out
        }


def assert_sound(db: Database) -> None:
    """Every invariant of the house holds."""
    with db.read() as connection:
        assert check(connection, INVARIANTS) == []


def minutes(count: float) -> int:
    """So many minutes, in microseconds."""
    return round(count * MINUTE_US)
