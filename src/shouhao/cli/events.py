"""`shouhao events export`: the event log, out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shouhao.cli.opening import opened, read_settings
from shouhao.store import event_log
from shouhao.store.export import export as export_rows

app = typer.Typer(help="事件日志。 The event log.", no_args_is_help=True)


class Form(StrEnum):
    """Formats that `analyze` reads."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


@app.command()
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="输出文件 File to write", dir_okay=False)],
    form: Annotated[Form | None, typer.Option("--format", help="默认按扩展名 Default: by the file's name")] = None,
    after: Annotated[int, typer.Option("--after", help="只导出该序号之后 Only events after this number", min=0)] = 0,
) -> None:
    """导出为 CSV、JSON Lines 或 Parquet。 Write CSV, JSON Lines or Parquet."""
    chosen = (
        form.value if form is not None else out.suffix.lstrip(".").lower().replace("json", "jsonl").replace("ll", "l")
    )
    if chosen not in {"csv", "jsonl", "parquet"}:
        raise typer.BadParameter("--format csv | jsonl | parquet")
    with opened(read_settings(context.obj)) as system, system.db.read() as connection:
        count = export_rows(event_log.read(connection, after_seq=after), out, chosen)  # type: ignore[arg-type]
    typer.echo(f"{count} 个事件 events -> {out}")
