"""`shouhao draw`: a published draw, repeated from its file alone, and a second party's part in those to come."""

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from shouhao.booking.release.draw_file import Check, read, verify
from shouhao.booking.release.draw_form import TRUST
from shouhao.cli.witness import ALARMS, Did, Shelf, Witness, read_key
from shouhao.cli.witness_line import Console
from shouhao.kernel.clock import SystemClock, iso
from shouhao.kernel.errors import InvalidInput, Unavailable

app = typer.Typer(
    help="抽签：核验公布的文件，或作为第二方见证。 Draws: check what was published, or witness them.",
    no_args_is_help=True,
)

_LARGEST_BYTES = 512 << 20  #: three million entries and more


@app.command("verify")
def verify_file(
    file: Annotated[Path, typer.Argument(help="公布的抽签文件 The published file")],
    entry: Annotated[str | None, typer.Option("--entry", help="登记编号：看它的位置 Where this entry stands")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")] = False,
) -> None:
    """只凭文件重算一次抽签；不符则退出码为 1。 Repeat a draw from its file alone; exit 1 when it does not hold."""
    raw = _bytes_of(file)
    content = read(raw)
    checks = verify(content)
    holds = all(check.holds for check in checks)
    found = {"verifies": holds, "sha256": hashlib.sha256(raw).hexdigest(), "checks": checks}
    stands = None
    if holds:
        found |= _summary(content)
        if entry is not None:
            found["entry"] = stands = _where(content, entry)
    typer.echo(msgspec.json.encode(found).decode() if as_json else _page(found, checks))
    if not holds or (entry is not None and stands is None):
        raise typer.Exit(1)


@app.command("witness")
def witness(
    console: Annotated[
        str, typer.Option("--console", help="医院控制台地址（https） Address of the hospital's console")
    ],
    key_file: Annotated[
        Path,
        typer.Option("--key-file", help="见证方密钥文件（权限 0600） The witness's key, mode 0600", dir_okay=False),
    ],
    folder: Annotated[
        Path, typer.Option("--dir", help="保存秘密与名单根的目录 Where secrets and roots are kept", file_okay=False)
    ],
    *,
    once: Annotated[bool, typer.Option("--once", help="只看一次 Look once and end")] = False,
    every_s: Annotated[float, typer.Option("--every", help="间隔秒数 Seconds between two looks", min=0.5)] = 2.0,
) -> None:
    """作为院外第二方，为每次抽签承诺并在封存后公开数值；有异常则退出码为 1。 Commit and reveal; exit 1 on an alarm.

    Runs on the second party's own machine. With --once, a console that does not answer is exit 3.
    """
    line, told = Console(console, read_key(key_file)), set[Did]()
    try:
        second_party = Witness(line, Shelf(folder), SystemClock())
        if once:
            did = second_party.look()
            _tell(did)
            if any(one.alarm for one in did):
                raise typer.Exit(1)
        while not once:
            _look_again(second_party, told)
            time.sleep(every_s)
    finally:
        line.close()


def _look_again(second_party: Witness, told: set[Did]) -> None:
    """Look, and tell what was not told before; a console that is away is asked again."""
    try:
        did = second_party.look()
    except Unavailable as error:
        typer.echo(f"{iso(SystemClock().now_us())} 稍后再试 trying again: {error.what}", err=True)
        return
    _tell([one for one in did if one not in told])
    told.update(did)


def _tell(did: Sequence[Did]) -> None:
    for one in did:
        typer.echo(_told(one), err=one.alarm)


def _told(one: Did) -> str:
    words = " ".join(ALARMS.get(one.what, ()))
    return (
        f"{iso(SystemClock().now_us())} {one.draw_id} {'警报 ALARM ' if one.alarm else ''}{one.what} {words}".rstrip()
    )


def _bytes_of(file: Path) -> bytes:
    """The file's bytes.

    Raises:
        InvalidInput: there is no such file, it cannot be read or it is too large to be one.
    """
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_BYTES:
            raise InvalidInput("file", zh="不是文件，或过大", en="is no file, or too large")
        return file.read_bytes()
    except (OSError, ValueError):
        raise InvalidInput("file", zh="无法读取", en="cannot be read") from None


def _summary(content: Mapping[str, Any]) -> dict[str, Any]:
    draw = content["draw"]
    taken = Counter(win["target"] for win in content["wins"])
    return {
        "draw": {name: draw[name] for name in ("id", "kind", "title", "opened_at", "closed_at", "sealed_at")},
        "trust": content["trust"],
        "kept_promises": _kept_promises(content),
        "entries": len(content["entries"]),
        "left_out": len(draw["left_out"]),
        "targets": [{**target, "winning_entries": taken[target["id"]]} for target in draw["targets"]],
        "wins": content["wins"],
        "contributions": content["contributions"],
        "root": content["root"],
        "seed": content["seed"],
    }


def _kept_promises(content: Mapping[str, Any]) -> bool:
    """Whether as many witnesses, and the beacon, took part as the policy says; a draw may be made without, openly."""
    rules = content["draw"]["policy"]["rules"].get("draw")
    promised = rules if isinstance(rules, dict) else {}
    kinds = Counter(one["kind"] for one in content["contributions"])
    return kinds["witness"] == (promised.get("witnesses") or 0) and kinds["beacon"] == bool(promised.get("beacon"))


def _where(content: Mapping[str, Any], entry: str) -> dict[str, Any] | None:
    """Where an entry stands, or None when the file does not know it."""
    for one in content["draw"]["left_out"]:
        if one["id"] == entry:
            return {"id": entry, "left_out": one["reason"]}
    if entry not in content["order"]:
        return None
    won = next((win["target"] for win in content["wins"] if win["id"] == entry), None)
    return {"id": entry, "place": content["order"].index(entry) + 1, "won": won}


def _page(found: Mapping[str, Any], checks: list[Check]) -> str:
    lines = [f"{'通过 ok  ' if check.holds else '不符 FAIL'}  {check.zh} {check.en}" for check in checks]
    if not found["verifies"]:
        return "\n".join([*lines, "", "未通过核验。 This file does not verify."])
    draw, trust = found["draw"], TRUST[found["trust"]["level"]]
    lines += ["", f"{draw['title']}  {draw['id']}", f"SHA-256 {found['sha256']}"]
    lines += [f"封存 sealed {draw['sealed_at']}  根 root {found['root']}"]
    lines += [f"可信程度 trust: {found['trust']['level']}", f"  {trust['zh']}", f"  {trust['en']}"]
    lines += [_contributed(one) for one in found["contributions"]]
    if not found["kept_promises"]:
        lines.append("  见证方或信标少于规则所定。 Fewer witnesses, or no beacon, than the policy says.")
    lines += [f"登记 entries: {found['entries']}，排除 left out: {found['left_out']}"]
    for target in found["targets"]:
        lines.append(f"{target['id']}  {target['label']}  号源 seats {target['seats']}")
        lines += [f"  中签 won  {win['id']}" for win in found["wins"] if win["target"] == target["id"]]
    return "\n".join(lines + _stands(found))


def _contributed(one: Mapping[str, Any]) -> str:
    number = "" if one["round"] is None else f" 第 {one['round']} 轮 round {one['round']}"
    return f"  {one['kind']} {one['who']}{number}: {one['value']}"


def _stands(found: Mapping[str, Any]) -> list[str]:
    if "entry" not in found:
        return []
    entry = found["entry"]
    if entry is None:
        return ["文件中没有这份登记。 The file does not know this entry."]
    if "left_out" in entry:
        return [f"{entry['id']}：已排除 left out ({entry['left_out']})"]
    won = "未中签 won nothing" if entry["won"] is None else f"中签 won {entry['won']}"
    return [f"{entry['id']}：第 {entry['place']} 位 place {entry['place']}，{won}"]
