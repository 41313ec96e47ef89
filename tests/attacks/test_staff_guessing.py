"""Attack: guessing passwords and codes: a code that was seen is sent again, one password is tried on everybody."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from web.browser import PASSWORD, Browser, signed_in
from web.served import Hospital, error_of, served


@pytest.fixture
def hospital(db_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(db_url, tmp_path) as running:
        yield running


@pytest.fixture
def sqlite_hospital(sqlite_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(sqlite_url, tmp_path) as running:
        yield running


def test_a_code_that_was_used_signs_nobody_in_again(hospital: Hospital) -> None:
    browser, secret = signed_in(hospital, "chen", "guard")
    seen = browser.code(secret)  # the very code that confirmed the factor
    thief = Browser(hospital)
    assert error_of(thief.sign_in("chen", PASSWORD, seen))["code"] == "staff.sign_in_refused"
    hospital.clock.advance(seconds=30)
    next_code = browser.code(secret)
    assert browser.sign_in("chen", PASSWORD, next_code).status_code == 200
    for code in (next_code, seen):
        assert error_of(thief.sign_in("chen", PASSWORD, code))["code"] == "staff.sign_in_refused"
    assert thief.cookie is None


def test_of_two_who_send_one_code_at_once_one_is_let_in(hospital: Hospital) -> None:
    _, secret = signed_in(hospital, "chen", "guard")
    hospital.clock.advance(seconds=60)
    browsers = [Browser(hospital) for _ in range(4)]
    code = browsers[0].code(secret)
    statuses: list[int] = []
    ready = threading.Barrier(len(browsers))

    def go(browser: Browser) -> None:
        ready.wait()
        statuses.append(browser.sign_in("chen", PASSWORD, code).status_code)

    threads = [threading.Thread(target=go, args=(browser,)) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 401, 401, 401]


def test_one_password_on_everybody_is_slowed_down_before_it_gets_far(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    browser = Browser(hospital)
    heard = [browser.sign_in(f"person{n}", "Spring2026!!") for n in range(30)]
    assert [said.status_code for said in heard] == [401] * 20 + [429] * 10
    assert 0 < int(heard[-1].headers["retry-after"]) <= 60
    assert {error_of(said)["code"] for said in heard[20:]} == {"staff.too_many_tries"}


@pytest.mark.parametrize("login", ["chen", "nobody"])
def test_one_persons_password_is_guessed_ever_more_slowly_and_nothing_tells_who_exists(
    sqlite_hospital: Hospital, login: str
) -> None:
    hospital = sqlite_hospital
    signed_in(hospital, "chen", "guard")
    hospital.clock.advance(seconds=3600)
    browser = Browser(hospital)
    waits, tried = [], 0
    while len(waits) < 7:
        said = browser.sign_in(login, "wrong" * 4, "000000")
        if said.status_code == 429:
            waits.append(int(said.headers["retry-after"]))
            hospital.clock.advance(seconds=waits[-1])
        else:
            tried += 1
            assert error_of(said)["message"] == "登录名、密码或动态口令不正确"
    assert waits == [30, 60, 120, 240, 480, 900, 900]
    assert tried == 11
    logged = str(hospital.events("staff_sign_in_refused"))
    assert "wrong" not in logged


def test_a_right_password_does_not_wash_an_address_clean(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    mallory, secret = signed_in(hospital, "mallory", "guard")
    browser = Browser(hospital)
    statuses = []
    for n in range(28):
        hospital.clock.advance(seconds=60 if n == 14 else 0)
        if n == 14:
            assert mallory.sign_in("mallory", PASSWORD, mallory.code(secret)).status_code == 200
        statuses.append(browser.sign_in(f"person{n}", "Spring2026!!").status_code)
    assert statuses == [401] * 20 + [429] * 8
