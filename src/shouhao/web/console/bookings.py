"""Bookings at the window: the same desk, the same limits, with the name of who served."""

import concurrent.futures
from typing import Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from shouhao.booking.model import BookingView, BookRequest
from shouhao.flows.attend import check_in
from shouhao.flows.book import DONE
from shouhao.flows.give_back import Caller, give_back
from shouhao.flows.pay import pay_at_window, refund_at_window
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.staff.model import require
from shouhao.store.answers import Answer
from shouhao.web import errors
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id
from shouhao.web.handlers import JSON
from shouhao.web.public.bookings import booking_view, gives_booking

routes = APIRouter(prefix="/api/v1/staff", tags=["bookings"])

_WINDOW: Final = "window"
_LONGEST_WAIT_S = 30.0
_WRITE = failures(400, 401, 403, 404, 409, 422)


class AssistedBody(Body):
    """What the patient at the window asks for."""

    patient_id: Id
    session_id: Id
    slot_id: Id | None = None


class FeeBody(Body):
    """What was given for the money."""

    receipt: Id | None = None


@routes.post(
    "/bookings",
    status_code=201,
    responses={**gives_booking(201), **failures(400, 401, 403, 404, 409, 415, 422)},
    summary="窗口预约 Book for a patient",
)
def book(body: AssistedBody, operator: OnDuty, write: StaffWrite, system: Here, request: Request) -> Response:
    """与线上相同的规则。 The rules are those of every channel."""
    require(operator, _WINDOW)
    reply: concurrent.futures.Future[Answer | Refused] = concurrent.futures.Future()
    asked = BookRequest(
        patient_id=body.patient_id,
        session_id=body.session_id,
        slot_id=body.slot_id,
        channel=_WINDOW,
        staff_id=operator.id,
        ip=None if request.client is None else request.client.host,
        user_agent=write.heard.user_agent or None,
        once=write.once,
    )
    system.desk.submit(asked, reply, lane_key=body.session_id)
    try:
        said = reply.result(timeout=_LONGEST_WAIT_S)
    except TimeoutError:
        raise Unavailable("desk") from None  # what the desk still says is kept under the key
    if isinstance(said, Refused):
        raise said
    if said.status == DONE:
        return Response(said.body, 201, media_type=JSON)
    status, content = errors.kept_refusal(said.body, language=write.heard.language, request_id=write.heard.request_id)
    return Response(content, status, media_type=JSON)


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
    """已在窗口收费。 The fee was taken by hand."""
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
