"""Sections that hold the story together: title and verdict, the chapters at a glance, and the heading of each."""

from collections.abc import Mapping
from typing import Any

from shouhao.kernel.markup import Markup, element, raw, text
from shouhao.lab.markup import both, said


def heading(report: Mapping[str, Any]) -> Markup:
    """Title and verdict."""
    checks = [*report["invariants"], *report["answers"]]
    broken = sum(not c["holds"] for c in checks)
    if report["ok"]:
        zh = f"全部 {len(checks)} 项核对通过：没有丢失的答复，没有一号两约，抽签人人可重算"
        en = f"All {len(checks)} checks hold: no answer lost, no slot given twice, every draw repeats from its file"
    else:
        zh = f"有 {broken} 项核对未通过" if broken else "新患者的流程没有走完"
        en = f"{broken} checks do not hold" if broken else "The new patient did not get all the way"
    names = report["hospital"]
    return element(
        "header",
        element("h1", text(f"{names['zh']}的一天")),
        element("p", text(f"One day at {names['en']}"), lang="en"),
        element(
            "div",
            element("strong", text(zh)),
            element("span", text(en), class_="sub", lang="en"),
            class_="verdict" if report["ok"] else "verdict bad",
        ),
        element("p", text(f"守号 Shouhao · {report['made_at'][:19].replace('T', ' ')}"), class_="when"),
    )


def contents(report: Mapping[str, Any]) -> Markup:
    """The chapters at a glance, each with what came of it."""
    items = [
        element(
            "li",
            element("b", text(one["when"])),
            element(
                "div",
                element("a", text(one["zh"]), href=f"#{one['code']}"),
                element("span", text(f" {one['en']} · {one['took_s']:.0f} s"), class_="soft", lang="en"),
                said("p", one["says"]["zh"], one["says"]["en"]),
            ),
        )
        for one in report["chapters"]
        if one["when"]
    ]
    note = said(
        "p",
        "时刻是故事里的时刻；演示用真实时钟，把一天压进一分多钟，几段重叠进行。",
        "The hours are the story's; on the real clock the day takes a minute or two, and its parts overlap.",
        class_="when",
    )
    return element("nav", element("ol", *items, class_="chapters"), note)


def tiles(report: Mapping[str, Any]) -> Markup:
    """The six numbers to remember."""
    night, known, checks = report["night"], report["known_face"], [*report["invariants"], *report["answers"]]
    entries = sum(sum(draw["entries"].values()) for draw in report["draws"])
    slots = sum(s["capacity"] for s in report["sold"])
    alarms = f"{known['found']}/{known['places_of_listed']}" if known["ran"] else "–"
    shown = (
        (f"{night['rings_found']}/{len(night['gangs'])}", "昨夜认出的号贩团伙", "gangs found last night"),
        (f"{night['honest']['count']}", "被误指的普通账号", "honest accounts accused"),
        (f"{report['seeded']['patients']:,}", f"位患者抢 {slots:,} 个号", f"patients want {slots:,} slots"),
        (f"{entries:,}", f"份报名，{len(report['draws'])} 次抽签", f"entries in {len(report['draws'])} draws"),
        (alarms, "该报警的地点已报警", "places where an alarm was due and came"),
        (f"{sum(c['holds'] for c in checks)}/{len(checks)}", "项核对通过", "checks hold"),
    )
    return element(
        "ul",
        *(element("li", element("b", text(value)), said("span", zh, en)) for value, zh, en in shown),
        class_="tiles",
    )


def chapter(report: Mapping[str, Any], code: str) -> Markup:
    """The heading of a chapter, which the page can be opened at."""
    found = next((one for one in report["chapters"] if one["code"] == code), None)
    if found is None:
        return raw("")
    return element(
        "div",
        element("b", text(found["when"])),
        element("h2", both(found["zh"], found["en"])),
        class_="chapter",
        id=code,
    )
