"""The patients' desk in a real browser: one patient after another by keyboard, photos, the care pool, extra slots."""

import contextlib
import shutil
from datetime import date

import pytest
from sqlalchemy import update

from e2e.counter import at_desk, booked, care_place, comes, look_up, open_counter, opens, photo_waits
from e2e.cut_line import CutLine
from e2e.looking import CHROMIUM, DESK, PHONE, REQUIRED, chromium
from e2e.staff_browser import console_of, cookie
from shouhao.booking.tables import doctors
from shouhao.patients import store
from shouhao.patients.tables import patients
from web.served import Hospital, resident_id, served

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

#: What a browser says of each refusal, which is part of the story where one is told.
REFUSED = "Failed to load resource: the server responded with a status of 4"
ATTACK = '<img src=x onerror="window.hacked=1">'
ATTACK_NAME = "李·艾孜买提"


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def hospital(sqlite_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    shutil.copy(sqlite_template, folder / "shouhao.sqlite3")
    with served(f"sqlite:///{folder / 'shouhao.sqlite3'}", folder) as running:
        open_counter(running)
        yield running


def test_a_patient_is_found_booked_paid_and_checked_in_without_a_mouse(browser, hospital: Hospital):
    patient_id = comes(hospital, 1, "张山峰")
    with at_desk(browser, hospital, "counter", "window") as one:
        one.look("empty")
        opens(one, resident_id(1))
        one.look("found")
        assert "张山峰" in one.page.inner_text(".person h2")
        assert resident_id(1) not in one.page.inner_text(".person")
        one.page.keyboard.press("F4")
        assert one.page.evaluate("document.activeElement.name") == "department"
        row = one.page.locator(".offer tr", has_text="下午").filter(has_text="李医生").first
        row.get_by_role("button", name="预约").press("Enter")
        one.page.wait_for_selector(".held [data-booking]")
        one.page.wait_for_selector("button:focus:has-text('收费')")
        one.look("booked")
        one.page.keyboard.press("Enter")
        one.page.wait_for_selector("button:focus:text-is('取号')")
        one.page.keyboard.press("Enter")
        one.page.wait_for_selector("button:focus:text-is('凭条')")
        one.page.keyboard.press("Enter")
        one.page.wait_for_selector(".slip")
        one.look("checked-in")
        assert one.sees("已取号")
        one.page.emulate_media(media="print")
        assert not one.page.is_visible(".person")
        assert one.page.is_visible(".slip")
        one.page.emulate_media(media="screen")
        one.page.keyboard.press("F2")
        assert not one.page.locator(".person").count()
        assert one.page.evaluate("document.activeElement.name") == "number"
        assert resident_id(1) not in one.page.url
    assert [e["patient_id"] for e in hospital.events("checked_in")] == [patient_id]


def test_somebody_new_is_registered_and_a_child_with_whoever_answers_for_it(browser, hospital: Hospital):
    child = resident_id(3, date(2021, 4, 5))
    with at_desk(browser, hospital, "register", "window") as one:
        one.expected = (REFUSED,)
        for number, name, guardian in ((resident_id(2), ATTACK_NAME, None), (child, "李小宝", resident_id(2))):
            look_up(one, number)
            one.page.get_by_role("button", name="登记为新就诊人").press("Enter")
            one.page.wait_for_selector(".new-person [name=name]:focus")
            one.page.fill("[name=name]", name)
            one.page.fill("[name=phone]", "13900000002")
            if guardian:
                one.page.click("summary >> text=为儿童登记监护人")
                one.page.fill("[name=guardian_number]", resident_id(99))
                one.page.keyboard.press("Enter")
                one.page.wait_for_selector("[role=alert] >> text=监护人尚未登记")
                one.look("guardian-unknown")
                one.page.fill("[name=guardian_number]", guardian)
            one.page.keyboard.press("Enter")
            one.page.wait_for_selector(".told >> text=已登记并核验")
        one.page.wait_for_selector(".guardians li")
        one.look("child")
        one.page.click(".guardians summary")
        one.page.click(".guardians .chip >> nth=0")
        one.page.click("button >> text=解除监护人")
        one.page.wait_for_selector(".told >> text=已解除监护人")
        assert one.sees("儿童尚无监护人")
        one.page.keyboard.press("F2")
        look_up(one, "139 0000 0002")
        one.page.wait_for_selector(".person-row")
        one.look("by-phone")
        assert ATTACK_NAME not in one.page.inner_text(".found")
        assert child not in one.page.inner_text(".found")
        one.page.click(".person-row >> nth=0")
        one.page.wait_for_selector(".person dl")
        assert one.sees("未出示证件：姓名也遮盖")
    (removed,) = hospital.events("guardian_removed")
    assert removed["channel"] == "window"


def test_numbers_in_full_are_shown_after_the_reason_stands_in_the_register_and_masked_again(
    browser, hospital: Hospital
):
    patient_id = comes(hospital, 4, "何查号")
    with at_desk(browser, hospital, "numbers", "window") as one:
        opens(one, resident_id(4))
        assert resident_id(4) not in one.page.content()
        one.page.click("summary >> text=查看完整号码")
        one.page.click(".in-full button >> text=显示")
        assert resident_id(4) not in one.page.content(), "nothing without a reason"
        one.page.click(".in-full .chip >> text=联系就诊人")
        one.page.click(".in-full button >> text=显示")
        one.page.wait_for_selector(f"text={resident_id(4)}")
        assert one.sees("13900000004")
        one.look("in-full")
        one.page.click("text=现在遮盖")
        assert resident_id(4) not in one.page.content()
    asked = {"reason": "核对", "authority": "审计", "what": f"numbers of patient {patient_id}"}
    (look,) = hospital.staff("auditor").post("/access-register/search", json=asked).json()["looks"]
    assert (look["reason"], look["data_class"]) == ("联系就诊人", "identity")


def test_a_correction_shows_before_and_after_and_a_reason_that_holds_markup_is_text(browser, hospital: Hospital):
    comes(hospital, 5, "周更名")
    with at_desk(browser, hospital, "correct", "window") as one:
        one.expected = (REFUSED,)
        opens(one, resident_id(5))
        one.page.click("summary >> text=/^更正$/")
        one.page.select_option(".correct [name=field]", "phone")
        one.page.fill(".correct [name=value]", "123")
        one.page.fill(".correct [name=reason]", ATTACK)
        one.page.click(".correct form button.step")
        one.page.wait_for_selector(".correct [role=alert]")
        assert one.page.locator(".correct [role=alert] .code").inner_text().strip().startswith("rq_")
        one.look("refused")
        one.page.fill(".correct [name=value]", "13911112222")
        one.page.click(".correct form button.step")
        one.page.wait_for_selector(".told >> text=139****0005 → 139****2222")
        one.page.click("summary >> text=/^更正$/")
        one.page.click("summary >> text=更正记录")
        one.page.wait_for_selector(".correct .line")
        one.look("history")
        assert ATTACK in one.page.inner_text(".correct .line")
        assert one.page.evaluate("window.hacked") is None
        assert one.page.locator('img[src="x"]').count() == 0


def test_a_refusal_says_why_with_its_number_and_a_slot_is_returned_and_its_fee_given_back(browser, hospital: Hospital):
    patient_id = comes(hospital, 6, "吴退号")
    booking = booked(hospital, patient_id, hospital.session)
    assert hospital.staff("window").post(f"/bookings/{booking}/payment", json={}).status_code == 200
    with at_desk(browser, hospital, "return", "window") as one:
        one.expected = (REFUSED,)
        opens(one, resident_id(6))
        row = one.page.locator(".offer tr", has_text="3月3日").filter(has_text="李医生")
        row.get_by_role("button", name="预约").click()
        row.locator("[role=alert]").wait_for()
        assert "已有预约" in row.inner_text()
        assert "rq_" in row.inner_text()
        one.look("refused")
        one.page.click(f"[data-booking={booking}] summary >> text=退号")
        one.page.click(f"[data-booking={booking}] button >> text=确认退号")
        one.page.wait_for_selector("text=退还 ¥50")
        one.look("owed")
        one.go("/desk?tab=refunds")
        one.page.wait_for_selector("td")
        one.look("refunds")
        assert "吴退号" not in one.page.inner_text("main"), "a list that nobody gave a reason for is masked"
        one.page.locator("tr", has_text=booking).get_by_role("button", name="已退还").click()
        one.page.wait_for_selector(".note >> text=已退 ¥50")
    assert [e["patient_id"] for e in hospital.events("refunded")] == [patient_id]


def test_a_draw_is_entered_and_a_waitlist_joined_with_a_slip_each(browser, hospital: Hospital):
    patient_id = comes(hospital, 7, "郑抽签")
    with at_desk(browser, hospital, "draw", "window") as one:
        opens(one, resident_id(7))
        row = one.page.locator(".offer tr", has_text="周医生").first
        row.locator("summary").click()
        row.locator("[name=wish]").check()
        row.get_by_role("button", name="报名").click()
        one.page.wait_for_selector(".held >> text=已报名抽签")
        one.page.locator(".offer tr", has_text="王医生").get_by_role("button", name="候补").click()
        one.page.wait_for_selector(".held >> text=已加入候补")
        one.page.locator(".row-card", has_text="抽签").first.get_by_role("button", name="凭条").click()
        one.page.wait_for_selector(".slip >> text=回执号")
        one.look("entered")
        wait = one.page.locator(".row-card", has_text="候补").first
        wait.locator("summary").click()
        wait.get_by_role("button", name="确认退出").click()
        one.page.wait_for_selector(".held >> text=已退出候补")
    (entered,) = hospital.events("draw_entered")
    assert (entered["patient_id"], entered["channel"]) == (patient_id, "window")


def test_pressing_twice_and_an_answer_that_was_lost_act_once(browser, hospital: Hospital):
    patient_id = comes(hospital, 8, "王连点")
    with at_desk(browser, hospital, "once", "window") as one:
        one.expected = ("Failed to load resource",)
        opens(one, resident_id(8))
        sent = []

        def lose_the_first_answer(route):
            sent.append(route.request.headers["idempotency-key"])
            answer = route.fetch()
            if len(sent) == 1:
                route.abort()
            else:
                route.fulfill(response=answer)

        one.page.route("**/api/v1/staff/bookings", lose_the_first_answer)
        button = (
            one.page.locator(".offer tr", has_text="3月3日")
            .filter(has_text="李医生")
            .get_by_role("button", name="预约")
        )
        button.evaluate("it => { it.click(); it.click(); it.click(); }")
        one.page.wait_for_selector(".offer [role=alert] >> text=无法连接服务器")
        one.look("lost")
        button.click()
        one.page.wait_for_selector(".held [data-booking]")
        assert len(sent) == 2
        assert len(set(sent)) == 1
    assert [e["kind"] for e in hospital.events("booked") if e["patient_id"] == patient_id] == ["booked"]


def test_the_server_is_lost_and_found_again(browser, hospital: Hospital):
    comes(hospital, 9, "冯断线")
    mine = cookie(hospital, "window")
    line = CutLine(console_of(hospital))
    with (
        contextlib.closing(line),
        at_desk(browser, hospital, "lost", signed_in=mine, base=line.base) as one,
    ):
        one.expected = ("Failed to load resource",)
        line.cut()
        look_up(one, resident_id(9))
        one.page.wait_for_selector("[role=alert] >> text=无法连接服务器")
        one.look("lost")
        line.mend()
        opens(one, resident_id(9))
        assert one.sees("冯断线")


def test_names_that_hold_markup_are_text_wherever_they_stand(browser, hospital: Hospital):
    """No name like that is taken in at a counter; one from an older system may stand in the database."""
    patient_id = comes(hospital, 12, "陈标记")
    system = hospital.system
    sealed = system.vault.seal(ATTACK, purpose=store.NAME)
    with system.db.write() as connection:
        named = {"name_sealed": sealed, "name_masked": ATTACK}
        connection.execute(update(patients).where(patients.c.id == patient_id).values(**named))
        connection.execute(update(doctors).where(doctors.c.id == "D8").values(name_en=ATTACK))
    booked(hospital, patient_id, hospital.session_today)
    with at_desk(browser, hospital, "markup", "window") as one:
        one.page.click("text=English")
        one.page.wait_for_selector("html[lang=en]")
        opens(one, resident_id(12))
        one.page.click(".held .print")
        one.page.wait_for_selector(".slip")
        one.look("names")
        assert ATTACK in one.page.inner_text(".person h2")
        assert ATTACK in one.page.inner_text(".offer")
        assert one.page.evaluate("window.hacked") is None
        assert one.page.locator('img[src="x"]').count() == 0
    with system.db.write() as connection:
        connection.execute(update(doctors).where(doctors.c.id == "D8").values(name_en="Dr Wang"))


def test_a_care_place_goes_to_whoever_is_entitled_and_it_is_said_why_others_are_not(browser, hospital: Hospital):
    young, old = resident_id(10), resident_id(11, date(1950, 1, 2))
    comes(hospital, 10, "褚年轻")
    elder = comes(hospital, 11, "卫年长", born=date(1950, 1, 2))
    for n in (0, 1):
        care_place(hospital, f"1380013810{n}", 110 + n)
    with at_desk(browser, hospital, "care", "window", path="?tab=care") as one:
        one.page.wait_for_selector("td")
        look_up(one, young)
        one.page.wait_for_selector("text=不能用照护号")
        one.look("not-entitled")
        assert one.sees("40 岁，未满 65 周岁；没有有效的残疾或怀孕证明")
        assert one.page.locator("td button[disabled]").count() == 1
        one.page.click("summary >> text=登记证明")
        one.page.fill("[name=reference]", "11010519850601002143")
        one.page.fill("[name=valid_until]", "2027-12-31")
        one.page.click("form >> button:text-is('登记')")
        one.page.wait_for_selector("text=可用照护号")
        one.page.click(".papers summary")
        one.page.fill(".papers [name=reason]", ATTACK)
        one.page.click("text=撤销这份证明")
        one.page.wait_for_selector("text=登记过的证明已过期或已撤销")
        assert ATTACK in one.page.inner_text(".papers")
        look_up(one, old)
        one.page.wait_for_selector("text=已满 65 周岁")
        one.look("entitled")
        one.page.get_by_role("button", name="给 卫年长").click()
        one.page.wait_for_selector(".note >> text=卫年长 得到")
        one.look("given")
        assert one.page.evaluate("window.hacked") is None
    (given,) = [e for e in hospital.events("booked") if e["patient_id"] == elder]
    assert given["detail"]["pool"] == "care"


def test_photos_are_decided_one_after_another_each_on_record_and_marked_with_who_looks(browser, hospital: Hospital):
    waiting = [photo_waits(hospital, f"138001382{n:02d}", 200 + n, name) for n, name in enumerate(("蒋一", "沈二"))]
    before = len(hospital.events("record_looked_at"))
    with at_desk(browser, hospital, "reviews", "reviewer") as one:
        one.page.wait_for_selector("button:focus:has-text('打开最早的一张')")
        assert not one.page.locator(".tabs").count(), "a reviewer has this queue alone"
        assert one.page.locator("img").count() == 0
        assert len(hospital.events("record_looked_at")) == before
        one.look("queue")
        one.page.keyboard.press("o")
        one.page.wait_for_selector(".paper img")
        assert len(hospital.events("record_looked_at")) == before + 1
        one.look("open")
        assert one.sees("蒋一")
        assert one.sees(resident_id(200))
        one.page.keyboard.press("1")
        one.page.wait_for_selector("button:focus:text-is('通过')")
        one.page.keyboard.press("Enter")
        one.page.wait_for_selector(".note >> text=已通过。下一张")
        one.page.keyboard.press("o")
        one.page.wait_for_selector("text=沈二")
        one.page.keyboard.press("2")
        one.page.wait_for_selector("button:focus:text-is('不通过')")
        assert one.page.locator("button:text-is('通过')").is_disabled()
        one.page.fill(".review textarea", ATTACK)
        one.page.click("button:text-is('不通过')")
        one.page.wait_for_selector("text=没有等待审核的照片")
        one.look("done")
    decided = [(e["patient_id"], e["detail"]["decision"]) for e in hospital.events("photo_decided")]
    assert decided == [(waiting[0], "approved"), (waiting[1], "rejected")]


def test_a_photo_that_somebody_else_decided_meanwhile_is_told_and_the_queue_goes_on(browser, hospital: Hospital):
    photo_waits(hospital, "13800138300", 300, "韩三")
    with at_desk(browser, hospital, "decided", "reviewer") as one:
        one.expected = (REFUSED,)
        one.page.keyboard.press("o")
        one.page.wait_for_selector(".paper img")
        other = hospital.staff("reviewer")
        (review,) = other.get("/photo-reviews").json()["reviews"]
        decision = {"approve": True, "reason": "与证件一致"}
        assert other.post(f"/photo-reviews/{review['review_id']}/decision", json=decision).status_code == 200
        one.page.keyboard.press("1")
        one.page.keyboard.press("Enter")
        one.page.wait_for_selector("[role=alert] >> text=该审核已有结论")
        one.look("decided")
        one.page.click("text=先放着，回到队列")
        one.page.wait_for_selector("text=没有等待审核的照片")


def test_a_doctor_asks_beyond_the_cap_and_somebody_else_decides(browser, hospital: Hospital):
    for order, name in ((400, "杨一"), (401, "朱二")):
        asked = {"session_id": hospital.session, "patient_id": comes(hospital, order, name), "reason": "病情需要"}
        assert hospital.staff("doctor").post("/extra-slots", json=asked).json()["state"] == "granted"
    comes(hospital, 402, "秦三")
    with at_desk(browser, hospital, "doctor", signed_in=cookie(hospital, "approver", doctor_id="D1")) as one:
        look_up(one, resident_id(402))
        one.page.wait_for_selector("[name=session]")
        one.look("asking")
        one.page.select_option("[name=session]", hospital.session)
        one.page.fill("[name=reason]", f"术后复查 {ATTACK}")
        one.page.click("button >> text=申请加号")
        one.page.wait_for_selector(".note >> text=已送审批")
        one.page.wait_for_selector("text=您提出的申请须由他人审批")
        one.look("asked")
    with at_desk(browser, hospital, "approver", "approver") as one:
        one.page.wait_for_selector("text=批准加号")
        one.look("queue")
        assert one.sees("该医生当日已加 2 个，可自行加 2 个")
        assert ATTACK in one.page.inner_text("main")
        assert "秦三" not in one.page.inner_text("main")
        assert one.page.locator('img[src="x"]').count() == 0
        one.page.click("text=批准加号")
        one.page.wait_for_selector("text=没有等待审批的加号")
    assert len(hospital.events("extra_slot_added")) == 3


def test_each_role_has_its_own_part_and_no_other(browser, hospital: Hospital):
    expected = {"reviewer": "reviews", "outpatient_office": "care", "approver": "extra", "window": "window"}
    for role, first in expected.items():
        with at_desk(browser, hospital, "roles", role) as one:
            one.page.wait_for_selector(f".desk-{first}")
            assert one.page.locator(".finder").count() == (role == "window")
    with at_desk(browser, hospital, "roles", "reviewer", path="?tab=window") as one:
        one.page.wait_for_selector(".desk-reviews")
        assert not one.page.locator(".finder").count()


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_every_tab_can_be_used_in_both_languages(browser, hospital: Hospital, size):
    comes(hospital, 40, "孙来看")
    with at_desk(browser, hospital, "tabs", "window", "reviewer", "approver", size=size) as one:
        for language in ("zh", "en"):
            for tab in ("window", "reviews", "care", "extra", "refunds"):
                one.go(f"/desk?tab={tab}")
                one.page.wait_for_selector(".desk > :not(:empty)")
                one.look(f"{tab}-{language}")
            one.go("/desk")
            one.page.wait_for_selector(".finder")
            opens(one, resident_id(40))
            for summary in one.page.locator("summary").all():
                summary.click()
            one.look(f"person-{language}")
            if language == "zh":
                one.page.click("text=English")
                one.page.wait_for_selector("html[lang=en]")
