"""Draws: what is allotted, entering with wishes and family, the receipt, the result, and checking it in the browser."""

from typing import Any

from starlette.responses import Response

from shouhao.web.public.pages.site import SAFE_HEADERS, Page

_WISHES_MOST = 20


async def draw(page: Page) -> Response:
    """One draw, with the form to enter it, or what came of the reader's entries."""
    draw_id = page.request.path_params["draw_id"]
    shown = await page.get(f"/api/v1/draws/{draw_id}")
    people: list[Any] = []
    entries: list[Any] = []
    if page.visit.token:
        people = (await page.get("/api/v1/patients"))["patients"]
        found = (await page.get("/api/v1/entries"))["entries"]
        entries = [one for one in found if one["draw_id"] == draw_id]
    live = next((one for one in entries if one["state"] == "entered"), None)
    return page.show(
        "draw.html",
        title=page.visit.say("抽签放号", "A draw"),
        here="find",
        it=shown,
        people=people,
        entries=entries,
        live=live,
        places=range(1, min(shown["wishes_max"], len(shown["sessions"]), _WISHES_MOST) + 1),
        seats=sum(one["seats"] for one in shown["sessions"]),
    )


async def enter(page: Page) -> Response:
    """Enter a draw, or change the wishes of an entry."""
    draw_id = page.request.path_params["draw_id"]
    page.need_sign_in()
    form = await page.form()
    wishes: list[str] = []
    for n in range(1, _WISHES_MOST + 1):
        wish = form.one(f"wish_{n}")
        if wish and wish not in wishes:
            wishes.append(wish)
    made = await page.send(
        "POST",
        f"/api/v1/draws/{draw_id}/entries",
        {"patient_ids": form.all("patient_id"), "wishes": wishes},
        once=form.once,
    )
    return page.go(f"/entries/{made['entry_id']}/receipt")


async def receipt(page: Page) -> Response:
    """The receipt of an entry; at an address of its own, so that back and reload show it again."""
    entry_id = page.request.path_params["entry_id"]
    page.need_sign_in()
    it = await page.get(f"/api/v1/entries/{entry_id}/receipt")
    waits = it["kind"] == "waitlist"
    title = page.visit.say("候补回执", "Waitlist receipt") if waits else page.visit.say("报名回执", "Entry receipt")
    return page.show("receipt.html", title=title, here="mine", it=it)


async def check(page: Page) -> Response:
    """The page on which the reader's own browser repeats the draw."""
    draw_id = page.request.path_params["draw_id"]
    shown = await page.get(f"/api/v1/draws/{draw_id}")
    mine: list[Any] = []
    if page.visit.token:
        found = (await page.get("/api/v1/entries"))["entries"]
        mine = [one for one in found if one["draw_id"] == draw_id]
    return page.show(
        "check.html",
        title=page.visit.say("自己核对这次抽签", "Check this draw yourself"),
        here="find",
        it=shown,
        mine=mine,
    )


async def file(page: Page) -> Response:
    """The published file, byte for byte."""
    draw_id = page.request.path_params["draw_id"]
    said = await page.site.api.get(page.visit.asker, f"/api/v1/draws/{draw_id}/file")
    headers = {name: value for name, value in said.headers.items() if name == "etag"}
    if said.done:
        headers["content-disposition"] = f'attachment; filename="draw-{draw_id}.json"'
    return Response(
        said.body, status_code=said.status, media_type="application/json", headers={**SAFE_HEADERS, **headers}
    )
