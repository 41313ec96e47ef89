"""`shouhao analyze`: page, rings and report.json, which a batch writes once and a live run after each full look."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from shouhao.kernel.clock import HOSPITAL_ZONE

if TYPE_CHECKING:
    from shouhao.detect.inputs.read import Inputs
    from shouhao.detect.model import Tables
    from shouhao.detect.run import Analysis


def command() -> list[str]:
    """What was typed, for whoever wants to run it again."""
    return ["shouhao", *sys.argv[1:]]


def write_pages(inputs: "Inputs", tables: "Tables", analysis: "Analysis", out: Path) -> Path:
    """Write rings.graphml, report.html and, when all else is there, report.json into a folder; the page's path."""
    from shouhao.detect.report.file import write_report_file  # noqa: PLC0415
    from shouhao.detect.report.page import write_report  # noqa: PLC0415
    from shouhao.detect.reporting import report_of  # noqa: PLC0415
    from shouhao.detect.rings.graphml import write_graphml  # noqa: PLC0415 - takes a second, and other commands would wait

    write_graphml(analysis.rings, out / "rings.graphml")
    made_at = datetime.now(UTC).astimezone(HOSPITAL_ZONE).isoformat(timespec="seconds")
    report = report_of(inputs, tables, analysis, command=command(), made_at=made_at)
    page = write_report(report, out)
    write_report_file(report, out)
    return page


def begin(out: Path) -> None:
    """Make the folder of a result; what an earlier run wrote there is no whole result any more."""
    from shouhao.detect.report.file import NAME  # noqa: PLC0415 - as above

    out.mkdir(parents=True, exist_ok=True)
    (out / NAME).unlink(missing_ok=True)
