"""Markup of the page: elements as text, every value made visible and escaped."""

import html
from collections.abc import Iterable, Sequence

from shouhao.detect.report.visible import runs, visible
from shouhao.kernel import markup
from shouhao.kernel.markup import Markup, raw

_LONGEST_ID = 64
_LONGEST_TEXT, _LONGEST_COMMAND = 800, 4_000


def text(value: object, *, most: int = _LONGEST_TEXT) -> Markup:
    r"""A value as it is read: nothing in it is markup, nothing in it is hidden.

    >>> text("<b>\u202e")
    '&lt;b&gt;‹U+202E›'
    """
    return Markup(html.escape(visible(str(value), most=most)))


def joined(parts: Iterable[Markup]) -> Markup:
    """Markup one after the other."""
    return Markup("".join(parts))


def element(tag: str, /, *children: Markup, **attributes: str) -> Markup:
    """An element; `class_` stands for `class` and `data_head` for `data-head`.

    >>> element("b", text("<1>"), class_="n")
    '<b class="n">&lt;1&gt;</b>'
    """
    return markup.element(tag, *children, **{name: visible(value) for name, value in attributes.items()})


def line(content: str, *, most: int) -> Markup:
    """A line of a file; what would not have been seen stands in an `i`."""
    shown = (f"<i>{html.escape(part)}</i>" if odd else html.escape(part) for part, odd in runs(content, most=most))
    return element("span", raw("".join(shown)), class_="line", dir="ltr")


def name_of(identifier: str) -> Markup:
    """An id; of a very long one the beginning, which an attacker may choose, and the end."""
    if len(identifier) <= _LONGEST_ID:
        return element("code", text(identifier))
    shown = f"{visible(identifier[:40])}…{visible(identifier[-12:])} ({len(identifier):,})"
    return element("code", raw(html.escape(shown)))


def table(
    heads: Sequence[Markup], rows: Sequence[Sequence[Markup]], *, numbers: Iterable[int] = (), class_: str = ""
) -> Markup:
    """A table that scrolls by itself on a narrow screen; columns in `numbers` are set to the right."""
    right = frozenset(numbers)

    def cell(tag: str, n: int, content: Markup) -> Markup:
        return element(tag, content, **({"class_": "n"} if n in right else {}))

    top = element("tr", *(cell("th", n, head) for n, head in enumerate(heads)))
    lines = [element("tr", *(cell("td", n, content) for n, content in enumerate(row))) for row in rows]
    given = {"class_": class_} if class_ else {}
    inner = element("table", element("thead", top), element("tbody", *lines), **given)
    return element("div", inner, class_="wide", tabindex="0")


def pairs(told: Iterable[tuple[Markup, Markup]]) -> Markup:
    """Terms and what they are."""
    return element("dl", *(element("div", element("dt", term), element("dd", what)) for term, what in told))


def command(content: str) -> Markup:
    """What a reader pastes into a terminal, line by line as it is."""
    return element(
        "pre", raw("\n".join(text(each, most=_LONGEST_COMMAND) for each in content.split("\n"))), class_="cut"
    )
