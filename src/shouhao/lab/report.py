"""Report: report.json for machines and report.html for people, both from the same mapping and nothing else.

The page is one file without scripts and without network: it can be mailed, printed and kept.
"""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from shouhao.lab import report_sections as sections
from shouhao.lab.markup import element, raw, text

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # holds in any browser: no script, no network


def write_report(report: Mapping[str, Any], out: Path) -> tuple[Path, Path]:
    """Write `report.json` and `report.html` into a folder; their paths."""
    out.mkdir(parents=True, exist_ok=True)
    as_json, as_page = out / "report.json", out / "report.html"
    as_json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    as_page.write_text(page(report), encoding="utf-8")
    return as_json, as_page


def page(report: Mapping[str, Any]) -> str:
    """The whole page."""
    style = resources.files("shouhao.lab").joinpath("report.css").read_text(encoding="utf-8")
    title = "守号演示报告 Shouhao demo report"
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{text(title)}</title><style>{style}</style>"
    )
    body = element(
        "main",
        sections.heading(report),
        sections.tiles(report),
        sections.walk(report),
        sections.rush(report),
        sections.slots(report),
        sections.refusals(report),
        sections.latency(report),
        sections.gang(report),
        sections.checks(report),
        sections.honesty(report),
        sections.machine(report),
    )
    return f'<!doctype html>\n<html lang="zh-CN"><head>{head}</head><body>{raw(body)}</body></html>\n'
