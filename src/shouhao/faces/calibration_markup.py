"""Markup of the calibration page: all said in two languages, of which one is shown, its tables and its numbers."""

from collections.abc import Mapping, Sequence

from shouhao.kernel.markup import Markup, element, raw, text


def both(zh: str, en: str, *, name: str = "span", class_: str = "") -> Markup:
    """Chinese and English, of which the page shows one."""
    given = {"class_": class_} if class_ else {}
    return Markup(element(name, text(zh), lang="zh", **given) + element(name, text(en), lang="en", **given))


def section(zh: str, en: str, *children: Markup) -> Markup:
    """A section with its heading."""
    return element("section", element("h2", both(zh, en)), *children)


def table(heads: Sequence[tuple[str, str]], rows: Sequence[Sequence[Markup]], *, numbers: set[int]) -> Markup:
    """A table that scrolls by itself on a narrow screen; columns in `numbers` are set to the right."""

    def cell(name: str, n: int, content: Markup) -> Markup:
        return element(name, content, **({"class_": "n"} if n in numbers else {}))

    top = element("tr", *(cell("th", n, both(zh, en)) for n, (zh, en) in enumerate(heads)))
    lines = [element("tr", *(cell("td", n, content) for n, content in enumerate(row))) for row in rows]
    body = element("tbody", *lines)
    inner = element("table", element("thead", top), body) if any(zh for zh, _ in heads) else element("table", body)
    return element("div", inner, class_="wide", tabindex="0")


def figure(zh: str, en: str, keys: Sequence[tuple[str, str, str]], svg: str) -> Markup:
    """A plot under its caption and the key of its colours (class, Chinese, English); without one, why."""
    if not svg:
        return element("figure", both("照片太少，画不出曲线。", "Too few photographs to draw the curve.", name="p"))
    told = [raw(element("i", class_=f"key {color}") + both(said, saying)) for color, said, saying in keys]
    return element("figure", element("figcaption", both(zh, en, name="p"), element("p", *told)), raw(svg))


def interval(share: Mapping[str, float] | None) -> Markup:
    """A share with its interval, or a dash."""
    if share is None:
        return text("–")
    return text(f"{percent(share['rate'])} ({percent(share['low'])}–{percent(share['high'])})")


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.2g}%" if share < 0.1 else f"{100 * share:.1f}%"  # noqa: PLR2004 - three digits are enough


def rate(rate: float) -> str:
    """A small rate, as it is written in tables of errors."""
    if rate <= 0:
        return "0"
    mantissa, exponent = f"{rate:.1e}".split("e")
    return f"{rate:.2f}" if int(exponent) >= -1 else f"{mantissa}e{int(exponent)}"


def alarms(alarms: Mapping[str, float]) -> str:
    """A number of alarms with its interval."""
    return f"{count(alarms['expected'])} ({count(alarms['low'])}–{count(alarms['high'])})"


def count(value: float) -> str:
    """A number of alarms."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"  # noqa: PLR2004 - as above


def unresolved() -> Markup:
    """What stands where the data cannot tell."""
    return both("数据不足", "not resolved")
