"""The console in a real browser: the first sign-in, an alarm from the bell to the guard, the morning, and each page."""

import contextlib
import io
import re

import httpx
import pytest
from PIL import Image, ImageDraw

from e2e.cut_line import CutLine
from e2e.looking import CHROMIUM, DESK, PHONE, REQUIRED, chromium, reader
from e2e.staff_browser import PASSWORD, code, console_of, cookie, one_time
from flows import drawing
from shouhao.flows.respond import check_in
from shouhao.kernel.clock import DAY_US
from shouhao.staff.store import authenticate, list_operators
from shouhao.staff.training import record_training
from shouhao.watch.store.alarms import raise_or_extend
from shouhao.watch.store.stills import freeze
from shouhao.wiring.watch import still_folder
from watch.watched import furnish_floor, sighting
from web.served import Hospital, served
from web.waiting import enter, members, open_draw, sessions_of, sold_out, work

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

PAGES = ("wall", "morning", "watchlist", "cameras", "approvals", "staff", "register", "law")
ALL_BUT_AUDIT = (
    "window",
    "reviewer",
    "outpatient_office",
    "approver",
    "it",
    "security",
    "monitoring",
    "guard",
    "police_liaison",
    "data_protection",
    "administrator",
)
#: The list's photograph of a person whom no test puts on a list.
NO_PHOTO = "Failed to load resource: the server responded with a status of 404"


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def hospital(sqlite_url, tmp_path):
    with served(sqlite_url, tmp_path) as running:
        yield running


def furnish(hospital: Hospital) -> None:
    """A floor with cameras, and a guard at his post."""
    system, now_us = hospital.system, hospital.clock.now_us()
    with system.db.write() as connection:
        furnish_floor(connection, now_us=now_us)
        guard = authenticate(connection, hospital.operator_keys["guard"])
        until_us = now_us + 30 * DAY_US
        record_training(connection, guard.id, trained_by="x", document="T-1", until_us=until_us, now_us=now_us)
        check_in(connection, place_id="lift", operator=guard, now_us=now_us)


def drawn(kind: str) -> bytes:
    """A face that was drawn, by itself or in a hall: nobody's."""
    size, x, y, r = ((200, 240), 100, 120, 62) if kind == "crop" else ((960, 540), 420, 210, 34)
    picture = Image.new("RGB", size, (120, 132, 140))
    pen = ImageDraw.Draw(picture)
    for n in range(0, size[0], size[0] // 6):
        pen.rectangle((n, 0, n + size[0] // 14, size[1]), fill=(108, 121, 130))
    pen.ellipse((x - 1.9 * r, y + 1.2 * r, x + 1.9 * r, y + 5 * r), fill=(52, 66, 82))
    pen.ellipse((x - r, y - 1.3 * r, x + r, y + 1.3 * r), fill=(214, 182, 158))
    pen.pieslice((x - r, y - 1.4 * r, x + r, y + 0.5 * r), 180, 360, fill=(48, 40, 38))
    for side in (-1, 1):
        pen.ellipse(
            (x + side * 0.42 * r - 0.13 * r, y - 0.1 * r, x + side * 0.42 * r + 0.13 * r, y + 0.12 * r),
            fill=(40, 34, 34),
        )
    pen.arc((x - 0.4 * r, y + 0.4 * r, x + 0.4 * r, y + 0.85 * r), 20, 160, fill=(140, 80, 76), width=max(2, r // 12))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=92)
    return out.getvalue()


def raised(hospital: Hospital, number: int = 1, **changed) -> str:
    """An alarm as the capture worker raises it."""
    system, now_us = hospital.system, hospital.clock.now_us()
    stills = still_folder(system.settings, system.vault)
    with system.db.write() as connection:
        when = {"camera_id": "cam-door", "taken_at_us": now_us, "now_us": now_us}
        kept = [freeze(connection, stills, drawn(kind), kind=kind, **when) for kind in ("crop", "scene")]
        seen = sighting(number, at_us=now_us, **{"crop_id": kept[0], "scene_id": kept[1], **changed})
        return raise_or_extend(connection, seen, now_us=now_us).alarm_id


def test_the_first_sign_in_sets_a_password_and_a_second_factor_and_the_next_needs_both(browser, hospital):
    login, once = one_time(hospital, "monitoring")
    with reader(browser, console_of(hospital), "first-sign-in", size=DESK) as one:
        one.go("/")
        one.page.wait_for_selector("[name=login]")
        one.look("door")
        one.page.fill("[name=login]", login)
        one.page.fill("[name=password]", once)
        one.page.click("button.go")
        one.page.wait_for_selector("[name=one]")
        one.look("password")
        one.page.fill("[name=one]", PASSWORD)
        one.page.fill("[name=two]", PASSWORD)
        one.page.click("button.go")
        one.page.wait_for_selector("[name=code]")
        one.page.click("summary")
        one.look("factor")
        secret = one.page.inner_text("details .code").strip()
        one.page.fill("[name=code]", code(hospital, secret))
        one.page.click("button.go")
        one.page.wait_for_selector(".wall")
        one.look("wall-empty")
        assert one.sees("没有未处理的报警")
        one.page.click("text=退出")
        one.page.wait_for_selector("[name=login]")
        one.expected = ("Failed to load resource: the server responded with a status of 40",)
        one.page.fill("[name=login]", login)
        one.page.fill("[name=password]", PASSWORD)
        one.page.click("button.go")
        one.page.wait_for_selector("[role=alert]")
        one.look("needs-a-code")
        hospital.clock.advance(seconds=60)
        one.page.fill("[name=code]", code(hospital, secret))
        one.page.click("button.go")
        one.page.wait_for_selector(".wall")


def test_an_alarm_comes_up_by_itself_and_is_answered_with_one_key_a_step(browser, hospital):
    furnish(hospital)
    with reader(browser, console_of(hospital), "wall", size=DESK) as one:
        one.expected = (NO_PHOTO,)
        one.page.context.add_cookies([cookie(hospital, "monitoring")])
        one.go("/wall")
        one.page.wait_for_selector(".live.live")
        alarm_id = raised(hospital)
        one.page.wait_for_selector(".alarm-row.new", timeout=3000)
        one.page.wait_for_selector(".step.first")
        one.look("raised")
        assert one.sees("门诊楼 1F 门诊楼入口")
        assert one.sees("相似度，阈值 0.450")
        one.page.keyboard.press("1")
        one.page.wait_for_selector(".steps >> text=是本人")
        one.page.keyboard.press("1")
        one.page.wait_for_selector(".steps >> text=派保安")
        one.look("confirmed")
        one.page.keyboard.press("1")
        one.page.wait_for_selector(".asking input[name=guard_id]")
        one.look("send-a-guard")
        assert one.sees("约")
        one.page.click(".asking button.go")
        one.page.wait_for_selector(".tag.state-dispatched")
        one.page.click("text=看轨迹")
        one.page.wait_for_selector("text=推断：由已匹配的抓拍和步行时间连成")
        one.look("trail")
        one.go(f"/alarm/{alarm_id}")
        one.page.wait_for_selector(".clocks")
        one.look("alarm")
    steps = [e["detail"]["step"] for e in hospital.events("alarm_step")]
    assert steps == ["acknowledged", "confirmed", "dispatched"]
    looks = hospital.events("record_looked_at")
    assert {"face", "trail"} <= {e["detail"]["data_class"] for e in looks}, "each look stands in the register"


def test_a_lost_line_says_so_and_heals_and_shows_what_came_meanwhile(browser, hospital):
    furnish(hospital)
    line = CutLine(console_of(hospital))
    mine = cookie(hospital, "monitoring")
    with contextlib.closing(line), reader(browser, line.base, "lost-line", size=DESK) as one:
        one.expected = ("Failed to load resource",)
        one.page.context.add_cookies([{**mine, "url": line.base}])
        one.go("/wall")
        one.page.wait_for_selector(".live.live")
        line.cut()
        one.page.wait_for_selector(".live.lost")
        assert one.sees("连接中断，正在重连；下面可能不是最新")
        raised(hospital)
        line.mend()
        one.page.wait_for_selector(".alarm-row")
        one.page.wait_for_selector(".live.live")


def test_names_and_notes_are_text_and_never_markup(browser, hospital):
    furnish(hospital)
    attack = '<img src=x onerror="window.hacked=1">'
    with reader(browser, console_of(hospital), "xss", size=DESK) as one:
        one.expected = (NO_PHOTO,)
        one.page.context.add_cookies([cookie(hospital, "monitoring", "administrator", name=attack[:60])])
        raised(hospital)
        one.go("/wall")
        one.page.wait_for_selector(".step.first")
        one.page.keyboard.press("1")
        one.page.wait_for_selector(".steps >> text=不是，驳回")
        one.page.click(".steps >> text=不是，驳回")
        one.page.fill(".asking textarea", attack)
        one.page.click(".asking button.go")
        one.page.wait_for_selector(".tag.state-rejected")
        one.page.click("summary >> text=经过")
        assert one.sees("onerror")
        one.go("/staff")
        one.page.wait_for_selector("table")
        one.look("staff")
        assert one.page.evaluate("window.hacked") is None
        assert one.page.locator('img[src="x"]').count() == 0


def test_the_morning_shows_curves_refusals_draws_and_waitlists_as_they_go(browser, hospital):
    draw_id = open_draw(hospital, capacity=2)
    crowd = members(hospital, 5, first=20)
    for member, patient_id in crowd:
        assert enter(member, draw_id, [patient_id], sessions_of(member, draw_id)).status_code == 201
    drawing.set_release(hospital.system.db, {"kind": "first_come"}, now_us=hospital.clock.now_us())
    _, holders = sold_out(hospital, seats=2, release_in_s=0)
    member, patient_id = holders[0][0], None
    for n, (person, patient) in enumerate(crowd):
        person.post("/bookings", json={"patient_id": patient, "session_id": hospital.session})
        hospital.clock.advance(seconds=7 + n)
    assert member.post(f"/bookings/{holders[0][1]}/return").status_code == 200
    work(hospital)
    with reader(browser, console_of(hospital), "morning", size=DESK) as one:
        one.page.context.add_cookies([cookie(hospital, "outpatient_office")])
        one.go("/morning")
        one.page.wait_for_selector("table")
        one.look("morning")
        assert one.sees("放出后多久被约走")
        row = one.page.locator("tbody tr", has_text="下午").filter(has_text="5").first
        assert row.is_visible()
        booked = re.search(r"(\d+) 次预约", re.sub(r"\s+", " ", one.page.locator(".numbers").inner_text()))
        assert booked is not None
        assert int(booked[1]) == len(hospital.events("booked"))
    with reader(browser, console_of(hospital), "morning", size=PHONE) as one:
        one.page.context.add_cookies([cookie(hospital, "outpatient_office")])
        one.go("/morning")
        one.page.wait_for_selector("table")
        one.look("morning")


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_every_page_can_be_used_in_both_languages(browser, hospital, size):
    furnish(hospital)
    with reader(browser, console_of(hospital), "pages", size=size) as one:
        one.page.context.add_cookies([cookie(hospital, *ALL_BUT_AUDIT)])
        for name in PAGES:
            one.go(f"/{name}")
            one.page.wait_for_selector("#app:not([aria-busy]) h1, .wall")
            one.look(name)
        one.page.click("text=English")
        one.page.wait_for_selector("html[lang=en]")
        for name in PAGES:
            one.go(f"/{name}")
            one.page.wait_for_selector("#app:not([aria-busy]) h1, .wall")
            one.look(f"{name}-en")


def test_each_role_is_led_to_pages_of_its_own(browser, hospital):
    expected = {
        "outpatient_office": "/morning",
        "auditor": "/wall",
        "administrator": "/cameras",
        "window": "/desk",
    }
    for role, first in expected.items():
        with reader(browser, console_of(hospital), "roles", size=DESK) as one:
            one.page.context.add_cookies([cookie(hospital, role)])
            one.go("/")
            one.page.wait_for_url(f"**{first}")
    names = {operator.name for operator in list_operators_of(hospital)}
    assert "王值班" in names


def list_operators_of(hospital: Hospital):
    with hospital.system.db.read() as connection:
        return list_operators(connection)


def test_a_page_of_the_console_is_not_for_other_sites_and_not_for_other_zones(hospital):
    said = httpx.get(console_of(hospital) + "/wall")
    policy = said.headers.get_list("content-security-policy")
    assert any("frame-ancestors 'none'" in one for one in policy)
    assert all("unsafe" not in one for one in policy)
    assert "王" not in said.text
    assert httpx.get(console_of(hospital) + "/console/000000000000/shell.js").status_code == 404
    assert httpx.get(console_of(hospital) + "/console/../app.py").status_code == 404
