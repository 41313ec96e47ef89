"""Chapters: the parts of the demo's story as they are told, each with the time it took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Tell = Callable[[str, str], None]  #: Chinese, English: what is being done now


@dataclass(slots=True, kw_only=True)
class Chapter:
    """One part of the story."""

    code: str
    when: str  #: the hour of the story, such as 07:58; the clock on the wall is another
    zh: str
    en: str
    took_s: float = 0.0  #: its own, where it went on beside another
    says_zh: str = ""  #: what came of it
    says_en: str = ""

    def says(self, zh: str, en: str) -> None:
        """Say what came of it."""
        self.says_zh, self.says_en = zh, en

    def as_row(self) -> dict[str, Any]:
        """As it stands in the report."""
        return {
            "code": self.code,
            "when": self.when,
            "zh": self.zh,
            "en": self.en,
            "took_s": round(self.took_s, 1),
            "says": {"zh": self.says_zh, "en": self.says_en},
        }


@dataclass(slots=True, kw_only=True)
class Teller:
    """Who tells the story: what is being done now, and each chapter when it has ended."""

    now: Tell
    ended: Callable[[Chapter], None]
    stop: Callable[[], None] = lambda: None  #: nothing more is being done now
    chapters: list[Chapter] = field(default_factory=list)

    @contextmanager
    def chapter(self, code: str, when: str, zh: str, en: str) -> Iterator[Chapter]:
        """A chapter, for as long as the block lasts; told when it has ended well."""
        chapter, started = Chapter(code=code, when=when, zh=zh, en=en), time.monotonic()
        yield chapter
        chapter.took_s = chapter.took_s or time.monotonic() - started
        self.chapters.append(chapter)
        self.ended(chapter)


def quiet() -> Teller:
    """Nobody is told anything."""
    return Teller(now=lambda _zh, _en: None, ended=lambda _chapter: None)
