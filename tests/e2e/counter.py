"""A hospital whose window is open: departments with sessions, one by draw, and people who come to the counter."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from PIL import Image, ImageDraw
from sqlalchemy import update

from e2e.looking import DESK, Reader, reader
from e2e.staff_browser import console_of, cookie
from flows import drawing
from shouhao.booking.schedule import Department, Doctor, SchedulePlan, cut_segments, session_id_of
from shouhao.flows.import_schedule import import_plan
from shouhao.flows.release import release_due
from shouhao.kernel.clock import SECOND_US
from shouhao.patients.tables import patients
from web.served import NOW_US, TOMORROW, Caller, Hospital, planned, resident_id

_SIGNED_IN: dict[tuple[str, ...], dict[str, Any]] = {}  #: cookies by hospital and roles: a sign-in takes its time
WINDOW_S = 3600  #: how long the draw of the obstetric clinic takes entries
REASON = "已核对本人与证件原件"


def open_counter(hospital: Hospital) -> None:
    """A clinic by draw and one that is full are added to what every served hospital has."""
    rules = {"kind": "draw", "draw": {"entry_window_s": WINDOW_S}}
    drawing.set_release(hospital.system.db, rules, scope="department:OB", now_us=NOW_US - SECOND_US)
    by_draw = [
        _session("OB", "D7", TOMORROW + timedelta(days=2), half, capacity=8, release_in_s=WINDOW_S / 2)
        for half in ("am", "pm")
    ]
    full = _session("PED", "D8", TOMORROW, "am", capacity=1)
    plan = SchedulePlan(
        departments=(
            Department(id="OB", name_zh="产科", name_en="Obstetrics"),
            Department(id="PED", name_zh="儿科", name_en="Paediatrics"),
        ),
        doctors=(
            Doctor(id="D7", department_id="OB", name_zh="周医生", name_en="Dr Zhou", title_zh="主任医师"),
            Doctor(id="D8", department_id="PED", name_zh="王医生", name_en="Dr Wang", title_zh="副主任医师"),
        ),
        sessions=(*by_draw, full),
    )
    with hospital.system.db.write() as connection:
        assert import_plan(connection, plan, staff_id=None, source="console", now_us=NOW_US).refused == ()
    assert release_due(hospital.system.db, now_us=NOW_US) == 1
    drawing.look(hospital.system.db, NOW_US, keys=hospital.system.draw_keys)
    holder = comes(hospital, 900, "赵占位")
    booked(hospital, holder, full.id)


def _session(department: str, doctor: str, day: date, half: Any, *, capacity: int, release_in_s: float = -60) -> Any:
    one = planned(day, half, {"am": (8, 12), "pm": (14, 17)}[half], capacity)
    one = replace(
        one,
        id=session_id_of(department, doctor, day=day, half=half, kind="expert"),
        department_id=department,
        doctor_id=doctor,
        kind="expert",
        release_at_us=NOW_US + round(release_in_s * SECOND_US),
    )
    return replace(one, slots=cut_segments(one, 30))


def comes(hospital: Hospital, order: int, name: str = "张三", *, born: date = date(1985, 6, 1), **more: Any) -> str:
    """Somebody registers at the window; their patient id."""
    document = {"document_kind": "resident_id", "document_number": resident_id(order, born)}
    body = {"name": name, **document, "phone": f"139{order:08d}", "reason": REASON, **more}
    said = hospital.staff("window").post("/patients", json=body)
    assert said.status_code == 201, said.text
    return str(said.json()["patient_id"])


def booked(hospital: Hospital, patient_id: str, session_id: str) -> str:
    """They book at the window; the booking's id."""
    said = hospital.staff("window").post("/bookings", json={"patient_id": patient_id, "session_id": session_id})
    assert said.status_code == 201, said.text
    return str(said.json()["id"])


def care_place(hospital: Hospital, phone: str, order: int) -> None:
    """A slot of today is returned from a phone while nobody waits, and is kept for people in need."""
    member: Caller = hospital.member(phone)
    made = hospital.booking_of(member, hospital.patient_of(member, order, "钱退号"), hospital.session_today)
    assert member.post(f"/bookings/{made['id']}/return").status_code == 200


def photo_waits(hospital: Hospital, phone: str, order: int, name: str) -> str:
    """Somebody sends a photo of their document from home; their patient id."""
    member = hospital.member(phone)
    patient_id = hospital.patient_of(member, order, name)
    with hospital.system.db.write() as connection:
        unconfirmed = {"verification": "pending", "verified_by": None, "verified_at_us": None}
        connection.execute(update(patients).where(patients.c.id == patient_id).values(**unconfirmed))
    sent = {"content": paper(order), "headers": {"Content-Type": "image/png"}}
    assert member.post(f"/patients/{patient_id}/photo", **sent).status_code == 202
    return patient_id


def paper(order: int) -> bytes:
    """A card that was drawn, in place of a document."""
    card = Image.new("RGB", (860, 540), (226, 233, 240))
    pen = ImageDraw.Draw(card)
    pen.rounded_rectangle((24, 24, 836, 516), 26, outline=(120, 140, 160), width=4)
    for n, width in enumerate((260, 180, 320, 380, 300)):
        pen.rounded_rectangle((70, 80 + 62 * n, 70 + width, 108 + 62 * n), 8, fill=(150, 165, 180))
    pen.rounded_rectangle((590, 80, 780, 320), 14, fill=(196, 204, 212))
    pen.ellipse((640, 110, 730, 210), fill=(160, 140, 126))
    pen.pieslice((610, 205, 760, 400), 180, 360, fill=(90, 100, 112))
    pen.text((70, 440), resident_id(order), fill=(40, 50, 60), font_size=44)
    out = io.BytesIO()
    card.save(out, "PNG")
    return out.getvalue()


@contextmanager
def at_desk(
    browser: Any, hospital: Hospital, story: str, *roles: str, size: tuple[int, int] = DESK, **more: Any
) -> Iterator[Reader]:
    """Somebody with these roles at the desk's page."""
    signed_in = more.pop("signed_in", None) or _signed_in(hospital, *roles)
    with reader(browser, more.pop("base", None) or console_of(hospital), story, size=size) as one:
        one.page.context.add_cookies([{**signed_in, "url": one.base}])
        one.go(f"/desk{more.pop('path', '')}")
        one.page.wait_for_selector(".desk")
        yield one


def _signed_in(hospital: Hospital, *roles: str) -> dict[str, Any]:
    who = (hospital.console, *roles)
    if who not in _SIGNED_IN:
        _SIGNED_IN[who] = cookie(hospital, *roles)
    return _SIGNED_IN[who]


def look_up(one: Reader, number: str) -> None:
    """Type it, and press Enter as a card reader does."""
    one.page.fill("[name=number]", number)
    one.page.keyboard.press("Enter")


def opens(one: Reader, number: str) -> None:
    """Look up somebody who is known, until all of theirs is on the page."""
    look_up(one, number)
    one.page.wait_for_selector(".person dl")
    one.page.wait_for_selector(".held h2")
    one.page.wait_for_selector(".offer, .booking .empty")
