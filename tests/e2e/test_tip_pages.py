"""Tips in a real browser: told from a phone and followed with a code; read at the console, where nothing is markup."""

import io

import pytest

from e2e.looking import CHROMIUM, DESK, PHONE, REQUIRED, chromium, reader
from e2e.staff_browser import console_of, cookie
from shouhao.booking.schedule import Department, Doctor, SchedulePlan
from shouhao.cases.tips import About, TipLimits, read_told
from shouhao.flows.import_schedule import import_plan
from shouhao.flows.tips import Origin
from shouhao.flows.tips import tell as tell_one
from shouhao.kernel.clock import DAY_US, HOUR_US
from web.served import NOW_US, Hospital
from web.telling import FIELDS, MARKUP, WHAT, given_on, hospital_of, keep_finding, later, screenshot, send_picture, tell

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

DOCTORS = (("D1", "CARD", "李医生"), ("D2", "PED", "王慧敏"), ("D3", "PED", "陈立"), ("D4", "OBS", "赵雅琴"))
STORIES = (
    "早上七点半在门诊大厅自助机旁，一个穿黑夹克的男子问要不要专家号，加 600 元，说当天就能看。",
    "二手平台上有人挂“代抢儿科王医生号，不成功退款”，要价 500 元，要先给身份证号。",
    "孕妇群里有人发可以代办建档名额，1500 元，要加微信详谈。",
    "收费窗口外面有人举牌子“跑腿取号”，保安过来就走开，保安走了又回来。",
)


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def running(sqlite_template, tmp_path_factory):
    with hospital_of(sqlite_template, tmp_path_factory.mktemp("tips")) as one:
        yield one


@pytest.fixture
def hospital(running: Hospital) -> Hospital:
    later(running)
    return running


def public_of(hospital: Hospital) -> str:
    return hospital.public.removesuffix("/api/v1")


def jpeg(**more) -> bytes:
    out = io.BytesIO()
    screenshot((1170, 2100), **more).save(out, "JPEG", quality=92)
    return out.getvalue()


def chosen(*pictures: bytes) -> list[dict]:
    return [{"name": f"{n}.jpg", "mimeType": "image/jpeg", "buffer": one} for n, one in enumerate(pictures)]


def furnish(hospital: Hospital) -> None:
    """Half a year of tips about four doctors."""
    system = hospital.system
    plan = SchedulePlan(
        departments=(
            Department(id="CARD", name_zh="心血管内科", name_en="Cardiology"),
            Department(id="PED", name_zh="儿科", name_en="Paediatrics"),
            Department(id="OBS", name_zh="产科", name_en="Obstetrics"),
        ),
        doctors=tuple(
            Doctor(id=one, department_id=where, name_zh=name, title_zh="主任医师") for one, where, name in DOCTORS
        ),
        sessions=(),
    )
    with system.db.write() as connection:
        import_plan(connection, plan, staff_id=None, source="console", now_us=NOW_US)
    for n in range(44):
        doctor = DOCTORS[(n * n + n // 5) % 5 % 4][0] if n % 6 else None
        back_us = (n * n % 170) * DAY_US + n * HOUR_US // 8
        told = read_told({"what": STORIES[n % 4], "price": "600 元", "wechat": f"huangniu_{n}" if n % 2 else ""})
        with system.db.write() as connection:
            tell_one(
                connection,
                system.vault,
                told,
                about=About(doctor_id=doctor),
                channel="web",
                origin=Origin(address=f"10.1.0.{n}"),
                limits=TipLimits(),
                randomness=system.randomness,
                now_us=NOW_US - back_us,
            )


def test_the_desk_opens_a_tip_on_record_links_it_and_answers(browser, hospital):
    furnish(hospital)
    given = tell(hospital, price="800", wechat="huangniu_777", teller="138****8000", session_id=hospital.session)
    for n in range(2):
        assert send_picture(hospital, given, jpeg(words=f"huangniu: {800 + n} RMB")).status_code == 201
    keep_finding(hospital.system.db, "f-77")
    with reader(browser, console_of(hospital), "tips", size=DESK) as one:
        one.light = False
        one.page.context.add_cookies([cookie(hospital, "security")])
        one.go("/tips")
        one.page.wait_for_selector(".tip-row")
        one.look("inbox")
        assert one.sees("王慧敏")
        assert not one.sees("分诊台")
        one.page.locator(".tip-row", has_text=given["reference"]).click()
        one.page.wait_for_selector(".tip-detail .card")
        one.look("closed")
        assert not one.sees("分诊台")
        one.page.fill(".tip-detail form.filters input[name=reason]", "核对今早的举报")
        one.page.click(".tip-detail form.filters button.go")
        one.page.wait_for_selector(".shot:nth-of-type(2) img")
        one.look("opened")
        assert one.sees(WHAT)
        one.page.check("input[name=state][value=linked]")
        one.page.fill("input[name=link_id]", "f-77")
        one.page.fill(".tip-detail textarea[name=reason]", "与昨夜发现的账号同一微信")
        one.page.locator(".tip-detail button.go").first.click()
        one.page.wait_for_selector(".tip-detail >> text=已关联")
        one.look("linked")
        one.page.fill(".tip-detail form.filters input[name=reason]", "答复举报人")
        one.page.click(".tip-detail form.filters button.go")
        one.page.wait_for_selector("textarea[name=words]")
        one.page.fill("textarea[name=words]", "谢谢，正在核查。")
        one.page.click(".tip-detail button.step")
        one.page.wait_for_selector(".tip-detail form.filters")
        one.page.click("text=English")
        one.page.wait_for_selector("html[lang=en] .tip-row")
        one.look("inbox-en")
    looks = [e["detail"]["data_class"] for e in hospital.events("record_looked_at")]
    assert looks.count("case") >= 4, "two openings, two pictures"
    asked = {"reference": given["reference"], "code": given["code"]}
    seen = hospital.channel().post("/tips/look-up", json=asked).json()
    assert (seen["state"], seen["notes"][0]["words"]) == ("linked", "谢谢，正在核查。")


def test_somebody_without_a_name_tells_keeps_the_code_and_is_answered(browser, hospital):
    with reader(browser, public_of(hospital), "tip") as one:
        one.go("/")
        one.look("home")
        with one.page.expect_navigation():
            one.page.click("footer >> text=举报倒号")
        one.look("form")
        assert one.sees("可以匿名")
        assert one.sees("一个工作日") is False, "what happens next comes after"
        one.page.fill("#tip-what", WHAT)
        one.page.fill("#tip-where", "门诊楼三楼")
        one.page.fill("#tip-about", "李医生")
        one.page.fill("#tip-wechat", "huangniu_777")
        one.page.set_input_files("#tip-pictures", chosen(jpeg(), jpeg()))
        one.look("filled")
        one.press("提交举报")
        one.look("sent")
        assert one.sees("举报已收到")
        number, code = given_on(one.page.content())
        one.press("查询举报")
        one.look("follow")
        one.page.fill("#reference", number.lower())
        one.page.fill("#code", code.lower())
        one.press("查询")
        one.look("followed-new")
        assert one.sees("还没有人看过")
        assert number in one.page.content()
        tip_id = hospital.events("tip_told")[-1]["detail"]["tip_id"]
        security = hospital.staff("security")
        opened = security.post(f"/tips/{tip_id}/looks", json={"reason": "核对"}).json()
        assert (opened["tip"]["doctor_id"], len(opened["picture_ids"])) == ("D1", 2)
        body = {"state": "passed_on", "version": opened["tip"]["version"], "reason": "转交"}
        assert security.post(f"/tips/{tip_id}/steps", json=body).status_code == 200
        words = "谢谢您。我们已转交警务室，请不要自己接触对方。"
        assert security.post(f"/tips/{tip_id}/notes", json={"words": words}).status_code == 200
        one.page.fill("#tip-words", "他今天下午又在二楼出现了。")
        one.press("补充")
        one.look("followed-answered")
        assert one.sees("已补充")
        assert one.sees("已转交警务联络")
        assert one.sees(words)
        assert one.sees("他今天下午又在二楼出现了") is False, "what was told is not shown again"
        one.expected = ("Failed to load resource: the server responded with a status of 404",)
        one.go("/tip/follow")
        one.page.fill("#reference", number)
        one.page.fill("#code", "0000-0000-0000")
        one.press("查询")
        one.look("wrong-code")
        assert one.sees("编号或查询码不对")


def test_it_works_without_scripts_in_english_on_a_desk_and_in_large_print(browser, hospital):
    with reader(browser, public_of(hospital), "tip-en", size=DESK, java_script_enabled=False, locale="en-GB") as one:
        one.expected = ("Failed to load resource: the server responded with a status of 422",)
        one.go(f"/tip?session={hospital.session}")
        one.page.fill("#tip-what", "A man by the lifts sells Dr Li's slots")
        one.page.set_input_files("#tip-pictures", chosen(jpeg(), b"<svg/>"))
        one.press("Send the tip")
        assert one.sees("We have your tip")
        assert one.sees("Picture 2:")
        assert hospital.events("tip_told")[-1]["doctor_id"] == "D1"
    with reader(browser, public_of(hospital), "tip-en", size=DESK, locale="en-GB") as one:
        one.go("/tip")
        one.look("form")
        one.press("Large print")
        one.look("large")
        one.press("I have a code")
        one.look("follow")


def test_a_double_tap_and_the_back_button_tell_once(browser, hospital):
    before = len(hospital.events("tip_told"))
    with reader(browser, public_of(hospital), "tip-twice") as one:
        one.go("/tip")
        one.page.fill("#tip-what", WHAT)
        with one.page.expect_navigation():
            one.page.locator("main button.go").dblclick()
        first = given_on(one.page.content())
        with one.page.expect_navigation():
            one.page.reload()
        assert given_on(one.page.content()) == first
    assert len(hospital.events("tip_told")) == before + 1


def test_the_auditor_sees_where_tips_stand_and_not_what_was_told_on_a_phone(browser, hospital):
    given = tell(hospital, where="三楼分诊台")
    with reader(browser, console_of(hospital), "tips-auditor", size=PHONE) as one:
        one.light = False
        one.page.context.add_cookies([cookie(hospital, "auditor")])
        one.go("/tips")
        one.page.wait_for_selector(".tip-row")
        one.look("inbox")
        one.page.locator(".tip-row", has_text=given["reference"]).click()
        one.page.wait_for_selector(".tip-detail .card")
        one.look("closed")
        assert one.sees("内容不向审计显示")
        assert one.page.locator(".tip-detail form").count() == 0
        assert not one.sees("分诊台")


def test_what_is_told_is_text_and_never_markup_at_the_console_and_on_the_page(browser, hospital):
    given = tell(hospital, **{name: MARKUP[:60] for name in FIELDS if name != "what"}, what=MARKUP)
    asked = {"reference": given["reference"], "code": given["code"]}
    assert hospital.channel().post("/tips/additions", json={**asked, "words": MARKUP}).status_code == 200
    link = tell(hospital, link="javascript:window.hacked=1")
    with reader(browser, console_of(hospital), "tips-xss", size=DESK) as one:
        one.light = False
        one.page.context.add_cookies([cookie(hospital, "security")])
        for tip in (given, link):
            one.go("/tips")
            one.page.wait_for_selector(".tip-row")
            one.page.locator(".tip-row", has_text=tip["reference"]).click()
            one.page.wait_for_selector(".tip-detail form.filters")
            one.page.fill(".tip-detail form.filters input[name=reason]", MARKUP[:100])
            one.page.click(".tip-detail form.filters button.go")
            one.page.wait_for_selector("dl.told")
            assert one.page.evaluate("window.hacked") is None
            assert one.page.locator('img[src="x"], .told a').count() == 0
        one.page.fill("textarea[name=words]", MARKUP)
        one.page.click(".tip-detail button.step")
        one.page.wait_for_selector(".tip-detail form.filters")
    asked = {"reference": link["reference"], "code": link["code"]}
    with reader(browser, public_of(hospital), "tip-xss") as one:
        one.go("/tip/follow")
        one.page.fill("#reference", asked["reference"])
        one.page.fill("#code", asked["code"])
        one.press("查询")
        one.look("note")
        assert one.sees("window.hacked=1")
        assert one.page.evaluate("window.hacked") is None
        assert one.page.locator('img[src="x"]').count() == 0
    hospital.assert_sound()


def test_when_too_many_come_it_is_said_before_anybody_writes_and_with_whom_to_call(browser, hospital):
    for _ in range(30):
        tell(hospital)
    with reader(browser, public_of(hospital), "tip-full") as one:
        one.expected = ("Failed to load resource: the server responded with a status of 429",)
        one.go("/tip")
        one.look("full")
        assert one.sees("这里刚刚提交了多条举报")
        assert one.sees("110")
        assert one.page.locator("textarea").count() == 0
