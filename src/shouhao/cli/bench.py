"""`shouhao bench`: figures beside their floors, from the scripts in `bench/` of a checkout."""

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

import shouhao

_FOLDER = Path(shouhao.__file__).resolve().parent.parent.parent / "bench"


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="哪些 Which; all without a name")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="结果文件 File for the result", dir_okay=False)
    ] = None,
    runs: Annotated[int, typer.Option("--runs", help="每项次数 Runs of each figure", min=1, max=20)] = 3,
    *,
    full: Annotated[bool, typer.Option("--full", help="按完整规模（detect） In full size, where there is one")] = False,
) -> None:
    """测量性能，每个数字旁边都有同机同时测得的下限。 Measure; each figure beside a floor of the same run."""
    if not (_FOLDER / "harness.py").is_file():
        typer.echo("bench/ 只随源码提供。 The benches come with a checkout only.", err=True)
        raise typer.Exit(3)
    sys.path.insert(0, str(_FOLDER.parent))
    run = importlib.import_module("bench.harness").run
    raise typer.Exit(run(list(names or ()), json_file, runs, full=full))
