"""Entering a draw and joining a waitlist: where thousands come in the same minutes. Served as `at_desk.py` says.

What is kept of an entry is its receipt; the signature is made when it is shown.
"""

from functools import partial
from typing import Annotated

import msgspec

from shouhao.booking.draw_keys import DrawKeys
from shouhao.booking.model import EntryRequest
from shouhao.booking.receipts import show_receipt
from shouhao.web.caller import Door
from shouhao.web.public.at_desk import Asked, AtDesk, JsonId, read_json
from shouhao.wiring import BookDesk

ENTRIES = "/api/v1/draws/{draw_id}/entries"
WAITS = "/api/v1/sessions/{session_id}/waits"

_MOST = 50  #: people or wishes in one body; the policy allows fewer


class EntryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who enters, all or none of them together, and the sessions they wish for, best first."""

    patient_ids: Annotated[list[JsonId], msgspec.Meta(min_length=1, max_length=_MOST)]
    wishes: Annotated[list[JsonId], msgspec.Meta(min_length=1, max_length=_MOST)]


class WaitBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who waits, all or none of them together."""

    patient_ids: Annotated[list[JsonId], msgspec.Meta(min_length=1, max_length=_MOST)]


_decode_entry = msgspec.json.Decoder(EntryBody).decode
_decode_wait = msgspec.json.Decoder(WaitBody).decode


def enter_route(desk: BookDesk, door: Door, keys: DrawKeys, *, limit: int) -> AtDesk:
    """The route that enters a draw."""
    return AtDesk(desk, door, _read_entry, limit=limit, id_field="draw_id", show=partial(show_receipt, keys=keys))


def join_route(desk: BookDesk, door: Door, keys: DrawKeys, *, limit: int) -> AtDesk:
    """The route that joins a waitlist."""
    return AtDesk(desk, door, _read_wait, limit=limit, id_field="session_id", show=partial(show_receipt, keys=keys))


def _read_entry(asked: Asked) -> tuple[EntryRequest, str]:
    body = read_json(_decode_entry, asked.body)
    request = EntryRequest(
        patient_ids=tuple(body.patient_ids), wishes=tuple(body.wishes), draw_id=asked.which, **asked.who()
    )
    return request, asked.which


def _read_wait(asked: Asked) -> tuple[EntryRequest, str]:
    body = read_json(_decode_wait, asked.body)
    request = EntryRequest(patient_ids=tuple(body.patient_ids), session_id=asked.which, **asked.who())
    return request, asked.which
