"""The report of `shouhao analyze` in a real browser: its own policy lets it be read, and lets nothing else happen."""

import os
import shutil
from pathlib import Path

import pytest

from detect.report.example import example_report
from detect.report.test_page import hostile_report
from shouhao.detect.report.page import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

if CHROMIUM is None and os.environ.get("SHOUHAO_TEST_REQUIRE") != "all":
    pytest.skip("no Chromium on this machine", allow_module_level=True)


@pytest.fixture(scope="module")
def browser():
    optional = os.environ.get("SHOUHAO_TEST_REQUIRE") != "all"
    playwright = pytest.importorskip("playwright.sync_api") if optional else __import__("playwright.sync_api").sync_api
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> Path:
    return write_report(example_report(), tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    return write_report(hostile_report(), tmp_path_factory.mktemp("hostile"))


def opened(browser, path: Path, *, width: int):
    """A page, with what it complained of and what it asked for."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints: list[str] = []
    asked_for: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked_for.append(request.url))
    page.goto(path.as_uri())
    return page, complaints, asked_for


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["example", "hostile"])
def test_the_page_fits_its_screen_and_nothing_happens_but_reading(browser, request, name, width):
    path = request.getfixturevalue(name)
    page, complaints, asked_for = opened(browser, path, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_role("heading", level=1).inner_text() == "号源倒卖线索分析"
    assert page.evaluate("getComputedStyle(document.querySelector('section')).borderRadius") == "10px"
    assert complaints == []
    assert asked_for == [path.as_uri()]
    page.close()


def test_the_language_is_switched_without_a_script(browser, example):
    page, _, _ = opened(browser, example, width=1280)
    page.get_by_text("English", exact=True).click()
    assert page.get_by_role("heading", level=1).inner_text() == "Slot scalping: what the records point to"
    assert not page.get_by_text("怎样读一条发现").is_visible()
    page.close()


def test_filters_leave_the_rows_that_were_asked_for(browser, example):
    page, _, _ = opened(browser, example, width=1280)

    def shown() -> int:
        return page.locator(".findings tbody tr:visible").count()

    assert shown() == 12
    page.locator("label[for=level-lead]").click()
    assert shown() == 10
    page.locator("label[for=kind-device]").click()
    assert shown() == 1
    page.locator("label[for=level-all]").click()
    page.locator("label[for=kind-all]").click()
    assert shown() == 12
    page.close()


def test_a_number_in_the_table_leads_to_its_finding_and_to_its_drawing(browser, example):
    page, _, _ = opened(browser, example, width=1280)
    page.locator(".findings a").first.click()
    assert page.locator("#finding-1 h3").is_visible()
    page.locator("#finding-1").get_by_text("看关联图").click()
    assert page.url.endswith("#ring-1")
    assert page.locator("#ring-1 svg.ring-drawing").is_visible()
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_numbers_in_the_plots_can_be_read(browser, example, width):
    page, _, _ = opened(browser, example, width=width)
    for plot in page.locator("figure:not(.ring) > svg").all():
        heights = plot.locator("text:visible").evaluate_all("all => all.map(t => t.getBoundingClientRect().height)")
        assert min(heights) > 8  # px
    page.close()


def test_what_is_printed_has_its_raw_lines(browser, example):
    page, _, _ = opened(browser, example, width=1280)
    page.emulate_media(media="print")
    assert page.locator(".excerpt pre").first.is_visible()
    page.close()
