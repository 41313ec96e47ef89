"""Sign-ins: short, and carried by the caller as a token that only this house can make.

A token is read without the database, so it costs microseconds at the busiest second of the day; the price is
that ending one early needs a list, which is short because sign-ins are.
Source: RFC 2104 for the HMAC; RFC 4648 section 5 for the text.
"""

import base64
import binascii
import hmac

import msgspec
from sqlalchemy import Connection

from shouhao.gate import store
from shouhao.gate.model import SignIn, SignInRefused, SignInSettings
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.store import event_log

_VERSION = "1."
_MAX_TOKEN = 1024
_MAC_CHARS = 43
_MIN_KEY_BYTES = 32

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, str, str, str | None, int]).decode


class SignInKey:
    """Makes and reads tokens: version, payload and its HMAC-SHA-256, in base64url.

    What was read once is remembered, in two generations of bounded size; a remembered token still expires.
    """

    def __init__(self, key: bytes, *, remembered: int = 65_536) -> None:
        """Take the key.

        Args:
            key: at least 32 bytes, from `Vault.derive`.
            remembered: how many tokens each of the two generations holds, about 0.7 KB each.
        """
        if len(key) < _MIN_KEY_BYTES:
            raise ValueError(f"the sign-in key has {len(key)} bytes, not {_MIN_KEY_BYTES} or more")
        self._key = key
        self._remembered = remembered
        self._young: dict[str, SignIn] = {}
        self._old: dict[str, SignIn] = {}

    def issue(self, sign_in: SignIn) -> str:
        """The token of a sign-in."""
        payload = _encode(
            (sign_in.account_id, sign_in.channel, sign_in.sign_in_id, sign_in.device_id, sign_in.expires_at_us)
        )
        signed = _VERSION + base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
        token = signed + self._mac(signed.encode()).decode()
        if len(token) > _MAX_TOKEN:
            raise ValueError("the sign-in does not fit a token")
        return token

    def read(self, token: str, now_us: int) -> SignIn:
        """The sign-in that a token carries. Whether it was ended early is asked of the database, by its id.

        Raises:
            SignInRefused: the token is malformed, not of this house, or expired.
        """
        sign_in = self._young.get(token)
        if sign_in is None:
            sign_in = self._old.get(token) or self._verified(token)
            self._remember(token, sign_in)
        if sign_in.expires_at_us <= now_us:
            raise SignInRefused
        return sign_in

    def _verified(self, token: str) -> SignIn:
        if len(token) > _MAX_TOKEN or not token.startswith(_VERSION) or not token.isascii():
            raise SignInRefused
        raw = token.encode()
        signed = raw[:-_MAC_CHARS]
        # The text of the MAC is compared, not its bytes: one sign-in has one spelling.
        if not hmac.compare_digest(self._mac(signed), raw[-_MAC_CHARS:]):
            raise SignInRefused
        try:
            body = signed[len(_VERSION) :]
            account_id, channel, sign_in_id, device_id, expires_at_us = _decode(
                base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
            )
        except (binascii.Error, msgspec.MsgspecError) as error:  # signed by this house, in a form it no longer has
            raise SignInRefused from error
        return SignIn(
            account_id=account_id,
            channel=channel,
            sign_in_id=sign_in_id,
            device_id=device_id,
            expires_at_us=expires_at_us,
        )

    def _mac(self, signed: bytes) -> bytes:
        return base64.urlsafe_b64encode(hmac.digest(self._key, signed, "sha256"))[:_MAC_CHARS]

    def _remember(self, token: str, sign_in: SignIn) -> None:
        if len(self._young) >= self._remembered:
            self._old, self._young = self._young, {}
        self._young[token] = sign_in


def new_sign_in(
    account_id: str, *, channel: str, device_id: str | None, settings: SignInSettings, now_us: int
) -> SignIn:
    """A sign-in that begins now."""
    return SignIn(
        account_id=account_id,
        channel=channel,
        sign_in_id=new_id("si"),
        device_id=device_id,
        expires_at_us=now_us + settings.life_s * SECOND_US,
    )


def end_sign_in(connection: Connection, sign_in: SignIn, *, reason: str, now_us: int) -> None:
    """End a sign-in before it expires; ending it again changes nothing.

    `reason` is a short code such as `signed_out` or `account_closed`.
    """
    if store.insert_ended_sign_in(connection, sign_in.sign_in_id, expires_at_us=sign_in.expires_at_us, reason=reason):
        event = Event(
            at_us=now_us,
            kind="logged_out",
            channel=sign_in.channel,
            account_id=sign_in.account_id,
            device_id=sign_in.device_id,
            session_token=sign_in.sign_in_id,
            detail={"reason": reason},
        )
        event_log.append(connection, [event])


def is_ended(connection: Connection, sign_in_id: str) -> bool:
    """Whether a sign-in was ended before it expired; `store.ended_among` asks for a whole batch."""
    return bool(store.ended_among(connection, [sign_in_id]))
