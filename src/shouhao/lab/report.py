"""Report: report.json for machines and report.html for people, both from the same mapping and nothing else.

The page is one file without scripts and without network: it can be mailed, printed and kept.
"""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from shouhao.kernel.markup import Markup, element, raw, text
from shouhao.lab import report_sections as sections
from shouhao.lab import story_sections as story
from shouhao.lab.compare_section import compare_section, comparison_heading
from shouhao.lab.draw_section import draw_section
from shouhao.lab.known_face_section import known_face_section
from shouhao.lab.night_section import night_section

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # holds in any browser: no script, no network


def write_report(report: Mapping[str, Any], out: Path) -> tuple[Path, Path]:
    """Write `report.json` and `report.html` into a folder; their paths."""
    out.mkdir(parents=True, exist_ok=True)
    as_json, as_page = out / "report.json", out / "report.html"
    as_json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    as_page.write_text(page(report), encoding="utf-8")
    return as_json, as_page


def write_comparison(comparison: Mapping[str, Any], out: Path) -> tuple[Path, Path]:
    """Write `lab.json` and `lab.html` into a folder; their paths."""
    out.mkdir(parents=True, exist_ok=True)
    as_json, as_page = out / "lab.json", out / "lab.html"
    as_json.write_text(json.dumps(comparison, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    as_page.write_text(comparison_page(comparison), encoding="utf-8")
    return as_json, as_page


def page(report: Mapping[str, Any]) -> str:
    """The whole page: three chapters, then what was checked and how true all of it is."""
    return _page(
        "守号演示报告 Shouhao demo report",
        story.heading(report),
        story.tiles(report),
        story.contents(report),
        story.chapter(report, "night"),
        night_section(report["night"]),
        story.chapter(report, "morning"),
        draw_section(report),
        sections.rush(report),
        sections.slots(report),
        sections.waitlist(report),
        sections.gang(report),
        sections.walk(report),
        sections.refusals(report),
        sections.latency(report),
        story.chapter(report, "watch"),
        known_face_section(report["known_face"]),
        sections.checks(report),
        sections.honesty(report),
        sections.machine(report),
    )


def comparison_page(comparison: Mapping[str, Any]) -> str:
    """The comparison alone, as a page."""
    return _page(
        "守号放号规则对比 Shouhao release policies compared",
        comparison_heading(comparison),
        compare_section(comparison),
    )


def _page(title: str, *parts: Markup) -> str:
    style = resources.files("shouhao.lab").joinpath("report.css").read_text(encoding="utf-8")
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{text(title)}</title><style>{style}</style>"
    )
    body = element("main", *parts)
    return f'<!doctype html>\n<html lang="zh-CN"><head>{head}</head><body>{raw(body)}</body></html>\n'
