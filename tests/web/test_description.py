"""The OpenAPI descriptions say what is given: hostile requests made from them find no surprise."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from web.served import Caller, Hospital, served
from web.waiting import enter, open_draw, sessions_of

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
#: What would end the sign-in that the other requests need, and an answer that goes on for minutes.
APART = {"/api/v1/sign-out", "/api/v1/staff/alarms/stream"}


@pytest.fixture
def hospital(postgresql_url: str, tmp_path: Path) -> Iterator[Hospital]:
    """On PostgreSQL, which is the stricter of the two about what it stores."""
    with served(postgresql_url, tmp_path) as running:
        yield running


def description_of(base: str) -> dict[str, Any]:
    said = httpx.get(base.removesuffix("/staff") + "/openapi.json", timeout=60)
    assert said.status_code == 200
    return dict(said.json())


def attack(caller: Caller, *, known: dict[str, str]) -> int:
    """Send what the description allows and what it forbids to every route; how many routes that were."""
    schema = schemathesis.openapi.from_dict(description_of(caller.base))
    origin = caller.base.partition("/api/")[0]
    count = 0
    with requests.Session() as session:
        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.path in APART:
                continue
            count += 1
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                strategy = operation.as_strategy(generation_mode=mode)

                @settings(
                    max_examples=6,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=strategy)
                def send(case: Case) -> None:
                    for name in set(case.path_parameters or {}) & set(known):
                        if len(str(case.body)) % 2:
                            case.path_parameters[name] = known[name]
                    case.call_and_validate(
                        base_url=origin, session=session, headers=caller.headers, checks=CHECKS, timeout=20
                    )

                try:
                    send()
                except Unsatisfiable:  # some routes have nothing that the description forbids
                    assert mode is GenerationMode.NEGATIVE, operation.label
    return count


def test_patients_routes_answer_as_they_are_described(hospital: Hospital) -> None:
    member = hospital.member()
    patient_id = hospital.patient_of(member)
    booking = hospital.booking_of(member, patient_id, hospital.session_today)
    draw_id = open_draw(hospital)
    entry = enter(member, draw_id, [patient_id], sessions_of(member, draw_id)).json()
    known = {
        "patient_id": patient_id,
        "booking_id": booking["id"],
        "session_id": hospital.session,
        "draw_id": draw_id,
        "entry_id": entry["entry_id"],
    }
    assert attack(member, known=known) > 30
    hospital.assert_sound()


def test_staff_routes_answer_as_they_are_described(hospital: Hospital) -> None:
    member = hospital.member()
    patient_id = hospital.patient_of(member)
    booking = hospital.booking_of(member, patient_id)
    known = {"patient_id": patient_id, "booking_id": booking["id"], "kind": "binding"}
    assert attack(hospital.staff("all"), known=known) > 20
    hospital.assert_sound()


def test_each_route_says_what_it_needs_and_how_it_errs(hospital: Hospital) -> None:
    public, console = description_of(hospital.public), description_of(hospital.console)
    book = public["paths"]["/api/v1/bookings"]["post"]
    assert book["security"] == [{"channel_key": [], "sign_in": []}]
    assert {"BookBody", "BookingView", "ErrorAnswer"} <= set(public["components"]["schemas"])
    assert set(public["components"]["securitySchemes"]) == {"channel_key", "sign_in"}
    for document in (public, console):
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                assert "500" in operation["responses"], (path, method)
                assert any("一" <= character <= "鿿" for character in operation["summary"]), (path, method)
                open_to_all = path in {
                    "/healthz",
                    "/readyz",
                    "/api/v1/payments/notices",
                    "/api/v1/staff/sign-in",
                }
                assert bool(operation.get("security")) != open_to_all, (path, method)
