"""Markup of the report: what it says in two languages, one under the other, and its tables."""

from shouhao.kernel.markup import Markup, element, text


def both(zh: str, en: str) -> Markup:
    """Chinese, and under it English, smaller."""
    return Markup(text(zh) + element("span", text(en), class_="sub", lang="en"))


def said(name: str, zh: str, en: str, **attributes: str) -> Markup:
    """An element that says something in both languages."""
    return element(name, both(zh, en), **attributes)


def table(heads: list[tuple[str, str]], rows: list[list[Markup]], *, numbers: set[int], class_: str = "") -> Markup:
    """A table; columns in `numbers` are set to the right. Each cell carries its head, for narrow screens."""
    top = element("tr", *(said("th", zh, en, **_right(n, numbers)) for n, (zh, en) in enumerate(heads)))
    lines = [
        element("tr", *(element("td", cell, data_head=heads[n][0], **_right(n, numbers)) for n, cell in enumerate(row)))
        for row in rows
    ]
    return element("table", element("thead", top), element("tbody", *lines), **({"class_": class_} if class_ else {}))


def _right(column: int, numbers: set[int]) -> dict[str, str]:
    return {"class_": "n"} if column in numbers else {}
