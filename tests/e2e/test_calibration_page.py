"""The calibration page in a real browser: a phone and a desk, two languages without a script, nothing loaded."""

import os
import shutil

import pytest

from faces.made_calibration import a_report
from shouhao.faces.calibration_report import write_calibration

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REQUIRED = os.environ.get("SHOUHAO_TEST_REQUIRE") == "all"

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)


@pytest.fixture(scope="module")
def browser():
    playwright = __import__("playwright.sync_api").sync_api if REQUIRED else pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def calibration_page(tmp_path_factory):
    report, _ = a_report(twice=True, for_trying_out=True)
    return write_calibration(report, tmp_path_factory.mktemp("calibration"))[1]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_its_screen_and_complains_of_nothing(browser, calibration_page, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints, asked_for = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked_for.append(request.url))
    page.goto(calibration_page.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (complaints, asked_for) == ([], [calibration_page.as_uri()])
    for figure in page.locator("figure svg").all():
        box = figure.bounding_box()
        assert box is not None
        assert min(box["width"] / 2, box["height"]) > 120
        heights = figure.locator("text").evaluate_all("all => all.map(t => t.getBoundingClientRect().height)")
        assert min(heights) > 8  # px
    page.close()


def test_chinese_shows_first_and_english_on_request(browser, calibration_page):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(calibration_page.as_uri())
    assert page.get_by_role("alert").inner_text().startswith("仅供试用")
    assert page.get_by_role("heading", level=1).inner_text() == "人脸阈值校准"
    page.get_by_text("English", exact=True).click()
    assert page.get_by_role("heading", level=1).inner_text() == "Face threshold calibration"
    assert page.get_by_role("alert").inner_text().startswith("For trying out only")
    assert page.locator("main [lang=zh]:visible").count() == 0
    page.get_by_text("中文", exact=True).click()
    assert page.locator("main [lang=en]:visible").count() == 0
    page.close()
