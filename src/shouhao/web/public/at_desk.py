"""At the desk: what the routes share that thousands want in the same second, as plain ASGI and msgspec.

Such a route reads, checks the two keys, queues at the desk and waits; the answer leaves after the commit. The desk
writes a log line a batch and an event a request, so there is no log line a request here: it would cost a tenth of the
rate.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
import structlog

from shouhao.booking.desk import Reply
from shouhao.booking.model import DeskRequest
from shouhao.flows.once import DONE
from shouhao.gate.model import SignIn
from shouhao.kernel.errors import InvalidInput, Refused, Unavailable
from shouhao.store.answers import Answer, Once
from shouhao.web import errors
from shouhao.web.asgi import Receive, Scope, Send, answer, read_body
from shouhao.web.caller import Door, Heard, hear, once_of
from shouhao.wiring import BookDesk

JsonId = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_.:-]{1,64}$")]  #: an id in a body

_BAD_FIELD = "body"
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

_log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, with its keys checked and its body read."""

    which: str  #: the id in the path, or nothing
    body: bytes
    sign_in: SignIn
    heard: Heard
    ip: str | None
    once: Once

    def who(self) -> dict[str, Any]:
        """Who asks, by the names of the desk's requests."""
        return {
            "channel": self.sign_in.channel,
            "account_id": self.sign_in.account_id,
            "sign_in_id": self.sign_in.sign_in_id,
            "device_id": self.sign_in.device_id,
            "ip": self.ip,
            "user_agent": self.heard.user_agent or None,
            "once": self.once,
        }


#: Turns a request into what is asked of the desk, and the key of its lane.
Read = Callable[[Asked], tuple[DeskRequest, str]]


class AtDesk:
    """One route whose requests are decided together."""

    def __init__(
        self,
        desk: BookDesk,
        door: Door,
        read: Read,
        *,
        limit: int,
        id_field: str = "",
        show: Callable[[str], bytes] = str.encode,
    ) -> None:
        """Set up.

        Args:
            read: reads the body; raises what is wrong with it.
            limit: largest body in bytes.
            id_field: what a refusal calls the id in the path.
            show: makes what is shown from the answer that was kept, after the commit, and again for each retry.
        """
        self._desk = desk
        self._door = door
        self._read = read
        self._limit = limit
        self._id_field = id_field
        self._show = show

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, which: str = "") -> None:
        """Serve one request."""
        heard = hear(scope["headers"])
        headers: dict[str, str] | None = None
        try:
            said = await self._ask(scope, receive, heard, which)
            if said.status == DONE:
                status, body = 201, self._show(said.body)
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

    async def _ask(self, scope: Scope, receive: Receive, heard: Heard, which: str) -> Answer:
        body = await read_body(receive, limit=self._limit)
        sign_in = self._door.account(heard)
        client = scope.get("client")
        route = f"{scope['method']} {scope['path']}"
        request, lane_key = self._read(
            Asked(
                which=self._checked(which),
                body=body,
                sign_in=sign_in,
                heard=heard,
                ip=client[0] if client else None,
                once=once_of(heard, caller=sign_in.account_id, route=route, body=body),
            )
        )
        return await ask_desk(self._desk, request, lane_key=lane_key)

    def _checked(self, which: str) -> str:
        if which and not _ID.fullmatch(which):
            raise InvalidInput(self._id_field, zh="不是有效的编号", en="is not an id")
        return which


async def ask_desk(desk: BookDesk, request: DeskRequest, *, lane_key: str) -> Answer:
    """Queue at the desk and wait for the answer, which may be a kept refusal.

    Raises:
        Refused: the key was used for another request.
        Unavailable: too many wait, or the database does not answer.
    """
    reply: asyncio.Future[Answer | Refused] = asyncio.get_running_loop().create_future()
    desk.submit(request, reply, lane_key=lane_key)
    said = await reply
    if isinstance(said, Refused):
        raise said
    return said


def read_json(decode: Callable[[bytes], T], body: bytes) -> T:
    """The body, checked.

    Raises:
        BadJSON: not JSON.
        InvalidInput: a field that breaks its rule.
    """
    try:
        return decode(body)
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
    return InvalidInput(field, zh=f"不符合接口说明（{rule}）", en=rule)


class LoopDelivery:
    """Hands a batch's answers to the event loop in one call, instead of waking it for each."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __call__(self, answers: Sequence[tuple[Reply[Any], Any]]) -> None:
        """Called on a lane's thread."""
        self._loop.call_soon_threadsafe(_set_all, answers)


def _set_all(answers: Sequence[tuple[Any, Any]]) -> None:
    for reply, said in answers:
        if reply.done():  # the caller hung up; what was decided stands, and a retry with the same key hears it
            continue
        if isinstance(said, Exception) and not isinstance(said, Refused):
            reply.set_exception(said)
        else:
            reply.set_result(said)
