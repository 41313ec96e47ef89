"""`shouhao demo`: a seeded hospital, a real morning, and its report."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from shouhao.lab.morning import MorningSettings, run_morning
from shouhao.lab.report import write_report
from shouhao.lab.running_server import RunningServer

_PIPE_WIDTH = 200  #: a pipe has no edge at which to break lines


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="写完报告即结束 End once the report is written")] = False,
    out: Annotated[
        Path, typer.Option("--out", help="报告与数据的目录 Folder of the report and the data", file_okay=False)
    ] = Path("demo-out"),
    patients: Annotated[
        int, typer.Option("--patients", help="抢号的患者数 Patients in the rush", min=20, max=20_000)
    ] = 4000,
    faces: Annotated[
        Path | None,
        typer.Option(
            "--faces",
            help="自己的照片，每人一个子目录；不填则从软件包源取固定的几张 "
            "Photographs, one folder a person; without it a few pinned ones from the package index",
            file_okay=False,
            exists=True,
        ),
    ] = None,
    known_face: Annotated[bool, typer.Option(help="也演示“认出名单上的人” Whether the known face is shown too")] = True,
) -> None:
    """示范医院的一个放号早晨，并写出报告。 A seeded hospital, a real morning, report.html and report.json."""
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def then(report: Mapping[str, Any], server: RunningServer) -> None:
        written.extend(write_report(report, out))
        stop_telling()
        _summarise(console, report, written[1])
        if not headless:
            _linger(console, server)

    before = signal.signal(signal.SIGTERM, _end)  # so that the server is ended too
    try:
        with _telling(console) as (tell, stop_telling):
            settings = MorningSettings(patients=patients, known_face=known_face, faces=faces)
            report = run_morning(out, settings, tell=tell, then=then)
    finally:
        signal.signal(signal.SIGTERM, before)
    if not report["ok"]:
        raise typer.Exit(1)


@contextmanager
def _telling(console: Console) -> Iterator[tuple[Callable[[str, str], None], Callable[[], None]]]:
    """Progress on a terminal, silence in a pipe."""
    if not console.is_terminal:
        yield lambda _zh, _en: None, lambda: None
        return
    with console.status("守号 Shouhao") as status:
        yield lambda zh, en: status.update(f"{zh} [dim]{en}[/dim]"), status.stop


def _summarise(console: Console, report: Mapping[str, Any], page: Path) -> None:
    checks = [*report["invariants"], *report["answers"]]
    broken = [c for c in checks if not c["holds"]]
    booking_ms, traffic = report["latency"]["booking_ms"], report["traffic"]
    sold_s = sorted(s["sold_out_s"] for s in report["sold"] if s["sold_out_s"] is not None)
    rows = [
        (
            "患者 / 号 patients / slots",
            f"{report['seeded']['patients']:,} / {sum(s['capacity'] for s in report['sold']):,}",
        ),
        ("约到 got a slot", f"{report['patients_who_got_one']:,}"),
        ("约满 sold out", f"{sold_s[0]:.2f} – {sold_s[-1]:.2f} s" if sold_s else "–"),
        (
            "候补 waitlist",
            f"{report['waitlist']['joined']:,} 人次加入 joined, {report['waitlist']['accepted']:,} 个号候补到 got one",
        ),
        ("请求 requests", f"{traffic['requests']:,}, {traffic['unanswered']} 无答复 unanswered"),
        ("预约延迟 latency", f"p50 {booking_ms.get('p50', 0):.0f} ms, p99 {booking_ms.get('p99', 0):.0f} ms"),
        ("核对 checks", f"{len(checks) - len(broken)}/{len(checks)} 通过 hold"),
        ("新患者全程 new patient", "通过 all the way" if report["walk"]["ok"] else "未走完 did not get all the way"),
    ]
    if "known_face" in report:
        rows.append(("名单上的人 known face", _known_face(report["known_face"])))
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    for check in broken:
        console.print(f"✗ {check['zh']} {check['en']}: {check['broken']}", style="red")
    console.print(f"报告 report: {page}", soft_wrap=True)


def _known_face(told: Mapping[str, Any]) -> str:
    if not told["ran"]:
        return f"未演示 not shown: {told['why']['zh']} {told['why']['en']}"
    return (
        f"{told['passages']} 人次经过 walked past, {told['found']} 处报警 alarms, {told['missed']} 漏 missed, "
        f"{told['false']} 误 false; 他人照片留存 strangers' pictures kept: {told['left']['open_pictures']}"
    )


def _linger(console: Console, server: RunningServer) -> None:
    for line in server.said:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    try:
        console.print("服务器继续运行，按 Ctrl-C 结束。 The server goes on until Ctrl-C.")
        server.wait()
    except KeyboardInterrupt:
        console.print("结束 Ending")


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # what a shell reports of a program that was asked to end
