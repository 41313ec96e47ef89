"""Consents: what the reader is asked, for themself and for a child, how each stands, and one button to change it."""

from typing import Any

from starlette.responses import Response

from shouhao.web.public.pages.site import Page


async def consents(page: Page) -> Response:
    """Every text; who is signed in sees how each stands, and everything that was given and withdrawn."""
    title = page.visit.say("同意与个人信息", "Consents and personal data")
    if not page.visit.token:
        shown = await page.get("/api/v1/consents/texts")
        return page.show("consents.html", title=title, cards=_cards(shown), it=None, names={}, done=None)
    shown = await page.get("/api/v1/consents")
    people = (await page.get("/api/v1/patients"))["patients"]
    return page.show(
        "consents.html",
        title=title,
        here="people",
        cards=_cards(shown),
        it=shown,
        names={one["patient_id"]: one["name"] for one in people},
        done=page.request.query_params.get("done"),
    )


async def give(page: Page) -> Response:
    """Agree to one thing, in the words that were shown."""
    page.need_sign_in()
    form = await page.form()
    asked = {**_which(form.one("kind"), form.one("patient_id")), "text_version": form.one("text_version")}
    await page.send("POST", "/api/v1/consents", {**asked, "agree": True}, once=form.once)
    return page.go("/consents?done=read" if asked["kind"] == "notice" else "/consents?done=given")


async def withdraw(page: Page) -> Response:
    """Take it back; as many taps as giving."""
    page.need_sign_in()
    form = await page.form()
    asked = _which(form.one("kind"), form.one("patient_id"))
    await page.send("POST", "/api/v1/consents/withdrawal", asked, once=form.once)
    return page.go("/consents?done=withdrawn")


def _which(kind: str, patient_id: str) -> dict[str, str]:
    return {"kind": kind, "patient_id": patient_id} if patient_id else {"kind": kind}


def _cards(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """Each text with the people whom it is asked of; a text that is asked of nobody here has no card."""
    cards = []
    for text in shown["texts"]:
        asked = [one for one in shown.get("consents", ()) if one["kind"] == text["kind"]]
        decided = any(one["may_give"] or one["standing"] or one["again"] for one in asked)
        # A use of the same photograph is asked when there is one, and not before.
        if "consents" not in shown or (decided if text["kind"] == "face_leave_out" else asked):
            cards.append({"text": text, "asked": asked})
    return cards
