"""`shouhao lab cameras`: simulated GA/T 1400 cameras that push people to a receiver, with faults on demand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from shouhao.cli.opening import opened, read_settings
from shouhao.kernel.errors import InvalidInput
from shouhao.lab.cameras.faults import FAULTS, read_faults
from shouhao.lab.cameras.people import made_up, people_in

if TYPE_CHECKING:
    from shouhao.lab.cameras.run import Outcome, Plan

_KNOWN = ", ".join(FAULTS)
_MOST = 1000


def cameras(
    context: typer.Context,
    *,
    count: Annotated[int, typer.Option("--cameras", help="摄像机数 Cameras", min=1, max=_MOST)] = 4,
    rate: Annotated[float, typer.Option("--rate", help="每秒推送数（合计） Posts a second, together", min=0.01)] = 2.0,
    seconds: Annotated[float, typer.Option("--seconds", help="时长 How long", min=0.1)] = 30.0,
    faces: Annotated[
        Path | None,
        typer.Option(
            "--faces", help="照片目录，每人一个子目录 Photographs, one folder a person", file_okay=False, exists=True
        ),
    ] = None,
    listed: Annotated[
        float, typer.Option("--listed", help="布控人员占比 Share of passages by listed people", min=0, max=1)
    ] = 0.1,
    to: Annotated[str, typer.Option("--to", help="接收地址 Address of the receiver")] = "http://127.0.0.1:8082",
    password: Annotated[
        str | None, typer.Option("--password", help="设备密码（未用 --install 时） Of the devices, without --install")
    ] = None,
    faults: Annotated[
        list[str] | None, typer.Option("--fault", help=f"故障=比例，可多次 FAULT=SHARE, repeatable: {_KNOWN}")
    ] = None,
    stall_s: Annotated[float, typer.Option("--stall-s", help="停顿时间 How long a stall lasts", min=0)] = 20.0,
    late_s: Annotated[float, typer.Option("--late-s", help="补传延迟 How late the late ones are", min=0)] = 60.0,
    seed: Annotated[int, typer.Option("--seed", help="随机种子 Seed", min=0)] = 1,
    data: Annotated[
        Path | None, typer.Option("--data", help="医院的数据目录 The hospital's data folder", file_okay=False)
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="逐条记录谁经过（JSON Lines） Who passed, one line a post", dir_okay=False),
    ] = None,
    install_them: Annotated[
        bool, typer.Option("--install", help="先在医院登记这些摄像机 Register the cameras in the hospital first")
    ] = False,
    trial_law: Annotated[
        bool,
        typer.Option(
            "--trial-law", help="提交试用文件并启用布控（仅 embedded） Hand in a trial's papers, turn the watchlist on"
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")] = False,
) -> None:
    """模拟 GA/T 1400 人脸抓拍机向接收端推送。 Simulated capture cameras; exit 1 if not all was taken."""
    from shouhao.lab.cameras.install import device_ids  # noqa: PLC0415 - httpx: no other command waits for it
    from shouhao.lab.cameras.run import Plan  # noqa: PLC0415 - as above

    try:
        shares = read_faults(faults or ())
    except InvalidInput as error:
        raise typer.BadParameter(f"{error.says('zh')} {error.says('en')}", param_hint="--fault") from None
    known = password or ""
    if install_them or trial_law:
        known = _installed(context, count, data, trial_law=trial_law)
    elif password is None:
        raise typer.BadParameter("--password 或 --install or --install", param_hint="--password")
    people = made_up(seed=seed) if faces is None else people_in(faces, seed=seed)
    plan = Plan(
        base=to,
        device_ids=device_ids(count),
        password=known,
        people=people,
        rate=rate,
        seconds=seconds,
        listed_share=listed,
        faults=shares,
        late_s=late_s,
        stall_s=stall_s,
        seed=seed,
    )
    outcome = _simulated(plan)
    report = outcome.report(plan) | {"listed": _listed(plan)}
    if truth is not None:
        truth.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in outcome.sent))
    typer.echo(msgspec.json.encode(report).decode()) if as_json else _show(report)
    raise typer.Exit(1 if report["not_taken"] or report["not_registered"] else 0)


def _installed(context: typer.Context, count: int, data: Path | None, *, trial_law: bool) -> str:
    from shouhao.lab.cameras.install import camera_ids, install, turn_on_for_trial  # noqa: PLC0415 - as above

    with opened(read_settings(context.obj, data_dir=data)) as system:
        password = install(system, count)
        if trial_law:
            turn_on_for_trial(system, camera_ids(count))
    return password


def _simulated(plan: "Plan") -> "Outcome":
    from shouhao.lab.cameras.device import NotRegistered  # noqa: PLC0415 - as above
    from shouhao.lab.cameras.run import simulate  # noqa: PLC0415 - as above

    console = Console(stderr=True)
    try:
        if not console.is_terminal:
            return simulate(plan)
        with console.status("守号 Shouhao") as status:
            return simulate(plan, progress=lambda sent, at_s: status.update(f"{at_s:.0f}/{plan.seconds:.0f} s  {sent}"))
    except NotRegistered as refusal:
        typer.echo(f"没有一台摄像机注册成功：{refusal}\nNo camera was let in: {refusal}", err=True)
        raise typer.Exit(1) from None


def _listed(plan: "Plan") -> list[dict[str, str]]:
    """Who is to be put on the watchlist, and by which photograph, before they walk."""
    return [{"person": person.name, "photo": str(person.enrolled or "")} for person in plan.people if person.listed]


def _show(report: dict[str, object]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in report.items():
        if name == "listed" and isinstance(value, list):
            value = ", ".join(one["person"] for one in value)  # noqa: PLW2901 - as it is shown
        table.add_row(name, str(value))
    Console().print(table)
