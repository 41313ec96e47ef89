"""Bookings after they are made: look, pay, return, check in. Making one is `book.py`."""

from typing import Any

import msgspec
from fastapi import APIRouter, Response
from sqlalchemy import Connection

from shouhao.booking.model import BookingUnknown, BookingView, view
from shouhao.booking.store import lifecycle
from shouhao.flows.attend import CheckInElsewhere, check_in
from shouhao.flows.give_back import Caller, give_back
from shouhao.flows.pay import PaymentDue, begin_payment
from shouhao.patients.store import bindings_of_account
from shouhao.web.depends import ChannelWrite, Here, MemberWrite, SignedIn, Visiting
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, Shown
from shouhao.web.handlers import JSON

routes = APIRouter(prefix="/api/v1", tags=["bookings"])

_MOST = 200
_WRITE = failures(400, 401, 403, 404, 409, 422)
BOOKING_REF = {"$ref": "#/components/schemas/BookingView"}


def gives_booking(status: int) -> dict[int | str, dict[str, Any]]:
    """The response of a route that shows one booking."""
    return {status: {"description": "预约 The booking", "content": {JSON: {"schema": BOOKING_REF}}}}


def gives_bookings() -> dict[int | str, dict[str, Any]]:
    """The response of a route that shows several."""
    schema = {
        "type": "object",
        "properties": {"bookings": {"type": "array", "items": BOOKING_REF}},
        "required": ["bookings"],
    }
    return {200: {"description": "预约 The bookings", "content": {JSON: {"schema": schema}}}}


def booking_view(placed: lifecycle.Placed) -> BookingView:
    """A booking as it is shown in every channel."""
    return view(placed.booking, number=placed.number, ends_at_us=placed.ends_at_us)


def bookings_answer(found: list[lifecycle.Placed]) -> Response:
    """Several bookings as an answer."""
    return Response(msgspec.json.encode({"bookings": [booking_view(p) for p in found]}), media_type=JSON)


class PaymentShown(Shown):
    """What is to be paid, where, and until when."""

    payment_id: str
    booking_id: str
    amount_cents: int
    expires_at: Instant
    pay_url: str


class CheckInBody(Body):
    """Which booking is here."""

    booking_id: Id


@routes.get("/bookings", responses={**gives_bookings(), **failures(401, 403)}, summary="我的预约 My bookings")
def list_bookings(member: SignedIn, system: Here) -> Response:
    """本账号就诊人的预约，最近的在前。 What the account's patients booked, newest first."""
    with system.db.read() as connection:
        found = lifecycle.bookings_of(
            connection, _patients(connection, member.account_id), account_id=member.account_id, limit=_MOST
        )
    return bookings_answer(found)


@routes.get(
    "/bookings/{booking_id}",
    responses={**gives_booking(200), **failures(401, 403, 404, 422)},
    summary="查看预约 One booking",
)
def show_booking(booking_id: Id, member: SignedIn, system: Here) -> Response:
    """本账号的预约，或其就诊人尚有效的预约。 One that this account made, or a live one of its patients."""
    with system.db.read() as connection:
        placed = lifecycle.find_booking(connection, booking_id)
        booking = placed.booking
        live = booking.live
        mine = booking.account_id == member.account_id
        if not mine and not (live and booking.patient_id in _patients(connection, member.account_id)):
            raise BookingUnknown("booking_id")
    return Response(msgspec.json.encode(booking_view(placed)), media_type=JSON)


@routes.post(
    "/bookings/{booking_id}/payment",
    status_code=201,
    responses=_WRITE,
    response_model=PaymentShown,
    summary="发起支付 Begin to pay",
)
def pay(booking_id: Id, member: SignedIn, write: MemberWrite, system: Here) -> Response:
    """得到支付地址。 Where to pay; the slot waits a little longer."""

    def act(connection: Connection) -> PaymentDue:
        return begin_payment(
            connection,
            booking_id=booking_id,
            owner=member.account_id,
            gateway=system.gateway.name,
            hold=system.settings.holds(),
            now_us=write.now_us,
        )

    def show(kept: dict[str, Any]) -> dict[str, Any]:
        due = PaymentDue(**kept)
        url = system.gateway.pay_url(
            payment_id=due.payment_id, amount_cents=due.amount_cents, expires_at_us=due.expires_at_us
        )
        return PaymentShown(
            payment_id=due.payment_id,
            booking_id=due.booking_id,
            amount_cents=due.amount_cents,
            expires_at=due.expires_at_us,
            pay_url=url,
        ).model_dump(mode="json")

    return write.answer(act, status=201, show=show)


@routes.post(
    "/bookings/{booking_id}/return", responses={**gives_booking(200), **_WRITE}, summary="退号 Return the slot"
)
def return_booking(booking_id: Id, member: SignedIn, write: MemberWrite) -> Response:
    """已付费用将原路退回。 What was paid goes back."""

    def act(connection: Connection) -> BookingView:
        return booking_view(give_back(connection, booking_id=booking_id, caller=member.caller(), now_us=write.now_us))

    return write.answer(act)


@routes.post(
    "/check-ins",
    responses={**gives_booking(200), **failures(400, 401, 403, 404, 409, 415, 422)},
    summary="自助机取号 Check in at a kiosk",
)
def check_in_at_kiosk(body: CheckInBody, visit: Visiting, write: ChannelWrite) -> Response:
    """仅限自助机渠道。 On the kiosk channel only; at a window, staff do it."""
    if visit.channel != "kiosk":
        raise CheckInElsewhere
    caller = Caller(channel=visit.channel, ip=visit.ip, user_agent=visit.heard.user_agent or None)

    def act(connection: Connection) -> BookingView:
        return booking_view(check_in(connection, booking_id=body.booking_id, caller=caller, now_us=write.now_us))

    return write.answer(act)


def _patients(connection: Connection, account_id: str) -> list[str]:
    return [b.patient_id for b in bindings_of_account(connection, account_id) if b.unbound_at_us is None]
