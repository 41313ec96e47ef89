"""`shouhao channels` and `shouhao staff`: keys of channels and machines, logins and training of people.

Keys and one-time logins are shown once. Whoever may run this holds the database anyway, so nobody else is asked.
"""

import json
from datetime import date, timedelta
from typing import Annotated

import typer

from shouhao.cli.opening import opened, read_settings
from shouhao.gate.channels import create_channel, deactivate_channel, list_channels
from shouhao.kernel.clock import iso, start_of_day_us
from shouhao.staff.logins_store import all_logins
from shouhao.staff.model import ROLES
from shouhao.staff.sign_in import give_login, operator_of_login
from shouhao.staff.store import create_operator, find_operator, list_operators
from shouhao.staff.training import record_training, trained_until

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
    role: Annotated[list[str], typer.Option("--role", help=", ".join(ROLES))],
    login: Annotated[
        str | None,
        typer.Option("--login", help="登录名；填写则发放一次性口令，不填则发放密钥 Login; without it, a key"),
    ] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="部门 Unit")] = None,
    doctor: Annotated[str | None, typer.Option("--doctor", help="医生编号 The doctor that this person is")] = None,
) -> None:
    """新建工作人员。 Make an operator."""
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        now_us = system.clock.now_us()
        made, key = create_operator(
            connection,
            name,
            roles=frozenset(role),
            doctor_id=doctor,
            unit=unit,
            now_us=now_us,
            randomness=system.randomness,
        )
        given = None
        if login is not None:
            given = give_login(connection, made.id, login, now_us=now_us, randomness=system.randomness)
    typer.echo(made.id)
    if given is None:
        typer.echo(f"Authorization: Bearer {key}")
    else:
        _tell(*given)


@operators.command("list")
def list_them(context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False) -> None:
    """列出工作人员。 List operators."""
    with opened(read_settings(context.obj)) as system, system.db.read() as connection:
        found, logins, until = list_operators(connection), all_logins(connection), trained_until(connection)
    rows = [
        {
            "operator_id": one.id,
            "roles": sorted(one.roles),
            "unit": one.unit,
            "login": logins[one.id].login if one.id in logins else None,
            "trained_until": iso(until[one.id]) if one.id in until else None,
        }
        for one in found
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for one in found:
        login = logins[one.id].login if one.id in logins else "-"
        trained = iso(until[one.id]) if one.id in until else "-"
        typer.echo("\t".join([one.id, ",".join(sorted(one.roles)), login, trained]))


@operators.command("reset")
def reset(context: typer.Context, login: Annotated[str, typer.Argument(help="登录名 Login")]) -> None:
    """重置登录：原密码、动态口令与登录立即失效。 A new one-time login; what was there ends at once."""
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        operator_id = operator_of_login(connection, login)
        given = give_login(connection, operator_id, None, now_us=system.clock.now_us(), randomness=system.randomness)
    _tell(*given)


@operators.command("train")
def train(
    context: typer.Context,
    who: Annotated[str, typer.Argument(help="登录名或编号 Login or id")],
    by: Annotated[str, typer.Option("--by", help="培训人 Who trained them")],
    document: Annotated[str, typer.Option("--document", help="证明材料编号 Where the proof lies")],
    until: Annotated[str, typer.Option("--until", help="有效至（含当日）YYYY-MM-DD Good until, that day included")],
) -> None:
    """登记培训；没有有效培训者不能查看人脸与轨迹。 Write down a training; without one no face and no trail is shown."""
    try:
        day = date.fromisoformat(until)
    except ValueError:
        raise typer.BadParameter(until, param_hint="--until") from None
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        known = find_operator(connection, who)
        made = record_training(
            connection,
            known.id if known is not None else operator_of_login(connection, who),
            trained_by=by,
            document=document,
            until_us=start_of_day_us(day + timedelta(days=1)),
            now_us=system.clock.now_us(),
        )
    typer.echo(f"{made.operator_id}\t{iso(made.until_us)}")


def _tell(login: str, one_time: str) -> None:
    typer.echo(f"登录名 login {login}\n一次性口令 one-time {one_time}")
    typer.echo("24 小时内有效，只显示一次，首次登录时设置密码与动态口令 good for 24 h, shown once")
