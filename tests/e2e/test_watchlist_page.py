"""The watchlist's page in a real browser: calibration, what ends, outcomes, and what a bundle changes row by row."""

import json
import re
import shutil

import pytest
from sqlalchemy import insert, update

from e2e.looking import CHROMIUM, DESK, PHONE, REQUIRED, chromium, reader
from e2e.staff_browser import console_of, cookie
from faces.enrolling import photo
from faces.made_calibration import a_report
from shouhao.flows.watchlist_listing import list_due
from shouhao.kernel.clock import DAY_US
from shouhao.watch.store import watchlist_tables as tables
from shouhao.watch.store.alarm_tables import alarms
from watch.made_bundle import bundle, given
from web.served import NOW_US, Hospital, served
from web.watch_kept import WHY, agree, alarm_row, asked, begin, came, listed, proposal, registered

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

MARKUP = '<img src=x onerror="window.hacked=1">'
#: Days from now on which own entries end; the sixth is overdue for its review.
ENDS = (3, 3, 9, 16, 17, 24)
BECAME = {"removed": 21, "warned": 14, "genuine_visit": 6, "lost": 5, "mistaken_identity": 4}
FACES = [photo((red, 1, 1), size=160) for red in (40, 70, 100, 130)]


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def kept(sqlite_template, tmp_path_factory):
    """A hospital that has kept its lists for a while; its second bundle waits to be decided."""
    folder = tmp_path_factory.mktemp("watchlist")
    shutil.copy(sqlite_template, folder / "shouhao.sqlite3")
    with served(f"sqlite:///{folder / 'shouhao.sqlite3'}", folder) as hospital:
        begin(hospital)
        yield hospital, furnish(hospital)


def furnish(hospital: Hospital) -> str:
    security, db = hospital.staff("security"), hospital.system.db
    police = {"list_id": "police", "name": "公安通报人员", "ground": "协助公安机关", "false_alarms_a_day": 1}
    assert security.post("/watchlist/lists", json=police).status_code == 201
    for n, days in enumerate(ENDS):
        entry_id = listed(hospital, photo((160 + 12 * n, 1, 1)), person={"name": f"张某{n}"}, days=days)
        if n == len(ENDS) - 1:
            with db.write() as connection:
                mine = update(tables.entries).where(tables.entries.c.id == entry_id)
                connection.execute(mine.values(review_at_us=NOW_US - 2 * DAY_US))
    registered(hospital)
    everybody = [
        given("GA-101", FACES[0]),
        given("GA-102", FACES[1]),
        given("GA-103", FACES[2], name=MARKUP[:30]),
        given("GA-104", FACES[3]),
    ]
    first = came(hospital, bundle(everybody, *FACES))
    accepted = hospital.staff("police_liaison").post(f"/watchlist/bundles/{first}/import", json=WHY).json()
    agree(hospital, accepted["approval_id"], "approver", "security")
    security.post(f"/watchlist/requests/{accepted['approval_id']}/apply")
    list_due(hospital.system.watchlist, now_us=NOW_US)
    calibrate(hospital)
    counts = [("own", BECAME | {"rejected": 9, "open": 2}), ("police", {"removed": 3, "lost": 2, "rejected": 1})]
    with db.write() as connection:
        n = 0
        for list_id, became in counts:
            for what, count in became.items():
                for _ in range(count):
                    more = (
                        {"outcome": what}
                        if what in BECAME
                        else {"rejected_at_us": NOW_US}
                        if what == "rejected"
                        else {}
                    )
                    connection.execute(insert(alarms).values(**alarm_row(n, {"list_id": list_id, **more})))
                    n += 1
    changed = given("GA-102", FACES[1], ground=f"再次倒卖专家号，行政拘留十日 {MARKUP}", ground_code="resale")
    fresh, broken = photo((145, 1, 1), size=160), b"\xff\xd8\xff"
    people = [everybody[0], changed, everybody[2], given("GA-201", fresh, name="赵某某"), given("GA-202", broken)]
    second = came(hospital, bundle(people, FACES[0], FACES[1], FACES[2], fresh, broken, number=2))
    said = security.post("/watchlist/entries", json=proposal(photo((235, 1, 1)), person={"name": "待批某"}))
    assert said.status_code == 201, said.text
    return second


def calibrate(hospital: Hospital) -> None:
    """Hand in what `shouhao faces calibrate` reports of people who do not exist."""
    report, _ = a_report(400)
    report["pack"]["id"] = "colour@1"
    said = asked(hospital.staff("it"), "POST", "/watchlist/calibrations", json.dumps(report).encode())
    assert said.status_code == 201, said.text


def opened(one, hospital, *roles, english=False):
    one.page.context.add_cookies([cookie(hospital, *roles)])
    if english:
        one.page.add_init_script("localStorage.setItem('language', 'en')")
    one.go("/watchlist")
    one.page.wait_for_selector(".ending-list")


@pytest.mark.parametrize(("size", "english"), [(DESK, False), (PHONE, False), (DESK, True), (PHONE, True)])
def test_the_page_can_be_read_and_each_list_shows_its_calibration(browser, kept, size, english):
    hospital, _ = kept
    with reader(browser, console_of(hospital), f"watchlist{'-en' if english else ''}", size=size) as one:
        opened(one, hospital, "security", "police_liaison", english=english)
        one.look("whole")
        one.page.locator("table button").filter(has_text="Threshold" if english else "阈值与校准").first.click()
        one.page.wait_for_selector(".watch-curves .plot")
        assert one.page.locator(".watch-curves figure").count() == 2
        assert one.page.locator(".watch-curves .dashed").count() >= 1
        one.look("calibration")
        for words in (
            ("外推", "预算 每天 10 次", "当前") if not english else ("extrapolated", "budget: 10 a day", "in force")
        ):
            assert one.sees(words), words


def test_what_is_marked_on_the_plots_is_what_the_server_holds(browser, kept):
    hospital, _ = kept
    stands = hospital.staff("it").get("/watchlist/lists/own/thresholds").json()["packs"][0]
    with reader(browser, console_of(hospital), "marks", size=DESK) as one:
        opened(one, hospital, "auditor")
        one.page.click("table button >> text=阈值与校准")
        row = one.page.locator(".pack table tr", has_text="当前").inner_text()
        assert f"{stands['set']['similarity_cos']:.4f}" in row
        alarms_a_day = float(re.sub(r".*%\s|.*未实测\s", "", row, flags=re.DOTALL).split()[0])
        assert 0 < alarms_a_day <= 10
        assert one.page.locator("text=申请更改条款").count() == 0  # an auditor asks for nothing


def test_what_ends_is_told_by_list_and_opens_its_entry(browser, kept):
    hospital, _ = kept
    with reader(browser, console_of(hospital), "endings", size=DESK) as one:
        opened(one, hospital, "security")
        rows = one.page.locator(".ending-list tbody tr")
        assert rows.count() == len(ENDS)
        assert "已过期限" in rows.first.inner_text()
        one.page.select_option(".ending-list [name=what]", "ends")
        assert rows.count() == len(ENDS) - 1
        one.page.select_option(".ending-list [name=list_id]", "police")
        assert rows.count() == 0
        assert one.sees("30 天内没有到期或须复核的条目")
        one.page.select_option(".ending-list [name=list_id]", "own")
        rows.first.get_by_role("button").click()
        one.page.wait_for_selector(".detail .entry")
        assert one.sees("张＊＊")
        assert not one.sees("张某0")
        one.page.fill(".entry [name=reason] >> nth=0", "核实")
        one.page.click(".entry button.go")
        one.page.wait_for_selector(".entry .face img")
        one.look("entry")
        assert one.sees("张某")


def test_outcomes_are_counted_by_list_with_the_share_that_was_wrong(browser, kept):
    hospital, _ = kept
    with reader(browser, console_of(hospital), "outcomes", size=DESK) as one:
        opened(one, hospital, "auditor")
        assert one.sees("全部名单：67 次报警")
        assert one.sees("本院号贩子：61 次报警")
        assert one.sees("有结果的 59 次中，误报（驳回或认错人）13 次，占 22 %")


def test_approvals_that_wait_are_on_the_page_and_lead_to_where_they_are_decided(browser, kept):
    hospital, _ = kept
    with reader(browser, console_of(hospital), "waiting", size=DESK) as one:
        opened(one, hospital, "approver")
        link = one.page.locator(".waiting-approvals a", has_text="去审批").first
        assert re.fullmatch(r"/approvals#ap_\w+", link.get_attribute("href"))
        link.click()
        one.page.wait_for_selector("article.card")
        assert one.sees("列入名单")


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_a_bundle_is_read_row_by_row_and_names_only_for_a_reason(browser, kept, size):
    hospital, bundle_id = kept
    before = len(hospital.events("record_looked_at"))
    with reader(browser, console_of(hospital), "bundle", size=size) as one:
        one.page.context.add_cookies([cookie(hospital, "approver")])
        one.go(f"/watchlist#{bundle_id}")
        one.page.wait_for_selector(".bundle-rows tbody tr")
        assert one.page.locator(".row-kinds button[aria-pressed=true]").inner_text().startswith("新增")
        assert one.sees("赵＊＊")
        one.look("new")
        one.page.click(".row-kinds button >> text=变更")
        one.page.wait_for_selector(".row-changes")
        assert not one.sees("行政拘留十日")
        assert one.sees("依据类别：公安机关通报 → 倒卖号源")
        assert len(hospital.events("record_looked_at")) == before
        one.page.fill(".bundle-rows [name=reason]", "审批前核对")
        one.page.click(".bundle-rows button.go")
        one.page.wait_for_selector(".row-changes ins >> text=行政拘留十日")
        one.page.click(".bundle-rows button >> text=看照片")
        one.page.wait_for_selector(".bundle-rows .face img")
        one.look("changed")
        assert len(hospital.events("record_looked_at")) == before + 2
        for kind, words in (("移除", "接受后终止"), ("不能接收", "entries[4].photos"), ("不变", "一致")):
            one.page.click(f".row-kinds button >> text={kind}")
            one.page.wait_for_selector(f".bundle-rows >> text={words}")
        one.look("same")
        assert one.page.evaluate("window.hacked") is None
        assert one.page.locator('img[src="x"]').count() == 0


def test_a_list_without_anything_measured_and_a_page_without_lists_say_so(browser, sqlite_url, tmp_path):
    with served(sqlite_url, tmp_path) as hospital, reader(browser, console_of(hospital), "empty", size=PHONE) as one:
        opened(one, hospital, "security")
        for words in ("还没有名单", "近 90 天没有报警", "30 天内没有到期"):
            assert one.sees(words), words
        one.look("empty")
