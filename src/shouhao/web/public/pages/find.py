"""Find: departments and doctors, the sessions of a department, one session and what can be done there."""

import asyncio
from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from shouhao.kernel.clock import day_of
from shouhao.web.public.pages.site import Page

_DAYS_AHEAD = 28
_QUERY_LONGEST = 40


async def home(page: Page) -> Response:
    """Departments, draws that take entries, and what waits for the reader."""
    asked = page.request.query_params.get("q", "").strip()[:_QUERY_LONGEST]
    departments, doctors, draws = await asyncio.gather(
        page.get("/api/v1/departments"), page.get("/api/v1/doctors"), page.get("/api/v1/draws", limit=50)
    )
    named = {one["id"]: one for one in departments["departments"]}
    found = _matching(asked, departments["departments"], doctors["doctors"]) if asked else None
    return page.show(
        "home.html",
        title=page.visit.say("找号", "Find a slot"),
        here="find",
        departments=departments["departments"],
        named=named,
        open_draws=[one for one in draws["draws"] if one["state"] == "open"],
        asked=asked,
        found=found,
    )


async def department(page: Page) -> Response:
    """The sessions of a department, or of one doctor in it, by day."""
    department_id = page.request.path_params["department_id"]
    doctor_id = page.request.query_params.get("doctor") or None
    today = _today(page)
    departments, doctors, listed = await asyncio.gather(
        page.get("/api/v1/departments"),
        page.get("/api/v1/doctors", department_id=department_id),
        page.get(
            "/api/v1/sessions",
            department_id=department_id,
            doctor_id=doctor_id,
            first_day=today.isoformat(),
            last_day=(today + timedelta(days=_DAYS_AHEAD)).isoformat(),
            limit=100,
            cursor=page.request.query_params.get("after"),
        ),
    )
    it = next((one for one in departments["departments"] if one["id"] == department_id), None)
    name = department_id if it is None else page.visit.say(it["name_zh"], it["name_en"])
    return page.show(
        "department.html",
        title=name,
        here="find",
        department_id=department_id,
        doctors=doctors["doctors"],
        doctor_id=doctor_id,
        sessions=listed["sessions"],
        after=listed["cursor"],
    )


async def session(page: Page) -> Response:
    """One session: its times, how it is released, and the form for what can be done now."""
    session_id = page.request.path_params["session_id"]
    shown = await page.get(f"/api/v1/sessions/{session_id}")
    people: list[Any] = []
    if page.visit.token:
        people = (await page.get("/api/v1/patients"))["patients"]
    draw_id = shown["release"]["draw_id"]
    draw = await page.get(f"/api/v1/draws/{draw_id}") if draw_id else None
    return page.show(
        "session.html",
        title=page.visit.say(
            shown["doctor_zh"] or shown["department_zh"],
            shown["doctor_en"] or shown["doctor_zh"] or shown["department_en"],
        ),
        here="find",
        it=shown,
        draw=draw,
        people=people,
        bookable=shown["state"] == "released" and shown["free"] > 0,
        times=[slot for slot in shown["slots"] if slot["state"] == "free"],
    )


async def book(page: Page) -> Response:
    """Book a slot for one person."""
    session_id = page.request.path_params["session_id"]
    page.need_sign_in()
    form = await page.form()
    asked: dict[str, object] = {"patient_id": form.one("patient_id"), "session_id": session_id}
    if form.one("slot_id"):
        asked["slot_id"] = form.one("slot_id")
    if form.one("pool") == "care":
        asked["pool"] = "care"
    booking = await page.send("POST", "/api/v1/bookings", asked, once=form.once)
    return page.go(f"/bookings/{booking['id']}")


async def wait(page: Page) -> Response:
    """Join the waitlist of a session."""
    session_id = page.request.path_params["session_id"]
    page.need_sign_in()
    form = await page.form()
    made = await page.send(
        "POST", f"/api/v1/sessions/{session_id}/waits", {"patient_ids": form.all("patient_id")}, once=form.once
    )
    return page.go(f"/entries/{made['entry_id']}/receipt")


def _matching(asked: str, departments: list[Any], doctors: list[Any]) -> dict[str, list[Any]]:
    """Departments and doctors whose name holds what was asked for."""
    wanted = asked.casefold()
    return {
        "departments": [d for d in departments if wanted in f"{d['name_zh']} {d['name_en']}".casefold()],
        "doctors": [d for d in doctors if wanted in f"{d['name_zh']} {d['name_en']} {d['title_zh']}".casefold()],
    }


def _today(page: Page) -> date:
    return day_of(page.request.app.state.clock.now_us())
