"""The command: `shouhao --help`. Exit status: 0 done, 1 a correct "no", 2 wrong usage, 3 a dependency is missing."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from shouhao.cli import (
    analyze,
    bench,
    camera_push,
    cameras,
    database,
    demo,
    draw,
    events,
    face_gallery,
    faces,
    findings,
    lab,
    law,
    models,
    models_bench,
    run,
    staff,
    watch,
    watchlist,
)
from shouhao.faces.packs import PackageMissing
from shouhao.kernel.errors import Refused, Unavailable

app = typer.Typer(
    name="shouhao",
    help="守号：让号源回到患者手中。 Keeps a hospital's appointment slots out of scalpers' hands.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("analyze")(analyze.analyze)
app.command("up")(run.up)
app.command("serve")(run.serve)
app.command("demo")(demo.demo)
app.command("bench")(bench.bench)
app.command("import")(database.import_schedule)
app.command("generate")(database.generate)
cameras.app.command("push")(camera_push.push)
app.add_typer(cameras.app, name="cameras")
app.add_typer(database.app, name="db")
app.add_typer(draw.app, name="draw")
app.add_typer(events.app, name="events")
faces.app.command("gallery")(face_gallery.gallery)
faces.app.command("threshold")(face_gallery.threshold)
faces.app.command("change-pack")(face_gallery.change_pack)
app.add_typer(faces.app, name="faces")
app.add_typer(findings.app, name="findings")
app.add_typer(lab.app, name="lab")
app.add_typer(law.app, name="law")
models.app.command("bench")(models_bench.bench)
app.add_typer(models.app, name="models")
app.add_typer(staff.channels, name="channels")
app.add_typer(staff.operators, name="staff")
app.add_typer(watch.app, name="watch")
app.add_typer(watchlist.app, name="watchlist")


@app.callback()
def settings_file(
    context: typer.Context,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="设置文件（TOML 或 KEY=VALUE） Settings file", dir_okay=False)
    ] = None,
) -> None:
    """Remember where the settings come from."""
    context.obj = settings


def main() -> int:
    """Run the command and turn what went wrong into its exit status."""
    try:
        app(standalone_mode=True)
    except Refused as refusal:
        typer.echo(f"{refusal.says('zh')}\n{refusal.says('en')}", err=True)
        return 3 if isinstance(refusal, PackageMissing) else 1
    except Unavailable as error:
        typer.echo(f"依赖不可用：{error.what}\nUnavailable: {error.what}", err=True)
        return 3
    except ModuleNotFoundError as error:
        typer.echo(f"缺少依赖 / missing dependency: {error.name}", err=True)
        return 3
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
