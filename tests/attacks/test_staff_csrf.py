"""Attack: another site has the operator's browser write to the console (CSRF), or reads what it may not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shouhao.staff.model import ALONE, ROLES
from web.browser import signed_in
from web.served import Hospital, error_of, served

POLICY = {"body": {"live_per_day": 2}, "reason": "试行"}
EVIL = "https://evil.example"


@pytest.fixture
def sqlite_hospital(sqlite_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(sqlite_url, tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    ("sent", "dropped", "code"),
    [
        ({"X-CSRF-Token": ""}, (), "web.csrf_refused"),
        ({}, ("X-CSRF-Token",), "web.csrf_refused"),
        ({"X-CSRF-Token": "A" * 43}, (), "web.csrf_refused"),
        ({"Origin": EVIL}, (), "web.cross_site"),
        ({"Origin": "null"}, (), "web.cross_site"),
        ({"Origin": "http://127.0.0.1"}, (), "web.cross_site"),
        ({"Origin": "http://[broken"}, (), "web.cross_site"),
        ({"Sec-Fetch-Site": "cross-site"}, (), "web.cross_site"),
        ({"Sec-Fetch-Site": "same-site"}, (), "web.cross_site"),
        ({}, ("Origin", "Sec-Fetch-Site"), "web.cross_site"),
    ],
)
def test_a_write_that_another_site_made_changes_nothing(
    sqlite_hospital: Hospital, sent: dict[str, str], dropped: tuple[str, ...], code: str
) -> None:
    hospital = sqlite_hospital
    browser, _ = signed_in(hospital, "fang", "outpatient_office", "administrator")
    before = hospital.state()
    for method, path, body in (
        ("POST", "/policies/booking_limits", POLICY),
        ("POST", "/operators", {"name": "x", "roles": ["administrator"]}),
        ("POST", "/session/password", {"new_password": "a password of theirs"}),
        ("DELETE", "/session", None),
        ("DELETE", "/operators/op_x", None),
    ):
        rest: dict[str, Any] = {} if body is None else {"json": body}
        said = browser.ask(method, path, headers=sent, drop=dropped, **rest)
        assert (said.status_code, error_of(said)["code"]) == (403, code), (method, path)
    assert hospital.state() == before
    assert browser.post("/policies/booking_limits", json=POLICY).status_code == 202


def test_another_sessions_token_is_no_token(sqlite_hospital: Hospital) -> None:
    mine, _ = signed_in(sqlite_hospital, "fang", "outpatient_office")
    theirs, _ = signed_in(sqlite_hospital, "mallory", "outpatient_office")
    said = mine.post("/policies/booking_limits", json=POLICY, headers={"X-CSRF-Token": theirs.csrf})
    assert error_of(said)["code"] == "web.csrf_refused"


def test_a_form_of_another_site_cannot_sign_anybody_in(sqlite_hospital: Hospital) -> None:
    browser, _ = signed_in(sqlite_hospital, "fang", "guard")
    browser.delete("/session")
    body = {"login": "mallory", "password": "x" * 20}
    foreign = browser.post("/sign-in", json=body, headers={"Origin": EVIL, "Sec-Fetch-Site": "cross-site"})
    assert (foreign.status_code, error_of(foreign)["code"]) == (403, "web.cross_site")
    form = browser.post("/sign-in", data=body)
    assert form.status_code in {415, 422}
    assert browser.cookie is None


def test_another_sites_page_reads_nothing_in_the_background(sqlite_hospital: Hospital) -> None:
    browser, _ = signed_in(sqlite_hospital, "fang", "administrator")
    for mode in ("no-cors", "cors"):
        said = browser.get("/operators", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode})
        assert error_of(said)["code"] == "web.cross_site"
    followed = browser.get("/operators", headers={"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"})
    assert followed.status_code == 200


def test_the_cookie_is_for_our_own_pages_and_no_script(sqlite_hospital: Hospital) -> None:
    browser, _ = signed_in(sqlite_hospital, "fang", "guard")
    hospital = sqlite_hospital
    hospital.clock.advance(seconds=60)
    said = browser.post("/sign-in", json={"login": "fang", "password": "wrong" * 4})
    assert "set-cookie" not in said.headers
    ended = browser.delete("/session")
    flags = {part.strip().lower() for part in ended.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", "max-age=0"} <= flags


def test_no_write_of_the_console_is_without_the_token(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    browser, _ = signed_in(hospital, "fang", *(set(ROLES) - ALONE - {"auditor"}))
    before = hospital.state()
    document = httpx.get(hospital.console.removesuffix("/staff") + "/openapi.json", timeout=60).json()
    tried = 0
    for path, operations in document["paths"].items():
        for method in set(operations) - {"get", "head"}:
            if path == "/api/v1/staff/sign-in":
                continue
            filled = re.sub(r"\{\w+\}", "x", path.removeprefix("/api/v1/staff"))
            said = browser.ask(method.upper(), filled, drop=("X-CSRF-Token",), json={})
            assert (said.status_code, error_of(said)["code"]) == (403, "web.csrf_refused"), (method, path)
            tried += 1
    assert tried > 40
    assert hospital.state() == before
