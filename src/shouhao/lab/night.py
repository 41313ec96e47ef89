"""Night: yesterday's logs and bookings, made with known scalpers, and analysed while the hospital sleeps.

The days are written by `shouhao lab scalping`, read by `shouhao analyze`, each in a process of its own; what the engine
found is held against the labels that it never saw, and told as it is: found, missed, and whoever is wrongly accused.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec

from shouhao.flows.findings import take_in
from shouhao.kernel.errors import Unavailable
from shouhao.lab.checks import Check
from shouhao.lab.scalping.generate import INPUTS, LABELS, NGINX
from shouhao.lab.scalping.judge import LEVELS, Judged, judge, read_findings, read_labels
from shouhao.settings import PREFIX
from shouhao.wiring import System

_FOUND = "found"
_CITED_OF = 40  #: findings that cite lines, the strongest first, whose lines are read back
_FORMATS = (f"{NGINX}:portal", f"{NGINX}:api")


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSettings:
    """Which days are made."""

    days: int = 8  #: seven of history, and the one in question
    kinds: tuple[str, ...] = ()  #: of scalpers; none named: all of them


@dataclass(slots=True, kw_only=True)
class Analysed:
    """What the two commands said, and how long they took."""

    folder: Path
    summary: Mapping[str, Any]
    made_s: float
    analysed_s: float


@dataclass(slots=True)
class Night:
    """The night's work, under way in other processes; a context that ends them, whatever happens."""

    out: Path  #: `inputs/`, `labels.json` and `found/` are written here
    last_day: date
    settings: NightSettings
    _thread: threading.Thread | None = None
    _process: subprocess.Popen[bytes] | None = None
    _ended: bool = False
    _analysed: Analysed | None = None
    _failed: list[Exception] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread = threading.Thread(target=self._work, name="night", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End what is still running."""
        self._ended = True
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
        if self._thread is not None:
            self._thread.join()

    def wait(self) -> Analysed:
        """What the analysis came to.

        Raises:
            Unavailable: one of the commands failed; its last words.
        """
        if self._thread is not None:
            self._thread.join()
        if self._analysed is None:
            raise self._failed[0] if self._failed else Unavailable("night")
        return self._analysed

    def _work(self) -> None:
        try:
            started = time.monotonic()
            self._run(self._making())
            made_s = time.monotonic() - started
            said = self._run(self._analysing())
            self._analysed = Analysed(
                folder=self.out / _FOUND,
                summary=msgspec.json.decode(said),
                made_s=round(made_s, 1),
                analysed_s=round(time.monotonic() - started - made_s, 1),
            )
        except (OSError, Unavailable, msgspec.DecodeError) as error:
            self._failed.append(error)

    def _making(self) -> list[str]:
        first = self.last_day - timedelta(days=self.settings.days - 1)
        asked = ["--out", str(self.out), "--events", "parquet", "--first-day", first.isoformat()]
        asked += ["--days", str(self.settings.days)]
        return ["lab", "scalping", *asked, *(part for kind in self.settings.kinds for part in ("--kind", kind))]

    def _analysing(self) -> list[str]:
        inputs = self.out / INPUTS
        logs = [part for path in _logs(inputs) for part in ("--access-log", str(path))]
        formats = [part for one in _FORMATS for part in ("--log-format", str(inputs / one))]
        events = ["--events", str(inputs / "events.parquet")]
        return ["analyze", *logs, *formats, *events, "--out", str(self.out / _FOUND), "--json"]

    def _run(self, command: Sequence[str]) -> bytes:
        """One command of the program to its end; what it printed."""
        if self._ended:
            raise Unavailable("night")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        self._process = subprocess.Popen(  # noqa: S603 - our own program, no input from outside
            [sys.executable, "-m", "shouhao.cli.main", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=kept,
            start_new_session=True,  # Ctrl-C reaches this process, which then ends that one
        )
        said, words = self._process.communicate()
        if self._process.returncode:
            raise Unavailable(f"shouhao {command[0]}: {words.decode(errors='replace').strip()[-300:]}")
        return said


def night_report(system: System, night: Night, analysed: Analysed, *, name: str) -> dict[str, Any]:
    """Take the findings in, hold them against the labels, and tell both."""
    started = time.monotonic()
    with system.db.write() as connection:
        taken = take_in(connection, system.vault, analysed.folder, name=name, now_us=system.clock.now_us())
    took_s = time.monotonic() - started
    with system.db.write() as connection:
        again = take_in(connection, system.vault, analysed.folder, name=name, now_us=system.clock.now_us())
    findings, labels = read_findings(analysed.folder / "findings.jsonl"), read_labels(night.out / LABELS)
    judged = judge(findings, labels)
    return {
        "ran": True,
        "day": night.last_day.isoformat(),
        "days": night.settings.days,
        "hits": analysed.summary["hits"],
        "events": analysed.summary["events"],
        "findings": dict(analysed.summary["findings"]),
        "rings": analysed.summary["rings"],
        "run_id": taken.run_id,
        "taken_in": taken.findings,
        "twice": int(again.new != 0 or again.run_id != taken.run_id),
        "made_s": analysed.made_s,
        "analysed_s": analysed.analysed_s,
        "taken_in_s": round(took_s, 1),
        "cited": _cited([one for one in findings if _cites_lines(one)][:_CITED_OF], night.out / INPUTS),
        "strongest": findings[0]["finding_id"] if findings else None,
        "page": f"{night.out.name}/{_FOUND}/report.html",
        **_judged(judged, labels),
        "honest_as_lead": sum(labels["accounts"].get(a, {}).get("side") == "honest" for a in _named(findings)),
    }


def night_checks(told: Mapping[str, Any]) -> list[Check]:
    """What must hold of the chapter."""
    cited = told["cited"]
    return [
        Check(
            code="night_findings_taken_in",
            zh="分析得出的每条发现都已收入控制台，重复收入不会多出一条",
            en="Every finding of the analysis is in the console, and taking it in twice adds none",
            looked_at=sum(told["findings"].values()),
            broken=abs(sum(told["findings"].values()) - told["taken_in"]) + told["twice"],
        ),
        Check(
            code="night_cited_lines_read_back",
            zh="发现所引用的日志行都能从原文件按字节读回",
            en="The log lines that findings cite are read back from the files, byte for byte",
            looked_at=cited["looked_at"],
            broken=cited["broken"],
        ),
        Check(
            code="night_no_honest_accused",
            zh="没有普通账号被指为“较强”或“确定模式”（对照标签）",
            en="No honest account is accused at “strong” or above, held against the labels",
            looked_at=told["honest"]["of"],
            broken=told["honest"]["count"],
        ),
    ]


def _logs(inputs: Path) -> list[Path]:
    return sorted(one for one in inputs.iterdir() if ".access.log" in one.name)


def _judged(judged: Judged, labels: Mapping[str, Any]) -> dict[str, Any]:
    found = judged.found
    rings = {ring.gang: ring for ring in judged.rings}
    gangs = []
    for gang_id, gang in labels["gangs"].items():
        ring = rings.get(gang_id)
        shares = judged.found_by_kind[gang["kind"]]
        gangs.append(
            {
                "kind": gang["kind"],
                "accounts": len(gang["accounts"]),
                "at_least": {level: shares[level].count for level in LEVELS},
                "of_kind": shares["lead"].of,
                "ring_found": ring is not None and ring.found,
                "finding_id": None if ring is None else ring.finding_id,
                "level": None if ring is None else ring.level,
            }
        )
    honest = judged.honest
    return {
        "accounts": {"gang": found["lead"].of, "honest": honest.accounts.of},
        "found": {level: found[level].count for level in LEVELS},
        "missed": found["lead"].of - found["lead"].count,
        "gangs": gangs,
        "rings_found": sum(one["ring_found"] for one in gangs),
        "honest": {
            "count": honest.accounts.count,
            "of": honest.accounts.of,
            "high_per_10_000": round(honest.high_per_10_000, 1),
        },
    }


def _named(findings: Iterable[Mapping[str, Any]]) -> set[str]:
    """Accounts that any finding names, leads included."""
    named = [one for finding in findings for one in (finding["subject"], *finding.get("members", ()))]
    return {one["id"] for one in named if one["kind"] == "account"}


def _cites_lines(finding: Mapping[str, Any]) -> bool:
    """Whether it cites lines of a log, and not events alone."""
    places = [place for reason in finding["reasons"] for place in reason["evidence"]]
    return any(".access.log" in place.get("file", "") for place in places)


def _cited(findings: Sequence[Mapping[str, Any]], inputs: Path) -> dict[str, int]:
    """How many places of the logs these findings cite at the beginning of each reason, and how many cannot be read."""
    from shouhao.detect.report.excerpts import read_excerpts  # noqa: PLC0415 - only who reads files back needs it

    found = read_excerpts(findings, {one.name: one for one in _logs(inputs)})
    excerpts = [e for one in found.values() for part in (one.reasons, one.speaks_for) for of in part for e in of]
    logs = [one for one in excerpts if ".access.log" in one.file]
    return {"looked_at": len(logs), "broken": sum(one.trouble is not None or not one.lines for one in logs)}
