"""Compare section: the same morning under several regimes, on the report's page or a page of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from shouhao.kernel.markup import Markup, element, raw, text
from shouhao.lab import plots
from shouhao.lab.compare_words import ASSUMED, FINDINGS, KEYS, NOT_IN_THE_PRODUCT, ROWS
from shouhao.lab.markup import both, said, table
from shouhao.lab.report_sections import keys, section

_WHOLE = 100
_LEAST, _SMALL = 0.05, 9.95  # percent: from the one to the other a decimal is shown
_LINE_KEYS = ("hot", "bought", "soft", "granted")  # as in plots.chance_by_speed


def comparison_heading(comparison: Mapping[str, Any]) -> Markup:
    """Title of the page that holds nothing else."""
    size = comparison["size"]
    return element(
        "header",
        element("h1", text("同一个早晨，不同的放号规则")),
        element("p", text("The same morning under different release policies"), lang="en"),
        element(
            "p",
            text(f"守号 Shouhao · {size['people']} 人 people · {size['slots']} 个号 slots · {comparison['took_s']} s"),
            class_="when",
        ),
    )


def compare_section(comparison: Mapping[str, Any]) -> Markup:
    """What each regime does to patients and to a gang."""
    size, policies = comparison["size"], comparison["policies"]
    values = {**size, **comparison["assumed"], "seeds": comparison["seeds"], "fair": _percent(comparison["fair_share"])}
    return section(
        "同一个早晨，几种放号规则",
        "The same morning under several policies",
        (
            "{honest} 位患者和 {gang} 个由团伙控制的真实身份争 {slots} 个号；同样的人、同样的愿望，"
            "换一种规则再来一遍，用 {seeds} 组不同的种子重复。全部走正式流程，时间是虚拟的。"
        ).format(**values),
        (
            "{honest} patients and {gang} real identities in a gang's hands want {slots} slots; the same people with "
            "the same wishes, again under another policy, repeated with {seeds} seeds. All of it goes through the "
            "product's own flows, in virtual time."
        ).format(**values),
        _names(policies),
        _findings(comparison, values),
        element("div", _first(comparison), _speed(policies), class_="pair"),
        element("div", _end(policies), _resales(policies), class_="pair"),
        _numbers(policies),
        element("ul", *(said("li", zh.format(**values), en.format(**values)) for zh, en in ASSUMED), class_="notes"),
    )


def _names(policies: Sequence[Mapping[str, Any]]) -> Markup:
    """What the letters stand for."""
    items = []
    for letter, policy in zip(plots.LETTERS, policies, strict=False):
        zh, en = ("", "") if policy["in_the_product"] else NOT_IN_THE_PRODUCT
        name = both(f"{policy['zh']}{zh}", f"{policy['en']}{en}")
        items.append(element("li", element("b", text(letter)), element("div", name)))
    return element("ul", *items, class_="letters")


def _findings(comparison: Mapping[str, Any], values: Mapping[str, Any]) -> Markup:
    """What is to be read from the plots, for the regimes that were played."""
    by_name = {policy["name"]: policy for policy in comparison["policies"]}
    lines = []
    for name, zh, en in FINDINGS:
        policy = by_name.get(name)
        if policy is not None:
            known = {**values, **{key: _shown(policy[key]) for key in ROWS}}
            lines.append(said("li", zh.format(**known), en.format(**known)))
    return element("ul", *lines, class_="notes")


def _first(comparison: Mapping[str, Any]) -> Markup:
    return _figure(
        "first",
        [("granted", "患者 patients"), ("hot", "团伙 gang")],
        plots.shares_at_first(comparison["policies"], fair_share=comparison["fair_share"]),
    )


def _end(policies: Sequence[Mapping[str, Any]]) -> Markup:
    shown = [
        ("granted", "患者自己得到 by themselves"),
        ("bought", "向团伙买 bought"),
        ("hot", "团伙手里 gang"),
        ("refused", "空着 nobody"),
    ]
    return _figure("end", shown, plots.held_in_the_end(list(policies)))  # type: ignore[arg-type]


def _resales(policies: Sequence[Mapping[str, Any]]) -> Markup:
    return _figure("resales", [], plots.resales_that_reached(list(policies)))  # type: ignore[arg-type]


def _speed(policies: Sequence[Mapping[str, Any]]) -> Markup:
    shown = [(_LINE_KEYS[n % len(_LINE_KEYS)], letter) for n, letter in enumerate(plots.LETTERS[: len(policies)])]
    return _figure("speed", shown, plots.chance_by_speed(list(policies)))  # type: ignore[arg-type]


def _figure(which: str, shown: Sequence[tuple[str, str]], svg: str) -> Markup:
    zh, en = KEYS[which]
    return element("figure", element("figcaption", both(zh, en), keys(*shown)), raw(svg))


def _numbers(policies: Sequence[Mapping[str, Any]]) -> Markup:
    """The same as numbers: mean and, behind it, the spread over the mornings."""
    heads = [("", "")] + [(letter, "") for letter in plots.LETTERS[: len(policies)]]
    rows = [[both(zh, en), *(_cell(policy[name]) for policy in policies)] for name, (zh, en) in ROWS.items()]
    return table(heads, rows, numbers=set(range(1, len(heads))), class_="compared")


def _cell(figure: Mapping[str, Any]) -> Markup:
    shown = _shown(figure)
    if figure["mean"] is None:
        return text(shown)
    return raw(text(shown) + element("span", text(f"± {_number(figure['sd'], figure)}"), class_="sub"))


def _shown(figure: Mapping[str, Any]) -> str:
    return "–" if figure["mean"] is None else _number(figure["mean"], figure)


def _number(value: float, figure: Mapping[str, Any]) -> str:
    """As its own unit asks: a share in percent, seconds, or a count."""
    if figure["unit"] == "share":
        return _percent(value)
    return f"{value:,.1f}" if figure["unit"] == "s" else f"{value:,.0f}"


def _percent(share: float) -> str:
    """A share in percent, with a decimal where that says something."""
    percent = _WHOLE * share
    return f"{percent:.1f}%" if _LEAST <= percent < _SMALL else f"{percent:.0f}%"
