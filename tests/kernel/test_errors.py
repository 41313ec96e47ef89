"""A correct "no" explains itself in both languages, names its field, and holds nobody's name."""

import string

import pytest

from shouhao import wiring
from shouhao.kernel.errors import InvalidInput, NotFound, Refused, Unavailable

assert wiring  # importing it brings in the refusals of every room


def all_refusals():
    found, waiting = [], [Refused]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if kind.__module__.startswith("shouhao."):
            found.append(kind)
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


@pytest.mark.parametrize("kind", all_refusals(), ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_code_and_speaks_both_languages(kind):
    assert set(kind.code) <= set(string.ascii_lowercase + "._")
    assert kind.zh
    assert kind.en
    assert not kind.zh.isascii()
    assert kind.en.isascii()
    if kind is not InvalidInput:
        wanted = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (kind.zh, kind.en)]
        stems = [{name.removesuffix("_zh").removesuffix("_en") for name in names} for names in wanted]
        assert stems[0] == stems[1]


def test_codes_are_not_shared():
    inside = [kind for kind in all_refusals() if not kind.__module__.startswith("shouhao.web.")]
    kinds = [kind for kind in inside if "code" in vars(kind)]
    assert len({kind.code for kind in kinds}) == len(kinds) > 25


def test_a_refusal_fills_its_message_from_its_data():
    refusal = NotFound("slot", "slot_id")
    assert (refusal.says("zh"), refusal.says("en"), refusal.field) == ("没有找到：slot", "Not found: slot", "slot_id")
    assert str(refusal) == "not_found {'what': 'slot'}"
    assert str(Refused()) == "refused"


def test_an_invalid_input_names_its_field_and_rule_though_they_hold_braces():
    rule = InvalidInput("a{b}", zh="须为 {x}", en="must be {x}")
    assert (rule.says("zh"), rule.says("en")) == ("a{b}：须为 {x}", "a{b}: must be {x}")


def test_busy_says_when_to_come_back():
    busy = Unavailable("database", retry_after_s=2.5)
    assert (busy.retry_after_s, busy.what) == (2.5, "database")
    assert busy.says("zh") != busy.says("en")
