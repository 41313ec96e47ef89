"""The console's pages: files, and one shell for every address. Who may see what is decided by the API behind them.

A page holds no data and no rule: its module asks the API with the session's cookie, and what a role may not see the API
does not give. docs/decisions/0021-console-pages.md says why not a framework.
"""

import mimetypes
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from html import escape
from importlib import resources

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shouhao.settings import Settings
from shouhao.web.asgi import App
from shouhao.web.staff_cookie import cookie_of

#: Addresses of pages; each has a module of its name under static/pages.
PAGES = (
    "sign-in",
    "wall",
    "alarm",
    "morning",
    "findings",
    "finding",
    "policies",
    "desk",
    "tips",
    "watchlist",
    "approvals",
    "staff",
    "register",
    "law",
    "cameras",
)
#: How the paths begin that are no pages.
API_PATHS = ("/api/", "/healthz", "/readyz", "/guard")

_YEAR_S = 365 * 86_400
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "content-security-policy": _POLICY,
}


def pages_app(settings: Settings) -> App:
    """The app that serves the console's pages."""
    shell = _shell(settings.hospital_name_zh, settings.hospital_name_en)

    async def page(request: Request) -> Response:
        headers = {**_SAFE_HEADERS, "cache-control": "no-store"}
        # Whether it is worth asking who is signed in; who that is, the API alone knows.
        cookie = "no" if cookie_of(request) is None else "yes"
        return Response(shell.replace("{cookie}", cookie), media_type="text/html; charset=utf-8", headers=headers)

    async def home(_request: Request) -> Response:
        return RedirectResponse("/wall", status_code=303)

    routes = [
        Route("/", home),
        *(Route(f"/{name}", page) for name in PAGES),
        Route("/alarm/{alarm_id}", page),
        Route("/finding/{finding_id}", page),
        Route("/console/{version}/{name:path}", _static),
    ]
    return Starlette(routes=routes)


async def _static(request: Request) -> Response:
    """A module, a style or a picture; the version in its address changes with the content of any of them."""
    found = _files().get(request.path_params["name"])
    if found is None or request.path_params["version"] != _version():
        return Response(status_code=404, headers={**_SAFE_HEADERS, "cache-control": "no-store"})
    content, media = found
    headers = {**_SAFE_HEADERS, "cache-control": f"private, max-age={_YEAR_S}, immutable"}
    return Response(content, media_type=media, headers=headers)


@lru_cache(maxsize=1)
def _files() -> Mapping[str, tuple[bytes, str]]:
    """Every file by its path below static."""
    found: dict[str, tuple[bytes, str]] = {}
    folders = [("", resources.files(__package__ or __name__) / "static")]
    for before, folder in folders:
        for one in folder.iterdir():
            if one.is_dir():
                folders.append((f"{before}{one.name}/", one))
            else:
                found[before + one.name] = one.read_bytes(), _media_type(one.name)
    return found


def _media_type(name: str) -> str:
    return "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0] or "application/octet-stream"


@lru_cache(maxsize=1)
def _version() -> str:
    joined = sha256()
    for name, (content, _) in sorted(_files().items()):
        joined.update(name.encode() + b"\0" + content)
    return joined.hexdigest()[:12]


def _shell(name_zh: str, name_en: str) -> str:
    at = f"/console/{_version()}"
    return f"""<!doctype html>
<html lang="zh-CN" data-hospital-zh="{escape(name_zh)}" data-hospital-en="{escape(name_en)}" data-cookie="{{cookie}}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>守号控制台</title><link rel="stylesheet" href="{at}/console.css"><link rel="icon" href="{at}/icon.svg">
<script type="module" src="{at}/shell.js"></script></head>
<body><noscript>控制台需要启用脚本。The console needs scripts.</noscript><div id="app" aria-busy="true"></div></body>
</html>"""
