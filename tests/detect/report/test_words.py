"""The words: every sentence in both languages, none missing, none left over."""

import re
from pathlib import Path
from string import Formatter

import pytest

import shouhao.detect.report
from shouhao.detect.model import LEVELS, Says
from shouhao.detect.report.limits_words import LIMITS
from shouhao.detect.report.saying import kind, say, words
from shouhao.detect.report.words import WORDS

ROOM = Path(shouhao.detect.report.__file__).parent
CHINESE = re.compile(r"[\u4e00-\u9fff]")
#: Keys that are put together from a name of the data.
MADE = re.compile(r"^(level|kind|means|do|tile|to|how|head|filter|hot|looked|problems|source|reason|read|activity)\.")


def code() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(ROOM.glob("*.py")) if "words" not in path.name)


@pytest.mark.parametrize("key", WORDS)
def test_a_sentence_is_said_in_both_languages_with_the_same_fields(key):
    zh, en = WORDS[key]
    named = [{field for _, field, _, _ in Formatter().parse(said) if field} for said in (zh, en)]
    assert named[0] == named[1]
    assert CHINESE.search(zh) or not re.sub(r"\{\w+\}", "", zh).strip("、（）–， ")
    assert not CHINESE.search(en.replace("守号", ""))
    assert en.strip()


def test_every_sentence_that_the_page_asks_for_is_there_and_no_other():
    asked = set(re.findall(r'(?:say|words|_side|_plot)\(\s*"([a-z_.\-]+)"', code()))
    asked |= set(re.findall(r'"((?:rhythm|key|skew|waterfall|trouble|excerpt|finding)\.[a-z_]+)"', code()))
    assert asked - set(WORDS) == set()
    assert {key for key in WORDS if key not in asked and not MADE.match(key)} == set()


def test_limits_are_told_in_both_languages():
    assert all(CHINESE.search(zh) and not CHINESE.search(en) for zh, en in LIMITS)


def test_every_level_and_kind_has_its_words():
    for level in LEVELS:
        assert {f"{part}.{level}" for part in ("level", "means", "do", "tile")} <= set(WORDS)
    assert kind("device") == Says(zh="设备", en="device")
    assert kind("something new").zh == "something new"


def test_a_field_may_differ_by_language():
    told = words("waterfall.odds", score="+1", odds=Says(zh="三", en="three"))
    assert "三" in told.zh
    assert "three" in told.en


def test_braces_from_outside_are_no_fields():
    assert "{0.__class__}" in say("reason.events", shown="{0.__class__}")
