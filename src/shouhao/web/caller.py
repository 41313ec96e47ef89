"""Caller: who stands behind a request, from its headers: the channel by its key, the account by its sign-in."""

import re
from dataclasses import dataclass

from shouhao.flows.give_back import Caller
from shouhao.gate.channels import ChannelKeys
from shouhao.gate.model import ChannelRefused, SignIn, SignInRefused
from shouhao.gate.sign_ins import SignInKey
from shouhao.kernel.clock import Clock
from shouhao.kernel.ids import new_id
from shouhao.store.answers import Once, once
from shouhao.web.errors import IdempotencyKeyNeeded, language_of

_KEY = re.compile(rb"[!-~]{1,128}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_AGENT_LONGEST = 256

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a request's headers say, not yet believed."""

    request_id: str
    language: str
    channel_key: str
    token: str
    idempotency_key: bytes
    user_agent: str


def hear(headers: Headers) -> Heard:
    """Read the headers that matter, in one pass."""
    request_id = b""
    language = channel_key = agent = token = ""
    key = b""
    for name, value in headers:
        if name == b"authorization":
            token = value[7:].decode("latin-1") if value[:7].lower() == b"bearer " else ""
        elif name == b"x-channel-key":
            channel_key = value.decode("latin-1")
        elif name == b"idempotency-key":
            key = value
        elif name == b"accept-language":
            language = value.decode("latin-1")
        elif name == b"user-agent":
            agent = value[:_AGENT_LONGEST].decode("latin-1").replace("\0", "")  # no database text holds one
        elif name == b"x-request-id":
            request_id = value
    return Heard(
        request_id=request_id.decode() if _REQUEST_ID.fullmatch(request_id) else new_id("rq"),
        language=language_of(language),
        channel_key=channel_key,
        token=token,
        idempotency_key=key,
        user_agent=agent,
    )


class Door:
    """Turns what was heard into who it is; everything starts from no."""

    def __init__(self, channels: ChannelKeys, sign_ins: SignInKey, clock: Clock) -> None:
        self._channels = channels
        self._sign_ins = sign_ins
        self._clock = clock

    def channel(self, heard: Heard) -> str:
        """The channel whose key was shown.

        Raises:
            ChannelRefused: none, or not its key.
        """
        if not heard.channel_key:
            raise ChannelRefused
        return self._channels.authenticate(heard.channel_key)

    def account(self, heard: Heard) -> SignIn:
        """The account that is signed in, through the channel where it signed in.

        Whether the sign-in was ended early is asked of the database by who acts.

        Raises:
            ChannelRefused: as above.
            SignInRefused: no sign-in, one that is over, or one of another channel.
        """
        channel = self.channel(heard)
        if not heard.token:
            raise SignInRefused
        sign_in = self._sign_ins.read(heard.token, self._clock.now_us())
        if sign_in.channel != channel:
            raise SignInRefused
        return sign_in


def caller_of(sign_in: SignIn, heard: Heard, ip: str | None) -> Caller:
    """Who acts, as flows want to know it."""
    return Caller(
        channel=sign_in.channel,
        account_id=sign_in.account_id,
        device_id=sign_in.device_id,
        sign_in_id=sign_in.sign_in_id,
        ip=ip,
        user_agent=heard.user_agent or None,
    )


def once_of(heard: Heard, *, caller: str, route: str, body: bytes) -> Once:
    """What makes this write act at most once.

    Raises:
        IdempotencyKeyNeeded: no key, or not one.
    """
    if not _KEY.fullmatch(heard.idempotency_key):
        raise IdempotencyKeyNeeded("Idempotency-Key")
    return once(caller=caller, route=route, key=heard.idempotency_key.decode(), body=body)
