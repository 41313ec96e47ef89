"""`shouhao channels` and `shouhao staff`: the first keys of an installation. Keys are shown once."""

from typing import Annotated

import typer

from shouhao.cli.opening import opened, read_settings
from shouhao.gate.channels import create_channel, deactivate_channel, list_channels
from shouhao.staff.store import create_operator, list_operators

channels = typer.Typer(help="渠道及其密钥。 Channels and their keys.", no_args_is_help=True)
operators = typer.Typer(help="工作人员。 Operators.", no_args_is_help=True)


@channels.command("create")
def create(
    context: typer.Context, name: Annotated[str, typer.Argument(help="app, wechat, ..., platform:NAME")]
) -> None:
    """新建渠道。 Make a channel."""
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        key = create_channel(connection, name, now_us=system.clock.now_us(), randomness=system.randomness)
    typer.echo(f"X-Channel-Key: {name}.{key}")


@channels.command("close")
def close(context: typer.Context, name: Annotated[str, typer.Argument()]) -> None:
    """停用渠道。 Switch a channel off."""
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        deactivate_channel(connection, name, now_us=system.clock.now_us())


@channels.command("list")
def list_all(context: typer.Context) -> None:
    """列出渠道。 List channels."""
    with opened(read_settings(context.obj)) as system, system.db.read() as connection:
        for channel in list_channels(connection):
            typer.echo(f"{channel.name}\t{'启用 on' if channel.active else '停用 off'}")


@operators.command("create")
def create_one(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="姓名 Name")],
    role: Annotated[
        list[str], typer.Option("--role", help="window, reviewer, outpatient_office, approver, it, auditor, witness")
    ],
    doctor: Annotated[str | None, typer.Option("--doctor", help="医生编号 The doctor that this person is")] = None,
) -> None:
    """新建工作人员。 Make an operator."""
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        made, key = create_operator(
            connection,
            name,
            roles=frozenset(role),
            doctor_id=doctor,
            now_us=system.clock.now_us(),
            randomness=system.randomness,
        )
    typer.echo(f"{made.id}\nAuthorization: Bearer {key}")


@operators.command("list")
def list_them(context: typer.Context) -> None:
    """列出工作人员。 List operators."""
    with opened(read_settings(context.obj)) as system, system.db.read() as connection:
        for operator in list_operators(connection):
            typer.echo(f"{operator.id}\t{','.join(sorted(operator.roles))}")
