"""Leads of who comes too often over HTTP: each route and each role, and what a lead shows before two people open it."""

from typing import Any

import pytest

from lawful import make_lawful
from shouhao.kernel.clock import day_of
from shouhao.staff.model import ROLES
from shouhao.watch.frequent import Visit
from shouhao.watch.store import frequent as store
from shouhao.watch.store.frequent import Seen
from shouhao.wiring.watch import window_keys
from web.served import NOW_US, Caller, Hospital

ROUTES: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("GET", "/frequent-leads", {}, {"security", "data_protection", "approver", "auditor"}),
    ("POST", "/frequent-leads/fl_1/request", {"json": {"reason": "核实"}}, {"security"}),
    ("POST", "/frequent-leads/fl_1/open", {"json": {"reason": "核实", "approval_id": "ap_1"}}, {"security"}),
    ("POST", "/frequent-leads/fl_1/dismissal", {}, {"security"}),
]


@pytest.mark.parametrize(("method", "path", "sent", "allowed"), ROUTES, ids=[f"{r[0]} {r[1]}" for r in ROUTES])
def test_each_route_and_each_role(
    sqlite_hospital: Hospital, method: str, path: str, sent: dict[str, Any], allowed: set[str]
) -> None:
    assert Caller(sqlite_hospital.console, {}).ask(method, path, **sent).status_code == 401
    said = {role: sqlite_hospital.staff(role).ask(method, path, **sent).status_code for role in ROLES}
    assert {role for role, status in said.items() if status != 403} == allowed
    assert all(status < 500 for status in said.values())


def test_a_lead_shows_a_number_of_days_until_two_people_open_it(sqlite_hospital: Hospital) -> None:
    system = sqlite_hospital.system
    make_lawful(system.db, "frequent_visitors", now_us=NOW_US)
    keys = window_keys(system.settings, system.vault)
    today = day_of(NOW_US).toordinal()
    with system.db.write() as connection:
        sealer = store.open_day(connection, keys, today, now_us=NOW_US)
        seen = Seen(at_us=NOW_US, camera_id="CAM-HIDDEN", near=(), vector=b"\0" * 16)
        store.add_visit(connection, sealer, Visit(id="fv_1", day=today, at_us=NOW_US), seen=seen, salt_id="fs_1")
        lead = store.raise_lead(connection, sealer, day=today, visit_ids=["fv_1"], days_seen=5, now_us=NOW_US)
        store.set_lead(connection, lead, "waiting", after={"checking"}, now_us=NOW_US)
    security, approver = sqlite_hospital.staff("security"), sqlite_hospital.staff("approver")
    shown = security.get("/frequent-leads").json()["leads"]
    assert [(one["id"], one["days"], one["state"]) for one in shown] == [(lead, 5, "waiting")]
    asked = security.post(f"/frequent-leads/{lead}/request", json={"reason": "连续多日"})
    assert asked.status_code == 201, asked.text
    body = {"reason": "核实", "approval_id": asked.json()["approval_id"]}
    refused = security.post(f"/frequent-leads/{lead}/open", json=body)
    assert refused.status_code in {403, 409}
    assert "CAM-HIDDEN" not in refused.text
    assert approver.post(f"/frequent-leads/{lead}/open", json=body).status_code == 403
    early = security.post(f"/frequent-leads/{lead}/dismissal")
    assert early.status_code == 409
