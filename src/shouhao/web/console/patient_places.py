"""What a patient has, as the window serves it: bookings with their money, entries in draws, places on waitlists.

And what waits at the window to be given back. A look at any of it is a look at health data, and is on record.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from shouhao.booking.payment import WINDOW as AT_WINDOW
from shouhao.booking.store import lifecycle, payments
from shouhao.booking.store.draws_seen import EntrySeen, entries_of_people
from shouhao.booking.store.lifecycle import Placed
from shouhao.booking.store.payments import Payment
from shouhao.booking.store.standings_of_waits import batches_of, places_of, sessions_waited_for
from shouhao.flows.give_back import Caller
from shouhao.flows.leave import leave
from shouhao.kernel.errors import NotFound
from shouhao.patients import store
from shouhao.patients.model import WINDOW
from shouhao.staff.model import require
from shouhao.web.console.duty_look import look_on_duty, record_look
from shouhao.web.console.patient_shapes import Where, where_of
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Id, Instant, Shown
from shouhao.web.public.waits import LeftShown

routes = APIRouter(prefix="/api/v1/staff", tags=["bookings"])

_MOST = 100
_MOST_REFUNDS = 200
_LOOK = failures(401, 403, 404, 422)
_MONEY = ("paid", "refund_due", "refunded", "open", "superseded")


class BookingAtWindow(Where):
    """A booking with its money.

    `money`: none (no fee), unpaid, paid, refund_due, refunded. `refund_here_cents`: what was taken by hand and waits
    here to be given back. `together`: others were made in the same step, and are accepted and paid with it.
    """

    booking_id: str
    state: str
    number: int
    extra: bool
    starts_at: Instant
    ends_at: Instant
    fee_cents: int
    hold_expires_at: Instant | None
    created_at: Instant
    channel: str
    together: bool
    money: str
    refund_here_cents: int


class EntryAtWindow(Shown):
    """A place in a draw; `open` while it can be withdrawn, `place` once it is drawn."""

    entry_id: str
    draw_id: str
    state: str
    open: bool
    closes_at: Instant
    wishes: list[Where]
    people: int
    place: int | None
    entries: int
    left_out: str | None


class WaitAtWindow(Where):
    """A place on a waitlist; in a batch that is not drawn yet there is no `wait_id` and no `ahead`."""

    wait_id: str | None
    entry_id: str
    state: str
    since: Instant
    drawn_at: Instant
    ahead: int | None
    joined: int | None
    people: int


class PlacesShown(Shown):
    """All that a patient has at `now`, the newest first."""

    now: Instant
    bookings: list[BookingAtWindow]
    entries: list[EntryAtWindow]
    waits: list[WaitAtWindow]


class RefundShown(Where):
    """Money that was taken by hand and waits here to be given back."""

    booking_id: str
    patient_id: str
    name: str
    number: int
    amount_cents: int


class RefundList(Shown):
    """Refunds, longest waiting first; `cut` when there are more."""

    refunds: list[RefundShown]
    cut: bool


@routes.get("/patients/{patient_id}/places", responses=_LOOK, summary="就诊人的号与候补 What a patient has")
def show_places(patient_id: Id, operator: OnDuty, system: Here) -> PlacesShown:
    """预约与费用、抽签、候补；查看即留痕。 Bookings and money, draws, waits; the look is recorded."""
    require(operator, "window")
    now_us = system.clock.now_us()
    with system.db.write() as connection:
        if store.find_patient(connection, patient_id) is None:
            raise NotFound("patient", "patient_id")
        record_look(connection, patient_id, staff_id=operator.id, what="places", now_us=now_us)
    look_on_duty(system, operator, "window", data_class="health", what=f"places of patient {patient_id}")
    with system.db.read() as connection:
        return _places(connection, patient_id, now_us=now_us)


@routes.get("/refunds", responses=failures(401, 403), summary="待退费 Refunds that wait at the window")
def list_refunds(operator: OnDuty, system: Here) -> RefundList:
    """窗口所收、须在窗口退还的费用；姓名遮盖。 Taken by hand, to be given back by hand; names masked."""
    require(operator, "window")
    with system.db.read() as connection:
        due = payments.all_due_at_window(connection, limit=_MOST_REFUNDS + 1)
        placed = {one.booking_id: lifecycle.find_booking(connection, one.booking_id) for one in due[:_MOST_REFUNDS]}
        people = store.find_patients(connection, (one.booking.patient_id for one in placed.values()))
        where = _where(connection, (one.booking.session_id for one in placed.values()))
    refunds = []
    for payment in due[:_MOST_REFUNDS]:
        one = placed[payment.booking_id]
        refunds.append(
            RefundShown(
                **where[one.booking.session_id],
                booking_id=one.booking.id,
                patient_id=one.booking.patient_id,
                name=people[one.booking.patient_id].name_masked,
                number=one.number,
                amount_cents=payment.amount_cents,
            )
        )
    return RefundList(refunds=refunds, cut=len(due) > _MOST_REFUNDS)


@routes.post(
    "/waits/{wait_id}/leave",
    response_model=LeftShown,
    responses=failures(400, 401, 403, 404, 409, 422),
    summary="窗口代为退出候补 Leave a waitlist for patients",
)
def leave_for(wait_id: Id, operator: OnDuty, write: StaffWrite) -> Response:
    """一同候补的人一并退出。 For all who wait together."""
    require(operator, "window")
    caller = Caller(channel=WINDOW, staff_id=operator.id)

    def act(connection: Connection) -> dict[str, Any]:
        leave(connection, wait_id=wait_id, caller=caller, now_us=write.now_us)
        return {"wait_id": wait_id, "state": "left"}

    return write.answer(act)


def _places(connection: Connection, patient_id: str, *, now_us: int) -> PlacesShown:
    placed = lifecycle.bookings_of(connection, [patient_id], account_id=None, limit=_MOST)
    money = payments.payments_of(connection, (one.booking.id for one in placed))
    entries = [seen for seen in entries_of_people(connection, [patient_id], limit=_MOST) if seen.draw.kind == "release"]
    batches = batches_of(connection, [patient_id])
    waiting = places_of(connection, [patient_id], limit=_MOST)
    wanted = {one.booking.session_id for one in placed} | {one.session_id for one in batches}
    wanted |= {one.wait.session_id for one in waiting} | {wish for seen in entries for wish in seen.entry.wishes}
    where = _where(connection, wanted)
    return PlacesShown(
        now=now_us,
        bookings=[_booking(one, where, money.get(one.booking.id, [])) for one in placed],
        entries=[_entry(seen, where, now_us=now_us) for seen in entries],
        waits=[
            *(
                WaitAtWindow(
                    **where[one.session_id],
                    wait_id=None,
                    entry_id=one.entry_id,
                    state="batch",
                    since=one.since_us,
                    drawn_at=one.drawn_at_us,
                    ahead=None,
                    joined=one.joined,
                    people=len(one.people),
                )
                for one in batches
            ),
            *(
                WaitAtWindow(
                    **where[one.wait.session_id],
                    wait_id=one.wait.id,
                    entry_id=one.wait.entry_id,
                    state=one.wait.state,
                    since=one.wait.since_us,
                    drawn_at=one.wait.drawn_at_us,
                    ahead=one.ahead if one.wait.ended_at_us == 0 else None,
                    joined=None,
                    people=one.wait.size,
                )
                for one in waiting
            ),
        ],
    )


def _booking(one: Placed, where: dict[str, dict[str, Any]], paid: Sequence[Payment]) -> BookingAtWindow:
    booking = one.booking
    return BookingAtWindow(
        **where[booking.session_id],
        booking_id=booking.id,
        state=booking.state,
        number=one.number,
        extra=one.extra,
        starts_at=booking.starts_at_us,
        ends_at=one.ends_at_us,
        fee_cents=booking.fee_cents,
        hold_expires_at=booking.hold_expires_at_us if booking.state in {"offered", "held"} else None,
        created_at=booking.created_at_us,
        channel=booking.channel,
        together=booking.party_id is not None,
        money=_money(booking.fee_cents, paid),
        refund_here_cents=sum(
            each.amount_cents for each in paid if each.state == "refund_due" and each.gateway == AT_WINDOW
        ),
    )


def _money(fee_cents: int, paid: Sequence[Payment]) -> str:
    if fee_cents == 0:
        return "none"
    state = min((each.state for each in paid), key=_MONEY.index, default="open")
    return "unpaid" if state in {"open", "superseded"} else state


def _entry(seen: EntrySeen, where: dict[str, dict[str, Any]], *, now_us: int) -> EntryAtWindow:
    entry, draw = seen.entry, seen.draw
    return EntryAtWindow(
        entry_id=entry.id,
        draw_id=draw.id,
        state=entry.state,
        open=entry.state == "entered" and draw.state == "open" and now_us < draw.closes_at_us,
        closes_at=draw.closes_at_us,
        wishes=[Where(**where[wish]) for wish in entry.wishes],
        people=len(entry.people),
        place=entry.place,
        entries=seen.entries,
        left_out=entry.left_out,
    )


def _where(connection: Connection, session_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Fields of `Where` by session."""
    found = sessions_waited_for(connection, sorted(set(session_ids)))
    return {session_id: where_of(one) for session_id, one in found.items()}
