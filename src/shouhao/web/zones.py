"""Zones: the console answers the hospital's own networks, and to everybody else says no before it reads anything.

Stands outermost, behind the proxies' part alone, so that no route, page or stream can be forgotten; and what leaves the
console may be framed by nobody (clickjacking). Health is told to all: it says nothing.
"""

import ipaddress
from collections.abc import Sequence

import structlog

from shouhao.web.asgi import App, Message, Receive, Scope, Send, answer
from shouhao.web.caller import hear
from shouhao.web.errors import OutsideZone, refused
from shouhao.web.proxies import Network

_OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_HEADERS = (
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_log = structlog.get_logger()


def zone_of(address: str | None, zones: Sequence[Network]) -> str | None:
    """The narrowest of these networks that holds the address, as text; None outside all of them."""
    try:
        known = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    mapped = known.ipv4_mapped if isinstance(known, ipaddress.IPv6Address) else None
    holding = [zone for zone in zones if (mapped or known) in zone]
    return str(max(holding, key=lambda zone: zone.prefixlen)) if holding else None


class Zoned:
    """Around the console: who is outside hears no; who is inside has their zone in the request's state."""

    def __init__(self, app: App, zones: Sequence[Network]) -> None:
        """Wrap an app."""
        self._app = app
        self._zones = tuple(zones)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def unframed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        peer = scope.get("client")
        zone = zone_of(peer[0] if peer else None, self._zones)
        if zone is None and scope["path"] not in _OPEN_PATHS:
            heard = hear(scope["headers"])
            _log.warning("outside_zone", path=scope["path"][:200], request_id=heard.request_id)
            status, body = refused(OutsideZone(), language=heard.language, request_id=heard.request_id)
            closing = {"connection": "close"}
            await answer(unframed, status, body, request_id=heard.request_id, headers=closing)
            return
        scope["state"] = {**scope.get("state", {}), "zone": zone}
        await self._app(scope, receive, unframed)
