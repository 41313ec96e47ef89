"""`shouhao lab run`: the same morning under several release policies, side by side, before one of them is real."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from shouhao.cli.lab_cameras import cameras
from shouhao.cli.lab_scalping import scalping
from shouhao.cli.lab_streams import streams
from shouhao.kernel.errors import InvalidInput
from shouhao.lab.compare import SCENARIOS, SEEDS, compare
from shouhao.lab.regimes import REGIMES, regime_named
from shouhao.lab.report import write_comparison

app = typer.Typer(help="实验室：虚拟时间里的放号早晨。 Lab: mornings in virtual time.", no_args_is_help=True)

_KNOWN = ", ".join(REGIMES)

app.command("scalping")(scalping)
app.command("cameras")(cameras)
app.command("streams")(streams)


@app.callback()
def lab() -> None:
    """Keep `run` a word of its own while it is the only command."""


@app.command("run")
def run(
    scenario: Annotated[str, typer.Argument(help=f"场景 Scenario: {', '.join(SCENARIOS)}")] = SCENARIOS[0],
    policies: Annotated[
        list[str] | None, typer.Option("--policy", help=f"放号规则，可多次 Policy, repeatable: {_KNOWN}")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="结果目录 Folder for lab.json and lab.html", file_okay=False)
    ] = Path("lab-out"),
    seeds: Annotated[
        int, typer.Option("--seeds", help="重复次数 Repetitions, each with a seed", min=1, max=100)
    ] = SEEDS,
) -> None:
    """同一个早晨，在几种放号规则下各来一遍。 The same morning under each policy; lab.json and lab.html."""
    if scenario not in SCENARIOS:
        raise typer.BadParameter(f"{', '.join(SCENARIOS)}", param_hint="SCENARIO")
    try:
        regimes = [regime_named(name) for name in dict.fromkeys(policies or REGIMES)]
    except InvalidInput as error:
        raise typer.BadParameter(f"{error.says('zh')} {error.says('en')}", param_hint="--policy") from None
    console = Console()
    if console.is_terminal:
        with console.status("守号 Shouhao") as status:
            found = compare(regimes, seeds=seeds, progress=lambda done, of: status.update(f"{done}/{of}"))
    else:
        found = compare(regimes, seeds=seeds)
    _, page = write_comparison(found, out)
    table = Table(box=None, pad_edge=False)
    for head in ("规则 policy", "团伙最初 gang first", "转卖成功 resales", "患者最终 patients in the end"):
        table.add_column(head)
    for policy in found["policies"]:
        figures = [policy[name]["mean"] for name in ("gang_share_first", "sales_reached", "held_by_patients")]
        table.add_row(policy["name"], *("–" if mean is None else f"{mean:.1%}" for mean in figures))
    console.print(table)
    console.print(f"报告 report: {page}", soft_wrap=True)
