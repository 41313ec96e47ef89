"""Markup: a page's elements as text, every value escaped unless it says that it is markup already."""

import html
from typing import NewType

Markup = NewType("Markup", str)

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})  #: elements that have no end


def text(value: object) -> Markup:
    """A value as it is read, escaped."""
    return Markup(html.escape(str(value)))


def raw(markup: str) -> Markup:
    """Markup of our own making."""
    return Markup(markup)


def element(tag: str, /, *children: Markup, **attributes: str) -> Markup:
    """An element; `class_` stands for `class` and `data_head` for `data-head`.

    >>> element("b", text("<1>"), class_="n")
    '<b class="n">&lt;1&gt;</b>'
    """
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{tag}{given}>" if tag in _VOID else f"<{tag}{given}>{''.join(children)}</{tag}>")
