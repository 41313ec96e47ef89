"""Signing in with a code to the phone, signing out, and what the reader chooses: language and size of print."""

from datetime import datetime
from urllib.parse import quote

from starlette.responses import Response

from shouhao.kernel.clock import SECOND_US, to_us
from shouhao.web.public.pages.site import Declined, Page


async def sign_in(page: Page) -> Response:
    """The form for the phone; where a code is on its way, the form for the code, which a reload shows again."""
    asked = page.request.query_params
    back, sent = own(asked.get("back", "")), asked.get("sent")
    phone = page.site.visits.phone_of(page.request) if sent else None
    again = page.visit.say("验证码刚发过，请直接输入收到的那一个。", "A code was sent a moment ago: type that one.")
    no = again if phone and sent == "before" else None
    return page.show("sign_in.html", title=page.visit.say("登录", "Sign in"), back=back, phone=phone, no=no)


async def send_code(page: Page) -> Response:
    """Send a code and lead on to the form for it."""
    form = await page.form()
    phone, back = form.one("phone"), own(form.one("back"))
    title, sent = page.visit.say("登录", "Sign in"), "now"
    try:
        await page.send("POST", "/api/v1/sign-in/codes", {"phone": phone})
    except Declined as declined:
        error = declined.said.data["error"]
        if error["code"] != "gate.phone_code_too_often":
            return page.show(
                "sign_in.html", title=title, back=back, phone=None, no=error["message"], status=declined.said.status
            )
        sent = "before"  # one is on its way already; it may be typed in
    response = page.go(f"/sign-in?sent={sent}&back={quote(back)}")
    page.site.visits.keep_phone(response, phone)
    return response


async def use_code(page: Page) -> Response:
    """Exchange the code for a sign-in."""
    form = await page.form()
    phone, back = form.one("phone"), own(form.one("back"))
    asked = {"phone": phone, "code": form.one("code"), "device_id": page.visit.device}
    try:
        made = await page.send("POST", "/api/v1/sign-in", asked)
    except Declined as declined:
        no = declined.said.data["error"]["message"]
        title = page.visit.say("登录", "Sign in")
        return page.show("sign_in.html", title=title, back=back, phone=phone, no=no, status=declined.said.status)
    response = page.go(back)
    ends_us = to_us(datetime.fromisoformat(made["expires_at"]))
    life_s = max(1, (ends_us - page.request.app.state.clock.now_us()) // SECOND_US)
    page.site.visits.sign_in(response, made["token"], life_s=life_s)
    page.site.visits.forget_phone(response)
    return response


async def sign_out(page: Page) -> Response:
    """End the sign-in, at once and everywhere."""
    await page.form()
    if page.visit.token:
        await page.site.api.send(page.visit.asker, "POST", "/api/v1/sign-out")
    response = page.go("/")
    page.site.visits.sign_out(response)
    return response


async def choose(page: Page) -> Response:
    """Another language, or another size of print."""
    form = await page.form()
    response = page.go(own(form.one("back")))
    language = form.one("language")
    page.site.visits.choose(
        response,
        language="en" if language == "en" else "zh" if language == "zh" else None,
        large=form.one("size") == "large" if form.one("size") else None,
    )
    return response


def own(path: str) -> str:
    r"""A path of ours to lead back to; whatever else was given, the reader's own page.

    >>> own("/draws/dr_1?x=1"), own("//elsewhere.example/"), own("https://elsewhere.example"), own("/\\elsewhere")
    ('/draws/dr_1?x=1', '/mine', '/mine', '/mine')
    """
    fine = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if fine else "/mine"
