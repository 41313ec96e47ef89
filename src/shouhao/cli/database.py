"""`shouhao db` and `shouhao import`: the schema, the invariants, and how schedules get in."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from shouhao.cli.opening import opened, prepare, read_settings
from shouhao.store.invariants import check as check_invariants
from shouhao.store.migrate import upgrade as upgrade_schema
from shouhao.wiring import INVARIANTS

app = typer.Typer(help="数据库：迁移与不变式核对。 Migrations, and the invariants of the data.", no_args_is_help=True)


@app.command()
def upgrade(context: typer.Context) -> None:
    """迁移到最新结构。 Bring the database to the newest schema."""
    settings = read_settings(context.obj)
    if settings.mode == "embedded":
        prepare(settings)
    else:
        upgrade_schema(settings.open_url())
    typer.echo("数据库已是最新结构。 The database has the newest schema.")


@app.command()
def check(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")] = False
) -> None:
    """核对全部不变式；有违反则退出码为 1。 Check every invariant; exit 1 on a hit."""
    with opened(read_settings(context.obj)) as system, system.db.read() as connection:
        violations = check_invariants(connection, INVARIANTS)
    if as_json:
        checked = [{"code": i.code, "zh": i.zh, "en": i.en} for i in INVARIANTS]
        typer.echo(msgspec.json.encode({"checked": checked, "violations": violations}).decode())
    else:
        broken = {violation.code: violation for violation in violations}
        for invariant in INVARIANTS:
            hit = broken.get(invariant.code)
            mark = "通过 ok  " if hit is None else f"违反 {hit.count:>4}"
            typer.echo(f"{mark}  {invariant.zh} {invariant.en}")
            if hit is not None:
                typer.echo(f"          {', '.join(hit.examples)}")
    if violations:
        raise typer.Exit(1)


def import_schedule(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV 或 FHIR JSON/NDJSON", exists=True, dir_okay=False)],
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")] = False,
) -> None:
    """导入排班与号源（可重复导入）。 Import sessions and slots; importing twice changes nothing."""
    from shouhao.cli.importing import import_file  # noqa: PLC0415 - FHIR models take a second to import

    with opened(read_settings(context.obj)) as system:
        problems = import_file(system, file, as_json=as_json)
    if problems:
        raise typer.Exit(1)


def generate(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="每周排班模板 JSON Weekly templates", exists=True, dir_okay=False)],
    first: Annotated[datetime, typer.Option("--first", help="首日 First day", formats=["%Y-%m-%d"])],
    last: Annotated[datetime, typer.Option("--last", help="末日 Last day", formats=["%Y-%m-%d"])],
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")] = False,
) -> None:
    """按工作日历由每周模板生成排班。 Generate sessions from weekly templates on the working-day calendar."""
    from shouhao.cli.importing import generate as generate_from  # noqa: PLC0415 - as above

    with opened(read_settings(context.obj)) as system:
        problems = generate_from(system, file, first.date(), last.date(), as_json=as_json)
    if problems:
        raise typer.Exit(1)
