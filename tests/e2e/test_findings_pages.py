"""The console's findings in a real browser: a real night, listed, explained, walked, looked into, and judged."""

import contextlib
import re
import shutil

import pytest

from e2e.cut_line import CutLine
from e2e.looking import CHROMIUM, DESK, PHONE, REQUIRED, chromium, reader
from e2e.staff_browser import console_of, cookie
from flows import made_findings as made
from flows.nights import make_night
from shouhao.flows.findings import take_in
from web.served import Hospital, served

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

ATTACK = '<img src=x onerror="window.hacked=1">'
HIDDEN = "/\u202egnp.exe\x1b[31m"
REFUSED = ("Failed to load resource: the server responded with a status of 40",)


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def hospital(sqlite_template, tmp_path_factory):
    """A hospital that has taken in one night."""
    folder = tmp_path_factory.mktemp("night")
    shutil.copy(sqlite_template, folder / "shouhao.sqlite3")
    with served(f"sqlite:///{folder / 'shouhao.sqlite3'}", folder) as running:
        take(running, make_night(folder / "found"), name="三月九日夜")
        yield running


@pytest.fixture(scope="module")
def guards(hospital) -> dict:
    """Who looks: a cookie by role."""
    return {role: cookie(hospital, role) for role in ("security", "auditor", "guard")}


@pytest.fixture
def security(browser, hospital, guards):
    """Somebody of the security office at a desk."""
    with reader(browser, console_of(hospital), "findings", size=DESK) as one:
        one.page.context.add_cookies([guards["security"]])
        yield one


def take(hospital: Hospital, folder, *, name: str | None = None) -> str:
    system = hospital.system
    with system.db.write() as connection:
        return take_in(connection, system.vault, folder, name=name, now_us=hospital.clock.now_us()).run_id


def listed(one, query: str = "") -> list[str]:
    """The findings that the list shows, by their ids."""
    one.go(f"/findings{query}")
    one.page.wait_for_selector(".finding-row")
    return one.page.locator(".finding-row").evaluate_all("rows => rows.map(row => row.dataset.id)")


def open_ring(one) -> str:
    """The page of the heaviest ring."""
    found = listed(one, "?kind=ring")[0]
    one.go(f"/finding/{found}")
    one.page.wait_for_selector(".ring-graph")
    return found


def number_in(text: str) -> float:
    return float(text.replace("−", "-").replace("+", ""))


def focused(one) -> str | None:
    return one.page.evaluate("document.activeElement.dataset.n ?? document.activeElement.dataset.id ?? null")


def test_a_night_is_listed_by_score_and_walked_with_keys(security):
    rows = listed(security)
    security.look("list")
    scores = [number_in(text) for text in security.page.locator(".f-score b").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    assert security.sees("三月九日夜")
    for key, expected in (("j", rows[0]), ("j", rows[1]), ("j", rows[2]), ("k", rows[1])):
        security.page.keyboard.press(key)
        assert focused(security) == expected
    security.page.keyboard.press("Enter")
    security.page.wait_for_selector(".fall")
    assert security.page.url.endswith(rows[1])
    security.page.click("text=下一条 →")
    security.page.wait_for_url(f"**/{rows[2]}")


def test_a_level_a_kind_and_a_reason_choose_what_is_listed_and_the_way_back_remembers(security):
    listed(security)
    page = security.page
    page.click(".level-chip.strong")
    page.wait_for_selector(".level-chip.strong[aria-pressed=true]")
    assert set(page.locator(".f-level").all_inner_texts()) == {"强线索"}
    page.click(".level-chip.all")
    page.wait_for_selector(".level-chip.all[aria-pressed=true]")
    bar = page.locator(".reason-bar").nth(1)
    code, count = (
        bar.get_attribute("data-focus").removeprefix("reason-"),
        int(bar.locator(".reason-count").inner_text()),
    )
    bar.click()
    page.wait_for_selector(".reason-bar[aria-pressed=true]")
    assert f"reason={code}" in page.url
    assert page.evaluate("document.activeElement.dataset.focus") == f"reason-{code}", "the eye stays where it pressed"
    while page.locator(".findings-foot button").count():
        before = page.locator(".finding-row").count()
        page.click(".findings-foot button")
        page.wait_for_function(f"document.querySelectorAll('.finding-row').length > {before}")
    assert page.locator(".finding-row").count() == count
    page.locator(".finding-row").first.click()
    page.wait_for_selector(".fall")
    page.click(".back > a")
    page.wait_for_selector(".reason-bar[aria-pressed=true]")
    assert page.locator(".finding-row.visited").count() == 1
    page.select_option("[data-focus=kind]", "staff")
    page.wait_for_selector("text=没有符合这些条件的发现")
    security.look("nothing-fits")
    page.click(".findings-foot >> text=清除条件")
    page.wait_for_selector(".finding-row")


def test_the_terms_add_up_to_the_score_and_what_speaks_for_the_person_stands_beside(security):
    with_favour = security.page.locator(".finding-row", has=security.page.locator(".f-for:not(.none)")).first
    listed(security, "?kind=account&level=lead")  # beyond the first page of all
    with_favour.click()
    security.page.wait_for_selector(".fall")
    security.look("in-its-favour")
    terms = [number_in(text) for text in security.page.locator(".fall-value").all_inner_texts()]
    assert sum(terms[:-1]) == pytest.approx(terms[-1], abs=0.02 * len(terms))
    assert security.sees("强线索 ≥ 3") or security.page.locator("text=强线索 ≥ 3").count()
    against, favour = (security.page.locator(name).bounding_box() for name in (".against-it", ".for-it"))
    assert favour["width"] == pytest.approx(against["width"], abs=2)
    assert favour["y"] == pytest.approx(against["y"], abs=2)
    assert security.page.locator(".for-it article.reason").count() >= 1
    assert security.page.locator(".against-it dt", has_text="从此计入").count() >= 1


def test_a_ring_is_walked_along_its_ties_by_keys_and_by_pressing(security):
    open_ring(security)
    page = security.page
    page.locator("#ring").scroll_into_view_if_needed()
    security.look("ring")
    page.locator(".ring-graph [tabindex='0']").focus()
    page.keyboard.press("Enter")
    start = focused(security)
    assert page.locator(".node.picked").get_attribute("data-n") == start
    near = set(page.locator(".node.near").evaluate_all("nodes => nodes.map(node => node.dataset.n)"))
    assert near
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
        if focused(security) != start:
            break
    assert focused(security) in near, "an arrow leads along a tie"
    security.look("walked")
    told = page.locator(".ring-panel").inner_text()
    assert "共用者" in told
    assert "首次" in told
    pressed = page.locator(".walk button").last
    code = pressed.locator("b").inner_text()
    pressed.click()
    assert page.locator(".node.picked .code-label").text_content() == code
    page.keyboard.press("Escape")
    assert page.locator(".node.picked").count() == 0
    member = page.locator(".node.member").first
    member.click(force=True)
    link = page.locator(".ring-panel a[href^='/finding/']")
    assert link.count() == 1
    link.click()
    page.wait_for_selector(".fall")
    assert page.locator("text=它所在的团伙").count() == 1


def test_the_drawing_is_the_same_each_time_zooms_and_moves_and_the_table_has_all_of_it(security):
    found = open_ring(security)
    page = security.page
    places = "nodes => nodes.map(node => node.getAttribute('transform')).join()"
    before = page.locator(".node").evaluate_all(places)
    page.reload()
    page.wait_for_selector(".ring-graph")
    assert page.locator(".node").evaluate_all(places) == before
    world = page.locator(".world")
    page.locator("[aria-label=放大]").click()
    page.wait_for_selector(".ring-graph.zoomed")
    near = world.get_attribute("transform")
    page.locator(".ring-graph").scroll_into_view_if_needed()
    box = page.locator(".ring-graph").bounding_box()
    x, y = box["x"] + box["width"] - 30, box["y"] + box["height"] - 30
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 120, y - 60, steps=4)
    page.mouse.up()
    page.wait_for_function("before => document.querySelector('.world').getAttribute('transform') !== before", arg=near)
    page.locator("[aria-label=复原]").click()
    page.wait_for_selector(".ring-graph:not(.zoomed)")
    page.mouse.move(x, y)
    scrolled = page.evaluate("scrollY")
    page.mouse.wheel(0, -200)
    page.wait_for_function("before => scrollY < before", arg=scrolled)
    assert page.locator(".ring-graph.zoomed").count() == 0, "whoever scrolls past it is not held up"
    page.locator(".ring-graph [tabindex='0']").focus()
    page.locator(".ring-graph").hover(position={"x": 40, "y": 200}, force=True)
    page.mouse.wheel(0, -400)
    page.wait_for_selector(".ring-graph.zoomed")
    page.click(".ring-table summary")
    page.wait_for_selector(".ring-table tbody tr")
    while page.locator(".ring-table > button").is_visible():
        page.click(".ring-table > button")
    ring = page.evaluate("id => fetch(`/api/v1/staff/findings/${id}`).then(said => said.json())", found)["ring"]
    assert page.locator(".ring-table tbody tr").count() == len({edge["b"] for edge in ring["edges"]})
    security.look("table")


def test_two_fingers_zoom_the_drawing_on_a_phone(browser, hospital, guards):
    with reader(browser, console_of(hospital), "findings-touch", size=PHONE, has_touch=True) as one:
        one.page.context.add_cookies([guards["security"]])
        open_ring(one)
        one.page.locator(".ring-graph").scroll_into_view_if_needed()
        box = one.page.locator(".ring-graph").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        line = one.page.context.new_cdp_session(one.page)
        for kind, apart in (("touchStart", 30), ("touchMove", 60), ("touchMove", 110), ("touchEnd", None)):
            sides = () if apart is None else (-apart, apart)
            points = [{"x": x + side, "y": y, "id": n} for n, side in enumerate(sides)]
            line.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        one.page.wait_for_selector(".ring-graph.zoomed")
        assert one.page.locator(".node.picked").count() == 0


def test_the_rhythm_says_in_a_sentence_what_is_odd(security):
    open_ring(security)
    words = security.page.locator(".odd-words").all_inner_texts()
    assert words
    assert any(re.search(r"\d+%.*其他人为", one) for one in words)
    said = security.page.evaluate(
        """async () => {
          const home = document.querySelector("link[rel=stylesheet]").href.replace("console.css", "");
          const { oddWords } = await import(`${home}rhythm.js`);
          const edges = [0, 1e4, 1e5, 1e6, 1e7];
          const of = (subject, others) => oddWords("reactions", { edges, subject, others, people: 40 });
          return [of([0, 8, 1, 1], [0, 1, 40, 59]), of([9, 1, 0, 0], [0, 0, 1, 1]), of([1, 2, 2, 1], [10, 21, 20, 9])];
        }"""
    )
    assert said == [
        "80%的首次尝试在放号后 10 毫秒–100 毫秒之内，其他人为 1%。",
        "100%的首次尝试在放号后不到 100 毫秒内，其他人为 0%。",
        "与同类对象差别不大。",
    ]


def test_raw_lines_are_shown_for_a_reason_on_record_marked_with_who_looks_and_masked_again(security, hospital):
    found = open_ring(security)
    page = security.page
    assert page.locator(".raw-block").count() == 0
    masked = page.locator("#members .code").first.inner_text()
    assert "…" in masked
    looks = len(hospital.events("record_looked_at"))
    page.fill(".look-form [name=reason]", "核查三月九日放号")
    page.click(".look-form .go")
    page.wait_for_selector(".raw-block pre")
    looked = hospital.events("record_looked_at")[looks:]
    assert len(looked) == 1
    assert found in str(looked[0]["detail"])
    assert "字节" in page.locator(".raw-head").first.inner_text()
    assert "王值班" in page.locator(".watermark").first.inner_html()
    assert "…" not in page.locator("#members .code").first.inner_text()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".raw-head .plain").first.click()
    page.wait_for_selector("text=已复制")
    line = page.locator(".raw-line").first.inner_text().strip()
    assert page.evaluate("navigator.clipboard.readText()").startswith(line[:20])
    security.look("raw-lines")
    page.click("text=现在遮蔽")
    page.wait_for_selector(".look-form")
    assert page.locator("#members .code").first.inner_text() == masked
    page.fill(".look-form [name=reason]", "再核对一次")
    page.click(".look-form .go")
    page.wait_for_selector(".raw-block pre")
    page.click(".back > a")
    page.wait_for_selector(".finding-row")
    page.go_back()
    page.wait_for_selector(".look-form")
    assert page.locator(".raw-block").count() == 0
    assert page.locator("#members .code").first.inner_text() == masked


def test_a_person_judges_with_a_reason_may_judge_anew_and_the_list_shows_it(security, hospital):
    found = open_ring(security)
    page = security.page
    for code, words, reason in (
        ("watched", "继续观察", f"等下一次放号 {ATTACK}"),
        ("upheld", "属实", "两人核对过付款记录"),
    ):
        page.check(f".judge [value={code}]")
        page.fill(".judge textarea", reason)
        page.click(".judge .go")
        page.wait_for_selector(f"#judge .line li:has-text('{reason[:6]}')")
        assert page.locator(".finding-head .tags").inner_text().count(words) == 1
    assert page.locator("#judge .line li").count() == 2
    assert page.locator("#judge .line").inner_text().count("王值班") == 2
    assert page.evaluate("window.hacked") is None
    security.look("judged")
    told = [
        one["detail"]["judgement"] for one in hospital.events("finding_judged") if one["detail"]["finding_id"] == found
    ]
    assert told == ["watched", "upheld"]
    assert listed(security, "?state=upheld") == [found]


def test_those_who_do_not_judge_see_no_form_and_other_roles_see_nothing(browser, hospital, guards):
    with reader(browser, console_of(hospital), "findings-auditor", size=DESK) as one:
        one.page.context.add_cookies([guards["auditor"]])
        open_ring(one)
        assert one.page.locator(".judge").count() == 0
        assert one.sees("判断由保卫处或门诊办公室作出")
    with reader(browser, console_of(hospital), "findings-guard", size=DESK) as one:
        one.expected = REFUSED
        one.page.context.add_cookies([guards["guard"]])
        one.go("/findings")
        one.page.wait_for_selector("text=您的岗位不查看检测发现")
        assert one.page.locator("nav a[href='/findings']").count() == 0
        one.look("refused")
        one.go("/finding/f-1")
        one.page.wait_for_selector("[role=alert]")
        assert one.page.locator(".fall").count() == 0


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_both_pages_can_be_used_in_both_languages(browser, hospital, guards, size):
    with reader(browser, console_of(hospital), "findings-pages", size=size) as one:
        one.page.context.add_cookies([guards["security"]])
        for language in ("", "-en"):
            listed(one)
            one.look(f"list{language}")
            open_ring(one)
            one.page.locator(".node.member").first.click(force=True)
            one.page.wait_for_selector(".node.picked")
            one.look(f"ring{language}")
            if not language:
                one.page.click("header >> text=English")
                one.page.wait_for_selector("html[lang=en]")


def test_whatever_an_attacker_wrote_is_text(browser, hospital, guards, tmp_path):
    bad = made.reason("snipers.reaction", says={"zh": ATTACK, "en": ATTACK})
    lines = [
        made.ring_line("f-bad-ring", members=(ATTACK, made.OTHER), reasons=[bad], input_sha256={ATTACK: "ab" * 32}),
        made.line("f-bad", of=ATTACK, reasons=[bad]),
    ]
    raw = made.Excerpt(
        file=ATTACK,
        byte_start=0,
        byte_end=90,
        compression="none",
        lines=(f"GET {HIDDEN} {ATTACK}",),
        cut_short=True,
        trouble=None,
    )
    excerpts = {one["finding_id"]: made.FindingExcerpts(reasons=((raw,),), speaks_for=()) for one in lines}
    run = take(hospital, made.write(tmp_path / "bad", lines, excerpts=excerpts), name=ATTACK)
    with reader(browser, console_of(hospital), "findings-attack", size=DESK) as one:
        one.page.context.add_cookies([guards["security"]])
        assert sorted(listed(one, f"?run_id={run}")) == ["f-bad", "f-bad-ring"]
        one.look("list")
        one.go("/finding/f-bad-ring")
        one.page.wait_for_selector(".ring-graph")
        one.page.fill(".look-form [name=reason]", ATTACK)
        one.page.click(".look-form .go")
        one.page.wait_for_selector(".raw-block pre")
        one.page.locator(".node.member").first.click(force=True)
        one.page.click(".ring-table summary")
        one.page.click("summary >> text=依据的文件")
        one.look("whole")
        assert one.page.locator(".raw-line").inner_text().strip() == f"GET /‹U+202E›gnp.exe‹ESC›[31m {ATTACK}"
        assert one.page.evaluate("window.hacked") is None
        assert one.page.locator('img[src="x"]').count() == 0


def test_a_lost_server_and_a_wrong_number_are_told_and_asking_again_helps(browser, hospital, guards):
    line = CutLine(console_of(hospital))
    with contextlib.closing(line), reader(browser, line.base, "findings-lost", size=PHONE) as one:
        one.expected = ("Failed to load resource",)
        one.page.context.add_cookies([{**guards["security"], "url": line.base}])
        listed(one)
        line.cut()
        one.page.click(".level-chip.lead")
        one.page.wait_for_selector("text=无法连接服务器")
        assert one.page.locator("[role=alert]").bounding_box()["y"] < PHONE[1], "in sight of whoever pressed"
        one.look("lost")
        line.mend()
        one.page.click("text=再试一次")
        one.page.wait_for_selector(".level-chip.lead[aria-pressed=true]")
        one.go("/finding/f-nobody")
        one.page.wait_for_selector("text=没有这一条检测发现")
        one.look("not-there")


def test_without_a_night_the_page_says_how_to_get_one(browser, sqlite_url, tmp_path):
    with served(sqlite_url, tmp_path) as empty, reader(browser, console_of(empty), "findings-empty", size=PHONE) as one:
        one.page.context.add_cookies([cookie(empty, "outpatient_office")])
        one.go("/findings")
        one.page.wait_for_selector("text=还没有检测发现")
        assert one.sees("shouhao findings take")
        one.look("empty")


def test_three_hundred_nodes_are_laid_out_alike_each_time_within_the_box_and_apart(security):
    listed(security)
    found = security.page.evaluate(
        """async () => {
          const home = document.querySelector("link[rel=stylesheet]").href.replace("console.css", "");
          const { bundled, layOut } = await import(`${home}ring_layout.js`);
          const edges = Array.from({ length: 600 }, (_, n) => ({ a: n % 200, b: 200 + ((n * 7) % 99), weight: 1 }));
          const [one, two] = [layOut(300, edges), layOut(300, edges)];
          const far = ([x, y], [u, v]) => Math.hypot(x - u, y - v) || 9;
          const apart = one.map((here) => Math.min(...one.map((there) => far(here, there))));
          const nodes = [{ kind: "account" }, { kind: "account" }, { kind: "ip" }, { kind: "ip" }, { kind: "device" }];
          const pairs = [[0, 2], [1, 2], [0, 3], [1, 3], [0, 4]];
          const ties = pairs.map(([a, b]) => ({ a, b, weight: 1, bridge: false, n: 2 }));
          return {
            alike: JSON.stringify(one) === JSON.stringify(two),
            outside: one.filter(([x, y]) => !(x >= -1e-9 && x <= 1.5 + 1e-9 && y >= -1e-9 && y <= 1 + 1e-9)).length,
            heaped: apart.filter((distance) => distance < 0.004).length,
            bundle: bundled(nodes, ties),
          };
        }"""
    )
    assert found["alike"]
    assert found["outside"] == 0
    assert found["heaped"] == 0
    assert [node.get("of") and len(node["of"]) for node in found["bundle"]["nodes"]] == [None, None, 2, None]
    assert sorted((edge["a"], edge["b"], edge["n"]) for edge in found["bundle"]["edges"]) == [
        (0, 2, 4),
        (0, 3, 2),
        (1, 2, 4),
    ]
