"""A served hospital with a draw: sessions that are released by draw, and the window open."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from shouhao.booking.schedule import Department, Doctor, SchedulePlan
from shouhao.booking.store import draws as draw_store
from shouhao.booking.store.draws import Draw
from shouhao.flows.import_schedule import import_plan
from shouhao.kernel.clock import SECOND_US
from web.policed import changed
from web.served import NOW_US, TOMORROW, Hospital, planned

WINDOW_S = 120


def plan_draw(hospital: Hospital, rules: dict[str, Any] | None = None, *, capacity: int = 2) -> str:
    """A session of the day after tomorrow whose entry window opens now, under a policy by draw; its id."""
    body = {"kind": "draw", "draw": rules or {}}
    changed(hospital, "/release-policies/department:CARD", {"body": body, "reason": "抽签"})
    session = planned(TOMORROW + timedelta(days=1), "am", (8, 12), capacity)
    session = replace(session, release_at_us=NOW_US + WINDOW_S * SECOND_US)
    plan = SchedulePlan(
        departments=(Department(id="CARD", name_zh="心血管内科", name_en="Cardiology"),),
        doctors=(Doctor(id="D1", department_id="CARD", name_zh="李医生", title_zh="主任医师"),),
        sessions=(session,),
    )
    with hospital.system.db.write() as connection:
        assert import_plan(connection, plan, staff_id=None, source="console", now_us=NOW_US).refused == ()
    hospital.system.worker.look()
    return session.id


def the_draw(hospital: Hospital) -> Draw:
    """The one draw."""
    with hospital.system.db.read() as connection:
        (draw,) = draw_store.list_draws(connection, department_id=None, kind="release", since_us=0, limit=9)
    return draw


def close(hospital: Hospital, *, after_s: float = WINDOW_S) -> None:
    """Let the window end and the worker look."""
    hospital.clock.advance(seconds=after_s)
    hospital.system.worker.look()
