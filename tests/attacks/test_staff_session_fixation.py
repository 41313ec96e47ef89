"""Attack: a session that the attacker knows is planted in a browser before its owner signs in (fixation)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from web.browser import PASSWORD, Browser, person, signed_in
from web.served import Hospital, error_of, served


@pytest.fixture
def hospital(db_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(db_url, tmp_path) as running:
        yield running


def test_each_sign_in_begins_a_session_of_its_own_and_ends_the_planted_one(hospital: Hospital) -> None:
    attacker, _ = signed_in(hospital, "mallory", "guard")
    victim, secret = signed_in(hospital, "chen", "administrator")
    victim.delete("/session")
    hospital.clock.advance(seconds=60)
    victim.cookie = attacker.cookie  # planted
    assert victim.sign_in("chen", PASSWORD, victim.code(secret)).status_code == 200
    assert victim.cookie != attacker.cookie
    assert victim.get("/me").json()["roles"] == ["administrator"]
    assert attacker.get("/me").status_code == 401  # the planted session is over, and it never became the victim's


def test_a_made_up_cookie_is_never_taken_over(hospital: Hospital) -> None:
    browser = Browser(hospital)
    for planted in ("A" * 43, "known-to-the-attacker", "", '"' + "A" * 43 + '"'):
        browser.cookie = f"shouhao_staff={planted}"
        assert error_of(browser.get("/me"))["code"] in {"staff.session_ended", "staff.refused"}
    _, secret = signed_in(hospital, "chen", "administrator")
    hospital.clock.advance(seconds=60)
    browser.cookie = "shouhao_staff=" + "A" * 43
    said = browser.sign_in("chen", PASSWORD, browser.code(secret))
    assert said.status_code == 200
    assert "A" * 43 not in said.headers["set-cookie"]


def test_the_session_in_which_the_factor_was_set_up_does_not_become_the_full_one(hospital: Hospital) -> None:
    browser, watching = Browser(hospital), Browser(hospital)
    browser.sign_in("chen", person(hospital, "chen", "guard"))
    watching.cookie = browser.cookie  # whoever saw the one-time login being used
    browser.post("/session/password", json={"new_password": PASSWORD})
    secret = browser.post("/session/second-factor", json={}).json()["secret"]
    done = browser.post("/session/second-factor/confirmation", json={"code": browser.code(secret)})
    assert done.json()["stage"] == "full"
    assert browser.cookie != watching.cookie
    assert browser.get("/me").status_code == 200
    assert error_of(watching.get("/session"))["code"] == "staff.session_ended"
