"""The patients' pages in a real browser: each story from beginning to end, and no page that somebody cannot use."""

import pytest

from e2e.looking import CHROMIUM, DESK, REQUIRED, chromium, reader
from web.served import Hospital, resident_id, served
from web.waiting import add_session, enter, members, open_draw, sessions_of, sold_out, work

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

PHONE_NUMBER = "13800138000"


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def hospital(sqlite_url, tmp_path):
    with served(sqlite_url, tmp_path) as running:
        yield running


def base_of(hospital: Hospital) -> str:
    return hospital.public.removesuffix("/api/v1")


def sign_in(one, hospital: Hospital, phone: str = PHONE_NUMBER) -> None:
    """From the page where the phone is asked for."""
    one.page.fill("#phone", phone)
    one.press("获取验证码")
    one.page.fill("#code", hospital.outbox.codes[f"+86{phone}"])
    with one.page.expect_navigation():
        one.page.locator("main button.go").click()


def add_myself(one, order: int = 1) -> None:
    """From the page of somebody new."""
    one.page.select_option("#relation", "self")
    one.page.fill("#name", "张三")
    one.page.fill("#number", resident_id(order))
    one.page.fill("#phone", PHONE_NUMBER)
    with one.page.expect_navigation():
        one.page.locator("main button.go").click()


def test_a_hot_slot_is_won_by_draw_checked_by_the_winner_accepted_and_paid(browser, hospital):
    draw_id = open_draw(hospital, capacity=2, halves=("pm", "evening"))
    with reader(browser, base_of(hospital), "draw") as one:
        one.go("/")
        one.look("home")
        assert one.sees("报名先后不影响机会")
        one.go(f"/draws/{draw_id}")
        one.look("draw")
        one.press("登录后报名")
        one.look("sign-in")
        sign_in(one, hospital)
        assert one.page.url.endswith(f"/draws/{draw_id}"), "back to where the reader was"
        one.press("先添加就诊人")
        one.look("new-person")
        add_myself(one)
        one.look("people")
        assert one.sees("身份已核验") or one.sees("正在核验身份")
        one.go(f"/draws/{draw_id}")
        one.look("form")
        one.press("报名")
        one.look("receipt")
        assert one.sees("何时报名不影响机会")
        for _ in range(4):
            work(hospital, later_s=60)
        one.go(f"/draws/{draw_id}")
        one.look("drawn")
        one.press("自己核对这次抽签")
        one.page.wait_for_selector(".verdict.note")
        one.look("check")
        assert one.sees("核对通过")
        assert one.sees("您的报名排第 1 名，共 1 份，抽中")
        one.go("/mine")
        one.look("mine")
        one.go(f"/draws/{draw_id}")
        one.press("去确认")
        one.look("offer")
        one.press("确认要这个号")
        one.look("held")
        one.press("去支付")
        with one.page.expect_navigation():
            one.page.locator("button").click()
        one.go("/mine")
        one.look("paid")
        assert one.sees("已预约")
    hospital.assert_sound()


def test_a_draw_that_was_tampered_with_does_not_verify_in_the_browser(browser, hospital):
    draw_id = open_draw(hospital, capacity=1)
    for member, patient_id in members(hospital, 3, first=20):
        assert enter(member, draw_id, [patient_id], sessions_of(member, draw_id)).status_code == 201
    for _ in range(4):
        work(hospital, later_s=60)
    with reader(browser, base_of(hospital), "tampered") as one:

        def swapped(route):
            said = route.fetch()
            file = said.json()
            file["order"][0], file["order"][1] = file["order"][1], file["order"][0]
            route.fulfill(response=said, json=file)

        one.page.route("**/file", swapped)
        one.go(f"/draws/{draw_id}/check")
        one.page.wait_for_selector(".verdict.note")
        one.look("does-not-verify")
        assert one.sees("核对未通过")
        assert one.page.locator(".checks .no").count() == 2, "neither the file's hash nor its order"


def test_a_full_session_is_waited_for_and_a_returned_slot_comes_to_the_one_who_waits(browser, hospital):
    session_id, holders = sold_out(hospital)
    with reader(browser, base_of(hospital), "waitlist") as one:
        one.go(f"/sessions/{session_id}")
        one.look("full")
        one.press("登录后候补")
        sign_in(one, hospital)
        one.press("先添加就诊人")
        add_myself(one)
        one.go(f"/sessions/{session_id}")
        one.press("加入候补")
        one.look("receipt")
        one.go("/mine")
        one.look("batch")
        assert one.sees("顺序将以抽签排定，先加入并不占先")
        for _ in range(3):
            work(hospital, later_s=40)
        one.go("/mine")
        one.look("place")
        assert one.sees("前面 0 人")
        member, booking_id = holders[0]
        assert member.post(f"/bookings/{booking_id}/return").status_code == 200
        work(hospital, later_s=5)
        one.go("/mine")
        one.look("offered")
        one.press("有号发给您，去确认")
        one.look("offer")
        one.press("确认要这个号")
        assert one.sees("已预约")
        one.press("退号")
        one.look("returned")
        assert one.sees("已退号")
    hospital.assert_sound()


def test_a_refusal_says_why_what_one_can_do_and_a_number_to_tell_the_staff(browser, hospital):
    member = hospital.member(PHONE_NUMBER)
    patient_id = hospital.patient_of(member)
    hospital.booking_of(member, patient_id)
    with reader(browser, base_of(hospital), "refusal") as one:
        one.expected = ("Failed to load resource: the server responded with a status of 4",)
        one.go(f"/sign-in?back=/sessions/{hospital.session}")
        hospital.clock.advance(seconds=120)
        sign_in(one, hospital)
        one.press("预约")
        one.look("refused")
        assert one.sees("这次没有办成")
        assert one.sees("编号 rq_")
        one.go("/no-such-page")
        one.look("nothing")


def test_the_pages_read_in_english_on_a_desk_and_in_large_print(browser, hospital):
    add_session(hospital, "evening", capacity=3)
    with reader(browser, base_of(hospital), "english", size=DESK) as one:
        one.go("/")
        one.press("English")
        one.look("home")
        assert one.page.evaluate("document.documentElement.lang") == "en"
        assert one.sees("Find a slot")
        one.press("Cardiology")
        one.look("department")
        one.page.locator("a.card").first.click()
        one.look("session")
        one.press("Large print")
        one.look("large")
        assert one.page.evaluate("getComputedStyle(document.documentElement).fontSize") == "22px"
    with reader(browser, base_of(hospital), "search") as one:
        one.go("/?q=李")
        one.look("found")
        assert one.sees("李医生")
        one.go("/?q=<script>")
        one.look("not-found")


def test_everything_works_without_scripts(browser, hospital):
    with reader(browser, base_of(hospital), "no-scripts", java_script_enabled=False) as one:
        one.go(f"/sign-in?back=/sessions/{hospital.session}")
        sign_in(one, hospital)
        one.press("先添加就诊人")
        add_myself(one)
        one.go(f"/sessions/{hospital.session}")
        one.press("预约")
        assert "/bookings/" in one.page.url
    assert len(hospital.events("booked")) == 1


def test_a_double_tap_a_reload_and_the_back_button_book_once(browser, hospital):
    with reader(browser, base_of(hospital), "double-tap") as one:
        one.expected = ("Failed to load resource: the server responded with a status of 409",)
        one.go(f"/sign-in?back=/sessions/{hospital.session}")
        sign_in(one, hospital)
        one.press("先添加就诊人")
        add_myself(one)
        one.go(f"/sessions/{hospital.session}")
        with one.page.expect_navigation():
            one.page.locator("main button.go").dblclick()
        first = one.page.url
        one.page.go_back()
        with one.page.expect_navigation():
            one.page.locator("main button.go").click()
        assert one.page.url == first or one.sees("这次没有办成")
        one.go("/mine")
        assert one.page.locator('a.card[href^="/bookings/"]').count() == 1
    hospital.assert_sound()
