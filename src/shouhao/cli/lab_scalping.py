"""`shouhao lab scalping`: made-up days with known scalpers, to measure a detector by."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast, get_args

import msgspec
import typer
from rich.console import Console

from shouhao.kernel.errors import InvalidInput
from shouhao.lab.scalping.generate import INPUTS, Generated, generate
from shouhao.lab.scalping.options import DAYS, FIRST_DAY, FORMS, SEED, Form, GangKind, Options


class SizeName(StrEnum):
    """How big."""

    small = "small"
    day = "day"
    large = "large"


class ScenarioName(StrEnum):
    """Who is about."""

    plain_day = "plain_day"
    gang_day = "gang_day"
    careful_day = "careful_day"
    everything = "everything"


class LogsName(StrEnum):
    """Which log formats."""

    one_of_each = "split"
    combined = "combined"
    extended = "extended"


def scalping(
    out: Annotated[Path, typer.Option("--out", help="输出目录 Folder to write", file_okay=False)],
    seed: Annotated[int, typer.Option("--seed", help="随机种子 Seed", min=0)] = SEED,
    size: Annotated[
        SizeName, typer.Option("--size", help="规模：约 20 万、200 万、1000 万行日志 200 k, 2 M, 10 M log lines")
    ] = SizeName.small,
    scenario: Annotated[
        ScenarioName, typer.Option("--scenario", help="场景：有哪些黄牛 Which scalpers are about")
    ] = ScenarioName.everything,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="只要这些黄牛，可多次 Only these scalpers, repeatable")
    ] = None,
    strength: Annotated[float, typer.Option("--strength", help="团伙规模倍数 Times as many accounts a gang")] = 1.0,
    forms: Annotated[
        list[str] | None, typer.Option("--events", help=f"事件格式 Form of events: {', '.join(FORMS)}")
    ] = None,
    logs: Annotated[LogsName, typer.Option("--logs", help="日志格式 Log formats")] = LogsName.one_of_each,
    *,
    first_day: Annotated[str, typer.Option("--first-day", help="第一天 First day, YYYY-MM-DD")] = str(FIRST_DAY),
    days: Annotated[
        int, typer.Option("--days", help="天数，最后一天为所问之日 Days; the last is the one in question")
    ] = DAYS,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")] = False,
) -> None:
    """生成带标签的虚拟医院日。 Write labelled hospital days: logs and events, and apart from them who was what."""
    try:
        begins = date.fromisoformat(first_day)
    except ValueError:
        raise typer.BadParameter(first_day, param_hint="--first-day") from None
    options = Options(
        seed=seed,
        size=size.value,
        scenario=scenario.value,
        kinds=None if kinds is None else tuple(_known(one, "--kind", get_args(GangKind)) for one in kinds),
        strength=strength,
        forms=FORMS if forms is None else cast("tuple[Form, ...]", tuple(_known(f, "--events", FORMS) for f in forms)),
        logs=logs.value,
        first_day=begins,
        days=days,
    )
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("守号 Shouhao") as status:
            made = generate(options, out, tell=lambda zh, en: status.update(f"{zh} {en}"))
    else:
        made = generate(options, out)
    typer.echo(msgspec.json.encode(_facts(made)).decode() if as_json else _page(made, out))


def _known(one: str, name: str, choice: tuple[str, ...]) -> GangKind:
    if one not in choice:
        known = ", ".join(choice)
        raise InvalidInput(name.lstrip("-"), zh=f"须为其中之一：{known}", en=f"must be one of: {known}")
    return cast("GangKind", one)


def _facts(made: Generated) -> dict[str, object]:
    accounts = made.found["accounts"].values()
    return {
        "files": [
            {"path": str(one.path), "rows": one.rows, "bytes": one.path.stat().st_size, "format": one.format}
            for one in (*made.logs, *made.events)
        ],
        "labels": str(made.labels),
        "honest_accounts": sum(1 for label in accounts if label["side"] == "honest"),
        "gang_accounts": sum(1 for label in accounts if label["side"] == "gang"),
        "gangs": len(made.found["gangs"]),
    }


def _page(made: Generated, out: Path) -> str:
    facts = _facts(made)
    lines = [f"{one.rows:>11,}  {one.path}" for one in (*made.logs, *made.events)]
    lines += [
        f"日志格式 log formats: {out / INPUTS / 'nginx.conf'}",
        f"标签（勿交给检测程序） labels, not for the detector: {made.labels}",
        f"普通账号 honest accounts {facts['honest_accounts']:,}",
        f"黄牛账号 scalpers' accounts {facts['gang_accounts']:,}，团伙 gangs {facts['gangs']}",
        "各 events.* 内容相同，只需其一。 Each events file holds all events: give one of them.",
    ]
    return "\n".join(lines)
