"""Proxies: who really asked, where the hospital's own proxy stands between; from the header that this proxy writes.

A header is believed only as far as trusted machines wrote it: read from its right end, the first address that is not a
trusted proxy is the caller's; whatever stands left of it the caller may have made up.
Source: RFC 7239 section 4 for `Forwarded`; `X-Forwarded-For` is what most proxies write.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from shouhao.web.asgi import App, Receive, Scope, Send
from shouhao.web.caller import Headers

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
HeaderName = Literal["x-forwarded-for", "forwarded"]

_HOPS_MOST = 32
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("[^"]*"|[^;"\s]*)\s*(?=;|$)', re.IGNORECASE)
_BRACKETED = re.compile(r"\[([^\]]*)\](?::\d{1,5})?")
_IPV4_PORT = re.compile(r"([\d.]+):\d{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """Which machines stand before us, and which one header they write."""

    trusted: tuple[Network, ...]
    header: HeaderName = "x-forwarded-for"


def caller_address(peer: str | None, headers: Headers, proxies: Proxies) -> str | None:
    """The caller's address: the peer's own, unless the peer is a trusted proxy that tells another.

    Only the configured header is read: the other one passes through a proxy that does not know it, as the caller wrote
    it. Where a trusted proxy tells nothing that is an address, its own address is what is known.
    """
    known = _address(peer or "")
    if known is None or not _is_trusted(known, proxies.trusted):
        return peer
    for told in _from_the_right(headers, proxies.header):
        address = _address(told)
        if address is None:
            break
        known = address
        if not _is_trusted(address, proxies.trusted):
            break
    return str(known)


def behind(app: App, proxies: Proxies) -> App:
    """The app as it sees callers through the proxies; the same app where there are none, which costs nothing."""
    if not proxies.trusted:
        return app

    async def seen(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            peer = scope.get("client")
            address = caller_address(peer[0] if peer else None, scope["headers"], proxies)
            # The port was the proxy's and is nobody's here.
            scope = {**scope, "client": None if address is None else (address, 0)}
        await app(scope, receive, send)

    return seen


def _from_the_right(headers: Headers, name: str) -> Iterator[str]:
    lines = [value for key, value in headers if key == name.encode()]
    hops = b",".join(lines).decode("latin-1").rsplit(",", _HOPS_MOST)
    for hop in reversed(hops[-_HOPS_MOST:]):
        if name == "x-forwarded-for":
            yield hop.strip()
        else:
            found = _FOR.findall(hop.strip())
            yield found[0].strip('"') if len(found) == 1 else ""


def _address(text: str) -> Address | None:
    """An address as it may stand in these headers: bare, or with a port, or in brackets."""
    for shape in (_BRACKETED, _IPV4_PORT):
        matched = shape.fullmatch(text)
        if matched is not None:
            text = matched[1]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)
