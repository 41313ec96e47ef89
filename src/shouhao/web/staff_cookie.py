"""Staff cookie: how a browser holds a session of staff, and what a write has to show beside it.

HttpOnly, SameSite=Strict, Secure; on the machine itself (loopback) there is no TLS, so not Secure there. A write by
cookie needs the token that only our own pages can read, and must come from our own origin: either would do, both are
asked. A read that another site's page makes in the background is refused; following a link is not.
Source: OWASP ASVS 5.0, 3.3 (cookies) and 3.5 (origins).
"""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi import Request, Response

from shouhao.staff.sessions import is_csrf_token
from shouhao.web.errors import CrossSite, CSRFRefused

PLAIN_NAME = "shouhao_staff"
SECURE_NAME = "__Host-shouhao_staff"  #: browsers take it from this very host alone, over TLS
CSRF_HEADER = "X-CSRF-Token"

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def cookie_of(request: Request) -> str | None:
    """The session's cookie, if the browser sent it under the name that it may have here."""
    return request.cookies.get(_name(request)) or None


def give_cookie(request: Request, response: Response, cookie: str) -> None:
    """Have the browser keep it until it is closed."""
    response.set_cookie(
        _name(request), cookie, path="/", httponly=True, samesite="strict", secure=not _on_this_machine(request)
    )


def take_cookie(request: Request, response: Response) -> None:
    """Have the browser forget it."""
    response.delete_cookie(
        _name(request), path="/", httponly=True, samesite="strict", secure=not _on_this_machine(request)
    )


def check_write(request: Request, cookie: str, *, origins: Sequence[str]) -> None:
    """Let a request by cookie pass when it only reads, or when our own page made it.

    Raises:
        CrossSite: another site made it, or nothing says that ours did.
        CSRFRefused: the token is missing or not this session's.
    """
    if request.method in _READS:
        background = request.headers.get("sec-fetch-mode") != "navigate"
        if background and request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            raise CrossSite
        return
    check_origin(request, origins=origins, needed=True)
    if not is_csrf_token(cookie, request.headers.get(CSRF_HEADER, "")):
        raise CSRFRefused(CSRF_HEADER)


def check_origin(request: Request, *, origins: Sequence[str], needed: bool) -> None:
    """Let a request pass that comes from our own pages.

    Args:
        origins: addresses of the console in browsers; without any, the request's own host counts.
        needed: whether a request that names no origin is refused too.
    Raises:
        CrossSite: it does not.
    """
    fetched = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if fetched not in {None, "same-origin", "none"}:
        raise CrossSite
    if origin is None:
        if needed and fetched != "same-origin":
            raise CrossSite
        return
    ours = origin in origins if origins else _host_of(origin) == request.headers.get("host", "").lower()
    if not ours:
        raise CrossSite


def _host_of(origin: str) -> str | None:
    """Host and port of an origin, or None for what is none (`null`)."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in {"http", "https"} and parts.netloc else None


def _name(request: Request) -> str:
    return PLAIN_NAME if _on_this_machine(request) else SECURE_NAME


def _on_this_machine(request: Request) -> bool:
    """Whether the caller, behind every proxy, is this machine itself."""
    host = None if request.client is None else request.client.host
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
