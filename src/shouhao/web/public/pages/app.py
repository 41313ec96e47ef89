"""The pages' app: which page stands where."""

import mimetypes

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shouhao.kernel.clock import Clock
from shouhao.settings import Settings
from shouhao.web.asgi import App
from shouhao.web.public.pages import antenatal, consents, draw_pages, find, mine, people, signing_in, tips
from shouhao.web.public.pages.bridge import Api
from shouhao.web.public.pages.site import SAFE_HEADERS, STATIC, Page, Site
from shouhao.web.public.pages.uploads import Uploads
from shouhao.web.public.pages.visit import Visits

_ROUTES = (
    ("GET", "/", find.home),
    ("GET", "/departments/{department_id}", find.department),
    ("GET", "/sessions/{session_id}", find.session),
    ("POST", "/sessions/{session_id}/book", find.book),
    ("POST", "/sessions/{session_id}/wait", find.wait),
    ("GET", "/draws/{draw_id}", draw_pages.draw),
    ("POST", "/draws/{draw_id}/enter", draw_pages.enter),
    ("GET", "/draws/{draw_id}/check", draw_pages.check),
    ("GET", "/draws/{draw_id}/file", draw_pages.file),
    ("GET", "/mine", mine.mine),
    ("GET", "/bookings/{booking_id}", mine.booking),
    ("POST", "/bookings/{booking_id}/pay", mine.pay),
    ("POST", "/bookings/{booking_id}/accept", mine.accept),
    ("POST", "/bookings/{booking_id}/return", mine.give_back),
    ("POST", "/waits/{wait_id}/leave", mine.leave),
    ("GET", "/entries/{entry_id}/receipt", draw_pages.receipt),
    ("POST", "/entries/{entry_id}/withdraw", mine.withdraw),
    ("GET", "/people", people.people),
    ("GET", "/people/new", people.new),
    ("POST", "/people", people.create),
    ("POST", "/people/{patient_id}/guardian", people.guardian),
    ("POST", "/people/{patient_id}/unbind", people.unbind),
    ("GET", "/consents", consents.consents),
    ("POST", "/consents/give", consents.give),
    ("POST", "/consents/withdraw", consents.withdraw),
    ("GET", "/antenatal", antenatal.antenatal),
    ("GET", "/antenatal/apply", antenatal.form),
    ("POST", "/antenatal/apply", antenatal.apply),
    ("GET", "/antenatal/months/{month}/check", antenatal.check),
    ("GET", "/antenatal/months/{month}/file", antenatal.file),
    ("GET", "/antenatal/applications/{application_id}", antenatal.application),
    ("POST", "/antenatal/applications/{application_id}/dates", antenatal.correct),
    ("POST", "/antenatal/applications/{application_id}/withdraw", antenatal.withdraw),
    ("POST", "/antenatal/applications/{application_id}/referral", antenatal.refer),
    ("POST", "/antenatal/applications/{application_id}/referral/withdraw", antenatal.unrefer),
    ("GET", "/tip", tips.form),
    ("POST", "/tip", tips.tell),
    ("GET", "/tip/follow", tips.follow),
    ("POST", "/tip/follow", tips.look_up),
    ("POST", "/tip/more", tips.more),
    ("GET", "/sign-in", signing_in.sign_in),
    ("POST", "/sign-in/code", signing_in.send_code),
    ("POST", "/sign-in", signing_in.use_code),
    ("POST", "/sign-out", signing_in.sign_out),
    ("POST", "/choose", signing_in.choose),
)
_YEAR_S = 365 * 86_400


def pages_app(
    api: App, *, channel_key: str, form_key: bytes, settings: Settings, clock: Clock, pay_origin: str | None
) -> App:
    """The patients' pages over the API.

    Args:
        channel_key: with which they are the channel `web`.
        form_key: what forms are sealed with; the same in every process.
        pay_origin: where payment pages stand.
    """
    visits = Visits(form_key, secure=settings.mode == "production", body_max=settings.max_body_bytes)
    site = Site(
        Api(api, channel_key),
        visits,
        hospital=(settings.hospital_name_zh, settings.hospital_name_en),
        pay_origin=pay_origin,
    )
    nothing_here = site.handler(_nothing_here)

    async def wrong_address(request: Request, _error: Exception) -> Response:
        return await nothing_here(request)

    routes = [Route(path, site.handler(act), methods=[method]) for method, path, act in _ROUTES]
    app = Starlette(
        routes=[*routes, Route("/now", _now), Route("/static/{name}", _static)],
        exception_handlers={404: wrong_address, 405: wrong_address},
    )
    app.state.clock = clock
    app.state.uploads = Uploads(visits, bytes_max=settings.max_photo_bytes)
    return app


async def _now(request: Request) -> Response:
    """The server's time, for clocks on pages."""
    return JSONResponse({"now_ms": request.app.state.clock.now_us() // 1000}, headers=SAFE_HEADERS)


async def _static(request: Request) -> Response:
    """A style, a script or a sign; their address changes with their content."""
    name = request.path_params["name"]
    known = {one.name: one for one in STATIC.iterdir()}
    if name not in known:
        return Response(status_code=404)
    media = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0] or "text/plain"
    headers = {**SAFE_HEADERS, "cache-control": f"public, max-age={_YEAR_S}, immutable"}
    return Response(known[name].read_bytes(), media_type=media, headers=headers)


async def _nothing_here(page: Page) -> Response:
    """The page of a wrong address."""
    return page.show(
        "refused.html",
        title=page.visit.say("没有这个页面", "There is no such page"),
        status=404,
        why=page.visit.say("地址可能有误，或页面已移动。", "The address may be wrong, or the page has moved."),
        remedy=None,
        reference=None,
        other=None,
    )
