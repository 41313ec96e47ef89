"""A reader with a real browser: looks at pages, keeps screenshots, and notes what is wrong with any of them."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REQUIRED = os.environ.get("SHOUHAO_TEST_REQUIRE") == "all"
#: Where screenshots of a run are kept to be looked at; without it they are not kept.
SHOTS = os.environ.get("SHOUHAO_SCREENSHOTS")
PHONE, DESK = (390, 844), (1280, 900)
LIGHT_BYTES = 200_000  #: what a page may weigh, with its styles and scripts

_SERIOUS = {"serious", "critical"}


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser, for as long as the block lasts."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - optional where no browser is asked for

    with sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@dataclass
class Reader:
    """One person with one browser window."""

    page: Any
    base: str
    story: str
    width: int
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()  #: beginnings of complaints that are part of the story, such as a refusal's status
    shots: int = 0
    weight: int = 0
    light: bool = True  #: pages for patients are; those of the centre carry pictures

    def go(self, path: str) -> None:
        """Open a page of ours."""
        self.page.goto(self.base + path)

    def press(self, words: str) -> None:
        """Press the button or follow the link with these words, and wait for the page it leads to."""
        within = self.page.locator("main")
        if not within.get_by_text(words).count():
            within = self.page.locator("header, nav")
        found = within.get_by_role("button", name=words).or_(within.get_by_role("link", name=words))
        with self.page.expect_navigation():
            found.first.click()

    def sees(self, words: str) -> bool:
        """Whether the page says this."""
        return bool(words in re.sub(r"\s+", " ", self.page.locator("body").inner_text()))

    def look(self, name: str) -> None:
        """Look at the page as it is now: does it fit, can everybody use it, is it light?"""
        self.page.wait_for_load_state("networkidle")
        self.shots += 1
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            file = Path(SHOTS) / f"{self.story}-{self.shots:02d}-{name}-{self.width}.png"
            self.page.screenshot(path=str(file), full_page=True)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width, f"{name} is too wide"
        found = serious(self.page)
        assert not found, (name, found)
        assert not self.light or self.weight < LIGHT_BYTES, (name, self.weight)
        unexpected = [one for one in self.complaints if not one.startswith(self.expected or ("\0",))]
        assert unexpected == [], name


@contextmanager
def reader(browser: Any, base: str, story: str, *, size: tuple[int, int] = PHONE, **context: Any) -> Iterator[Reader]:
    """Somebody who reads the pages at this address."""
    width, height = size
    opened = browser.new_context(
        viewport={"width": width, "height": height}, locale=context.pop("locale", "zh-CN"), **context
    )
    page = opened.new_page()
    one = Reader(page=page, base=base, story=story, width=width)
    page.on("console", lambda said: one.complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: one.complaints.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())

    def weigh(response: Any) -> None:
        if response.request.is_navigation_request():
            one.weight = 0
        if response.request.resource_type != "fetch":
            one.weight += int(response.headers.get("content-length", 0))

    page.on("response", weigh)
    try:
        yield one
    finally:
        opened.close()


def serious(page: Any) -> list[str]:
    """What axe-core finds of weight: who cannot see well, or has no mouse, could not use this page."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - as above

    axe = Axe("") if page.evaluate("'axe' in window") else Axe()  # half a megabyte, and a document keeps it
    found = axe.run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}" for one in found if one["impact"] in _SERIOUS for node in one["nodes"][:3]
    ]
