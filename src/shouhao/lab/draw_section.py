"""Draw section of the demo's report: who entered, who won, whether the order of arrival mattered, and the files."""

from collections.abc import Mapping
from typing import Any

from shouhao.kernel.markup import Markup, element, raw, text
from shouhao.lab.markup import both, table
from shouhao.lab.plots import chance_by_arrival
from shouhao.lab.report_sections import keys, section


def draw_section(report: Mapping[str, Any]) -> Markup:
    """The section."""
    draws, gang = report["draws"], report["gang"]
    entries = {who: sum(draw["entries"][who] for draw in draws) for who in ("patients", "gang")}
    won = {who: sum(draw["won"][who] for draw in draws) for who in ("patients", "gang")}
    all_entries, all_won = sum(entries.values()), sum(won.values())
    heads = [
        ("抽签", "draw"),
        ("号", "slots"),
        ("患者报名", "patients"),
        ("团伙报名", "gang"),
        ("患者中签", "patients won"),
        ("团伙中签", "gang won"),
    ]
    rows = [
        [
            raw(
                both(d["department_zh"], d["department_en"])
                + element("a", element("code", text("JSON")), href=d["file"])
            ),
            text(d["seats"]),
            text(f"{d['entries']['patients']:,}"),
            text(d["entries"]["gang"]),
            text(d["won"]["patients"]),
            text(d["won"]["gang"]),
        ]
        for d in draws
    ]
    zh = (
        f"专家号按抽签放号：窗口 {report['waitlist']['window_s']} 秒内报名，早晚都一样，截止后封存名单，再抽签。"
        f"团伙用 {gang['accounts']} 个账号反复报名，但每次抽签每人只有一份：{entries['gang']} 份报名占 "
        f"{_percent(entries['gang'], all_entries)}，中签 {won['gang']} 个，占 {_percent(won['gang'], all_won)}。"
    )
    en = (
        f"The experts' slots go by draw: who enters within {report['waitlist']['window_s']} s has one chance, early or "
        f"late; the list is sealed, then drawn. The gang entered over and over with {gang['accounts']} accounts, yet a "
        f"person has one entry in a draw: {entries['gang']} entries are {_percent(entries['gang'], all_entries)}, "
        f"{won['gang']} slots are {_percent(won['gang'], all_won)}."
    )
    arrival = element(
        "figure",
        element(
            "figcaption",
            both(
                "得到号的人所占比例，按到达先后分为十组（左边最先到）",
                "Part of the patients who got a slot, by tenths in the order of arrival (left: the first)",
            ),
            keys(("granted", "抽签 draws"), ("hot", "先到先得 first come")),
        ),
        raw(chance_by_arrival(report["by_arrival"])),
    )
    check = element(
        "p",
        both(
            "每个抽签文件都在本页旁边，任何人都可重算：shouhao draw verify 文件",
            "The file of each draw lies beside this page; anyone repeats it: shouhao draw verify FILE",
        ),
        class_="when",
    )
    return section("抽签", "The draws", zh, en, element("div", arrival, _table(heads, rows), class_="pair"), check)


def _table(heads: list[tuple[str, str]], rows: list[list[Markup]]) -> Markup:
    return element("div", table(heads, rows, numbers={1, 2, 3, 4, 5}, class_="drawn"))


def _percent(part: int, of: int) -> str:
    return f"{100 * part / of:.1f}%" if of else "–"
