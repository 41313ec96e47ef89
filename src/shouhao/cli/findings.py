"""`shouhao findings`: what `shouhao analyze` found is taken in for people to judge; what is there."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from shouhao.cli.opening import opened, read_settings
from shouhao.detect.store.runs import Run, list_runs
from shouhao.flows.finding_duty import take as take_folder
from shouhao.flows.findings import Taken
from shouhao.kernel.clock import DAY_US, iso
from shouhao.kernel.errors import InvalidInput

app = typer.Typer(help="检测发现的收入与列表。 Findings: take in, list.", no_args_is_help=True)

_JSON = Annotated[bool, typer.Option("--json", help="输出 JSON Print JSON")]


@app.command("take")
def take(
    context: typer.Context,
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="analyze 的输出目录 --out folders of analyze")
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="这次分析的名称，默认取目录名 Its name; default: the folder's")
    ] = None,
    *,
    as_json: _JSON = False,
) -> None:
    """收入分析结果；同一结果收入多次也只有一份。 Take in what was found; twice is once."""
    if name is not None and len(folders) > 1:
        raise InvalidInput("name", zh="只能用于一个目录", en="is for one folder alone")
    taken = []
    settings = read_settings(context.obj)
    with opened(settings) as system:
        for folder in folders:
            one = take_folder(
                system.db,
                system.vault,
                folder,
                name=name,
                now_us=system.clock.now_us(),
                keep_us=settings.findings_keep_days * DAY_US,
            )
            taken.append({"folder": str(folder), **asdict(one)})
            if not as_json:
                typer.echo(_said(folder, one))
    if as_json:
        typer.echo(msgspec.json.encode(taken).decode())


@app.command("list")
def list_all(context: typer.Context, *, as_json: _JSON = False) -> None:
    """列出已收入的分析。 What was taken in."""
    with opened(read_settings(context.obj)) as system, system.db.read() as connection:
        runs = list_runs(connection)
    if as_json:
        typer.echo(msgspec.json.encode([_told(run) for run in runs]).decode())
        return
    for run in runs:
        span = " – ".join("?" if at_us is None else iso(at_us)[:16] for at_us in (run.from_at_us, run.to_at_us))
        levels = " ".join(f"{level} {count}" for level, count in run.levels.items())
        doubt = "" if run.agree else "\t两个文件不一致 the two files disagree"
        typer.echo(f"{run.id}\t{run.name}\t{span}\t{levels}\trings {run.rings}{doubt}")


def _said(folder: Path, taken: Taken) -> str:
    if taken.erased:
        return f"{folder}: 已过保存期并删除，不再收入 kept for its time and erased; not taken in again"
    doubt = "；两个文件不一致，已注明 its two files disagree, which is noted" if not taken.agree else ""
    done = "已有 already there" if taken.again else "已收入 taken in"
    return (
        f"{folder}: {done} {taken.run_id}，发现 findings {taken.findings}（新增 new {taken.new}），"
        f"团伙 rings {taken.rings}{doubt}"
    )


def _told(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "name": run.name,
        "live": run.live,
        "taken_at": iso(run.taken_at_us),
        "from_at": None if run.from_at_us is None else iso(run.from_at_us),
        "to_at": None if run.to_at_us is None else iso(run.to_at_us),
        "findings": dict(run.levels),
        "rings": run.rings,
        "hits": run.hits,
        "events": run.events,
        "findings_sha256": run.findings_sha256,
        "report_sha256": run.report_sha256,
        "agree": run.agree,
    }
