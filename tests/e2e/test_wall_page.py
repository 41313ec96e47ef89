"""The monitoring wall in a real browser: guards and the trail on the plan, a quiet wall, and a shift handed over."""

import pytest

from e2e.looking import CHROMIUM, DESK, PHONE, REQUIRED, chromium, reader
from e2e.staff_browser import console_of, cookie
from e2e.test_console_pages import NO_PHOTO, furnish, raised
from shouhao.flows.respond import check_in
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.randomness import SystemRandomness
from shouhao.staff.store import create_operator
from shouhao.watch.cameras import Place
from shouhao.watch.store.alarms import raise_or_extend
from shouhao.watch.store.cameras import note_heard, put_place
from watch.watched import sighting
from web.served import Hospital, served

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

ATTACK = '<img src=x onerror="window.hacked=1">侧门的锁坏了，已报修；三楼走廊有人打听号源。'


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def hospital(sqlite_url, tmp_path):
    with served(sqlite_url, tmp_path) as running:
        furnish(running)
        with running.system.db.write() as connection:
            post_guards(running, connection)
        yield running


def post_guards(hospital: Hospital, connection) -> None:
    """Two more at the escalator and on the fourth floor, and a floor below ground without cameras."""
    now_us = hospital.clock.now_us()
    put_place(
        connection, Place(id="park", building="门诊楼", floor="B1", name="地下车库"), staff_id=None, now_us=now_us
    )
    for name, place_id in (("李建国", "lift"), ("欧阳保卫", "rest4")):
        guard, _ = create_operator(
            connection, name, roles=frozenset({"guard"}), now_us=now_us, randomness=SystemRandomness()
        )
        check_in(connection, place_id=place_id, operator=guard, now_us=now_us)


def walked_on(hospital: Hospital, alarm_at_us: int) -> None:
    """The same person is seen further in, and then a floor up."""
    for number, (place, after_s) in enumerate((("hall", 32), ("lift", 80), ("rest4", 175)), 2):
        with hospital.system.db.write() as connection:
            seen = sighting(number, at_us=alarm_at_us + after_s * SECOND_US, place=place)
            raise_or_extend(connection, seen, now_us=alarm_at_us + after_s * SECOND_US)


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_the_plan_of_an_alarm_has_its_guards_and_the_trail_that_was_opened(browser, hospital, size):
    with reader(browser, console_of(hospital), "wall-plan", size=size) as one:
        one.expected, one.light = (NO_PHOTO,), False
        one.page.context.add_cookies([cookie(hospital, "monitoring")])
        at_us = hospital.clock.now_us()
        raised(hospital)
        one.go("/wall")
        one.page.wait_for_selector(".alarm-floor .guard")
        marks = one.page.locator(".alarm-floor .guard text").all_text_contents()
        assert marks == ["guard 约 1 分 15 秒", "李建国 约 1 分 15 秒"], "nobody of another floor stands on this one"
        listed = one.page.locator(".alarm-floor .guard-list").inner_text()
        assert "欧阳保卫" in listed
        assert "4F 四楼休息区" in listed
        assert one.page.locator(".plan .trail").count() == 0, "no trail is shown before somebody asks for it, on record"
        assert "trail" not in {e["detail"]["data_class"] for e in hospital.events("record_looked_at")}
        one.look("guards")

        hospital.clock.advance(seconds=180)
        walked_on(hospital, at_us)
        one.page.click(".alarm-trail + button")
        one.page.wait_for_selector("text=推断：由已匹配的抓拍和步行时间连成")
        one.page.wait_for_selector(".plan .trail")
        one.look("trail")
        one.page.keyboard.press("1")
        one.page.wait_for_selector(".steps >> text=是本人")
        one.page.wait_for_selector(".alarm-trail .note")
        assert len([e for e in hospital.events("record_looked_at") if e["detail"]["data_class"] == "trail"]) == 1
        one.page.keyboard.press("1")
        one.page.wait_for_selector(".steps >> text=派保安")
        one.page.keyboard.press("1")
        one.page.wait_for_selector(".asking input[name=guard_id]")
        assert one.sees("1F 自动扶梯口")
        one.page.click(".asking button.go")
        one.page.wait_for_selector(".tag.state-dispatched")
        one.page.wait_for_selector(".alarm-floor .guard-list .tag.warn")
        one.page.wait_for_selector(".guard.busy")
        one.look("sent")
        one.page.click("text=English")
        one.page.wait_for_selector("html[lang=en] .alarm-floor .guard-list")
        one.look("sent-en")


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_a_quiet_wall_shows_each_floor_with_cameras_by_health_and_its_guards(browser, hospital, size):
    now_us = hospital.clock.now_us()
    with hospital.system.db.write() as connection:
        note_heard(connection, "cam-hall", at_us=now_us, what="keepalive")
    with reader(browser, console_of(hospital), "quiet-wall", size=size) as one:
        one.page.context.add_cookies([cookie(hospital, "monitoring")])
        one.go("/wall")
        one.page.wait_for_selector(".floors .plan")
        one.look("ground")
        tabs = one.page.locator(".floor-tab b").all_inner_texts()
        assert tabs == ["B1", "1F", "4F"]
        assert one.page.locator(".floor-tab[aria-pressed=true] b").inner_text() == "1F", "where most is to see to"
        one.page.click(".floor-tab >> text=B1")
        one.page.wait_for_selector("text=本层没有摄像机")
        one.page.click(".floor-tab >> text=1F")
        one.page.wait_for_selector(".floors .camera.out")
        one.look("first")
        assert one.page.locator(".floors .camera.out").count() == 2
        assert one.page.locator(".floors .camera.warn, .floors .camera.well").count() == 1
        assert one.page.locator(".floors .guard").count() == 2
        one.page.click(".floor-tab >> text=4F")
        one.page.wait_for_selector(".floors .guard >> text=欧阳保卫")
        raised(hospital)
        one.page.wait_for_selector(".step.first", timeout=3000)
        one.expected, one.light = (NO_PHOTO,), False
        one.page.click("text=总览")
        one.page.wait_for_selector(".floors .plan")
        assert one.page.locator(".alarm-row").count() == 1
        one.page.click("text=English")
        one.page.wait_for_selector("html[lang=en] .step.first")
        one.page.click("text=Overview")
        one.page.wait_for_selector(".floors .plan")
        one.look("overview-en")


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_a_shift_is_handed_over_by_one_person_and_taken_over_by_another(browser, hospital, size):
    raised(hospital)
    with (
        reader(browser, console_of(hospital), "handing-over", size=size) as early,
        reader(browser, console_of(hospital), "taking-over", size=size) as late,
    ):
        for one, role, name in ((early, "monitoring", "王值班"), (late, "security", "赵接班")):
            one.expected, one.light = (NO_PHOTO,), False
            one.page.context.add_cookies([cookie(hospital, role, name=name)])
            one.go("/wall")
            one.page.wait_for_selector(".step.first")
        early.page.click("text=交接班")
        early.page.wait_for_selector(".handover textarea")
        early.page.fill(".handover textarea", ATTACK)
        hospital.clock.advance(seconds=90)
        raised(hospital, 2, entry_id="we_2")
        early.page.wait_for_selector(".alarm-row >> nth=1")
        assert early.page.input_value(".handover textarea") == ATTACK, "an alarm takes no note away"
        early.look("writing")
        early.page.dblclick(".handover button.go")
        early.page.wait_for_selector(".handover >> text=等待接班")
        assert early.sees("您是交班人")
        assert early.page.locator(".handover form").count() == 0
        early.look("handed")

        late.page.reload()
        late.page.wait_for_selector(".handover-banner >> text=王值班")
        late.page.wait_for_selector(".step.first")
        late.look("banner")
        hospital.clock.advance(seconds=30)
        raised(hospital, 3, entry_id="we_3")
        late.page.wait_for_selector(".alarm-row >> nth=2")
        late.page.click("text=查看并接班")
        late.page.wait_for_selector(".handover form")
        assert late.sees("新报警 1 件")
        assert late.sees("侧门的锁坏了")
        assert late.sees("收到 +0:30"), "the clock is as it stood when it was handed over"
        late.page.fill(".handover textarea", "锁已看过，确实坏")
        late.look("reading")
        late.page.dblclick(".handover button.go")
        late.page.wait_for_selector(".handover-past")
        assert late.page.locator(".handover-banner .note").count() == 0
        late.page.click(".handover-past summary")
        assert late.sees("接班备注：锁已看过，确实坏")
        late.look("taken")
        late.page.click("text=English")
        late.page.wait_for_selector("html[lang=en] .step.first")
        late.page.click("text=Hand over")
        late.page.wait_for_selector(".handover form")
        late.page.click(".handover-past summary")
        late.look("taken-en")
        for one in (early, late):
            assert one.page.evaluate("window.hacked") is None
            assert one.page.locator('img[src="x"]').count() == 0
    (handed,), (taken,) = hospital.events("shift_handed_over"), hospital.events("shift_taken_over")
    assert handed["staff_id"] != taken["staff_id"]


def test_who_only_reads_sees_what_waits_and_is_offered_nothing(browser, hospital):
    said = hospital.staff("monitoring").post("/shift-handovers", json={"note": "夜间无事"})
    assert said.status_code == 201
    with reader(browser, console_of(hospital), "reading-handover", size=DESK) as one:
        one.page.context.add_cookies([cookie(hospital, "auditor")])
        one.go("/wall")
        one.page.wait_for_selector(".handover-banner >> text=夜间无事")
        one.page.click(".handover-banner button")
        one.page.wait_for_selector(".handover >> text=等待接班")
        assert one.page.locator(".handover form").count() == 0
        one.look("auditor")
