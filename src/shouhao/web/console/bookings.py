"""Bookings at the window and by phone: the same desk, the same limits, with the name of who served."""

from typing import Final, Literal

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from shouhao.booking.model import BookingView, BookRequest
from shouhao.flows.attend import check_in
from shouhao.flows.give_back import Caller, give_back
from shouhao.flows.offers import accept
from shouhao.flows.pay import pay_at_window, refund_at_window
from shouhao.staff.model import require
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id
from shouhao.web.public.at_desk import ask_desk
from shouhao.web.public.bookings import booking_view, gives_booking, gives_bookings

routes = APIRouter(prefix="/api/v1/staff", tags=["bookings"])

_WINDOW: Final = "window"
_WRITE = failures(400, 401, 403, 404, 409, 422)


AssistedChannel = Literal["window", "phone"]


class AssistedBody(Body):
    """What the patient at the window, or on the phone, asks for.

    A pool holds slots for people in need (`care`) or against a referral, whose number is the note.
    """

    patient_id: Id
    session_id: Id
    slot_id: Id | None = None
    channel: AssistedChannel = "window"
    pool: Literal["care", "referral"] | None = None
    note: Id | None = None


class FeeBody(Body):
    """What was given for the money."""

    receipt: Id | None = None


@routes.post(
    "/bookings",
    status_code=201,
    responses={**gives_booking(201), **failures(400, 401, 403, 404, 409, 415, 422)},
    summary="窗口预约 Book for a patient",
)
async def book(body: AssistedBody, operator: OnDuty, write: StaffWrite, system: Here, request: Request) -> Response:
    """与线上相同的规则。 The rules are those of every channel."""
    require(operator, _WINDOW)
    asked = BookRequest(
        patient_id=body.patient_id,
        session_id=body.session_id,
        slot_id=body.slot_id,
        channel=body.channel,
        staff_id=operator.id,
        ip=address_of(request),
        user_agent=write.heard.user_agent or None,
        pool=body.pool,
        note=body.note,
        once=write.once,
    )
    return write.told(await ask_desk(system.desk, asked, lane_key=body.session_id), status=201)


@routes.post(
    "/bookings/{booking_id}/accept",
    responses={**gives_bookings(), **_WRITE},
    summary="窗口代为接受 Accept an offer for patients",
)
def accept_offer(booking_id: Id, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """为没有账号的就诊人接受中签或候补得到的号，一同得到的一并接受。 For all who got it together."""
    require(operator, _WINDOW)
    caller = Caller(channel=_WINDOW, staff_id=operator.id)
    hold = system.settings.holds()

    def act(connection: Connection) -> dict[str, list[BookingView]]:
        accepted = accept(connection, booking_id=booking_id, caller=caller, hold=hold, now_us=write.now_us)
        return {"bookings": [booking_view(placed) for placed in accepted]}

    return write.answer(act)


@routes.post(
    "/bookings/{booking_id}/return", responses={**gives_booking(200), **_WRITE}, summary="窗口退号 Return a slot"
)
def return_booking(booking_id: Id, operator: OnDuty, write: StaffWrite) -> Response:
    """替就诊人退号。 Return it for the patient."""
    require(operator, _WINDOW)
    caller = Caller(channel=_WINDOW, staff_id=operator.id)

    def act(connection: Connection) -> BookingView:
        return booking_view(give_back(connection, booking_id=booking_id, caller=caller, now_us=write.now_us))

    return write.answer(act)


@routes.post(
    "/bookings/{booking_id}/payment",
    responses={**gives_booking(200), **failures(400, 401, 403, 404, 409, 415, 422)},
    summary="窗口收费 Take the fee",
)
def take_fee(booking_id: Id, body: FeeBody, operator: OnDuty, write: StaffWrite) -> Response:
    """已在窗口收费；一同约到的号一并收费。 The fee was taken by hand, with that of slots that were got together."""
    require(operator, _WINDOW)

    def act(connection: Connection) -> BookingView:
        return booking_view(
            pay_at_window(
                connection, booking_id=booking_id, staff_id=operator.id, receipt=body.receipt, now_us=write.now_us
            )
        )

    return write.answer(act)


@routes.post(
    "/bookings/{booking_id}/refund", responses={**gives_booking(200), **_WRITE}, summary="窗口退费 Give the fee back"
)
def give_fee_back(booking_id: Id, operator: OnDuty, write: StaffWrite) -> Response:
    """窗口所收费用在窗口退还。 What was taken by hand was given back by hand."""
    require(operator, _WINDOW)

    def act(connection: Connection) -> BookingView:
        return booking_view(
            refund_at_window(connection, booking_id=booking_id, staff_id=operator.id, now_us=write.now_us)
        )

    return write.answer(act)


@routes.post("/bookings/{booking_id}/check-in", responses={**gives_booking(200), **_WRITE}, summary="窗口取号 Check in")
def check_in_at_window(booking_id: Id, operator: OnDuty, write: StaffWrite) -> Response:
    """就诊人已到院。 The patient is here."""
    require(operator, _WINDOW)
    caller = Caller(channel=_WINDOW, staff_id=operator.id)

    def act(connection: Connection) -> BookingView:
        return booking_view(check_in(connection, booking_id=booking_id, caller=caller, now_us=write.now_us))

    return write.answer(act)


def address_of(request: Request) -> str | None:
    """From where the caller came."""
    return None if request.client is None else request.client.host
