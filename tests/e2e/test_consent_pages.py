"""Consents and antenatal registration in a real browser: by hand, in both languages, on a phone and at a desk."""

import shutil
from pathlib import Path

import pytest

from e2e.looking import CHROMIUM, DESK, REQUIRED, chromium, reader
from e2e.staff_browser import console_of, cookie
from e2e.test_patient_pages import add_myself, base_of, sign_in
from web.served import Hospital, person, resident_id, served
from web.test_antenatal_routes import DUE, MONTH, close_window, open_month

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

PHONE_NUMBER, WOMAN = "13800138000", "13800138055"


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def hospital(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("hospital")
    shutil.copy(sqlite_template, folder / "shouhao.sqlite3")
    with served(f"sqlite:///{folder / 'shouhao.sqlite3'}", folder) as running:
        yield running


def signed_in(one, hospital: Hospital, phone: str, back: str = "/mine") -> None:
    hospital.clock.advance(seconds=61)
    one.go(f"/sign-in?back={back}")
    sign_in(one, hospital, phone)


def tap(one, selector: str) -> None:
    """Press a button of a form, by what it stands in."""
    with one.page.expect_navigation():
        one.page.locator(selector).first.click()


def test_each_consent_is_one_tap_to_give_and_one_to_withdraw_and_nothing_is_ticked(browser, hospital):
    with reader(browser, base_of(hospital), "consents") as one:
        one.go("/consents")
        one.look("stranger")
        assert one.sees("不同意也照样预约")
        assert one.page.locator("main form").count() == 0, "nobody is signed in"
        signed_in(one, hospital, PHONE_NUMBER, "/people/new")
        add_myself(one, order=1)
        one.go("/mine")
        one.press("请看一下")
        one.look("asked")
        assert one.page.locator("main input[type=checkbox], main input[type=radio]").count() == 0
        assert one.page.locator("main .tag", has_text="已同意").count() == 0
        tap(one, "#notice button")
        assert one.sees("您读过了")
        tap(one, "#face_check button")
        one.look("given")
        assert one.sees("已记下您的同意")
        assert one.page.locator("#face_check .tag").inner_text() == "已同意"
        tap(one, "#messages button")
        tap(one, "#face_check form[action='/consents/withdraw'] button")
        one.look("withdrawn")
        assert one.sees("已撤回，立即生效")
        one.page.locator("details.card > summary").last.click()
        one.look("history")
        assert one.page.locator("details ol.line li").count() == 4
        one.press("English")
        one.look("english")
        assert one.sees("Checking my face against my document")
    given = [(e["kind"], e["detail"]["kind"]) for e in hospital.events("consent_given")]
    assert sorted(given) == [("consent_given", kind) for kind in ("face_check", "messages", "notice")]
    hospital.assert_sound()


def test_a_guardian_decides_for_a_child_and_a_double_tap_or_the_back_button_decides_once(browser, hospital):
    phone = "13800138033"
    member = hospital.member(phone)
    me = member.post("/patients", json=person(31, "王芳", relation="self")).json()["patient_id"]
    child = {"kind": "resident_id", "number": resident_id(33, born=DUE.replace(year=2019))}
    made = member.post(
        "/patients",
        json={
            "name": "王小宝",
            "document": child,
            "phone": "13900139000",
            "relation": "child",
            "guardian_patient_id": me,
        },
    )
    assert made.status_code == 201, made.text
    with reader(browser, base_of(hospital), "guardian") as one:
        signed_in(one, hospital, phone, "/people")
        one.look("people")
        one.press("去看")
        one.look("asked")
        with one.page.expect_navigation():
            one.page.locator("#child_data button").dblclick()
        assert one.sees("已记下您的同意")
        one.page.go_back()
        one.page.reload()
        assert one.page.locator("#child_data .tag").inner_text() == "已同意"
        one.look("child")
        one.page.go_forward()
        assert one.page.locator("main h1").count() == 1, "no question whether to send the form again"
        tap(one, "#child_data form[action='/consents/withdraw'] button")
    acts = [
        e["detail"]["kind"] for e in hospital.events("consent_given") if e["patient_id"] == made.json()["patient_id"]
    ]
    assert acts == ["child_data"]
    hospital.assert_sound()


@pytest.fixture(scope="module")
def office(hospital):
    """One place, for which another woman has applied; who reads the pages is the second."""
    opened = open_month(hospital, places=1)
    first = hospital.member("13800138044")
    other = first.post("/patients", json=person(44, "李梅", relation="self")).json()["patient_id"]
    dates = {"source": "ultrasound", "due_day": DUE.isoformat()}
    assert first.post("/antenatal/applications", json={"patient_id": other, **dates}).status_code == 201
    assert hospital.member(WOMAN).post("/patients", json=person(56, "赵敏", relation="self")).status_code == 201
    return opened


def test_a_woman_applies_hears_what_is_wrong_with_a_date_and_corrects_it_until_the_draw(browser, hospital, office):
    with reader(browser, base_of(hospital), "apply") as one:
        one.expected = ("Failed to load resource: the server responded with a status of 4",)
        one.go("/antenatal")
        one.look("months")
        assert one.sees("正在申请")
        signed_in(one, hospital, WOMAN, "/antenatal/apply")
        one.look("form")
        one.page.locator("input[value=ultrasound]").check()
        one.page.fill("#due_day", DUE.replace(year=DUE.year + 1).isoformat())
        one.press("提交申请")
        one.look("refused")
        assert one.page.locator("[role=alert]").count() == 1
        assert one.page.locator("#due_day").get_attribute("aria-invalid") == "true"
        one.page.fill("#due_day", DUE.isoformat())
        one.press("提交申请")
        one.look("entered")
        assert one.sees("截止申请，随后抽签并公布")
        one.page.locator("details.card > summary").click()
        one.page.fill("#due_day", DUE.replace(day=DUE.day + 1).isoformat())
        one.press("更正日期")
        one.look("corrected")
        assert one.sees(f"{DUE.day + 1}日")
    hospital.assert_sound()


def test_who_waits_may_be_referred_by_consent_and_takes_it_back_in_either_place(browser, hospital, office):
    close_window(hospital)
    with reader(browser, base_of(hospital), "waits") as one:
        signed_in(one, hospital, WOMAN)
        one.page.locator("a.card[href^='/antenatal/']").click()
        one.page.wait_for_load_state()
        one.look("drawn")
        if one.page.locator("h1 .tag").inner_text() == "有名额，请来确认":  # the seed decides which of the two
            one.press("撤回申请")
            one.go("/antenatal/apply")
            one.page.locator("input[value=ultrasound]").check()
            one.page.fill("#due_day", DUE.isoformat())
            one.press("提交申请")
        assert one.page.locator("h1 .tag").inner_text() == "候补中"
        offer = {
            "partner_id": "P1",
            "name_zh": "<b>市第二人民医院</b>",
            "name_en": "Second Hospital",
            "month": MONTH,
            "tier": "green",
            "places": 1,
            "valid_until": "2026-09-01T00:00:00+08:00",
        }
        assert office.post("/antenatal/offers", json=offer).status_code == 201
        one.page.reload()
        one.look("waiting")
        assert one.sees("<b>市第二人民医院</b>"), "as text"
        assert not one.page.locator("input[name=agree]").is_checked()
        for _ in range(2):
            one.page.locator("input[name=offer_id]").check()
            one.page.locator("input[name=agree]").check()
            one.press("同意并转介")
            assert one.sees("已同意，未发送")
            one.look("referred")
            here = one.page.url
            one.go("/consents")
            one.look("referral-consent")
            tap(one, "form[action$='/referral/withdraw'] button")
            assert one.page.url.endswith("/consents")
            one.page.goto(here)
            assert one.page.locator("h1 .tag").inner_text() == "候补中"
        one.go("/mine")
        one.look("mine")
        one.go(f"/antenatal/months/{MONTH}/check")
        one.page.wait_for_selector(".verdict.note")
        one.look("check")
        assert one.sees("核对通过")
        assert one.sees("您的报名排第")
        one.go("/antenatal")
        one.look("full")
    hospital.assert_sound()


def test_the_new_pages_read_in_english_at_a_desk_and_in_large_print(browser, hospital):
    phone = "13800138033"
    with reader(browser, base_of(hospital), "english", size=DESK, locale="en-GB") as one:
        hospital.clock.advance(seconds=61)
        one.go("/sign-in?back=/antenatal")
        one.page.fill("#phone", phone)
        one.press("Send a code")
        one.page.reload()
        assert one.page.locator("#code").count() == 1, "who looked at their messages finds the form again"
        one.page.fill("#code", hospital.outbox.codes[f"+86{phone}"])
        tap(one, "main button.go")
        one.look("antenatal")
        one.go("/antenatal/apply")
        one.look("apply")
        one.go("/consents")
        one.look("consents")
        one.press("Large print")
        one.look("large")


def test_the_officer_for_data_protection_sees_how_many_stand_by_which_words(browser, hospital):
    with reader(browser, console_of(hospital), "law-consents", size=DESK) as one:
        one.light = False
        one.page.context.add_cookies([cookie(hospital, "data_protection")])
        one.go("/law")
        one.page.wait_for_selector("article h2:text('患者的同意')")
        one.look("counts")
        row = one.page.locator("tr", has_text="结果发到手机").inner_text()
        assert "2026-1" in row
        assert "现行" in row


PAGES = ("/", "/antenatal", "/antenatal/apply", "/consents", "/mine", "/people", "/people/new")


def test_at_twice_the_size_nothing_is_cut_off_and_no_page_jumps_on_a_slow_line(browser, hospital):
    with reader(browser, base_of(hospital), "twice") as one:
        signed_in(one, hospital, PHONE_NUMBER)
        slow = one.page.context.new_cdp_session(one.page)
        slow.send("Network.enable")
        one.page.add_init_script(
            "window.jumped = 0; new PerformanceObserver((list) => { for (const one of list.getEntries())"
            " if (!one.hadRecentInput) window.jumped += one.value; })"
            ".observe({ type: 'layout-shift', buffered: true });"
        )
        for path in (*PAGES, f"/sessions/{hospital.session}", "/departments/CARD"):
            slow.send(
                "Network.emulateNetworkConditions",
                {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 20_000},
            )
            one.go(path)
            one.page.wait_for_load_state("networkidle")
            assert one.page.evaluate("window.jumped") < 0.05, path
            for landmark in ("main", "h1", "header", "footer", "nav[aria-label]"):
                assert one.page.locator(landmark).count() == 1, (path, landmark)
            slow.send(
                "Network.emulateNetworkConditions",
                {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
            )
            one.page.evaluate("document.documentElement.style.fontSize = '34px'")
            cut = one.page.evaluate(
                """[...document.querySelectorAll("main *, header *, nav *, footer *")].filter((it) => {
                     const box = it.getBoundingClientRect();
                     const skip = it.closest(".skip") || box.width === 0;
                     return !skip && (box.right > innerWidth + 1 || it.scrollWidth > it.clientWidth + 1
                       && getComputedStyle(it).overflowX === "hidden");
                   }).map((it) => it.outerHTML.slice(0, 80))"""
            )
            assert cut == [], path
            assert one.page.evaluate("document.documentElement.scrollWidth") <= one.width, path
            end = one.page.evaluate(
                """() => { scrollTo(0, document.body.scrollHeight);
                     const last = document.querySelector("footer").getBoundingClientRect();
                     const text = document.querySelector("footer ul").getBoundingClientRect();
                     return text.bottom <= document.querySelector("nav.bottom").getBoundingClientRect().top + 1; }"""
            )
            assert end, f"{path}: the last words are under the bar"


def test_a_form_sent_twice_before_the_script_came_acts_once(browser, hospital):
    with reader(browser, base_of(hospital), "slow-script") as one:
        signed_in(one, hospital, PHONE_NUMBER)
        one.page.route("**/static/page.js*", lambda route: route.abort())
        one.expected = ("Failed to load resource",)
        one.go("/consents")
        before = len(hospital.events("consent_given"))
        one.page.locator("#face_check button").dblclick()
        one.page.wait_for_url("**/consents?done=given")
        one.page.wait_for_load_state("networkidle")
        assert len(hospital.events("consent_given")) == before + 1
        tap(one, "#face_check form[action='/consents/withdraw'] button")
