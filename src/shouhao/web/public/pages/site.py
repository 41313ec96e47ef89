"""Site: what every page is made with: templates, the API behind them, safe headers, and the page of a refusal."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib import resources
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shouhao.web.errors import BodyIncomplete, BodyTooLarge
from shouhao.web.public.pages import words
from shouhao.web.public.pages.bridge import Api, Said
from shouhao.web.public.pages.visit import FormRefused, Visit, Visits

STATIC = resources.files(__package__ or __name__) / "static"

_SEE_OTHER = 303
_UNAUTHORISED = 401
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'{pay}; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"
)


class SignInNeeded(Exception):  # noqa: N818 - leads to the page where one signs in
    """The page shows somebody's own things and nobody is signed in."""


class Declined(Exception):  # noqa: N818 - a correct "no", shown as a page
    """The API said no; the page of the refusal says why, and what one can do."""

    def __init__(self, said: Said) -> None:
        super().__init__(said.status)
        self.said = said


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One look at one page, with everything that its handler needs."""

    request: Request
    visit: Visit
    site: "Site"

    async def get(self, path: str, **query: str | int | None) -> Any:
        """Ask the API to be shown something.

        Raises:
            SignInNeeded: it is somebody's own, and nobody is signed in.
            Declined: it said no.
        """
        return _data(await self.site.api.get(self.visit.asker, path, **query))

    async def send(self, method: str, path: str, body: object = None, *, once: str | None = None) -> Any:
        """Ask the API to do something.

        Raises:
            SignInNeeded, Declined: as `get`.
        """
        return _data(await self.site.api.send(self.visit.asker, method, path, body, once=once))

    async def form(self) -> "Form":
        """What was sent.

        Raises:
            FormRefused: not from one of our own pages.
        """
        return Form(await self.site.visits.form(self.request, self.visit))

    def show(self, template: str, *, title: str, here: str = "", status: int = 200, **rest: Any) -> Response:
        """A page."""
        return self.site.render(self, template, title=title, here=here, status=status, **rest)

    def go(self, where: str) -> Response:
        """Lead on to another page of ours, after a form."""
        return RedirectResponse(where, status_code=_SEE_OTHER)

    def need_sign_in(self) -> None:
        """Let only somebody who is signed in go on.

        Raises:
            SignInNeeded: nobody is.
        """
        if not self.visit.token:
            raise SignInNeeded


class Form:
    """The fields of a form."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def one(self, name: str) -> str:
        """A field's text without space around it; empty where there is none."""
        return next((value.strip() for key, value in self._fields if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        return [value for key, value in self._fields if key == name]

    @property
    def once(self) -> str:
        """The form's own number: the API acts once for it."""
        return self.one("once") or new_once()


Handler = Callable[[Page], Awaitable[Response]]


class Site:
    """Everything that pages share."""

    def __init__(self, api: Api, visits: Visits, *, hospital: tuple[str, str], pay_origin: str | None) -> None:
        """Read the templates.

        Args:
            hospital: its name in Chinese and in English.
            pay_origin: where a payment page may lead, for the policy of forms; None: nowhere else.
        """
        self.api, self.visits = api, visits
        self._hospital = hospital
        self._policy = _POLICY.format(pay=f" {pay_origin}" if pay_origin else "")
        self._version = _version()
        self._env = Environment(
            loader=PackageLoader(__package__ or __name__, "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.globals.update(
            day=words.day_words,
            label=words.label_words,
            month=words.month_words,
            full_day=words.full_day_words,
            moment=words.moment_words,
            time=words.time_words,
            yuan=words.yuan,
            once=new_once,
        )

    def handler(self, act: Handler) -> Callable[[Request], Awaitable[Response]]:
        """A route that shows refusals as pages and remembers the browser."""

        async def answer(request: Request) -> Response:
            page = Page(request=request, visit=self.visits.of(request), site=self)
            response = await self._answered(page, act)
            self.visits.remember(response, page.visit)
            return response

        return answer

    def render(self, page: Page, template: str, *, title: str, here: str, status: int = 200, **rest: Any) -> Response:
        """A template as a page."""
        visit = page.visit
        shown = self._env.get_template(template).render(
            visit=visit,
            say=visit.say,
            language=visit.language,
            word=partial(_word, visit),
            hospital=visit.say(*self._hospital),
            version=self._version,
            path=_own_path(page.request),
            title=title,
            here=here,
            **rest,
        )
        headers = {"content-security-policy": self._policy, **SAFE_HEADERS}
        return Response(shown, status_code=status, media_type="text/html", headers=headers)

    async def _answered(self, page: Page, act: Handler) -> Response:
        visit = page.visit
        try:
            return await act(page)
        except SignInNeeded:
            response = page.go(f"/sign-in?back={quote(_own_path(page.request))}")
            self.visits.sign_out(response)
            return response
        except Declined as no:
            return self._refusal(page, no.said)
        except FormRefused:
            title = visit.say("请重新提交", "Please send it again")
            why = visit.say(
                "页面已过期，或浏览器禁用了 Cookie。请返回上一页刷新后再试。",
                "The page is too old, or the browser keeps no cookies. Go back, load the page again and retry.",
            )
            return page.show("refused.html", title=title, status=403, why=why, remedy=None, reference=None, other=None)
        except (BodyTooLarge, BodyIncomplete) as error:
            why = error.says(visit.language)
            title = visit.say("提交的内容太大", "That is too large")
            return page.show("refused.html", title=title, status=413, why=why, remedy=None, reference=None, other=None)

    def _refusal(self, page: Page, said: Said) -> Response:
        visit = page.visit
        error = words.refusal_words(_error(said), visit.language)
        remedy = words.remedy(error["code"])
        busy = said.status >= 500  # noqa: PLR2004 - the server's own failures begin there
        return page.show(
            "refused.html",
            title=visit.say("系统繁忙", "Busy") if busy else visit.say("这次没有办成", "This was not done"),
            status=said.status,
            why=error["message"],
            remedy=visit.say(*remedy) if remedy else None,
            reference=error["request_id"],
            other=visit.say(*words.OTHER_WAYS),
        )


SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def new_once() -> str:
    """A number for one form."""
    return f"pg_{secrets.token_urlsafe(16)}"


def _data(said: Said) -> Any:
    if said.done:
        return said.data
    if said.status == _UNAUTHORISED and _error(said)["code"] in {"gate.sign_in_refused", "gate.signed_out"}:
        raise SignInNeeded
    raise Declined(said)


def _error(said: Said) -> Mapping[str, Any]:
    error: Mapping[str, Any] = said.data["error"]
    return error


def _word(visit: Visit, table: str, code: str) -> str:
    """A code in words; one that has none stands as it is."""
    known: Mapping[str, words.Pair] = getattr(words, table.upper())
    return visit.say(*known[code]) if code in known else code


def _own_path(request: Request) -> str:
    """Where the reader is, to come back to."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "") if request.method == "GET" else "/mine"


def _version() -> str:
    """Changes when a style or a script does, so that browsers may keep them for long."""
    joined = sha256()
    for one in sorted(STATIC.iterdir(), key=lambda one: one.name):
        joined.update(one.read_bytes())
    return joined.hexdigest()[:12]
