"""Bridge: how a page asks the API, in the same process and through the same door as every other channel.

A page knows no rule of its own: what an app may do, a page may do, and the refusal is the same. There is no socket
between them, only the ASGI call.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from shouhao.web.asgi import App

CHANNEL = "web"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """On whose behalf a page asks."""

    language: str
    token: str | None  #: of the sign-in
    client: tuple[str, int] | None
    agent: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the API answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def done(self) -> bool:
        """Whether it was a yes."""
        return self.status < 400  # noqa: PLR2004 - what HTTP calls an error begins there

    @property
    def data(self) -> Any:
        """The JSON of the answer; None where it has none."""
        return _decode(self.body) if self.body else None


class Api:
    """The API, asked in process."""

    def __init__(self, app: App, channel_key: str) -> None:
        """Take the app that serves the API and the key with which pages are the channel `web`."""
        self._app = app
        self._key = channel_key.encode()

    async def get(self, asker: Asker, path: str, **query: str | int | None) -> Said:
        """Ask to be shown something; a parameter of None is left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return await self._ask(asker, "GET", path, query=urlencode(given))

    async def send(self, asker: Asker, method: str, path: str, body: object = None, *, once: str | None = None) -> Said:
        """Ask to do something.

        Args:
            body: an object, sent as JSON, or bytes of a picture as (bytes, media type).
            once: the form's own number, so that a double tap or a reload acts once.
        """
        content, media = _content(body)
        return await self._ask(asker, method, path, content=content, media=media, once=once)

    async def _ask(
        self,
        asker: Asker,
        method: str,
        path: str,
        *,
        query: str = "",
        content: bytes = b"",
        media: str = "",
        once: str | None = None,
    ) -> Said:
        headers = [
            (b"x-channel-key", self._key),
            (b"accept-language", asker.language.encode()),
            (b"user-agent", asker.agent.encode("latin-1", "replace")),
            (b"x-request-id", asker.request_id.encode()),
        ]
        if asker.token:
            headers.append((b"authorization", b"Bearer " + asker.token.encode("latin-1", "replace")))
        if media:
            headers += [(b"content-type", media.encode()), (b"content-length", str(len(content)).encode())]
        if once:
            headers.append((b"idempotency-key", once.encode("latin-1", "replace")))
        scope: MutableMapping[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": quote(path).encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "client": asker.client,
            "server": None,
            "state": {},
        }
        return await _called(self._app, scope, content)


async def _called(app: App, scope: MutableMapping[str, Any], content: bytes) -> Said:
    status, headers, parts = 500, {}, []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in message.get("headers", ())}
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return Said(status=status, body=b"".join(parts), headers=headers)


def _content(body: object) -> tuple[bytes, str]:
    if body is None:
        return b"", ""
    if isinstance(body, tuple):
        raw, media = body
        return raw, media
    return _encode(body), "application/json"
