"""Signing in: both factors or nothing, one answer for everything that is wrong, and slower with each failure."""

import threading

import pytest
from sqlalchemy import select

from racing import meanwhile
from shouhao.kernel.errors import InvalidInput
from shouhao.staff import throttle, throttle_store
from shouhao.staff.first_run import first_administrator
from shouhao.staff.passwords import Passwords, check_password
from shouhao.staff.second_factor import new_secret, offered, step_of
from shouhao.staff.sessions import (
    SessionEnded,
    SetupNeeded,
    begin,
    csrf_token,
    end,
    forget_sessions,
    is_csrf_token,
)
from shouhao.staff.sign_in import LoginTaken, SignInRefused, give_login, operator_of_login
from shouhao.staff.store import change_roles, deactivate_operator, find_operator
from shouhao.staff.tables import logins, sessions, throttles
from shouhao.staff.throttle import ADDRESS as ADDRESS_RULE
from shouhao.staff.throttle import LOGIN, PAIR, TooManyTries, forget_throttles, wait_s
from shouhao.store.engine import open_database
from staff.staffing import ADDRESS, CHANCE, DAY, NOW, PASSWORD, SECOND, ZONE, code, door, events, operator

LATER = NOW + 3600 * SECOND


def test_both_factors_open_the_door_and_one_does_not(db):
    here = door(db)
    who, secret = here.enrol()
    signed = here.enter(" WangFang ", PASSWORD, code(secret, LATER), now_us=LATER)
    assert (signed.session.operator.id, signed.session.stage, signed.session.login) == (who.id, "full", "wangfang")
    for login, password, given in (
        ("wangfang", PASSWORD, ""),
        ("wangfang", PASSWORD, "000000"),
        ("wangfang", "wrong" * 4, code(secret, LATER + 60 * SECOND)),
        ("nobody", PASSWORD, code(secret, LATER + 60 * SECOND)),
    ):
        with pytest.raises(SignInRefused) as refused:
            here.enter(login, password, given, now_us=LATER + 60 * SECOND)
        assert refused.value.field is None
    told = events(db, "staff_sign_in_refused")
    assert [event["detail"]["why"] for event in told] == ["code", "code", "password", "unknown"]
    assert [event["ip"] for event in told] == [ADDRESS] * 4
    assert "nobody" not in str(told)


def test_a_one_time_login_is_good_once_and_only_for_setting_up(db):
    here = door(db)
    who = operator(db, "monitoring")
    with db.write() as connection:
        login, one_time = give_login(connection, who.id, "wangfang", now_us=NOW, randomness=CHANCE)
    first = here.enter(login, one_time.lower().replace("-", " "), "", now_us=NOW)
    assert first.session.stage == "setup"
    with pytest.raises(SignInRefused):
        here.enter(login, one_time, "", now_us=NOW)
    offer = here.sign_ins.offer_factor(first.session, current="", address=ADDRESS, now_us=NOW)
    with pytest.raises(SetupNeeded):
        here.sign_ins.confirm_factor(
            first.session, first.cookie, code=code(offer.secret, NOW), address=ADDRESS, now_us=NOW
        )
    with db.read() as connection:
        row = str(connection.execute(select(logins)).one())
    assert one_time not in row
    assert offer.secret not in row


def test_a_one_time_login_ends_after_a_day(db):
    here = door(db)
    who = operator(db, "monitoring")
    with db.write() as connection:
        login, one_time = give_login(connection, who.id, "wangfang", now_us=NOW, randomness=CHANCE)
    with pytest.raises(SignInRefused):
        here.enter(login, one_time, "", now_us=NOW + DAY)


def test_a_reset_ends_the_password_the_factor_and_every_session(db):
    here = door(db)
    who, secret = here.enrol()
    signed = here.enter("wangfang", PASSWORD, code(secret, LATER), now_us=LATER)
    with db.write() as connection:
        assert operator_of_login(connection, "WANGFANG") == who.id
        give_login(connection, who.id, None, now_us=LATER, randomness=CHANCE, staff_id="op_boss")
    with pytest.raises(SessionEnded):
        here.sign_ins.resume(signed.cookie, zone=ZONE, now_us=LATER)
    with pytest.raises(SignInRefused):
        here.enter("wangfang", PASSWORD, code(secret, LATER + 60 * SECOND), now_us=LATER + 60 * SECOND)
    assert [e["detail"]["change"] for e in events(db, "staff_changed")][-1] == "login_reset"


def test_a_login_is_one_persons_for_good(db):
    here = door(db)
    who, _ = here.enrol()
    other = operator(db, "guard")
    with db.write() as connection:
        deactivate_operator(connection, who.id, now_us=NOW)
    for login in ("wangfang", "WANGFANG"):
        with pytest.raises(LoginTaken), db.write() as connection:
            give_login(connection, other.id, login, now_us=NOW, randomness=CHANCE)
    for login in ("", "a", "a b", "王芳", "-x", "x" * 33):
        with pytest.raises(InvalidInput), db.write() as connection:
            give_login(connection, other.id, login, now_us=NOW, randomness=CHANCE)


def test_the_first_run_makes_one_administrator_and_no_second(db):
    with db.write() as connection:
        first = first_administrator(connection, now_us=NOW, randomness=CHANCE)
        assert first is not None
        assert first_administrator(connection, now_us=NOW, randomness=CHANCE) is None
    signed = door(db).enter(first.login, first.one_time, "", now_us=NOW)
    assert signed.session.operator.roles == {"administrator"}


def test_a_session_ends_when_idle_when_old_and_in_another_zone(db):
    here = door(db, idle_s=600, longest_s=3600)
    _, secret = here.enrol()
    cookies = []
    for n in range(4):
        at_us = LATER + n * 60 * SECOND
        cookies.append(here.enter("wangfang", PASSWORD, code(secret, at_us), now_us=at_us).cookie)
    start = LATER + 180 * SECOND
    resume = here.sign_ins.resume
    for at_us in range(start, start + 3600 * SECOND, 500 * SECOND):
        assert resume(cookies[3], zone=ZONE, now_us=at_us).stage == "full"
    with pytest.raises(SessionEnded):
        resume(cookies[3], zone=ZONE, now_us=start + 3600 * SECOND)
    with pytest.raises(SessionEnded):
        resume(cookies[1], zone=ZONE, now_us=LATER + 60 * SECOND + 600 * SECOND)
    for zone in ("10.21.0.0/16", None):
        with pytest.raises(SessionEnded):
            resume(cookies[2], zone=zone, now_us=start)
    with pytest.raises(SessionEnded):  # it was carried away; its owner signs in again
        resume(cookies[2], zone=ZONE, now_us=start)
    assert "other_zone" in [e["detail"]["why"] for e in events(db, "staff_signed_out")]
    for forged in ("", "x", "A" * 43, "\ud800" * 43, "é" * 43):
        with pytest.raises(SessionEnded):
            resume(forged, zone=ZONE, now_us=start)


def test_the_cookie_is_stored_nowhere_and_its_token_is_its_own(db):
    here = door(db)
    _, secret = here.enrol()
    signed = here.enter("wangfang", PASSWORD, code(secret, LATER), now_us=LATER)
    with db.read() as connection:
        assert signed.cookie not in str(connection.execute(select(sessions)).all())
    assert signed.cookie not in str(events(db, "staff_signed_in"))
    assert is_csrf_token(signed.cookie, csrf_token(signed.cookie))
    assert not is_csrf_token(signed.cookie, csrf_token("another"))
    assert not is_csrf_token(signed.cookie, "\ud800")


def test_new_roles_and_the_end_of_a_job_end_the_sessions(db):
    here = door(db)
    who, secret = here.enrol()
    for change in (
        lambda connection: change_roles(connection, who.id, roles=frozenset({"guard"}), unit="保卫处", now_us=LATER),
        lambda connection: deactivate_operator(connection, who.id, now_us=LATER),
    ):
        global_step = LATER + len(events(db, "staff_signed_in")) * 60 * SECOND
        signed = here.enter("wangfang", PASSWORD, code(secret, global_step), now_us=global_step)
        with db.write() as connection:
            change(connection)
        with pytest.raises(SessionEnded):
            here.sign_ins.resume(signed.cookie, zone=ZONE, now_us=global_step)


def test_a_new_password_ends_other_sessions_and_needs_the_old_one(db):
    here = door(db)
    _, secret = here.enrol()
    other = here.enter("wangfang", PASSWORD, code(secret, LATER), now_us=LATER)
    at_us = LATER + 60 * SECOND
    mine = here.enter("wangfang", PASSWORD, code(secret, at_us), now_us=at_us)
    given = {"new": "another long password", "address": ADDRESS, "now_us": at_us}
    with pytest.raises(SignInRefused):
        here.sign_ins.set_password(mine.session, mine.cookie, current="wrong" * 4, **given)
    here.sign_ins.set_password(mine.session, mine.cookie, current=PASSWORD, **given)
    assert here.sign_ins.resume(mine.cookie, zone=ZONE, now_us=at_us).id == mine.session.id
    with pytest.raises(SessionEnded):
        here.sign_ins.resume(other.cookie, zone=ZONE, now_us=at_us)
    with pytest.raises(SignInRefused):
        here.enter("wangfang", PASSWORD, code(secret, at_us + 60 * SECOND), now_us=at_us + 60 * SECOND)


def test_a_second_factor_is_exchanged_by_who_knows_the_password(db):
    here = door(db)
    _, old = here.enrol()
    signed = here.enter("wangfang", PASSWORD, code(old, LATER), now_us=LATER)
    with pytest.raises(SignInRefused):
        here.sign_ins.offer_factor(signed.session, current="", address=ADDRESS, now_us=LATER)
    offer = here.sign_ins.offer_factor(signed.session, current=PASSWORD, address=ADDRESS, now_us=LATER)
    given = {"address": ADDRESS, "now_us": LATER}
    with pytest.raises(SignInRefused):
        here.sign_ins.confirm_factor(signed.session, signed.cookie, code=code(old, LATER), **given)
    confirmed = here.sign_ins.confirm_factor(signed.session, signed.cookie, code=code(offer.secret, LATER), **given)
    assert confirmed is None
    at_us = LATER + 90 * SECOND
    with pytest.raises(SignInRefused):
        here.enter("wangfang", PASSWORD, code(old, at_us), now_us=at_us)
    here.enter("wangfang", PASSWORD, code(offer.secret, at_us), now_us=at_us)


@pytest.mark.parametrize("drift_s", [-30, 0, 30])
def test_a_phone_may_be_one_step_off(drift_s):
    secret = new_secret(CHANCE)
    assert len(secret) == 32
    shown = code(secret, NOW + drift_s * SECOND)
    assert step_of(secret, shown, now_us=NOW, last_step=None) == NOW // SECOND // 30 + drift_s // 30
    for wrong in (
        code(secret, NOW + 90 * SECOND),
        code(secret, NOW - 90 * SECOND),
        "",
        "12345",
        "1234567",
        "１２３４５６",
    ):
        assert step_of(secret, wrong, now_us=NOW, last_step=None) is None or wrong == shown


def test_what_is_shown_at_enrolment_is_a_uri_and_its_picture():
    shown = offered("A" * 32, login="wangfang", hospital="Some Hospital")
    assert shown.uri.startswith("otpauth://totp/Shouhao%20Some%20Hospital:wangfang?secret=" + "A" * 32)
    assert shown.qr_svg.startswith("<svg ")
    assert "http" not in shown.qr_svg


@pytest.mark.parametrize(
    "password",
    ["", "short", "x" * 11, "a" * 129, "aaaaaaaaaaaa", "123456789012", "Password1234", "wangfang1234", "ababababab ab"],
)
def test_a_password_is_long_and_not_one_that_is_tried_first(password):
    with pytest.raises(InvalidInput) as refused:
        check_password(password, login="wangfang")
    assert refused.value.field == "new_password"


@pytest.mark.parametrize(
    "password", ["correct horse battery", "春眠不觉晓处处闻啼鸟夜来", "x7 x7 x7 kk qq", "no digits here"]
)
def test_no_kind_of_character_is_asked_for(password):
    check_password(password, login="wangfang")


def test_the_parameters_are_those_that_are_stated_and_old_ones_are_noticed():
    strong, weak = Passwords(), Passwords(rounds=1, memory_kib=8, lanes=1)
    stored = weak.hash(PASSWORD)
    assert strong.hash(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert strong.is_old(stored)
    assert not weak.is_old(stored)
    assert weak.verify(stored, PASSWORD)
    assert not weak.verify(stored, PASSWORD + "x")
    assert not weak.verify(None, PASSWORD)
    assert not weak.verify("garbage", PASSWORD)


def test_a_password_that_was_hashed_cheaply_is_hashed_anew(db):
    here = door(db)
    _, secret = here.enrol()
    here.sign_ins._passwords = Passwords(rounds=2, memory_kib=16, lanes=1)
    here.enter("wangfang", PASSWORD, code(secret, LATER), now_us=LATER)
    with db.read() as connection:
        (stored,) = connection.execute(select(logins.c.password_hash)).scalars()
    assert stored.startswith("$argon2id$v=19$m=16,t=2,p=1$")


def test_waits_grow_with_each_failure_and_have_an_end():
    assert [wait_s(PAIR, n) for n in (1, 4, 5, 6, 7, 8, 9, 10, 11, 1000)] == [
        0,
        0,
        30,
        60,
        120,
        240,
        480,
        900,
        900,
        900,
    ]
    for wide in (ADDRESS_RULE, LOGIN):
        assert (wait_s(wide, wide.free), max(wait_s(wide, n) for n in range(10_000))) == (0, 60)


def test_whoever_is_known_at_an_address_is_not_stopped_by_others_there_or_elsewhere(sqlite_db):
    vault = door(sqlite_db).sign_ins._vault

    def attempt(login, address, now_us):
        with sqlite_db.write() as connection:
            return throttle.begin(connection, vault, login=login, address=address, now_us=now_us)

    tried = attempt("admin", "10.20.0.1", NOW)
    with sqlite_db.write() as connection:
        throttle.succeeded(connection, tried, now_us=NOW)
    for n in range(60):  # somebody elsewhere fails in the administrator's name, from many addresses
        try:
            attempt("admin", f"10.20.1.{n}", NOW + SECOND)
        except TooManyTries:
            break
    for n in range(60):  # and somebody sprays from the administrator's own address
        try:
            attempt(f"user{n}", "10.20.0.1", NOW + SECOND)
        except TooManyTries:
            break
    with pytest.raises(TooManyTries):
        attempt("admin", "10.20.9.9", NOW + 2 * SECOND)
    with pytest.raises(TooManyTries):
        attempt("guard", "10.20.0.1", NOW + 2 * SECOND)
    attempt("admin", "10.20.0.1", NOW + 2 * SECOND)
    with sqlite_db.write() as connection:
        assert forget_throttles(connection, now_us=NOW + 3 * DAY) > 20
        assert connection.execute(select(throttles)).all() == []
        assert forget_throttles(connection, now_us=NOW + 61 * DAY) == 1


def test_many_tries_at_once_are_counted_before_any_is_looked_at(db):
    here = door(db)
    here.enrol()
    outcomes = []

    def guess():
        try:
            here.enter("wangfang", "wrong" * 4, "000000", now_us=LATER)
        except (SignInRefused, TooManyTries) as refused:
            outcomes.append(type(refused))

    guessing = [threading.Thread(target=guess) for _ in range(12)]
    for thread in guessing:
        thread.start()
    for thread in guessing:
        thread.join()
    assert sorted(kind.__name__ for kind in outcomes) == ["SignInRefused"] * 5 + ["TooManyTries"] * 7


def test_sessions_that_are_long_over_are_forgotten(db):
    here = door(db)
    here.enrol()
    with db.write() as connection:
        assert forget_sessions(connection, now_us=NOW + DAY) == 0
        assert forget_sessions(connection, now_us=NOW + 3 * DAY) == 2


def test_a_password_that_is_set_while_the_login_is_reset_opens_nothing(postgresql_db):
    at = door(postgresql_db)
    who, secret = at.enrol()
    signed = at.enter("wangfang", PASSWORD, code(secret, LATER), now_us=LATER)

    def reset(connection):
        give_login(connection, who.id, None, now_us=LATER, randomness=CHANCE)

    def set_it():
        new = "another " + PASSWORD
        session, cookie = signed.session, signed.cookie
        at.sign_ins.set_password(session, cookie, new=new, current=PASSWORD, address=ADDRESS, now_us=LATER)

    with pytest.raises(SessionEnded):
        meanwhile(postgresql_db, reset, set_it)
    with postgresql_db.read() as connection:
        assert connection.execute(select(logins.c.password_hash)).scalar_one() is None


def test_an_access_is_closed_while_its_owner_signs_in(postgresql_db):
    at = door(postgresql_db)
    operator(postgresql_db, "administrator")
    who, secret = at.enrol()
    before = at.enter("wangfang", PASSWORD, code(secret, LATER), now_us=LATER)
    how = {"stage": "full", "zone": ZONE, "settings": at.sign_ins.settings, "now_us": LATER, "randomness": CHANCE}

    def close():
        with postgresql_db.write() as connection:
            deactivate_operator(connection, who.id, now_us=LATER)

    meanwhile(
        postgresql_db,
        lambda connection: end(connection, before.cookie, why="replaced", now_us=LATER),
        close,
        then=lambda connection: begin(connection, who, **how),
    )
    with postgresql_db.read() as connection:
        assert find_operator(connection, who.id) is None


def test_counters_are_forgotten_while_others_are_counted(postgresql_db):
    db = postgresql_db
    with db.write() as connection:
        for key in ("a", "b"):
            throttle_store.locked(connection, [key])

    def forget():
        with db.write() as connection:
            forget_throttles(connection, now_us=NOW)

    meanwhile(
        db,
        lambda connection: throttle_store.locked(connection, ["b"]),
        forget,
        then=lambda connection: throttle_store.locked(connection, ["a"]),
    )


def test_a_counter_that_another_drops_while_one_waits_for_it_begins_anew(postgresql_url):
    db = open_database(postgresql_url)
    found = []

    def wait_for_it():
        with db.write() as connection:
            found.append(throttle_store.locked(connection, ["k"])["k"])
            throttle_store.put(connection, "k", failures=1, failed_at_us=NOW, until_us=NOW)

    with db.write() as connection:
        throttle_store.locked(connection, ["k"])
        throttle_store.put(connection, "k", failures=3, failed_at_us=NOW, until_us=NOW)
    other = threading.Thread(target=wait_for_it)
    with db.write() as connection:
        throttle_store.locked(connection, ["k"])
        other.start()
        other.join(0.3)
        assert found == []
        throttle_store.drop(connection, ["k"])
    other.join(5)
    assert [row.failures for row in found] == [0]
    with db.read() as connection:
        assert connection.execute(select(throttles.c.failures).where(throttles.c.key == "k")).scalar_one() == 1
    db.close()
