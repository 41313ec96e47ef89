"""`shouhao analyze`: the page and the rings, which a batch writes once and a live run after each full look."""

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
    """Write rings.graphml and report.html into a folder; the page's path."""
    from shouhao.detect.report.page import write_report  # noqa: PLC0415
    from shouhao.detect.reporting import report_of  # noqa: PLC0415
    from shouhao.detect.rings.graphml import write_graphml  # noqa: PLC0415 - takes a second, and other commands would wait

    write_graphml(analysis.rings, out / "rings.graphml")
    made_at = datetime.now(UTC).astimezone(HOSPITAL_ZONE).isoformat(timespec="seconds")
    return write_report(report_of(inputs, tables, analysis, command=command(), made_at=made_at), out)
