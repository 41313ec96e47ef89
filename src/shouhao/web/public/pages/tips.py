"""Tip pages (举报): tell of a scalper, keep the number and the code, see what came of it, add to it.

Nobody signs in for it. What was typed is never lost to a refusal: the form comes back as it was filled in, and a
picture that cannot be read does not keep the words from being told.
"""

import base64
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from shouhao.web.errors import BodyIncomplete
from shouhao.web.public.pages.site import Declined, Form, Page, new_once
from shouhao.web.public.pages.uploads import Uploaded, Uploads, UploadsBusy
from shouhao.web.public.pages.words import Pair

#: The fields of the form, as they are called on it.
_FIELDS: dict[str, Pair] = {
    "what": ("您看到或遇到了什么", "What did you see or meet with"),
    "where": ("在哪里", "Where"),
    "when": ("什么时候", "When"),
    "about": ("哪位医生或科室", "Which doctor or clinic"),
    "offered": ("对方卖什么", "What was offered"),
    "price": ("要价", "Price asked"),
    "wechat": ("微信号", "WeChat id"),
    "phone": ("电话", "Phone"),
    "platform": ("平台或群", "Platform or group"),
    "link": ("链接", "Link"),
    "teller": ("怎样联系您", "How to reach you"),
    "words": ("补充的内容", "What you add"),
}
_USED = "idempotency_key_reused"  #: what the API says to a form that was sent before, with other words
_TOLD = tuple(name for name in _FIELDS if name != "words")


async def form(page: Page) -> Response:
    """The form, with what one should know first."""
    return await _form(page, {"session_id": page.request.query_params.get("session", "")[:64]})


async def tell(page: Page) -> Response:
    """Take a tip, then its pictures; show the number and the code."""
    sent = await _sent(page)
    if isinstance(sent, Response):
        return sent
    given = Form(sent.fields)
    asked: dict[str, Any] = {name: given.one(name) for name in _TOLD}
    if given.one("session_id"):
        asked["session_id"] = given.one("session_id")
    else:
        asked["doctor_id"] = await _doctor(page, asked["about"])
    asked["device_id"] = page.visit.device
    once = given.once
    try:
        made = await page.send("POST", "/api/v1/tips", asked, once=once)
    except Declined as declined:
        typed = {name: given.one(name) for name in (*_TOLD, "session_id")}
        used = declined.said.data["error"]["code"] == _USED  # they went back and wrote on: the next one is another tip
        return await _form(page, typed, declined=declined, once=None if used else once)
    problems = await _add_pictures(page, made, sent.pictures, once=once)
    return page.show("tip_sent.html", title=page.visit.say("已收到", "We have it"), it=made, problems=problems)


async def follow(page: Page) -> Response:
    """The form for number and code."""
    return _follow(page)


async def look_up(page: Page) -> Response:
    """What came of a tip."""
    given = await page.form()
    asked = {"reference": given.one("reference"), "code": given.one("code")}
    try:
        found = await page.send("POST", "/api/v1/tips/look-up", asked)
    except Declined as declined:
        return _follow(page, reference=asked["reference"], declined=declined)
    return _follow(page, found=found, reference=asked["reference"], code=asked["code"])


async def more(page: Page) -> Response:
    """Add words and pictures to a tip."""
    sent = await _sent(page)
    if isinstance(sent, Response):
        return sent
    given = Form(sent.fields)
    asked = {"reference": given.one("reference"), "code": given.one("code")}
    words, once, refused = given.one("words"), given.once, None
    try:
        if words:
            await page.send("POST", "/api/v1/tips/additions", {**asked, "words": words}, once=once)
    except Declined as declined:
        refused = declined
    problems = await _add_pictures(page, asked, sent.pictures, once=once) if refused is None else []
    try:
        found = await page.send("POST", "/api/v1/tips/look-up", asked)
    except Declined as declined:
        return _follow(page, reference=asked["reference"], declined=declined)
    done = refused is None and (bool(words) or len(sent.pictures) > len(problems))
    typed = "" if refused is None else words
    return _follow(
        page,
        found=found,
        declined=refused,
        problems=problems,
        done=done,
        words=typed,
        reference=asked["reference"],
        code=asked["code"],
    )


async def _form(
    page: Page, typed: dict[str, str], *, declined: Declined | None = None, once: str | None = None
) -> Response:
    no = None if declined is None else _why(page, declined)
    status = 200 if declined is None else declined.said.status
    terms: dict[str, Any] | None = None
    try:
        terms = await page.get("/api/v1/tips")
    except Declined as closed:  # nothing would be taken now: say so before somebody writes
        no = no or _why(page, closed)
        status = closed.said.status if declined is None else status
    return page.show(
        "tip.html",
        title=page.visit.say("举报倒号", "Tell of a scalper"),
        status=status,
        typed={name: typed.get(name, "") for name in _TOLD},
        session=await _session(page, typed.get("session_id", "")),
        doctors=[label for label, _ in await _doctors(page)],
        fields=_FIELDS,
        terms=terms,
        no=no,
        form_once=once or new_once(),
    )


def _follow(
    page: Page,
    *,
    reference: str = "",
    code: str = "",
    found: Any = None,
    declined: Declined | None = None,
    problems: Sequence[str] = (),
    done: bool = False,
    words: str = "",
) -> Response:
    return page.show(
        "tip_follow.html",
        title=page.visit.say("查询举报", "What came of my tip"),
        status=200 if declined is None else declined.said.status,
        reference=reference,
        code=code,
        it=found,
        no=None if declined is None else _why(page, declined),
        problems=problems,
        done=done,
        words=words,
    )


async def _sent(page: Page) -> Uploaded | Response:
    """The form with its pictures, or the page that says why it was not read."""
    uploads: Uploads = page.request.app.state.uploads
    say = page.visit.say
    try:
        return await uploads.form(page.request, page.visit)
    except UploadsBusy:
        why = say(
            "此刻上传图片的人太多。请返回上一页，先不带图片提交，之后再用查询码补图片。",
            "Too many pictures are being sent right now. Go back and send the words first; add pictures later.",
        )
        status = HTTPStatus.SERVICE_UNAVAILABLE
    except BodyIncomplete:
        why = say(
            "图片没有传完，可能是网络太慢。请返回上一页，先不带图片提交，之后再用查询码补图片。",
            "The pictures did not arrive whole; the network may be slow. Go back, send the words first, then pictures.",
        )
        status = HTTPStatus.REQUEST_TIMEOUT
    title = say("请重新提交", "Please send it again")
    return page.show("refused.html", title=title, status=status, why=why, remedy=None, reference=None, other=None)


async def _add_pictures(page: Page, tip: Any, pictures: Sequence[bytes], *, once: str) -> list[str]:
    """Add each picture by itself; what was wrong with those that were not taken."""
    problems = []
    for number, picture in enumerate(pictures, start=1):
        asked = {
            "reference": tip["reference"],
            "code": tip["code"],
            "picture": base64.b64encode(picture).decode(),
        }
        try:
            await page.send("POST", "/api/v1/tips/pictures", asked, once=f"{once}-{number}")
        except Declined as declined:
            which = page.visit.say(f"第 {number} 张图片：", f"Picture {number}: ")
            problems.append(which + declined.said.data["error"]["message"])
    return problems


def _why(page: Page, declined: Declined) -> str:
    """What the API said, with the field as it is called on the page."""
    error = declined.said.data["error"]
    message: str = error["message"]
    if error["code"] == _USED:
        return page.visit.say(
            "刚才那一次已经收到了。如要作为新的内容提交，请再按一次。",
            "What you sent before is with us. To send this as well, press once more.",
        )
    if error["field"] not in _FIELDS:
        return message
    rule = message.removeprefix(error["field"]).lstrip("：: ")
    return page.visit.say("“{}”：", "“{}”: ").format(page.visit.say(*_FIELDS[error["field"]])) + rule


async def _doctors(page: Page) -> list[tuple[str, Any]]:
    """Doctors as they may be written into the form."""
    departments = {one["id"]: one for one in (await page.get("/api/v1/departments"))["departments"]}
    doctors = (await page.get("/api/v1/doctors"))["doctors"]
    return [(_label(page, one, departments[one["department_id"]]), one) for one in doctors]


async def _doctor(page: Page, about: str) -> str | None:
    """The one doctor of that name; None where it fits none, or several."""
    wanted = " ".join(about.split()).casefold()
    if not wanted:
        return None
    known = await _doctors(page)
    exact = [one["id"] for label, one in known if label.casefold() == wanted]
    named = exact or [one["id"] for _, one in known if wanted in {one["name_zh"].casefold(), one["name_en"].casefold()}]
    return named[0] if len(named) == 1 else None


def _label(page: Page, doctor: Any, department: Any) -> str:
    say = page.visit.say
    name = say(doctor["name_zh"], doctor["name_en"] or doctor["name_zh"])
    return f"{name} · {say(department['name_zh'], department['name_en'])}"


async def _session(page: Page, session_id: str) -> Any:
    """The session that the reader came from; None where there is none."""
    if not session_id:
        return None
    try:
        return await page.get(f"/api/v1/sessions/{session_id}")
    except Declined:
        return None
