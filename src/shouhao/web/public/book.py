"""POST /api/v1/bookings: the one route that thousands want in the same second, as plain ASGI and msgspec.

It reads, checks the two keys, queues at the desk and waits; the answer leaves after the commit. The desk writes a
log line a batch and an event a request, so there is no log line a request here: it would cost a tenth of the rate.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import structlog

from shouhao.booking.desk import Reply
from shouhao.booking.model import BookRequest
from shouhao.flows.book import DONE
from shouhao.kernel.errors import InvalidInput, Refused, Unavailable
from shouhao.store.answers import Answer
from shouhao.web import errors
from shouhao.web.asgi import Receive, Scope, Send, answer, read_body
from shouhao.web.caller import Door, Heard, hear, once_of
from shouhao.wiring import BookDesk

ROUTE = "POST /api/v1/bookings"

_Id = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_.:-]{1,64}$")]
_BAD_FIELD = "body"

_log = structlog.get_logger()


class BookBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked: any slot of a session, or one that is named."""

    patient_id: _Id
    session_id: _Id
    slot_id: _Id | None = None


_decode = msgspec.json.Decoder(BookBody).decode


class Book:
    """The route."""

    def __init__(self, desk: BookDesk, door: Door, *, limit: int) -> None:
        self._desk = desk
        self._door = door
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        heard = hear(scope["headers"])
        headers: dict[str, str] | None = None
        try:
            said = await self._ask(scope, receive, heard)
            if said.status == DONE:
                status, body = 201, said.body.encode()
            else:
                status, body = errors.kept_refusal(said.body, language=heard.language, request_id=heard.request_id)
        except Refused as error:
            status, body = errors.refused(error, language=heard.language, request_id=heard.request_id)
        except Unavailable as error:
            status, body, extra = errors.unavailable(error, language=heard.language, request_id=heard.request_id)
            headers = dict(extra)
        except Exception as error:  # noqa: BLE001 - a bug is logged in full and told in one word
            _log.error("request_failed", request_id=heard.request_id, error=type(error).__name__, exc_info=True)
            status, body = errors.internal(language=heard.language, request_id=heard.request_id)
        await answer(send, status, body, request_id=heard.request_id, headers=headers)

    async def _ask(self, scope: Scope, receive: Receive, heard: Heard) -> Answer:
        body = await read_body(receive, limit=self._limit)
        sign_in = self._door.account(heard)
        asked = read_json(body)
        client = scope.get("client")
        reply: asyncio.Future[Answer | Refused] = asyncio.get_running_loop().create_future()
        self._desk.submit(
            BookRequest(
                patient_id=asked.patient_id,
                session_id=asked.session_id,
                slot_id=asked.slot_id,
                channel=sign_in.channel,
                account_id=sign_in.account_id,
                sign_in_id=sign_in.sign_in_id,
                device_id=sign_in.device_id,
                ip=client[0] if client else None,
                user_agent=heard.user_agent or None,
                once=once_of(heard, caller=sign_in.account_id, route=ROUTE, body=body),
            ),
            reply,
            lane_key=asked.session_id,
        )
        said = await reply
        if isinstance(said, Refused):
            raise said
        return said


def read_json(body: bytes) -> BookBody:
    """The body, checked.

    Raises:
        BadJSON: not JSON.
        InvalidInput: a field that breaks its rule.
    """
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        raise invalid_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise errors.BadJSON from None


def invalid_field(message: str) -> Refused:
    """The message of msgspec as our refusal: the field it names, and the rule.

    >>> invalid_field("Expected `str`, got `int` - at `$.patient_id`").field
    'patient_id'
    """
    rule, _, at = message.partition(" - at `$")
    field = at.rstrip("`").lstrip(".") or _BAD_FIELD
    if "missing required field `" in rule or "unknown field `" in rule:
        field = rule.split("`")[1]
    return InvalidInput(field, zh=f"不符合接口说明({rule})", en=rule)


class LoopDelivery:
    """Hands a batch's answers to the event loop in one call, instead of waking it for each."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __call__(self, answers: Sequence[tuple[Reply[Any], Any]]) -> None:
        """Called on a lane's thread."""
        self._loop.call_soon_threadsafe(_set_all, answers)


def _set_all(answers: Sequence[tuple[Any, Any]]) -> None:
    for reply, said in answers:
        if reply.done():  # the caller hung up; the booking stands, and a retry with the same key hears it
            continue
        if isinstance(said, Exception) and not isinstance(said, Refused):
            reply.set_exception(said)
        else:
            reply.set_result(said)
