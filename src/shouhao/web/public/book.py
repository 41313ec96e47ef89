"""POST /api/v1/bookings: a slot of a session, for one person. Served as `at_desk.py` says."""

from typing import Literal

import msgspec

from shouhao.booking.model import BookRequest
from shouhao.web.caller import Door
from shouhao.web.public.at_desk import Asked, AtDesk, JsonId, read_json
from shouhao.wiring import BookDesk

PATH = "/api/v1/bookings"


class BookBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked: any slot of a session, one that is named, or one of the care pool."""

    patient_id: JsonId
    session_id: JsonId
    slot_id: JsonId | None = None
    pool: Literal["care"] | None = None


_decode = msgspec.json.Decoder(BookBody).decode


def book_route(desk: BookDesk, door: Door, *, limit: int) -> AtDesk:
    """The route."""
    return AtDesk(desk, door, _read, limit=limit)


def _read(asked: Asked) -> tuple[BookRequest, str]:
    body = read_json(_decode, asked.body)
    request = BookRequest(
        patient_id=body.patient_id,
        session_id=body.session_id,
        slot_id=body.slot_id,
        pool=body.pool,
        **asked.who(),
    )
    return request, body.session_id
