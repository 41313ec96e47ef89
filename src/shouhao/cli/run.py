"""`shouhao up` and `shouhao serve`: servers that run until they are told to stop."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shouhao.cli.opening import opened, read_settings
from shouhao.gate.channels import create_channel, list_channels
from shouhao.staff.store import create_operator, list_operators
from shouhao.wiring import System

_PORT = typer.Option("--port", help="患者接口端口 Port for patients", min=1, max=65535)
_CONSOLE_PORT = typer.Option("--console-port", help="工作人员端口 Port for staff", min=1, max=65535)


class Role(StrEnum):
    """One role a process, for production."""

    public = "public"
    console = "console"
    worker = "worker"


def up(
    context: typer.Context,
    port: Annotated[int | None, _PORT] = None,
    console_port: Annotated[int | None, _CONSOLE_PORT] = None,
    data: Annotated[Path | None, typer.Option("--data", help="数据目录 Data folder", file_okay=False)] = None,
) -> None:
    """一个进程运行全部（试用）。 Everything in one process on embedded defaults; prints its addresses."""
    settings = read_settings(context.obj, public_port=port, console_port=console_port, data_dir=data)
    with opened(settings) as system:
        _introduce(system)
        _serve(system, {"public", "console", "worker"})


def serve(
    context: typer.Context,
    role: Annotated[Role, typer.Argument(help="public, console, worker")],
    port: Annotated[int | None, typer.Option("--port", help="端口 Port", min=1, max=65535)] = None,
) -> None:
    """运行一个角色（正式环境）。 One role a process, for production."""
    given = {f"{role.value}_port": port} if role is not Role.worker else {}
    settings = read_settings(context.obj, **given)
    with opened(settings) as system:
        _serve(system, {role.value})


def _serve(system: System, roles: set[str]) -> None:
    from shouhao.web.server import serve as serve_roles  # noqa: PLC0415 - other commands need no server

    serve_roles(system, roles)


def _introduce(system: System) -> None:
    """Say where everything is; on the first run make a channel and an operator to try out with."""
    settings = system.settings
    typer.echo(f"守号 {settings.hospital_name_zh} {settings.hospital_name_en}")
    typer.echo(f"  患者接口 patients  http://{settings.public_host}:{settings.public_port}/api/v1/openapi.json")
    typer.echo(f"  工作人员 staff     http://{settings.console_host}:{settings.console_port}/api/v1/openapi.json")
    typer.echo(f"  数据     data      {settings.data_dir.resolve()}")
    if settings.mode != "embedded":
        return
    now_us = system.clock.now_us()
    with system.db.write() as connection:
        if not list_channels(connection):
            key = create_channel(connection, "web", now_us=now_us, randomness=system.randomness)
            typer.echo(f"  渠道密钥 channel   X-Channel-Key: web.{key}  (只显示一次 shown once)")
        if not list_operators(connection):
            roles = frozenset({"window", "reviewer", "outpatient_office", "approver", "it", "auditor"})
            _, key = create_operator(connection, "试用 trial", roles=roles, now_us=now_us, randomness=system.randomness)
            typer.echo(f"  员工密钥 operator  Authorization: Bearer {key}  (只显示一次 shown once)")
