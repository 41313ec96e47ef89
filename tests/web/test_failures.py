"""What is not the caller's fault is told as such, in the same shape, and rings where it must."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import httpx
from sqlalchemy import update
from structlog.testing import capture_logs

from shouhao.gate.channels import ChannelKeys
from shouhao.patients.tables import patients
from shouhao.store.engine import open_database
from shouhao.web.asgi import App
from shouhao.web.console.app import console_app
from shouhao.web.public.app import public_app
from shouhao.wiring import assemble
from web.served import Hospital, error_of, resident_id, settings_for

NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"


async def ask(app: App, method: str, path: str, **rest: object) -> httpx.Response:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        return await client.request(method, path, **rest)


def test_a_database_that_is_away_is_busy_and_not_an_error_of_ours(sqlite_url: str, tmp_path: Path) -> None:
    system = assemble(settings_for(sqlite_url, tmp_path))
    away = open_database(NOWHERE)
    stranded = replace(system, db=away, channel_keys=ChannelKeys(away, system.clock))
    headers = {"X-Channel-Key": "web.x", "Authorization": "Bearer x", "Idempotency-Key": "k"}
    for app, path in (
        (public_app(stranded), "/readyz"),
        (public_app(stranded), "/api/v1/departments"),
        (console_app(stranded), "/api/v1/staff/me"),
    ):
        said = asyncio.run(ask(app, "GET", path, headers=headers))
        assert (said.status_code, error_of(said)["code"]) == (503, "unavailable"), path
        assert int(said.headers["retry-after"]) >= 1
    hot = asyncio.run(ask(public_app(stranded), "POST", "/api/v1/bookings", headers=headers, json={}))
    assert (hot.status_code, error_of(hot)["code"]) == (503, "unavailable")
    assert asyncio.run(ask(public_app(stranded), "GET", "/healthz")).status_code == 200
    away.close()
    system.close()


def test_a_desk_that_is_closed_is_busy(sqlite_hospital: Hospital) -> None:
    member = sqlite_hospital.member()
    sqlite_hospital.system.desk.stop()
    asked = {"patient_id": "pt_x", "session_id": sqlite_hospital.session}
    for said in (member.post("/bookings", json=asked), sqlite_hospital.staff("window").post("/bookings", json=asked)):
        assert (said.status_code, error_of(said)["code"]) == (503, "booking.busy")


def test_a_record_that_was_tampered_with_is_an_alarm_and_shows_nothing(sqlite_hospital: Hospital) -> None:
    sqlite_hospital.patient_of(sqlite_hospital.member())
    with sqlite_hospital.system.db.write() as connection:
        connection.execute(update(patients).values(name_sealed="intl.1.AAAA"))
    asked = {"document_kind": "resident_id", "document_number": resident_id()}
    with capture_logs() as logs:
        said = sqlite_hospital.staff("window").post("/patients/look-up", json=asked)
    assert (said.status_code, error_of(said)["code"]) == (500, "internal")
    assert "seal" not in said.text
    assert [entry["log_level"] for entry in logs if entry["event"] == "tampered"] == ["error"]


def test_a_bug_in_a_route_is_told_in_one_shape_and_logged(sqlite_hospital: Hospital) -> None:
    member = sqlite_hospital.member()
    sqlite_hospital.patient_of(member)
    with sqlite_hospital.system.db.write() as connection:
        connection.execute(update(patients).values(birth_day="nonsense"))
    with capture_logs() as logs:
        said = member.get("/patients")
        deadline = time.monotonic() + 30  # the framework answers before it lets go of the error
        while not any(entry["event"] == "request_failed" for entry in logs) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert (said.status_code, error_of(said)["code"]) == (500, "internal")
    assert [entry["request_id"] for entry in logs if entry["event"] == "request_failed"] == [
        said.headers["x-request-id"]
    ]
