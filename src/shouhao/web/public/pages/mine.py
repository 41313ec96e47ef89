"""Mine: what the reader booked, entered and waits for; paying, accepting, returning and leaving."""

import asyncio
from typing import Any

from starlette.responses import Response

from shouhao.web.public.pages.antenatal import LIVE
from shouhao.web.public.pages.site import Page

_LIVE = {"offered", "held", "booked"}


async def mine(page: Page) -> Response:
    """Everything that concerns the reader, what is urgent first."""
    page.need_sign_in()
    bookings, entries, waits, patients, applications, asked = await asyncio.gather(
        page.get("/api/v1/bookings"),
        page.get("/api/v1/entries"),
        page.get("/api/v1/waits"),
        page.get("/api/v1/patients"),
        page.get("/api/v1/antenatal/applications"),
        page.get("/api/v1/consents"),
    )
    found = bookings["bookings"]
    waiting = waits["waits"]
    return page.show(
        "mine.html",
        title=page.visit.say("我的", "Mine"),
        here="mine",
        names=_names(patients["patients"]),
        urgent=[one for one in found if one["state"] in {"offered", "held"}],
        coming=[one for one in found if one["state"] == "booked"],
        earlier=[one for one in found if one["state"] not in _LIVE][:20],
        entries=[one for one in entries["entries"] if one["kind"] == "release"][:20],
        waits=[one for one in waiting if one["state"] in {"batch", "waiting", "offered"}],
        over=[one for one in waiting if one["state"] not in {"batch", "waiting", "offered"}][:10],
        applications=[one for one in applications["applications"] if one["state"] in LIVE],
        unread=any(one["kind"] == "notice" and one["may_give"] for one in asked["consents"]),
    )


async def booking(page: Page) -> Response:
    """One booking and what can be done with it."""
    booking_id = page.request.path_params["booking_id"]
    page.need_sign_in()
    shown = await page.get(f"/api/v1/bookings/{booking_id}")
    session, patients = await asyncio.gather(
        page.get(f"/api/v1/sessions/{shown['session_id']}"), page.get("/api/v1/patients")
    )
    return page.show(
        "booking.html",
        title=page.visit.say("预约", "Booking"),
        here="mine",
        it=shown,
        session=session,
        names=_names(patients["patients"]),
    )


async def pay(page: Page) -> Response:
    """Lead to the payment page."""
    booking_id = page.request.path_params["booking_id"]
    page.need_sign_in()
    form = await page.form()
    due = await page.send("POST", f"/api/v1/bookings/{booking_id}/payment", once=form.once)
    return page.go(due["pay_url"])


async def accept(page: Page) -> Response:
    """Accept an offer, for all who got it together."""
    booking_id = page.request.path_params["booking_id"]
    page.need_sign_in()
    form = await page.form()
    await page.send("POST", f"/api/v1/bookings/{booking_id}/accept", once=form.once)
    return page.go(f"/bookings/{booking_id}")


async def give_back(page: Page) -> Response:
    """Return a slot, or decline an offer."""
    booking_id = page.request.path_params["booking_id"]
    page.need_sign_in()
    form = await page.form()
    await page.send("POST", f"/api/v1/bookings/{booking_id}/return", once=form.once)
    return page.go(f"/bookings/{booking_id}")


async def leave(page: Page) -> Response:
    """Leave a waitlist whose order is drawn."""
    wait_id = page.request.path_params["wait_id"]
    page.need_sign_in()
    form = await page.form()
    await page.send("POST", f"/api/v1/waits/{wait_id}/leave", once=form.once)
    return page.go("/mine")


async def withdraw(page: Page) -> Response:
    """Take back an entry while entries are taken, of a draw or of a batch that waits."""
    entry_id = page.request.path_params["entry_id"]
    page.need_sign_in()
    form = await page.form()
    await page.send("POST", f"/api/v1/entries/{entry_id}/withdraw", once=form.once)
    return page.go("/mine")


def _names(patients: list[Any]) -> dict[str, str]:
    return {one["patient_id"]: one["name"] for one in patients}
