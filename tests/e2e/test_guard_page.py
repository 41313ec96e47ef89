"""The guard's page in a real browser: a task from accept to outcome, a dead spot, a reload in it, other hands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.looking import CHROMIUM, DESK, PHONE, REQUIRED, Reader, chromium, reader
from shouhao.flows.respond import check_in
from shouhao.kernel.clock import SECOND_US, SystemClock
from shouhao.staff.store import find_operator, list_operators
from shouhao.staff.training import record_training
from shouhao.watch.plan import read_svg
from shouhao.watch.store.alarms import steps_of
from shouhao.watch.store.plans import put_plan
from web.alarmed import do, furnish, raised
from web.browser import PASSWORD, signed_in
from web.served import Hospital, served

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)


PLAN = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 600" width="1000" height="600">
<rect x="20" y="20" width="960" height="560" fill="#fbfcfc" stroke="#8fa3aa" stroke-width="4"/>
<path d="M20 300H400M560 300H980M400 20V220M700 580V380" fill="none" stroke="#8fa3aa" stroke-width="4"/></svg>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def hospital(sqlite_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(sqlite_url, tmp_path) as running:
        now_us = SystemClock().now_us()
        running.clock.advance(seconds=(now_us - running.clock.now_us()) / SECOND_US)  # the phone's clock is real
        furnish(running)
        with running.system.db.write() as connection:
            plan = read_svg(PLAN, building="门诊楼", floor="1F")
            put_plan(connection, plan, staff_id=None, now_us=running.clock.now_us())
        yield running


def guard_of(hospital: Hospital, login: str) -> tuple[str, str]:
    """A trained guard with login and code, posted at the lift; id and the code's secret."""
    _, secret = signed_in(hospital, login, "guard")
    now_us = hospital.clock.now_us()
    with hospital.system.db.write() as connection:
        (found,) = [one for one in list_operators(connection) if one.name == login]
        until_us = now_us + 86_400 * SECOND_US
        record_training(connection, found.id, trained_by="x", document="T-1", until_us=until_us, now_us=now_us)
        operator = find_operator(connection, found.id)
        assert operator is not None
        check_in(connection, place_id="lift", operator=operator, now_us=now_us)
    return found.id, secret


def enter(one: Reader, hospital: Hospital, login: str, secret: str) -> None:
    """Sign in on the page, as a person does; a code is good once, so half a minute passes."""
    import pyotp  # noqa: PLC0415 - beside its use

    hospital.clock.advance(seconds=30)
    one.go("/guard/")
    one.page.get_by_label("登录名").fill(login)
    one.page.get_by_label("密码").fill(PASSWORD)
    one.page.get_by_label("动态口令").fill(pyotp.TOTP(secret).at(hospital.clock.now_us() // SECOND_US))
    one.page.get_by_role("button", name="登录", exact=True).click()
    one.page.get_by_text("我的岗位").wait_for()


def send(hospital: Hospital, guard_id: str, number: int = 1) -> str:
    alarm_id, monitoring = raised(hospital, number, entry_id=f"we_{number}"), hospital.staff("monitoring")
    do(monitoring, alarm_id, "acknowledged", 1)
    do(monitoring, alarm_id, "confirmed", 2)
    do(monitoring, alarm_id, "dispatched", 3, guard_id=guard_id)
    return alarm_id


def steps(hospital: Hospital, alarm_id: str) -> list[str]:
    with hospital.system.db.read() as connection:
        return [one.step for one in steps_of(connection, alarm_id)]


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_a_task_from_accept_to_outcome(browser: Any, hospital: Hospital, size: tuple[int, int]) -> None:
    guard_id, secret = guard_of(hospital, "lihua")
    base = hospital.console.removesuffix("/api/v1/staff")
    refused = "Failed to load resource: the server responded with a status of 401"
    with reader(browser, base, "guard", size=size) as one:
        one.expected = (refused, "Failed to load resource: the server responded with a status of 404")
        one.go("/guard/")
        one.look("sign-in")
        enter(one, hospital, "lihua", secret)
        one.look("no-task")
        assert one.sees("现在没有任务")
        alarm_id = send(hospital, guard_id)
        one.page.get_by_role("button", name="接受任务").wait_for()
        assert one.sees("门诊楼 1F 门诊楼入口")
        assert one.sees("系统只提示相似，不能认定身份")
        assert one.page.locator(".floor polyline.way").count() == 1
        assert one.page.locator(".floor image").count() == 1
        one.look("task")
        one.page.get_by_role("button", name="查看照片").click()
        one.page.get_by_role("img", name="刚才抓拍").wait_for()
        one.look("pictures")
        one.page.get_by_role("button", name="接受任务").click()
        one.page.get_by_role("button", name="我已到场").click()
        one.page.get_by_role("button", name="填写结果").click()
        one.look("outcomes")
        one.page.get_by_role("button", name="正常就诊，已陪同").click()
        one.page.get_by_label("说明").fill("<img src=x onerror=alert(1)> 带孩子看病")
        one.look("note")
        one.page.get_by_role("button", name="确认").click()
        one.page.get_by_text("现在没有任务").wait_for()
        one.page.get_by_text("已完成").wait_for()
        one.look("done")
        one.page.get_by_role("button", name="English").click()
        assert one.sees("No task now")
        assert one.page.evaluate("document.documentElement.lang") == "en"
        one.look("english")
    assert steps(hospital, alarm_id)[-3:] == ["accepted", "arrived", "outcome"]
    hospital.assert_sound()


def test_in_a_dead_spot_steps_wait_survive_a_reload_and_are_sent_once(browser: Any, hospital: Hospital) -> None:
    guard_id, secret = guard_of(hospital, "lihua")
    base = hospital.console.removesuffix("/api/v1/staff")
    with reader(browser, base, "guard-offline") as one:
        one.expected = ("Failed to load resource", "Service worker", "Failed to fetch")
        enter(one, hospital, "lihua", secret)
        one.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        alarm_id = send(hospital, guard_id)
        accept = one.page.get_by_role("button", name="接受任务")
        accept.wait_for()
        one.page.context.set_offline(True)
        accept.click()
        arrived = one.page.get_by_role("button", name="我已到场")
        arrived.wait_for()
        assert one.sees("1 项待发送")
        one.look("waiting")
        one.page.reload()
        arrived.wait_for()
        arrived.click()
        one.page.get_by_text("2 项待发送").wait_for()
        assert one.sees("门诊楼 1F 门诊楼入口"), "what was seen last is still there"
        one.look("waiting-after-reload")
        assert steps(hospital, alarm_id)[-1] == "dispatched"
        hospital.clock.advance(seconds=60)
        one.page.context.set_offline(False)
        one.page.get_by_text("在线").wait_for()
        one.page.get_by_role("button", name="填写结果").wait_for()
    assert steps(hospital, alarm_id)[-2:] == ["accepted", "arrived"]
    with hospital.system.db.read() as connection:
        accepted = steps_of(connection, alarm_id)[-2]
    assert accepted.believed
    assert accepted.said_at_us is not None


def test_a_task_that_was_taken_back_says_so_and_shows_no_face(browser: Any, hospital: Hospital) -> None:
    guard_id, secret = guard_of(hospital, "lihua")
    base = hospital.console.removesuffix("/api/v1/staff")
    with reader(browser, base, "guard-recalled") as one:
        one.expected = ("Failed to load resource",)
        enter(one, hospital, "lihua", secret)
        alarm_id = send(hospital, guard_id)
        one.page.get_by_role("button", name="查看照片").click()
        one.page.get_by_role("img", name="刚才抓拍").wait_for()
        one.page.context.set_offline(True)
        one.page.get_by_role("button", name="接受任务").click()
        do(hospital.staff("monitoring"), alarm_id, "rejected", 4, reason="另一个人")
        one.page.context.set_offline(False)
        one.page.get_by_text("未被接受").wait_for()
        one.page.get_by_text("已收回", exact=True).wait_for()
        assert one.page.get_by_role("img", name="刚才抓拍").count() == 0
        one.look("taken-back")
        one.page.get_by_role("button", name="知道了").click()
        one.page.get_by_text("未被接受").wait_for(state="detached")
    assert steps(hospital, alarm_id)[-1] == "rejected"


def test_what_waits_is_sent_in_nobody_elses_name(browser: Any, hospital: Hospital) -> None:
    first, secret = guard_of(hospital, "lihua")
    _, other_secret = guard_of(hospital, "wangwu")
    base = hospital.console.removesuffix("/api/v1/staff")
    with reader(browser, base, "guard-hands") as one:
        one.expected = ("Failed to load resource",)
        enter(one, hospital, "lihua", secret)
        alarm_id = send(hospital, first)
        accept = one.page.get_by_role("button", name="接受任务")
        accept.wait_for()
        one.page.context.set_offline(True)
        accept.click()
        one.page.get_by_text("1 项待发送").wait_for()
        one.page.context.clear_cookies()  # the session is over
        one.page.context.set_offline(False)
        one.page.get_by_text("请重新登录").wait_for()
        enter(one, hospital, "wangwu", other_secret)
        one.page.get_by_text("还有其他人的 1 项未发送").wait_for()
        assert steps(hospital, alarm_id)[-1] == "dispatched"
        one.page.get_by_role("button", name="退出登录").click()
        one.page.get_by_label("登录名").wait_for()
        enter(one, hospital, "lihua", secret)
        one.page.get_by_role("button", name="我已到场").wait_for()
        one.page.get_by_text("项待发送").wait_for(state="detached")
    assert steps(hospital, alarm_id)[-1] == "accepted"


def test_the_phone_keeps_no_face_no_key_and_no_answer(browser: Any, hospital: Hospital) -> None:
    guard_id, secret = guard_of(hospital, "lihua")
    base = hospital.console.removesuffix("/api/v1/staff")
    with reader(browser, base, "guard-kept") as one:
        one.expected = ("Failed to load resource",)
        enter(one, hospital, "lihua", secret)
        one.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        send(hospital, guard_id)
        one.page.get_by_role("button", name="查看照片").click()
        one.page.get_by_role("img", name="刚才抓拍").wait_for()
        kept = one.page.evaluate(
            """async () => {
              const urls = [];
              for (const name of await caches.keys()) {
                for (const request of await (await caches.open(name)).keys()) urls.push(request.url);
              }
              return { urls, local: JSON.stringify(localStorage), cookie: document.cookie };
            }"""
        )
        assert kept["urls"] != []
        assert all(re.fullmatch(rf"{base}/guard/[a-z.]*", url) for url in kept["urls"]), kept["urls"]
        assert kept["cookie"] == ""
        assert kept["local"] in {"{}", '{"guard-language":"zh"}'}
        answer = one.page.request.get(base + "/guard/")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
