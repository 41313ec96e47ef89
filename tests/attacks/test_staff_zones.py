"""Attack: from outside the console's networks, with a stolen cookie or key, or an address made up in a header."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shouhao.staff.tables import throttles
from web.browser import PASSWORD, Browser, person, set_up, signed_in
from web.served import Hospital, error_of, served

INSIDE, OTHER_ZONE, OUTSIDE = "10.20.0.7", "10.30.0.7", "203.0.113.9"


@pytest.fixture
def proxied(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hospital]:
    """A console behind the hospital's own proxy, for two networks."""
    monkeypatch.setenv("SHOUHAO_TRUSTED_PROXIES", "127.0.0.0/8")
    monkeypatch.setenv("SHOUHAO_CONSOLE_ZONES", "10.20.0.0/16, 10.30.0.0/16")
    with served(sqlite_url, tmp_path) as hospital:
        yield hospital


def at(address: str) -> dict[str, str]:
    """What the proxy writes: the caller's address at the right end."""
    return {"X-Forwarded-For": f"10.20.0.1, {address}"}


def test_nobody_outside_is_answered_whatever_they_hold(proxied: Hospital) -> None:
    browser, _ = signed_in(proxied, "chen", "administrator", headers=at(INSIDE))
    assert browser.get("/operators").status_code == 200
    before = proxied.state()
    key = {"Authorization": f"Bearer {proxied.operator_keys['administrator']}"}
    for headers in (at(OUTSIDE), {**at(OUTSIDE), **key}, {**at("unknown"), **key}, key):
        for path in ("/me", "/operators", "/session", "/none"):
            said = (
                browser.get(path, headers=headers)
                if "X-Forwarded-For" in headers
                else httpx.get(proxied.console + path, headers=headers)
            )
            assert (said.status_code, error_of(said)["code"]) == (403, "web.outside_zone"), (headers, path)
            assert said.headers["x-frame-options"] == "DENY"
    assert proxied.state() == before
    assert browser.get("/operators").status_code == 200


def test_a_header_that_claims_the_zone_is_not_believed(proxied: Hospital) -> None:
    key = {"Authorization": f"Bearer {proxied.operator_keys['administrator']}"}
    for spoofed in (
        f"{INSIDE}, {OUTSIDE}",
        f"{INSIDE}, {INSIDE}, {OUTSIDE}",
        f"{OUTSIDE}",
    ):
        said = httpx.get(proxied.console + "/me", headers={"X-Forwarded-For": spoofed, **key})
        assert said.status_code == 403, spoofed
    other = httpx.get(
        proxied.console + "/me", headers={"Forwarded": f"for={INSIDE}", "X-Forwarded-For": OUTSIDE, **key}
    )
    assert other.status_code == 403
    assert httpx.get(proxied.console + "/me", headers={**at(INSIDE), **key}).status_code == 200


def test_without_proxies_no_header_moves_anybody(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOUHAO_CONSOLE_ZONES", "10.20.0.0/16")
    with served(sqlite_url, tmp_path) as hospital:
        key = {"Authorization": f"Bearer {hospital.operator_keys['administrator']}"}
        for name in ("X-Forwarded-For", "X-Real-IP", "X-Client-IP", "Forwarded"):
            value = f"for={INSIDE}" if name == "Forwarded" else INSIDE
            said = httpx.get(hospital.console + "/me", headers={name: value, **key})
            assert (said.status_code, error_of(said)["code"]) == (403, "web.outside_zone"), name


def test_a_cookie_that_turns_up_in_another_zone_ends_and_the_alarm_is_written(proxied: Hospital) -> None:
    browser, secret = signed_in(proxied, "chen", "administrator", headers=at(INSIDE))
    thief = Browser(proxied, at(OTHER_ZONE), cookie=browser.cookie, csrf=browser.csrf)
    said = thief.get("/operators")
    assert (said.status_code, error_of(said)["code"]) == (401, "staff.session_ended")
    assert browser.get("/operators").status_code == 401
    assert [e["detail"]["why"] for e in proxied.events("staff_signed_out")][-1] == "other_zone"
    proxied.clock.advance(seconds=60)
    assert browser.sign_in("chen", PASSWORD, browser.code(secret)).status_code == 200


def test_over_the_network_the_cookie_is_bound_to_the_host_and_to_tls(proxied: Hospital) -> None:
    one_time = person(proxied, "chen", "guard")
    browser = Browser(proxied, at(INSIDE))
    said = browser.post("/sign-in", json={"login": "chen", "password": one_time})
    name_value, *flags = [part.strip() for part in said.headers["set-cookie"].split(";")]
    assert name_value.startswith("__Host-shouhao_staff=")
    assert {flag.lower() for flag in flags} >= {"httponly", "secure", "samesite=strict", "path=/"}
    assert not any(flag.lower().startswith("domain") for flag in flags)
    value = name_value.partition("=")[2]
    browser.cookie = f"shouhao_staff={value}"  # the name without the prefix, which any page of the domain could set
    assert browser.get("/session").status_code == 401


def test_failures_from_outside_lock_nobody(proxied: Hospital) -> None:
    browser = Browser(proxied, at(INSIDE))
    secret = set_up(browser, "admin", person(proxied, "admin", "administrator"))
    with proxied.system.db.read() as connection:
        before = connection.execute(throttles.select()).all()
    outside = Browser(proxied, at(OUTSIDE))
    for _ in range(50):
        assert outside.sign_in("admin", "wrong" * 4).status_code == 403
    with proxied.system.db.read() as connection:
        assert connection.execute(throttles.select()).all() == before
    proxied.clock.advance(seconds=60)
    assert browser.sign_in("admin", PASSWORD, browser.code(secret)).status_code == 200
