"""`shouhao analyze`: exported logs and bookings in, findings out, each led back to the bytes it rests on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from shouhao.cli.analyze_batch import BatchOptions, Counting, analyze_files
from shouhao.cli.analyze_live import LiveOptions, follow
from shouhao.kernel.errors import InvalidInput


class Engine(StrEnum):
    """Where the counting is done."""

    DUCKDB = "duckdb"
    SPARK = "spark"


def analyze(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="结果目录 Folder for the result", file_okay=False)],
    access_log: Annotated[
        list[Path] | None,
        typer.Option("--access-log", help="访问日志，文件、文件夹或通配符，可多次 Access logs: file, folder, pattern"),
    ] = None,
    log_format: Annotated[
        list[str] | None,
        typer.Option(
            "--log-format",
            help="nginx log_format 原文、nginx.conf:名称、json、w3c（IIS）等，可多次，默认 combined"
            " Text, FILE:NAME of nginx.conf, json, w3c (IIS), repeatable; default: combined",
        ),
    ] = None,
    events: Annotated[
        list[Path] | None,
        typer.Option("--events", help="事件 CSV、JSON Lines、Parquet，同上 Events: file, folder, pattern"),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", help="列=变量或表头，事件类型=导出中的叫法，可多次 COLUMN=NAME, KIND=WORD, repeatable"),
    ] = None,
    *,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--trusted-proxy",
            help="可信代理的地址或前缀，可多次，配合 --map ip=… Address or its beginning, repeatable, with --map ip=…",
        ),
    ] = None,
    networks: Annotated[
        Path | None,
        typer.Option("--networks", help="网段归属表 CSV Who runs which network: network,asn,name", dir_okay=False),
    ] = None,
    shadow: Annotated[
        list[str] | None,
        typer.Option(
            "--shadow", help="只试不判：规则，或 规则.参数=数值 On trial: RULE, or RULE.FIELD=NUMBER, repeatable"
        ),
    ] = None,
    engine: Annotated[
        Engine, typer.Option("--engine", help="计数引擎：本机或 Spark 集群 Counts here, or on a Spark cluster")
    ] = Engine.DUCKDB,
    spark_master: Annotated[
        str | None,
        typer.Option("--spark-master", help="Spark 主节点地址，默认取 Spark 自身配置 Master; default: Spark's own"),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="状态目录：每晚只读新增部分 Folder that keeps what was read", file_okay=False),
    ] = None,
    keep_days: Annotated[
        int, typer.Option("--keep-days", help="状态与实时分析保留的天数 Days that are kept", min=1, max=3660)
    ] = 30,
    live: Annotated[bool, typer.Option("--live", help="跟随本平台的事件日志 Follow the platform's event log")] = False,
    replay: Annotated[
        Path | None, typer.Option("--replay", help="重演某次 --live 的输出目录 Do a live run again", file_okay=False)
    ] = None,
    lateness: Annotated[
        int,
        typer.Option("--lateness", help="实时：允许迟到的秒数 Live: seconds an event may be late", min=0, max=86_400),
    ] = 120,
    every: Annotated[
        int,
        typer.Option("--every", help="实时：全部检测的间隔，分钟 Live: minutes between full looks", min=1, max=1440),
    ] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")] = False,
) -> None:
    """从日志与预约导出中找出号贩线索；有行未能读取则退出码为 1。 Find scalping in exports; exit 1: lines were lost."""
    if live or replay:
        if access_log or events or state:
            raise typer.BadParameter("--live, --replay: --access-log, --events, --state")
        options = LiveOptions(out=out, replay=replay, lateness_s=lateness, every_min=every, keep_days=keep_days)
        typer.echo(msgspec.json.encode(follow(context.obj, options)).decode())
        return
    if not access_log and not events and not state:
        raise typer.BadParameter("--access-log, --events")
    if spark_master and engine is not Engine.SPARK:
        raise typer.BadParameter("--spark-master: --engine spark")
    batch = BatchOptions(
        out=out,
        access_logs=access_log or [],
        log_formats=log_format or ["combined"],
        events=events or [],
        mapping=_mapping(mapping or []),
        trusted_proxies=trusted_proxy or [],
        networks=networks,
        state=state,
        keep_days=keep_days,
        shadow=shadow or [],
    )
    with _counting(engine, spark_master) as counting:
        summary, lost = analyze_files(batch, counting)
    typer.echo(msgspec.json.encode(summary).decode() if as_json else _said(summary))
    if lost:
        raise typer.Exit(1)


@contextmanager
def _counting(engine: Engine, spark_master: str | None) -> Iterator[Counting]:
    """What makes tables to count in, of rows in DuckDB and a folder to work in."""
    if engine is Engine.DUCKDB:
        from shouhao.detect.run import tables_of  # noqa: PLC0415 - as below

        yield lambda connection, _: tables_of(connection)
        return
    from shouhao.detect.spark import spark_session, tables_on  # noqa: PLC0415 - an extra

    with spark_session(spark_master) as session:
        yield lambda connection, folder: tables_on(session, connection, folder)


def _mapping(given: Sequence[str]) -> dict[str, list[str]]:
    """`--map COLUMN=NAME`, several names of one column in the order they were given."""
    mapping: dict[str, list[str]] = {}
    for one in given:
        column, equals, name = one.partition("=")
        if not (column and equals and name):
            raise InvalidInput("map", zh="应写作 列=名称", en="must be COLUMN=NAME")
        mapping.setdefault(column.strip(), []).append(name.strip())
    return mapping


def _said(summary: dict[str, Any]) -> str:
    found = summary["findings"]
    lines = [
        f"日志 log lines: {summary['hits']:,}，事件 events: {summary['events']:,}",
        f"线索 leads: {found['lead']}，较强 strong: {found['strong']}，确定模式 certain: {found['certain-pattern']}",
        f"团伙 rings: {summary['rings']}",
    ]
    if summary["problems"]:
        counted = "，".join(f"{rule} {n:,}" for rule, n in summary["problems"].items())
        lines.append(f"问题 problems: {counted}（见 see {Path(summary['report']).parent / 'problems.jsonl'}）")
    lines += [f"未判断 abstained: {code}（缺 lacks {'、'.join(of)}）" for code, of in summary["abstained"].items()]
    for one in summary["shadow"]:
        lines.append(
            f"试行 on trial, {one['level']}: {one['before']} → {one['after']}，"
            f"新增 new {len(one['new'])}，减少 gone {len(one['gone'])}，预计误指 expected false "
            f"{one['expected_false_before']:.2f} → {one['expected_false_after']:.2f}"
        )
    return "\n".join([*lines, f"报告 report: {summary['report']}"])
