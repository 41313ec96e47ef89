"""Visit: who looks at a page, from its cookies, and that a form was really sent from one of our pages.

Cookies: `sh_device`, a random number of this browser, which forms are bound to; `sh_sign_in`, the token of the
sign-in, which no script can read; `sh_language` and `sh_size`, what the reader chose; `sh_phone`, for ten minutes, the
phone that a code was sent to, so that whoever comes back from their messages finds the form for it.
"""

import hmac
import secrets
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from shouhao.kernel.ids import new_id
from shouhao.web.asgi import read_body
from shouhao.web.errors import language_of
from shouhao.web.public.pages.bridge import Asker

Language = Literal["zh", "en"]

_DEVICE, _SIGN_IN, _LANGUAGE, _SIZE, _PHONE = "sh_device", "sh_sign_in", "sh_language", "sh_size", "sh_phone"
_YEAR_S = 365 * 86_400
_PHONE_S = 600
_PHONE_LONGEST = 20
_DEVICE_LENGTH = 32
_FIELDS_MOST = 200
_AGENT_LONGEST = 256


class FormRefused(Exception):  # noqa: N818 - a correct "no", shown as a page
    """The form did not come from one of our own pages, or its page is too old to be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One look at one page."""

    language: Language
    large: bool
    device: str
    new_device: bool
    token: str | None
    asker: Asker
    seal: str  #: what a form of this browser carries

    def say(self, zh: str, en: str) -> str:
        """The words in the reader's language."""
        return en if self.language == "en" else zh

    def signed_in_as(self, token: str | None) -> "Visit":
        """The same visit with another sign-in, for what is asked before the page is sent."""
        return replace(self, token=token, asker=replace(self.asker, token=token))


class Visits:
    """Makes visits of requests."""

    def __init__(self, key: bytes, *, secure: bool, body_max: int) -> None:
        """Take the key of form seals.

        Args:
            secure: send cookies over TLS alone.
            body_max: largest form in bytes.
        """
        self._key = key
        self._secure = secure
        self._body_max = body_max

    def of(self, request: Request) -> Visit:
        """Who looks."""
        cookies = request.cookies
        device = cookies.get(_DEVICE, "")
        known = len(device) == _DEVICE_LENGTH and device.isalnum() and device.isascii()
        device = device if known else secrets.token_hex(_DEVICE_LENGTH // 2)
        chosen = cookies.get(_LANGUAGE) or language_of(request.headers.get("accept-language"))
        token = cookies.get(_SIGN_IN) or None
        client = None if request.client is None else (request.client.host, request.client.port)
        asker = Asker(
            language="en" if chosen == "en" else "zh",
            token=token,
            client=client,
            agent=request.headers.get("user-agent", "")[:_AGENT_LONGEST],
            request_id=new_id("rq"),
        )
        return Visit(
            language="en" if chosen == "en" else "zh",
            large=cookies.get(_SIZE) == "large",
            device=device,
            new_device=not known,
            token=token,
            asker=asker,
            seal=self._seal(device),
        )

    async def form(self, request: Request, visit: Visit) -> list[tuple[str, str]]:
        """The fields of a form, in order; a field may stand several times.

        Raises:
            FormRefused: it came from another site, or without the seal of this browser.
            BodyTooLarge: it is larger than a form may be.
        """
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise FormRefused
        body = await read_body(request.receive, limit=self._body_max)
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MOST, errors="strict")
        except ValueError:
            raise FormRefused from None
        self.check(visit, dict(fields).get("seal", ""))
        return fields

    def check(self, visit: Visit, seal: str) -> None:
        """Whether this seal is that of the browser.

        Raises:
            FormRefused: it is not.
        """
        if visit.new_device or not hmac.compare_digest(seal.encode(), visit.seal.encode()):
            raise FormRefused

    def remember(self, response: Response, visit: Visit) -> None:
        """Give the browser its number, if it has none yet."""
        if visit.new_device:
            self._set(response, _DEVICE, visit.device, max_age_s=_YEAR_S)

    def keep_phone(self, response: Response, phone: str) -> None:
        """Remember which phone a code was sent to, in the reader's own browser."""
        self._set(response, _PHONE, quote(phone[:_PHONE_LONGEST]), max_age_s=_PHONE_S)

    def phone_of(self, request: Request) -> str | None:
        """Which phone a code was sent to from this browser, a moment ago."""
        return unquote(request.cookies.get(_PHONE, ""))[:_PHONE_LONGEST] or None

    def forget_phone(self, response: Response) -> None:
        """The code was used."""
        response.delete_cookie(_PHONE, path="/", secure=self._secure, httponly=True, samesite="lax")

    def sign_in(self, response: Response, token: str, *, life_s: int) -> None:
        """Keep a sign-in in the browser, out of every script's reach."""
        self._set(response, _SIGN_IN, token, max_age_s=life_s)

    def sign_out(self, response: Response) -> None:
        """Forget it."""
        response.delete_cookie(_SIGN_IN, path="/", secure=self._secure, httponly=True, samesite="lax")

    def choose(self, response: Response, *, language: Language | None = None, large: bool | None = None) -> None:
        """Remember what the reader chose."""
        if language is not None:
            self._set(response, _LANGUAGE, language, max_age_s=_YEAR_S)
        if large is not None:
            self._set(response, _SIZE, "large" if large else "usual", max_age_s=_YEAR_S)

    def _set(self, response: Response, name: str, value: str, *, max_age_s: int) -> None:
        # Lax, not Strict: the payment page leads back here, and whoever returns must not find themselves signed out.
        response.set_cookie(
            name, value, max_age=max_age_s, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def _seal(self, device: str) -> str:
        return hmac.new(self._key, device.encode(), sha256).hexdigest()
