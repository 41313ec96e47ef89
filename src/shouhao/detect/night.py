"""Night: one folder of `shouhao analyze`, read whole and checked, ready to be kept. Nothing is written here.

A folder that holds report.json is complete. Of a batch both files tell the same findings, byte for byte; where they do
not, somebody has changed one of them, and that is noted with the hashes of both.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shouhao.detect import found_lines
from shouhao.detect.found_lines import Line
from shouhao.detect.report import file as report_file
from shouhao.detect.report.model import FindingExcerpts, Report, Rhythm, Ring
from shouhao.kernel.clock import to_us
from shouhao.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The two files of a folder as they lie there."""

    findings: bytes
    report: bytes
    live: bool

    @property
    def sha256s(self) -> tuple[str, str]:
        """Of the findings and of the report."""
        return hashlib.sha256(self.findings).hexdigest(), hashlib.sha256(self.report).hexdigest()

    @property
    def key(self) -> str:
        """What makes two folders one run: the same findings; of a live run, whose file grows, the same first line.

        Nights on which nothing was found are told apart by what was read.

        Raises:
            InvalidInput: nothing was found, and the report does not say in what.
        """
        if self.live:
            return "live-" + hashlib.sha256(self.findings.partition(b"\n")[0]).hexdigest()
        if self.findings:
            return hashlib.sha256(self.findings).hexdigest()
        read = [one.sha256 for one in report_file.report_from(self.report).report.sources]
        if not read:
            raise InvalidInput(found_lines.NAME, zh="还没有任何发现", en="holds no finding yet")
        return "none-" + hashlib.sha256("\n".join(read).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What a run found, with what its report tells of each finding."""

    key: str
    live: bool
    lines: tuple[Line, ...]
    report: Report  #: without its findings
    rings: Mapping[str, Ring]  #: by finding_id
    rhythms: Mapping[str, Rhythm]
    excerpts: Mapping[str, FindingExcerpts]
    findings_sha256: str
    report_sha256: str
    agree: bool

    @property
    def span_us(self) -> tuple[int | None, int | None]:
        """From when to when records were looked at, as far as that is known."""
        first = [one.first_at_us for one in self.report.sources if one.first_at_us is not None]
        last = [one.last_at_us for one in self.report.sources if one.last_at_us is not None]
        found = [one.found for one in self.lines if one.found is not None]
        first = first or [to_us(one.first_at) for one in found]
        last = last or [to_us(one.last_at) for one in found]
        return min(first, default=None), max(last, default=None)

    def counted(self) -> tuple[Counter[str], Counter[str], int]:
        """How many findings stand: by level, by code of a reason, and of rings."""
        standing = [one.found for one in self.lines if one.head.stands and one.found is not None]
        codes = Counter(code for one in standing for code in {reason.code for reason in one.reasons})
        return Counter(one.level for one in standing), codes, sum(one.subject.kind == "ring" for one in standing)


def read_files(folder: Path) -> Files:
    """The files of a folder.

    Raises:
        InvalidInput: the analysis is not finished, or a file is none that can be read.
    """
    report = report_file.read_plain(folder / report_file.NAME, most_bytes=report_file.MOST_BYTES)
    findings = report_file.read_plain(folder / found_lines.NAME, most_bytes=found_lines.MOST_BYTES)
    return Files(findings=findings, report=report, live=found_lines.is_live(findings))


def night_of(files: Files) -> Night:
    """What the files tell.

    Raises:
        InvalidInput: one of them is not what it should be; the field, or the line, is named.
    """
    read = report_file.report_from(files.report)
    lines = found_lines.read_lines(files.findings, live=files.live)
    findings_sha256, report_sha256 = files.sha256s
    return Night(
        key=files.key,
        live=files.live,
        lines=lines,
        report=read.report,
        rings={ring.finding_id: ring for ring in read.report.rings},
        rhythms=read.report.rhythms,
        excerpts=read.report.excerpts,
        findings_sha256=findings_sha256,
        report_sha256=report_sha256,
        agree=files.live or [bytes(one) for one in read.findings] == [one.raw for one in lines],
    )
