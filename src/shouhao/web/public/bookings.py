"""Bookings after they are made: look, accept, pay, return, check in. Making one is `book.py`.

A slot that is offered, won in a draw or come back to who waits, is a booking too: it is accepted here, or returned.
"""

from typing import Any

import msgspec
from fastapi import APIRouter, Response
from sqlalchemy import Connection

from shouhao.booking.model import BookingUnknown, BookingView, ReturnRequest, view
from shouhao.booking.store import lifecycle
from shouhao.flows.attend import CheckInElsewhere, check_in
from shouhao.flows.give_back import Caller
from shouhao.flows.offers import accept
from shouhao.flows.pay import PaymentDue, begin_payment
from shouhao.web.depends import ChannelWrite, Here, MemberWrite, SignedIn, Visiting
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, Shown
from shouhao.web.handlers import JSON
from shouhao.web.public.at_desk import ask_desk
from shouhao.web.public.mine import my_patients

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
    booking_ids: list[str]
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
            connection, my_patients(connection, member.account_id), account_id=member.account_id, limit=_MOST
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
        if not mine and not (live and booking.patient_id in my_patients(connection, member.account_id)):
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
    """得到支付地址；一同约到的号一次支付。 Where to pay; the slot waits a little longer.

    Slots that were got together (`party_id`) are paid in one step, all of `booking_ids`.
    """

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
        due = msgspec.convert(kept, PaymentDue)
        url = system.gateway.pay_url(
            payment_id=due.payment_id, amount_cents=due.amount_cents, expires_at_us=due.expires_at_us
        )
        return PaymentShown(
            payment_id=due.payment_id,
            booking_id=due.booking_id,
            booking_ids=list(due.booking_ids),
            amount_cents=due.amount_cents,
            expires_at=due.expires_at_us,
            pay_url=url,
        ).model_dump(mode="json")

    return write.answer(act, status=201, show=show)


@routes.post(
    "/bookings/{booking_id}/accept",
    responses={**gives_bookings(), **_WRITE},
    summary="接受发给的号 Accept an offer",
)
def accept_offer(booking_id: Id, member: SignedIn, write: MemberWrite, system: Here) -> Response:
    """接受中签或候补得到的号，一同得到的一并接受。 For all who got it together.

    需付费的随即待支付。 What costs something is then to be paid, as after booking.
    """

    def act(connection: Connection) -> dict[str, list[BookingView]]:
        accepted = accept(
            connection,
            booking_id=booking_id,
            caller=member.caller(),
            hold=system.settings.holds(),
            now_us=write.now_us,
        )
        return {"bookings": [booking_view(placed) for placed in accepted]}

    return write.answer(act)


@routes.post(
    "/bookings/{booking_id}/return", responses={**gives_booking(200), **_WRITE}, summary="退号 Return the slot"
)
async def return_booking(booking_id: Id, member: SignedIn, write: MemberWrite, system: Here) -> Response:
    """已付费用将原路退回；发给的号以此放弃，一同得到且未付费的一并退回。 What was paid goes back; an offer is declined.

    Slots that were got together and are not paid for are given back together. It is decided at the desk, many at once,
    for a whole session may be returned in one minute.
    """
    who = member.caller()
    request = ReturnRequest(
        booking_id=booking_id,
        channel=who.channel,
        account_id=who.account_id,
        sign_in_id=who.sign_in_id,
        device_id=who.device_id,
        ip=who.ip,
        user_agent=who.user_agent,
        once=write.once,
    )
    return write.told(await ask_desk(system.desk, request, lane_key=booking_id))


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
