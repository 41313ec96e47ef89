"""The guard's page as files: one page, its script, its style, and what makes it installable.

Everything comes from this package, nothing from elsewhere. The service worker keeps these files and no answer of the
API: a face is never kept on a phone. What the page does is in static/, what it asks of is web/console/guards.py.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from shouhao.web.depends import Here
from shouhao.web.errors import NoSuchRoute

routes = APIRouter(prefix="/guard", include_in_schema=False)

_FILES = resources.files(__package__ or __name__)
_STATIC: Mapping[str, str] = {
    "guard.css": "text/css",
    "app.js": "text/javascript",
    "api.js": "text/javascript",
    "draw.js": "text/javascript",
    "plan.js": "text/javascript",
    "queue.js": "text/javascript",
    "words.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Mapping[str, str] = {
    "content-security-policy": _POLICY,
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@routes.get("")
def without_slash() -> Response:
    """To the page: the worker's scope begins with the slash."""
    return RedirectResponse("/guard/", status_code=308)


@routes.get("/")
def page(system: Here) -> Response:
    """The page."""
    settings = system.settings
    made = _template("guard.html").render(zh=settings.hospital_name_zh, en=settings.hospital_name_en)
    return Response(made, media_type="text/html", headers=dict(_HEADERS))


@routes.get("/sw.js")
def worker() -> Response:
    """The service worker, which changes when any file does."""
    made = _template("sw.js").render(version=_version(), files=sorted(_STATIC))
    return Response(made, media_type="text/javascript", headers=dict(_HEADERS))


@routes.get("/manifest.webmanifest")
def manifest(system: Here) -> Response:
    """What makes the page installable."""
    made = _template("manifest.webmanifest").render(zh=system.settings.hospital_name_zh)
    return Response(made, media_type="application/manifest+json", headers=dict(_HEADERS))


@routes.get("/{name}")
def static(name: str, request: Request) -> Response:  # noqa: ARG001 - so that the framework reads no query
    """A script, the style or the sign."""
    media = _STATIC.get(name)
    if media is None:
        raise NoSuchRoute
    return Response(_read(name), media_type=media, headers=dict(_HEADERS))


@lru_cache(maxsize=32)
def _read(name: str) -> bytes:
    return _FILES.joinpath("static", name).read_bytes()


@lru_cache(maxsize=1)
def _version() -> str:
    """Of all files together."""
    digest = hashlib.sha256()
    for name in sorted(_STATIC):
        digest.update(_read(name))
    for template in ("guard.html", "sw.js"):
        digest.update(_FILES.joinpath("templates", template).read_bytes())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=8)
def _template(name: str) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only where a page is served

    loader = PackageLoader(__package__ or __name__)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(name)
