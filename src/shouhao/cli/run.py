"""`shouhao up` and `shouhao serve`: servers that run until they are told to stop."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shouhao.cli.opening import opened, read_settings
from shouhao.cli.pull import serve_pull
from shouhao.cli.watching import serve_watch, watching
from shouhao.gate.channels import create_channel, list_channels
from shouhao.staff.first_run import first_administrator
from shouhao.staff.store import create_operator, list_operators
from shouhao.wiring import System

_PORT = typer.Option("--port", help="患者接口端口 Port for patients", min=1, max=65535)
_CONSOLE_PORT = typer.Option("--console-port", help="工作人员端口 Port for staff", min=1, max=65535)

_INTERNAL_PORT = typer.Option("--internal-port", help="摄像机端口 Port for cameras", min=1, max=65535)
_TRIAL_ROLES = frozenset({"window", "reviewer", "outpatient_office", "approver", "it"})


class Role(StrEnum):
    """One role a process, for production."""

    public = "public"
    internal = "internal"
    console = "console"
    worker = "worker"
    pull = "pull"
    watch = "watch"


def up(
    context: typer.Context,
    port: Annotated[int | None, _PORT] = None,
    console_port: Annotated[int | None, _CONSOLE_PORT] = None,
    internal_port: Annotated[int | None, _INTERNAL_PORT] = None,
    data: Annotated[Path | None, typer.Option("--data", help="数据目录 Data folder", file_okay=False)] = None,
) -> None:
    """一个进程运行全部（试用）。 Everything in one process on embedded defaults; prints its addresses."""
    ports = {"public_port": port, "console_port": console_port, "internal_port": internal_port}
    settings = read_settings(context.obj, **ports, data_dir=data)
    with opened(settings) as system:
        _introduce(system)
        with watching(system):
            _serve(system, {"public", "internal", "console", "worker"})


def serve(
    context: typer.Context,
    role: Annotated[Role, typer.Argument(help="public, internal, console, worker, pull, watch")],
    group: Annotated[str | None, typer.Argument(help="仅 pull：摄像机分组 For pull: cameras of this group")] = None,
    port: Annotated[int | None, typer.Option("--port", help="端口 Port", min=1, max=65535)] = None,
) -> None:
    """运行一个角色（正式环境）。 One role a process, for production."""
    given = {f"{role.value}_port": port} if role not in {Role.worker, Role.pull, Role.watch} else {}
    settings = read_settings(context.obj, **given)
    with opened(settings) as system:
        if role is Role.pull:
            serve_pull(system, group)
        elif role is Role.watch:
            serve_watch(system)
        else:
            _serve(system, {role.value})


def _serve(system: System, roles: set[str]) -> None:
    from shouhao.web.server import serve as serve_roles  # noqa: PLC0415 - other commands need no server

    serve_roles(system, roles)


def _introduce(system: System) -> None:
    """Say where everything is; on the first run make a channel, one administrator, and a key to try out with."""
    settings = system.settings
    typer.echo(f"守号 {settings.hospital_name_zh} {settings.hospital_name_en}")
    typer.echo(f"  患者接口 patients  http://{settings.public_host}:{settings.public_port}/api/v1/openapi.json")
    typer.echo(f"  工作人员 staff     http://{settings.console_host}:{settings.console_port}/api/v1/openapi.json")
    typer.echo(f"  摄像机   cameras   http://{settings.internal_host}:{settings.internal_port}/VIID")
    typer.echo(f"  数据     data      {settings.data_dir.resolve()}")
    if settings.mode != "embedded":
        return
    now_us = system.clock.now_us()
    with system.db.write() as connection:
        if not list_channels(connection):
            key = create_channel(connection, "web", now_us=now_us, randomness=system.randomness)
            typer.echo(f"  渠道密钥 channel   X-Channel-Key: web.{key}  (只显示一次 shown once)")
        nobody = not list_operators(connection)
        first = first_administrator(connection, now_us=now_us, randomness=system.randomness)
        if first is not None:
            typer.echo(f"  管理员   administrator  {first.login}  一次性口令 one-time {first.one_time}")
            typer.echo("           (只显示一次，24 小时内有效 shown once, good for 24 h)")
        if nobody:  # a key for trying the API out; it neither administers nor audits, and shows no face
            _, key = create_operator(
                connection, "试用 trial", roles=_TRIAL_ROLES, now_us=now_us, randomness=system.randomness
            )
            typer.echo(f"  员工密钥 operator  Authorization: Bearer {key}  (只显示一次 shown once)")
