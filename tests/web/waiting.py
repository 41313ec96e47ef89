"""Short ways to draws and waitlists of a served hospital: sessions that go by draw, what the worker does, who waits."""

from dataclasses import replace
from datetime import date
from typing import Any

from flows import drawing
from shouhao.booking.schedule import Half, PlannedSession, SchedulePlan
from shouhao.flows.import_schedule import import_plan
from shouhao.flows.release import release_due
from shouhao.kernel.clock import SECOND_US
from web.served import NOW_US, TOMORROW, Caller, Hospital, planned

WINDOW_S = 120  #: how long a draw takes entries
BATCH_S = 60  #: how long a batch of a waitlist takes people; a sign-in outlasts several
_HOURS: dict[Half, tuple[int, int]] = {"am": (8, 12), "pm": (14, 17), "evening": (18, 20)}


def add_session(
    hospital: Hospital,
    half: Half,
    *,
    capacity: int,
    day: date = TOMORROW,
    release_in_s: float = 0,
    fee_cents: int = 5000,
) -> str:
    """A planned session of the one doctor."""
    session: PlannedSession = planned(day, half, _HOURS[half], capacity)
    session = replace(session, release_at_us=NOW_US + round(release_in_s * SECOND_US), fee_cents=fee_cents)
    plan = SchedulePlan(departments=(), doctors=(), sessions=(session,))
    with hospital.system.db.write() as connection:
        assert import_plan(connection, plan, staff_id=None, source="console", now_us=NOW_US).refused == ()
    return session.id


def open_draw(hospital: Hospital, *, capacity: int = 1, halves: tuple[Half, ...] = ("pm",), **rules: Any) -> str:
    """A draw over new sessions that takes entries now; its id."""
    drawing.set_release(hospital.system.db, {"kind": "draw", "draw": rules}, now_us=NOW_US - SECOND_US)
    for half in halves:
        add_session(hospital, half, capacity=capacity, release_in_s=WINDOW_S)
    work(hospital)
    return str(drawing.the_draw(hospital.system.db)["id"])


def work(hospital: Hospital, *, later_s: float = 0) -> None:
    """Time passes, and the worker looks."""
    hospital.clock.advance(seconds=later_s)
    drawing.look(hospital.system.db, hospital.clock.now_us(), keys=hospital.system.draw_keys)


def sessions_of(member: Caller, draw_id: str) -> list[str]:
    """What a draw allots."""
    return [one["session_id"] for one in member.get(f"/draws/{draw_id}").json()["sessions"]]


def members(hospital: Hospital, count: int, *, first: int = 1, channel: str = "web") -> list[tuple[Caller, str]]:
    """People who are signed in, each with the patient they act for."""
    made = []
    for n in range(first, first + count):
        member = hospital.member(f"138001380{n:02d}", channel)
        made.append((member, hospital.patient_of(member, n, "张三")))
    return made


def enter(member: Caller, draw_id: str, patient_ids: list[str], wishes: list[str], **more: Any) -> Any:
    return member.post(f"/draws/{draw_id}/entries", json={"patient_ids": patient_ids, "wishes": wishes}, **more)


def join(member: Caller, session_id: str, *patient_ids: str, **more: Any) -> Any:
    return member.post(f"/sessions/{session_id}/waits", json={"patient_ids": list(patient_ids)}, **more)


def sold_out(
    hospital: Hospital, *, seats: int = 1, day: date = TOMORROW, **how: Any
) -> tuple[str, list[tuple[Caller, str]]]:
    """A released session whose slots are all booked, free of charge: its id, and who holds which booking."""
    rules = {"waitlist": {"batch_s": BATCH_S}}
    drawing.set_release(hospital.system.db, rules, now_us=hospital.clock.now_us() - SECOND_US)
    session_id = add_session(hospital, "evening", capacity=seats, day=day, fee_cents=0, **how)
    release_due(hospital.system.db, now_us=hospital.clock.now_us())
    holders = []
    for member, patient_id in members(hospital, seats, first=80):
        holders.append((member, str(hospital.booking_of(member, patient_id, session_id)["id"])))
    return session_id, holders
