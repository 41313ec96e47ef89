"""Page: `report.html`, one file without scripts and without network, from a `Report` and nothing else.

It can be mailed, printed and kept. The policy inside it lets a browser use this one style sheet, by its hash, and
nothing besides: should a log line ever become markup, it could still not load, run or restyle anything.
"""

import base64
import hashlib
from importlib import resources
from pathlib import Path

from shouhao.detect.report import plot_sections, sections
from shouhao.detect.report.finding_section import finding_section
from shouhao.detect.report.findings_table import findings_table
from shouhao.detect.report.markup import element, joined, text
from shouhao.detect.report.model import Report
from shouhao.detect.report.saying import words
from shouhao.kernel.markup import raw

NAME = "report.html"
FULL = 50  #: findings in full; the others stand in the table
MOST_BYTES = 5_000_000
_FEWER = (FULL, 25, 10, 3, 0)  # where log lines are long or hostile, fewer fit


def write_report(report: Report, out: Path) -> Path:
    """Write `report.html` into a folder; its path."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / NAME
    path.write_text(page(report), encoding="utf-8", newline="\n")
    return path


def page(report: Report) -> str:
    """The whole page, with as many findings in full as keep it within `MOST_BYTES`."""
    written = ""
    for full in _FEWER:
        written = _page(report, full=min(full, len(report.findings)))
        if len(written.encode()) <= MOST_BYTES:
            break
    return written


def _page(report: Report, *, full: int) -> str:
    style = resources.files("shouhao.detect.report").joinpath("report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = words("title")
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{text(f'{title.zh} {title.en}')}</title><style>{style}</style>"
    )
    numbers = {finding["finding_id"]: n + 1 for n, finding in enumerate(report.findings)}
    drawn = {ring.finding_id: n + 1 for n, ring in enumerate(report.rings[: plot_sections.MOST_RINGS])}
    in_full = [
        finding_section(
            finding,
            n + 1,
            excerpts=report.excerpts.get(finding["finding_id"]),
            rhythm=report.rhythms.get(finding["finding_id"]),
            ring_anchor=plot_sections.ring_anchor(drawn[finding["finding_id"]])
            if finding["finding_id"] in drawn
            else None,
        )
        for n, finding in enumerate(report.findings[:full])
    ]
    body = (
        sections.heading(report),
        sections.tiles(report),
        sections.contents(report),
        sections.how_to_read(report),
        findings_table(report, full=full),
        *in_full,
        plot_sections.rings(report, numbers, full=full),
        plot_sections.hot_sessions(report),
        plot_sections.activity(report),
        plot_sections.looked_at(report),
        sections.what_was_read(report),
        sections.limits(),
        sections.repeat(report),
    )
    shown = joined((sections.switch(), element("main", *body)))
    return f'<!doctype html>\n<html lang="zh-CN"><head>{head}</head><body>{raw(shown)}</body></html>\n'
