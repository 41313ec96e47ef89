"""The demo's report in a real browser: readable on a phone and on a desk, nothing loaded, nothing complained of."""

import os
import shutil
from pathlib import Path

import pytest

from lab.made_up_report import made_up_comparison, made_up_report
from shouhao.lab.report import write_comparison, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

if CHROMIUM is None and os.environ.get("SHOUHAO_TEST_REQUIRE") != "all":
    pytest.skip("no Chromium on this machine", allow_module_level=True)


@pytest.fixture(scope="module")
def browser():
    playwright = (
        pytest.importorskip("playwright.sync_api") if _optional() else __import__("playwright.sync_api").sync_api
    )
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report_page(tmp_path_factory) -> Path:
    return write_report(made_up_report(), tmp_path_factory.mktemp("report"))[1]


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 900)])
def test_the_page_fits_its_screen_and_says_it_in_chinese_first(browser, report_page, width, height):
    page = browser.new_page(viewport={"width": width, "height": height})
    complaints: list[str] = []
    asked_for: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked_for.append(request.url))
    page.goto(report_page.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_role("heading", level=1).inner_text() == "示范医院的一天"
    assert page.get_by_role("heading", name="逐项核对").is_visible()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert complaints == []
    assert asked_for == [report_page.as_uri()]
    page.close()


def test_the_story_leads_to_its_three_chapters_in_their_order(browser, report_page):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(report_page.as_uri())
    titles = [page.locator(".chapter h2").nth(n).inner_text().split("\n")[0] for n in range(3)]
    assert titles == ["从昨天的日志与预约中找出号贩", "抽签与放号", "认出名单上的人"]
    links = page.locator("nav .chapters a")
    assert links.all_inner_texts() == titles
    for number, title in enumerate(titles):
        links.nth(number).click()
        assert page.locator(".chapter", has_text=title).evaluate("one => one.getBoundingClientRect().top") < 900
    assert len(page.locator("figure svg").all()) == 5, "what was found, who won, the rush twice, who walked past"
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_curves_are_drawn_and_their_numbers_can_be_read(browser, report_page, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(report_page.as_uri())
    for figure in page.locator("figure svg").all():
        box = figure.bounding_box()
        assert box is not None
        assert box["width"] > 250
        assert box["height"] > 120
        heights = figure.locator("text").evaluate_all("all => all.map(t => t.getBoundingClientRect().height)")
        assert heights
        assert min(heights) > 8  # px
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_comparison_stands_on_a_page_of_its_own(browser, tmp_path, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(write_comparison(made_up_comparison(), tmp_path)[1].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_role("heading", level=1).inner_text() == "同一个早晨，不同的放号规则"
    assert page.get_by_text("本系统已不提供").first.is_visible()
    assert len(page.locator("figure svg").all()) == 4
    page.close()


def _optional() -> bool:
    return os.environ.get("SHOUHAO_TEST_REQUIRE") != "all"
