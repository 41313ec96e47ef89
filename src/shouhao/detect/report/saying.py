"""Saying: a sentence of words.py in both languages, of which the page shows one, with its fields filled in."""

import re

from shouhao.detect.model import Says
from shouhao.detect.report.markup import element, joined, text
from shouhao.detect.report.words import THREATS_ZH, WORDS
from shouhao.kernel.markup import Markup, raw

Field = str | int | Says

_THREAT = re.compile(r"OAT-\d{3}")


def words(key: str, **fields: Field) -> Says:
    """A sentence, not yet markup.

    Raises:
        KeyError: there is no such sentence, or a field of it was not given.
    """
    zh, en = WORDS[key]
    return Says(
        zh=zh.format(**{name: _in(field, "zh") for name, field in fields.items()}),
        en=en.format(**{name: _in(field, "en") for name, field in fields.items()}),
    )


def say(key: str, /, *, tag: str = "span", class_: str = "", **fields: Field) -> Markup:
    """A sentence of the page in both languages."""
    return both(words(key, **fields), tag=tag, class_=class_)


def both(says: Says, *, tag: str = "span", class_: str = "") -> Markup:
    """What is said in both languages; where they do not differ, once."""
    given = {"class_": class_} if class_ else {}
    if says.zh == says.en:
        return element(tag, text(says.zh), **given)
    return joined(element(tag, text(said), lang=lang, **given) for lang, said in (("zh", says.zh), ("en", says.en)))


def kind(name: str) -> Says:
    """What a kind of subject is called."""
    return words(f"kind.{name}") if f"kind.{name}" in WORDS else Says(zh=name, en=name)


def threat(owasp: str) -> Markup:
    """The name of an automated threat, with what it is called in Chinese where that is known."""
    number = _THREAT.search(owasp)
    zh = THREATS_ZH.get(number[0]) if number else None
    return both(Says(zh=f"{owasp}（{zh}）" if zh else owasp, en=owasp))


def nothing() -> Markup:
    """What stands where there is nothing to say."""
    return raw("–")


def _in(field: Field, language: str) -> str:
    if isinstance(field, Says):
        return field.zh if language == "zh" else field.en
    return str(field)
