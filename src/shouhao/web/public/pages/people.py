"""People: the patients of the account: who they are, binding a child or a parent, guardians, unbinding, a photo."""

import asyncio
from typing import Any

from starlette.responses import Response

from shouhao.web.public.pages.site import Declined, Page
from shouhao.web.public.pages.words import DOCUMENTS, RELATIONS, refusal_words, remedy

_FIELDS = ("name", "kind", "number", "phone", "relation", "birth_day", "sex", "guardian_patient_id")
_REFUSED_ON_THE_FORM = {409, 422}


async def people(page: Page) -> Response:
    """Everybody who is bound to the account."""
    page.need_sign_in()
    found, asked = await asyncio.gather(page.get("/api/v1/patients"), page.get("/api/v1/consents"))
    return page.show(
        "people.html",
        title=page.visit.say("就诊人", "People"),
        here="people",
        people=found["patients"],
        guardian_asked={
            one["patient_id"] for one in asked["consents"] if one["kind"] == "child_data" and one["may_give"]
        },
    )


async def new(page: Page) -> Response:
    """The form to bind somebody."""
    page.need_sign_in()
    return await _form(page, filled={}, no=None)


async def create(page: Page) -> Response:
    """Bind somebody; what is refused is said on the form, with everything that was typed."""
    page.need_sign_in()
    form = await page.form()
    asked: dict[str, Any] = {
        "name": form.one("name"),
        "document": {"kind": form.one("kind"), "number": form.one("number")},
        "phone": form.one("phone"),
        "relation": form.one("relation"),
    }
    asked |= {name: form.one(name) for name in ("birth_day", "sex", "guardian_patient_id") if form.one(name)}
    try:
        await page.send("POST", "/api/v1/patients", asked, once=form.once)
    except Declined as declined:
        if declined.said.status not in _REFUSED_ON_THE_FORM:
            raise
        return await _form(page, filled={name: form.one(name) for name in _FIELDS}, no=declined)
    return page.go("/people")


async def guardian(page: Page) -> Response:
    """Give a child one more guardian."""
    patient_id = page.request.path_params["patient_id"]
    page.need_sign_in()
    form = await page.form()
    asked = {"guardian_patient_id": form.one("guardian_patient_id")}
    await page.send("POST", f"/api/v1/patients/{patient_id}/guardians", asked, once=form.once)
    return page.go("/people")


async def unbind(page: Page) -> Response:
    """Let the account no longer act for somebody."""
    patient_id = page.request.path_params["patient_id"]
    page.need_sign_in()
    form = await page.form()
    await page.send("DELETE", f"/api/v1/patients/{patient_id}", once=form.once)
    return page.go("/people")


async def _form(page: Page, *, filled: dict[str, str], no: Declined | None) -> Response:
    found = (await page.get("/api/v1/patients"))["patients"]
    error = None if no is None else refusal_words(no.said.data["error"], page.visit.language)
    return page.show(
        "new_person.html",
        title=page.visit.say("添加就诊人", "Add a person"),
        here="people",
        status=200 if no is None else no.said.status,
        people=found,
        documents=DOCUMENTS,
        relations=RELATIONS,
        filled=filled,
        no=error,
        remedy=None if error is None else remedy(error["code"]),
    )
