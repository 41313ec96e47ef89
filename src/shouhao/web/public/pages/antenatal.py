"""Antenatal registration: the due months, applying, what becomes of an application, and referral to a partner."""

import asyncio
from typing import Any

from starlette.responses import Response

from shouhao.kernel.clock import day_of
from shouhao.web.public.pages.signing_in import own
from shouhao.web.public.pages.site import SAFE_HEADERS, Declined, Page
from shouhao.web.public.pages.words import refusal_words

LIVE = {"entered", "waiting", "granted", "confirmed", "referred"}  #: applications that are under way
_REFUSED_ON_THE_FORM = {409, 422}


async def antenatal(page: Page) -> Response:
    """What it is, who may apply, how each due month stands, and the reader's own applications."""
    months = (await page.get("/api/v1/antenatal/months"))["months"]
    applications, names = await _mine(page)
    return page.show(
        "antenatal.html",
        title=page.visit.say("孕产建档", "Antenatal registration"),
        here="find",
        open_months=[one for one in months if one["release"] != "planned"],
        planned=[one for one in months if one["release"] == "planned" and _places(one)],
        rules=months[0] if months else None,
        live=[one for one in applications if one["state"] in LIVE],
        earlier=[one for one in applications if one["state"] not in LIVE],
        names=names,
    )


async def form(page: Page) -> Response:
    """The form to apply."""
    page.need_sign_in()
    return await _form(page, filled={}, no=None)


async def apply(page: Page) -> Response:
    """Apply for one woman; what is refused is said on the form, with everything that was typed."""
    page.need_sign_in()
    sent = await page.form()
    filled = {name: sent.one(name) for name in ("patient_id", "source", "due_day", "lmp_day")}
    asked = {name: value for name, value in filled.items() if value}
    try:
        made = await page.send("POST", "/api/v1/antenatal/applications", asked, once=sent.once)
    except Declined as declined:
        if declined.said.status not in _REFUSED_ON_THE_FORM:
            raise
        return await _form(page, filled=filled, no=declined)
    return page.go(f"/antenatal/applications/{made['application_id']}")


async def application(page: Page) -> Response:
    """One application: how it stands, why, what comes next and when, and what can be done."""
    page.need_sign_in()
    return await _application(page, page.request.path_params["application_id"], no=None, filled={})


async def correct(page: Page) -> Response:
    """Other dates, before the draw."""
    application_id = page.request.path_params["application_id"]
    page.need_sign_in()
    sent = await page.form()
    filled = {name: sent.one(name) for name in ("source", "due_day", "lmp_day")}
    asked = {name: value for name, value in filled.items() if value}
    try:
        made = await page.send("POST", f"/api/v1/antenatal/applications/{application_id}/dates", asked, once=sent.once)
    except Declined as declined:
        if declined.said.status not in _REFUSED_ON_THE_FORM:
            raise
        return await _application(page, application_id, no=declined, filled=filled)
    return page.go(f"/antenatal/applications/{made['application_id']}")


async def withdraw(page: Page) -> Response:
    """Take an application back; a place goes to the next woman."""
    return await _act(page, "withdrawal")


async def refer(page: Page) -> Response:
    """Agree to be referred to the partner hospital that was chosen, in the words that were shown."""
    application_id = page.request.path_params["application_id"]
    page.need_sign_in()
    sent = await page.form()
    asked = {
        "offer_id": sent.one("offer_id"),
        "text_version": sent.one("text_version"),
        "agree": sent.one("agree") == "yes",
    }
    await page.send("POST", f"/api/v1/antenatal/applications/{application_id}/referral", asked, once=sent.once)
    return page.go(f"/antenatal/applications/{application_id}")


async def unrefer(page: Page) -> Response:
    """Withdraw that consent, before anything was sent."""
    return await _act(page, "referral/withdrawal")


async def check(page: Page) -> Response:
    """The page on which the reader's own browser repeats the draw of a due month."""
    month = page.request.path_params["month"]
    months = (await page.get("/api/v1/antenatal/months"))["months"]
    applications, _ = await _mine(page)
    return page.show(
        "antenatal_check.html",
        title=page.visit.say("自己核对这次抽签", "Check this draw yourself"),
        here="find",
        name=month,
        it=next((one for one in months if one["month"] == month), None),
        mine=sorted({one["entry"] for one in applications if one["month"] == month}),
    )


async def file(page: Page) -> Response:
    """The published file of a month's draw, byte for byte."""
    month = page.request.path_params["month"]
    said = await page.site.api.get(page.visit.asker, f"/api/v1/antenatal/months/{month}/draw")
    named = {"content-disposition": f'attachment; filename="draw-antenatal-{month}.json"'} if said.done else {}
    return Response(
        said.body, status_code=said.status, media_type="application/json", headers={**SAFE_HEADERS, **named}
    )


def _places(month: dict[str, Any]) -> int:
    return sum(int(tier["places"]) for tier in month["tiers"])


async def _act(page: Page, what: str) -> Response:
    application_id = page.request.path_params["application_id"]
    page.need_sign_in()
    sent = await page.form()
    await page.send("POST", f"/api/v1/antenatal/applications/{application_id}/{what}", once=sent.once)
    back = sent.one("back")
    return page.go(own(back) if back else f"/antenatal/applications/{application_id}")


async def _mine(page: Page) -> tuple[list[Any], dict[str, str]]:
    """The reader's applications, and names by patient."""
    if not page.visit.token:
        return [], {}
    applications, patients = await asyncio.gather(
        page.get("/api/v1/antenatal/applications"), page.get("/api/v1/patients")
    )
    return applications["applications"], {one["patient_id"]: one["name"] for one in patients["patients"]}


async def _form(page: Page, *, filled: dict[str, str], no: Declined | None) -> Response:
    months, patients = await asyncio.gather(page.get("/api/v1/antenatal/months"), page.get("/api/v1/patients"))
    return page.show(
        "antenatal_apply.html",
        title=page.visit.say("申请建档", "Apply for registration"),
        here="find",
        status=200 if no is None else no.said.status,
        people=[one for one in patients["patients"] if one["sex"] != "male"],
        anybody=bool(patients["patients"]),
        months=months["months"],
        today=day_of(page.request.app.state.clock.now_us()).isoformat(),
        filled=filled,
        no=None if no is None else refusal_words(no.said.data["error"], page.visit.language),
    )


async def _application(page: Page, application_id: str, *, no: Declined | None, filled: dict[str, str]) -> Response:
    it = await page.get(f"/api/v1/antenatal/applications/{application_id}")
    months, patients = await asyncio.gather(page.get("/api/v1/antenatal/months"), page.get("/api/v1/patients"))
    offers = None
    if it["state"] == "waiting":
        offers = await page.get(f"/api/v1/antenatal/applications/{application_id}/offers")
    names = {one["patient_id"]: one["name"] for one in patients["patients"]}
    return page.show(
        "antenatal_application.html",
        title=page.visit.say("建档申请", "Registration"),
        here="mine",
        status=200 if no is None else no.said.status,
        it=it,
        name=names.get(it["patient_id"], "—"),
        month_of_it=next((one for one in months["months"] if one["month"] == it["month"]), None),
        offers=offers,
        today=day_of(page.request.app.state.clock.now_us()).isoformat(),
        filled=filled or {"source": it["due_source"], "due_day": it["due_day"], "lmp_day": ""},
        no=None if no is None else refusal_words(no.said.data["error"], page.visit.language),
    )
