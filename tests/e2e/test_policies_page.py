"""The page of policies in a real browser: what rules where, and a change tried, asked for, agreed to and undone."""

import shutil
from typing import Any

import pytest

import hospital as rows
from e2e.looking import CHROMIUM, DESK, PHONE, REQUIRED, chromium, reader
from e2e.staff_browser import console_of, cookie
from shouhao.booking.limits import LimitsPolicy
from shouhao.booking.release.antenatal import AntenatalPolicy, antenatal_body
from shouhao.booking.release.policy import _LIMITS, ReleasePolicy, release_body
from shouhao.booking.tables import departments, doctors
from shouhao.kernel.clock import SECOND_US
from shouhao.patients.policy import _LIMITS as BINDING_LIMITS
from shouhao.patients.policy import BindingPolicy
from web.policed import ask, changed, decide
from web.served import NOW_US, Hospital, served

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

ATTACK = '<img src=x onerror="window.hacked=1">'
OBS = "/policies?scope=department%3AOBS"
HOUSE = (
    ("OBS", "产科", "Obstetrics", (("O1", "林华", "Lin Hua", "主任医师"), ("O2", "陈敏", "Chen Min", "副主任医师"))),
    ("PED", "儿科", "Paediatrics", (("P1", "赵阳", "Zhao Yang", "主任医师"),)),
    ("NEU", "神经内科", "Neurology", (("N1", "孙立", "Sun Li", "主任医师"),)),
)


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def hospital(sqlite_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("policies")
    shutil.copy(sqlite_template, folder / "shouhao.sqlite3")
    with served(f"sqlite:///{folder / 'shouhao.sqlite3'}", folder) as running:
        furnish(running)
        yield running


def furnish(hospital: Hospital) -> None:
    """Departments, a few days of demand that the fast have won, and a policy or two."""
    db = hospital.system.db
    for department, zh, en, people in HOUSE:
        rows.put(db, departments, {"id": department, "name_zh": zh, "name_en": en})
        rows.put(
            db,
            doctors,
            *(
                {
                    "id": doctor,
                    "department_id": department,
                    "name_zh": name,
                    "name_en": name_en,
                    "title_zh": title,
                    "extra_daily_cap": 2,
                }
                for doctor, name, name_en, title in people
            ),
        )
    opened = rows.NOW_US
    wanted = (("OBS", "O1", 4, 22), ("OBS", "O2", 6, 14), ("OBS", "O1", 3, 5), ("PED", "P1", 8, 26))
    for n, (department, doctor, seats, asked) in enumerate(wanted):
        half = ("am", "pm", "evening", "am")[n]
        session = rows.add_session(
            db, f"S{n}", seats=seats, department_id=department, doctor_id=doctor, half=half, release_at_us=opened
        )
        for k, person in enumerate(rows.add_people(db, asked)):
            rows.book_now(db, rows.ask(person, session), now_us=opened + (k * k + 1) * SECOND_US // 8)
    hospital.clock.advance(seconds=(opened - NOW_US) / SECOND_US + 3600)
    changed(hospital, "/release-policies/everywhere", {"body": {"kind": "first_come"}, "reason": "开院时的做法"})
    mixed = {"kind": "mixed", "mixed": {"parts": {"draw": "60%", "window": 4, "phone": 2}}}
    changed(hospital, "/release-policies/kind:expert", {"body": mixed, "reason": "专家号给窗口和电话留一部分"})
    changed(hospital, "/policies/booking_limits", {"body": {"live_per_day": 2}, "reason": "黄牛多占号"})


def test_the_page_knows_every_rule_as_the_server_takes_it(browser, hospital):
    """What the forms are made from says the same names, defaults and ranges as the policies themselves."""
    with reader(browser, console_of(hospital), "policies-rules") as one:
        one.go("/sign-in")
        one.page.wait_for_selector("[name=login]")
        told = one.page.evaluate(
            """async () => {
              const at = document.querySelector("script[type=module]").src.replace("shell.js", "policies/rules.js");
              const { POLICIES, rulesOf } = await import(at);
              return Object.fromEntries(Object.entries(POLICIES).map(([name, policy]) => [name,
                rulesOf(policy).map(({ name, input, least, most, start }) => ({ name, input, least, most, start }))]));
            }"""
        )
    wanted = {
        "release": flat(release_body(ReleasePolicy()), {"mixed.parts"}),
        "booking_limits": flat({name: getattr(LimitsPolicy(), name) for name in LimitsPolicy.__slots__}),
        "binding": flat({name: getattr(BindingPolicy(), name) for name in BindingPolicy.__slots__}),
        "antenatal": flat(antenatal_body(AntenatalPolicy()), {"tiers", "lending", "places.months"}),
    }
    for policy, rules in told.items():
        got = {one["name"]: one["start"] for one in rules if not one["name"].startswith("mixed.parts.")}
        assert got == {name: value for name, value in wanted[policy].items() if name != "mixed.parts"}, policy
    ranges = {one["name"]: (one["least"], one["most"]) for rules in told.values() for one in rules}
    for name, (least, most) in {**_LIMITS, **BINDING_LIMITS}.items():
        assert ranges[name] == (least, most), name


def flat(body: dict[str, Any], whole: frozenset[str] | set[str] = frozenset(), within: str = "") -> dict[str, Any]:
    found = {}
    for name, value in body.items():
        if isinstance(value, dict) and f"{within}{name}" not in whole:
            found.update(flat(value, whole, f"{within}{name}."))
        else:
            found[f"{within}{name}"] = value
    return found


def test_a_draw_is_set_up_tried_asked_for_agreed_to_and_rolled_back(browser, hospital):
    office = cookie(hospital, "outpatient_office", name="周门办")
    somebody_asks(browser, hospital, office)
    another_agrees(browser, hospital)
    and_it_is_undone(browser, hospital, office)


def somebody_asks(browser, hospital, office):
    """From the tree over the form and its preview to a request."""
    with reader(browser, console_of(hospital), "policies", size=DESK) as one:
        one.page.context.add_cookies([office])
        one.go("/policies")
        one.page.wait_for_selector(".rules-now")
        one.look("hospital")
        assert one.sees("先到先得。")
        assert one.sees("开院时的做法")
        one.page.click(".scope >> text=产科")
        one.page.wait_for_selector("h2.scope-title >> text=产科")
        assert one.sees("专家号按号别，其余按全院")
        one.page.click("text=为此范围单独设置")
        one.page.wait_for_selector("[data-rule=kind]")
        assert one.page.is_hidden("[data-rule='draw.wishes_max']")
        one.page.check("[data-rule=kind] input[value=draw]")
        one.page.fill("[data-rule='draw.entry_window_s'] input", "30")
        one.page.select_option("[data-rule='draw.entry_window_s'] select", "60")
        one.page.fill("[data-rule='draw.wishes_max'] input", "0")
        one.look("form")
        one.page.click("text=预览：差异与试算")
        one.page.wait_for_selector("[data-rule='draw.wishes_max'] .fault:has-text('1 至 20')")
        one.page.fill("[data-rule='draw.wishes_max'] input", "2")
        one.page.click("text=预览：差异与试算")
        one.page.wait_for_selector(".twins")
        one.look("preview")
        assert one.sees("放号前 30 分钟开始报名")
        assert one.sees("试算不能说明的")
        one.page.fill("textarea[name=reason]", f"产科专家号改为抽签{ATTACK}")
        one.page.click("text=提交审批")
        one.page.wait_for_selector(".waits")
        one.page.click(".waits summary")
        one.look("asked")
        assert one.sees("周门办")
        assert one.sees("专家号按号别") or one.sees("按“全院”第 1 版")
        assert one.page.locator(".rules-now >> text=先到先得").count() == 1, "nothing changed yet"
        assert one.page.evaluate("window.hacked") is None


def another_agrees(browser, hospital):
    """An approver sees the difference in words and says yes."""
    with reader(browser, console_of(hospital), "policies-approver", size=DESK) as one:
        one.page.context.add_cookies([cookie(hospital, "approver", name="钱主任")])
        one.go(OBS)
        one.page.wait_for_selector(".waits")
        assert one.page.locator(".rules-now button").count() == 0, "only the outpatient office sees forms"
        one.page.click("text=在审批页查看")
        one.page.wait_for_selector(".comparison")
        one.look("approval")
        assert one.sees("更改策略：产科")
        assert one.page.evaluate("window.hacked") is None
        one.page.fill("article.card textarea", "同意，报名时间足够")
        one.page.click("button[value=yes]")
        one.page.wait_for_selector(".tag.good >> text=已执行")


def and_it_is_undone(browser, hospital, office):
    """Who and why stand in the history, and an old version comes back with one press, or is thought better of."""
    with reader(browser, console_of(hospital), "policies-after", size=DESK) as one:
        one.page.context.add_cookies([office])
        one.go(OBS)
        one.page.wait_for_selector(".rules-now .tag.good")
        assert one.sees("周门办 申请，钱主任 批准")
        changed(hospital, "/release-policies/department:OBS", {"body": {"kind": "first_come"}, "reason": "试行结束"})
        one.go(OBS)
        one.page.wait_for_selector("text=恢复此版")
        one.page.click(".past summary >> nth=1")
        one.look("history")
        one.page.click("text=恢复此版")
        one.page.wait_for_selector(".preview .comparison")
        assert one.sees("恢复第 1 版")
        one.page.wait_for_selector(".twins")
        one.page.fill("textarea[name=reason]", "抽签更公平")
        one.page.click("text=提交审批")
        one.page.wait_for_selector(".waits")
        one.page.fill(".waits input[name=reason]", "再想想")
        one.page.click("text=撤回申请")
        one.page.wait_for_selector(".waits", state="detached")
        one.page.click("text=停用，按更宽的范围")
        one.page.wait_for_selector(".preview >> text=停用后按")
        one.look("retire")


def test_a_moment_in_the_past_is_told_at_its_field_and_a_change_that_came_to_nothing_says_why(browser, hospital):
    path = "/release-policies/department:PED"
    stale = ask(hospital, path, {"body": {"kind": "draw"}, "reason": "先写的"})
    changed(hospital, path, {"body": {"kind": "first_come"}, "reason": "后写的"})
    assert decide(hospital.staff("approver"), stale).json()["stopped"]["code"] == "policy.changed_meanwhile"
    with reader(browser, console_of(hospital), "policies-faults", size=PHONE) as one:
        one.expected = ("Failed to load resource: the server responded with a status of 422",)
        one.page.context.add_cookies([cookie(hospital, "outpatient_office")])
        one.go("/policies?scope=department%3APED")
        one.page.wait_for_selector("text=没有成为版本的申请")
        one.page.click("text=没有成为版本的申请")
        assert one.sees("提出申请后已有新版本")
        one.look("came-to-nothing")
        one.page.click("button >> text=修改")
        one.page.check("[data-rule=kind] input[value=mixed]")
        one.page.fill("[data-rule='mixed.parts.draw'] input", "80")
        one.page.select_option("[data-rule='mixed.parts.draw'] select", "percent")
        one.page.fill("[data-rule='mixed.parts.window'] input", "30")
        one.page.select_option("[data-rule='mixed.parts.window'] select", "percent")
        one.look("form")
        one.page.click("text=预览：差异与试算")
        one.page.wait_for_selector(".rule .fault:has-text('100%')")
        one.page.fill("[data-rule='mixed.parts.window'] input", "4")
        one.page.select_option("[data-rule='mixed.parts.window'] select", "count")
        one.page.click("text=预览：差异与试算")
        one.page.wait_for_selector(".preview .twins")
        one.page.check("input[value=later]")
        one.page.fill("[name=moment]", "2026-01-01T08:00")
        one.page.fill("textarea[name=reason]", "窗口留四个号")
        one.page.click("text=提交审批")
        one.page.wait_for_selector(".asking .fault:has-text('不能早于现在')")
        one.look("preview")


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_policy_reads_well_in_both_languages(browser, hospital, size, language):
    month = "2026-09"
    with reader(browser, console_of(hospital), f"policies-{language}", size=size) as one:
        one.page.context.add_cookies([cookie(hospital, "outpatient_office")])
        one.page.add_init_script(f"localStorage.setItem('language', '{language}')")
        one.go("/policies?scope=kind%3Aexpert")
        one.page.wait_for_selector(".rules-now")
        one.look("kind")
        assert one.sees("抽签 60%，窗口 4 个号" if language == "zh" else "draw 60%, window 4 slots")
        for what in ("booking_limits", "binding", "antenatal"):
            one.go(f"/policies?what={what}")
            one.page.wait_for_selector(".rules-now button")
            one.page.click(".rules-now button")
            one.page.wait_for_selector(".policy-form")
            if what == "booking_limits":
                one.page.fill("[data-rule=live_per_week] input", "4")
            elif what == "binding":
                one.page.fill("[data-rule=hot_binding_age_s] input", "5")
            else:
                one.page.fill("[data-rule='places.default'] input", "250")
                one.page.fill("[data-rule='places.yearly'] input", "3100")
                one.page.click("[data-rule='places.months'] button")
                one.page.fill("[data-rule='places.months'] input[type=month]", month)
                one.page.fill("[data-rule='places.months'] input[type=number]", "300")
                one.page.click("[data-rule=lending] button")
                one.page.check("[data-rule=lending] input[type=checkbox] >> nth=2")
            one.look(f"{what}-form")
            one.page.click(".policy-work .step.first")
            one.page.wait_for_selector(".preview .comparison")
            if what == "antenatal":
                one.page.wait_for_selector(".preview .bars")
            one.look(f"{what}-preview")


def test_who_may_not_read_is_told_so_and_readers_see_no_forms(browser, hospital):
    for role in ("it", "auditor"):
        with reader(browser, console_of(hospital), "policies-readers", size=DESK) as one:
            one.page.context.add_cookies([cookie(hospital, role, name=ATTACK[:40])])
            one.go("/policies?scope=kind%3Aexpert")
            one.page.wait_for_selector(".rules-now")
            assert one.page.locator(".rules-now button, .policy-form").count() == 0
            assert one.page.evaluate("window.hacked") is None
    with reader(browser, console_of(hospital), "policies-stranger", size=DESK) as one:
        one.expected = ("Failed to load resource: the server responded with a status of 403",)
        one.page.context.add_cookies([cookie(hospital, "window")])
        one.go("/policies")
        one.page.wait_for_selector("[role=alert]")
        assert one.sees("此操作需要角色")
