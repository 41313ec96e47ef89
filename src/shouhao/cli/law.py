"""`shouhao law`: what is true, what is missing, who holds it; records; the switches."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from shouhao.cli.opening import opened, read_settings
from shouhao.compliance.filing import form_text
from shouhao.compliance.model import SWITCH_NAMES
from shouhao.flows.law import SwitchStands, hand_in, law_now, police_form, record_template, refresh, turn_off, turn_on
from shouhao.kernel.clock import iso
from shouhao.kernel.errors import InvalidInput

app = typer.Typer(help="法律开关。 The law's switches.", no_args_is_help=True)


@app.command("status")
def status(context: typer.Context, *, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """每个开关：是否启用、缺什么、在谁手里；有开关未启用时退出码为 1。 Exit status 1 while a switch is off."""
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        now_us = system.clock.now_us()
        refresh(connection, now_us=now_us)
        found = law_now(connection, now_us=now_us)
    if as_json:
        typer.echo(json.dumps([_told(one) for one in found], ensure_ascii=False))
    else:
        for one in found:
            _print(one)
    if not all(one.standing.on for one in found):
        raise typer.Exit(1)


@app.command("record")
def record(
    context: typer.Context,
    kind: Annotated[
        str,
        typer.Argument(
            help="necessity_memo, impact_assessment, police_filing, face_filing, retention, equal_way, incident"
        ),
    ],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="内容(JSON) Its body")],
    switch: Annotated[str | None, typer.Option("--switch", help="为哪一项功能 For which switch")] = None,
) -> None:
    """提交一条记录；新的代替旧的。 Hand in a record; the newest counts."""
    try:
        body = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidInput("file", zh="不是有效的 JSON", en="not JSON") from error
    if not isinstance(body, dict):
        raise InvalidInput("file", zh="须为 JSON 对象", en="a JSON object")
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        kept = hand_in(connection, kind, body, switch=switch, operator=None, now_us=system.clock.now_us())
    typer.echo(kept.id)


@app.command("template")
def template(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="如 impact_assessment such as impact_assessment")],
    switch: Annotated[str | None, typer.Option("--switch", help="为哪一项功能 For which switch")] = None,
) -> None:
    """一条记录的模板，系统已知的已填好。 A record to complete, with all that the system knows filled in."""
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        now_us = system.clock.now_us()
        refresh(connection, now_us=now_us)
        body = record_template(connection, kind, switch=switch, now_us=now_us)
    typer.echo(json.dumps(body, ensure_ascii=False, indent=2))


@app.command("switch")
def switch_one(
    context: typer.Context,
    switch: Annotated[str, typer.Argument(help="watchlist, recordings_search, frequent_visitors")],
    *,
    on: Annotated[bool, typer.Option("--on/--off")],
    approval: Annotated[str | None, typer.Option("--approval", help="另一人批准的申请编号 An approval's id")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="停用的理由 Why it goes off")] = None,
) -> None:
    """启用须有批准，停用一人即可。 On needs an approval, off one person."""
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        now_us = system.clock.now_us()
        if on:
            if approval is None:
                raise InvalidInput("approval", zh="启用须有批准的申请编号", en="turning on needs an approval's id")
            standing = turn_on(connection, switch, approval, operator=None, now_us=now_us)
        else:
            standing = turn_off(connection, switch, operator=None, reason=reason or "", now_us=now_us)
    typer.echo(f"{switch}\t{'启用 on' if standing.on else '停用 off'}")


@app.command("filing")
def filing(context: typer.Context) -> None:
    """公安备案表，由登记簿生成。 The form for the police, made from the register."""
    with opened(read_settings(context.obj)) as system, system.db.read() as connection:
        form = police_form(connection, unit=system.settings.hospital_name_zh, now_us=system.clock.now_us())
    typer.echo(form_text(form), nl=False)


def _print(one: SwitchStands) -> None:
    zh, en = SWITCH_NAMES[one.standing.switch]
    typer.echo(f"{'●' if one.standing.on else '○'} {zh} {en} ({one.standing.switch})")
    for stands in one.needs:
        articles = "、".join(article.zh for article in stands.need.articles)
        if stands.missing is not None:
            typer.echo(f"   ✗ {stands.need.zh}：{stands.missing.zh}（{articles}；{stands.need.holder}）")
        elif stands.due is not None:
            typer.echo(f"   ! {stands.need.zh}：{stands.due.zh}（{articles}；{stands.need.holder}）")
        else:
            typer.echo(f"   ✓ {stands.need.zh}（{articles}）")


def _told(one: SwitchStands) -> dict[str, Any]:
    standing = one.standing
    return {
        "switch": standing.switch,
        "on": standing.on,
        "turned_on": standing.turned_on,
        "since": None if standing.since_us is None else iso(standing.since_us),
        "needs": [
            {
                "code": stands.need.code,
                "met": stands.missing is None,
                "zh": None if stands.missing is None else stands.missing.zh,
                "en": None if stands.missing is None else stands.missing.en,
                "due": None if stands.due is None else stands.due.en,
                "articles": [article.en for article in stands.need.articles],
                "holder": stands.need.holder,
            }
            for stands in one.needs
        ],
    }
