"""People: the patients of the account: who they are, binding a child or a parent, guardians, unbinding, a photo."""

from typing import Any

from starlette.responses import Response

from shouhao.web.public.pages.site import Page
from shouhao.web.public.pages.words import DOCUMENTS, RELATIONS


async def people(page: Page) -> Response:
    """Everybody who is bound to the account."""
    page.need_sign_in()
    found = (await page.get("/api/v1/patients"))["patients"]
    return page.show("people.html", title=page.visit.say("就诊人", "People"), here="people", people=found)


async def new(page: Page) -> Response:
    """The form to bind somebody."""
    page.need_sign_in()
    found = (await page.get("/api/v1/patients"))["patients"]
    return page.show(
        "new_person.html",
        title=page.visit.say("添加就诊人", "Add a person"),
        here="people",
        people=found,
        documents=DOCUMENTS,
        relations=RELATIONS,
    )


async def create(page: Page) -> Response:
    """Bind somebody."""
    page.need_sign_in()
    form = await page.form()
    asked: dict[str, Any] = {
        "name": form.one("name"),
        "document": {"kind": form.one("kind"), "number": form.one("number")},
        "phone": form.one("phone"),
        "relation": form.one("relation"),
    }
    asked |= {name: form.one(name) for name in ("birth_day", "sex", "guardian_patient_id") if form.one(name)}
    await page.send("POST", "/api/v1/patients", asked, once=form.once)
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
