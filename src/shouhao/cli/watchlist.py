"""`shouhao watchlist`: lists, entries, proposals, bundles, reviews and ends, for whoever works at the server.

Acts are an operator's, who shows their key by a file; what others must agree to they agree to on the console. Names and
documents are read from a file, never from the command line, where they would stay in the shell's history.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from shouhao.cli.opening import opened, read_settings
from shouhao.flows.watch_approved import apply_due
from shouhao.flows.watch_thresholds import add_calibration, derive_due, standing_of
from shouhao.flows.watchlist import Proposal, enrol_due, propose
from shouhao.flows.watchlist_ends import expire_due
from shouhao.flows.watchlist_exchange import ask_import, check_bundle, receive_bundle
from shouhao.flows.watchlist_export import ask_export, export_bundle, own_public_keys
from shouhao.flows.watchlist_listing import list_due
from shouhao.kernel.clock import from_us
from shouhao.kernel.errors import InvalidInput
from shouhao.staff.model import Operator, Role, require
from shouhao.staff.store import authenticate
from shouhao.watch.bundle import BUNDLE_MOST_BYTES, issuer_id_of
from shouhao.watch.bundle_diff import Difference
from shouhao.watch.bundle_seal import SealNeedsPassphrase
from shouhao.watch.store.lists import ListTerms, add_list, all_lists
from shouhao.watch.store.watchlist import count_by_state, list_entries, to_review
from shouhao.watch.watchlist import GROUND_WORDS, Entry, EntrySource, GroundCode, checked_person
from shouhao.wiring import System

app = typer.Typer(help="布控名单。 The watchlist.", no_args_is_help=True)

_KEEPERS: tuple[Role, ...] = ("security", "police_liaison")
_SEALED_MORE_BYTES = 4096

_File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]
_JSON = Annotated[bool, typer.Option("--json", help="输出 JSON Print JSON")]
_Key = Annotated[
    Path,
    typer.Option(
        "--key-file", help="工作人员密钥文件（权限 0600） File of the operator's key", exists=True, dir_okay=False
    ),
]


@app.command("lists")
def lists(context: typer.Context, *, as_json: _JSON = False) -> None:
    """名单、误报预算、人数与阈值。 Lists, budgets, how many are on them, thresholds."""
    with opened(read_settings(context.obj)) as system:
        found = _lists(system)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for one in found:
        people = "，".join(f"{state} {n}" for state, n in sorted(one["entries"].items())) or "–"
        typer.echo(f"{one['list_id']}\t{one['name']}\t误报/日 alarms a day {one['false_alarms_a_day']:g}\t{people}")
        for pack in one["thresholds"]:
            told = "" if pack["reached"] is not False else "\t预算达不到 budget not reached"
            typer.echo(f"   {pack['pack']}\t{pack['similarity_cos']}\t{pack['basis']}{told}")


@app.command("add-list")
def add_one_list(
    context: typer.Context,
    list_id: Annotated[str, typer.Argument(help="名单编号 Id")],
    *,
    name: Annotated[str, typer.Option("--name")],
    ground: Annotated[str, typer.Option("--ground", help="设立依据 By what right")],
    false_alarms_a_day: Annotated[float, typer.Option("--false-alarms-a-day")],
    key_file: _Key,
) -> None:
    """新建名单。 Begin a list."""
    terms = ListTerms(name=name, ground=ground, false_alarms_a_day=false_alarms_a_day)
    with opened(read_settings(context.obj)) as system, system.db.write() as connection:
        operator = _operator(connection, key_file, "security")
        add_list(connection, list_id, terms, now_us=system.clock.now_us(), staff_id=operator.id)


@app.command("entries")
def entries(
    context: typer.Context,
    *,
    list_id: Annotated[str | None, typer.Option("--list")] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="proposed, approved, suspended, expired, withdrawn, erased")
    ] = None,
    as_json: _JSON = False,
) -> None:
    """条目；不含姓名。 Entries, without names."""
    found: list[Entry] = []
    with opened(read_settings(context.obj)) as system, system.db.read() as connection:
        while page := list_entries(
            connection, list_id=list_id, state=state, after=found[-1].id if found else "", limit=500
        ):
            found += page
    _tell_entries(found, as_json=as_json)


@app.command("propose")
def propose_one(
    context: typer.Context,
    person_file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="JSON：name, aliases, document_kind, document_number, ground, reason",
        ),
    ],
    *,
    list_id: Annotated[str, typer.Option("--list")],
    ground_code: Annotated[str, typer.Option("--ground-code", help=", ".join(GROUND_WORDS))],
    photo: Annotated[list[Path], typer.Option("--photo", exists=True, dir_okay=False)],
    key_file: _Key,
    document: Annotated[list[Path] | None, typer.Option("--document", exists=True, dir_okay=False)] = None,
    source: Annotated[str, typer.Option("--source", help="own, police, hospital")] = "own",
    days: Annotated[int | None, typer.Option("--days")] = None,
) -> None:
    """提出布控，另两人在控制台批准后生效。 Propose; it counts once two others agree on the console."""
    given = _person(person_file)
    with opened(read_settings(context.obj)) as system:
        with system.db.read() as connection:
            operator = _operator(connection, key_file, *_KEEPERS)
        proposal = Proposal(
            list_id=list_id,
            person=checked_person(
                name=str(given.get("name", "")),
                aliases=[str(one) for one in given.get("aliases", ())],
                document_kind=given.get("document_kind"),
                document_number=given.get("document_number"),
            ),
            ground_code=_ground(ground_code),
            ground=str(given.get("ground", "")),
            source=_source(source),
            documents=[path.read_bytes() for path in document or ()],
            days=days,
            reason=str(given.get("reason", "")),
        )
        looked = system.watchlist.look_at([path.read_bytes() for path in photo])
        with system.db.write() as connection:
            made = propose(
                system.watchlist, connection, proposal, looked, operator=operator, now_us=system.clock.now_us()
            )
    typer.echo(f"{made.entry_id}\n待批准 to be approved: {made.approval_id}")
    for same in made.same_name:
        typer.echo(f"同名条目，请核对 an entry with this name, please look: {same}", err=True)


@app.command("import")
def import_bundle(
    context: typer.Context,
    file: _File,
    *,
    list_id: Annotated[str, typer.Option("--list")],
    key_file: _Key,
    reason: Annotated[str | None, typer.Option("--reason", help="同时申请接受 Ask for acceptance too")] = None,
    as_json: _JSON = False,
) -> None:
    """核验名单包并列出差异；有不予接收之处时退出码为 1。 Check a bundle and tell what it would change."""
    if file.stat().st_size > BUNDLE_MOST_BYTES + _SEALED_MORE_BYTES:
        raise InvalidInput("file", zh="文件过大", en="is too large")
    with opened(read_settings(context.obj)) as system:
        with system.db.read() as connection:
            operator = _operator(connection, key_file, *_KEEPERS)
        bundle_id = _received(system, file.read_bytes(), list_id, operator)
        difference = check_bundle(system.watchlist, bundle_id, now_us=system.clock.now_us())
        approval_id = None
        if reason is not None:
            with system.db.write() as connection:
                approval_id = ask_import(
                    connection, bundle_id, reason=reason, operator=operator, now_us=system.clock.now_us()
                )
    _tell_difference(bundle_id, difference, approval_id, as_json=as_json)
    if difference.refused:
        raise typer.Exit(1)


@app.command("export")
def export(
    context: typer.Context,
    *,
    key_file: _Key,
    list_id: Annotated[str | None, typer.Option("--list", help="先申请：名单 To ask: which list")] = None,
    recipient: Annotated[str | None, typer.Option("--recipient", help="先申请：接收方 To ask: for whom")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="先申请：理由 To ask: why")] = None,
    approval: Annotated[str | None, typer.Option("--approval", help="获批后：申请编号 Then: the approval")] = None,
    to_key: Annotated[str | None, typer.Option("--to-key", help="接收方公钥(十六进制) The recipient's key")] = None,
    out: Annotated[Path | None, typer.Option("--out", dir_okay=False)] = None,
    revoke_all: Annotated[
        bool, typer.Option("--revoke-all", help="收回以往交出的全部条目 Take back all that was ever handed over")
    ] = False,
) -> None:
    """先申请，获批后导出，加密给接收方。 Ask first; once approved, write it, sealed to its recipient."""
    with opened(read_settings(context.obj)) as system:
        with system.db.read() as connection:
            operator = _operator(connection, key_file, *_KEEPERS)
        now_us = system.clock.now_us()
        if approval is None:
            with system.db.write() as connection:
                asked = ask_export(
                    connection,
                    list_id or "",
                    recipient=recipient or "",
                    reason=reason or "",
                    operator=operator,
                    now_us=now_us,
                )
            typer.echo(asked)
            return
        if out is None or out.exists():
            raise InvalidInput("out", zh="须为尚不存在的文件", en="must be a file that is not there yet")
        key = None if to_key is None else _hex(to_key)
        passphrase = typer.prompt("口令 Passphrase", hide_input=True, confirmation_prompt=True) if key is None else None
        sealed = export_bundle(
            system.watchlist,
            approval,
            issuer_name=system.settings.hospital_name_zh,
            operator=operator,
            now_us=now_us,
            passphrase=passphrase,
            recipient_key=key,
            revoke_all=revoke_all,
        )
    out.touch(mode=0o600)
    out.write_bytes(sealed)
    typer.echo(f"{out} {len(sealed)} B")


@app.command("review")
def review(context: typer.Context, *, as_json: _JSON = False) -> None:
    """待复核的条目；有则退出码为 1。 Entries whose review is due; exit status 1 when there are any."""
    with opened(read_settings(context.obj)) as system, system.db.read() as connection:
        due = to_review(connection, now_us=system.clock.now_us(), limit=10_000, reminded=True)
    _tell_entries(due, as_json=as_json)
    if due:
        raise typer.Exit(1)


@app.command("expire")
def expire(context: typer.Context) -> None:
    """立即终止并清除到期条目（系统也会自动执行）。 End what is over now; the worker does it too."""
    with opened(read_settings(context.obj)) as system:
        ended = expire_due(system.watchlist, now_us=system.clock.now_us(), limit=100_000)
    typer.echo(f"已终止 ended: {ended}")


@app.command("apply")
def apply(context: typer.Context) -> None:
    """立即执行已获批的申请（系统也会自动执行）。 Do now what was approved; the worker does it too."""
    with opened(read_settings(context.obj)) as system:
        desk, now_us = system.watchlist, system.clock.now_us()
        done = apply_due(desk, now_us=now_us)
        listed = list_due(desk, now_us=now_us)
        derived = derive_due(desk, now_us=now_us)
        enrolled = enrol_due(desk, now_us=now_us, limit=100_000)
    typer.echo(
        f"申请 requests {done}，名单包条目 from bundles {listed}，阈值 thresholds {derived}，照片 photos {enrolled}"
    )


@app.command("calibration")
def calibration(context: typer.Context, file: _File, *, key_file: _Key) -> None:
    """导入 calibration.json，阈值随即重新推导。 Hand in a calibration.json; thresholds follow it at once."""
    with opened(read_settings(context.obj)) as system:
        now_us = system.clock.now_us()
        with system.db.write() as connection:
            operator = _operator(connection, key_file, "security", "it")
            kept = add_calibration(connection, file.read_bytes(), operator=operator, now_us=now_us)
        derived = derive_due(system.watchlist, now_us=now_us)
    typer.echo(f"{kept.id}\t{kept.pack}\t阈值 thresholds {derived}")


@app.command("keys")
def keys(context: typer.Context) -> None:
    """本院公钥：供对方登记（签名）与加密。 This hospital's public keys, for others."""
    with opened(read_settings(context.obj)) as system:
        signing, sealing = own_public_keys(system.watchlist)
    typer.echo(f"签发方 issuer\t{issuer_id_of(signing)}\n签名 signing\t{signing.hex()}\n加密 sealing\t{sealing.hex()}")


def _lists(system: System) -> list[dict[str, Any]]:
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        found = all_lists(connection)
        counts = {one.id: count_by_state(connection, one.id) for one in found}
    return [
        {
            "list_id": one.id,
            "name": one.terms.name,
            "ground": one.terms.ground,
            "false_alarms_a_day": one.terms.false_alarms_a_day,
            "shadow_band_cos": one.terms.shadow_band_cos,
            "open": one.terms.open,
            "entries": counts[one.id],
            "thresholds": [
                {
                    "pack": stands.pack,
                    "similarity_cos": None if stands.set is None else stands.set.similarity_cos,
                    "version": None if stands.set is None else stands.set.version,
                    "basis": "by hand" if stands.by_hand else (stands.set and stands.set.derived_from.get("basis")),
                    "list_size": stands.list_size,
                    "passages_a_day": stands.traffic.passages_a_day,
                    "passages_are": stands.traffic.basis,
                    "reached": None if stands.now is None else stands.now.reached,
                }
                for stands in standing_of(system.watchlist, one.id, now_us=now_us)
            ],
        }
        for one in found
    ]


def _received(system: System, data: bytes, list_id: str, operator: Operator) -> str:
    given: dict[str, Any] = {"list_id": list_id, "operator": operator, "now_us": system.clock.now_us()}
    try:
        return receive_bundle(system.watchlist, data, **given).bundle_id
    except SealNeedsPassphrase:
        passphrase = typer.prompt("口令 Passphrase", hide_input=True)
        return receive_bundle(system.watchlist, data, passphrase=passphrase, **given).bundle_id


def _tell_entries(found: list[Entry], *, as_json: bool) -> None:
    rows = [
        {
            "entry_id": one.id,
            "list_id": one.list_id,
            "state": one.state,
            "source": one.source,
            "ground_code": one.ground_code,
            "review_on": None if one.review_at_us is None else from_us(one.review_at_us).date().isoformat(),
            "expires_on": from_us(one.expires_at_us).date().isoformat(),
            "appeal": one.appeal,
        }
        for one in found
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        typer.echo("\t".join(str(value) for value in row.values()))


def _tell_difference(bundle_id: str, found: Difference, approval_id: str | None, *, as_json: bool) -> None:
    counts = {name: len(getattr(found, name)) for name in ("new", "changed", "same", "gone", "already", "alike")}
    if as_json:
        told = {
            "bundle_id": bundle_id,
            "approval_id": approval_id,
            **{name: list(getattr(found, name)) for name in ("new", "changed", "same", "gone")},
            "already": [{"id": one.id, "entry_id": one.entry_id, "how": one.how} for one in found.already],
            "alike": [{"id": one.id, "other_id": one.other_id} for one in found.alike],
            "refused": [{"place": one.place, "code": one.code, "zh": one.zh, "en": one.en} for one in found.refused],
        }
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    words = {"new": "新增", "changed": "变更", "same": "不变", "gone": "移除", "already": "已在册", "alike": "过于相似"}
    typer.echo(bundle_id)
    typer.echo("，".join(f"{words[name]} {name} {count}" for name, count in counts.items()))
    for one in found.refused:
        typer.echo(f"{one.place}: {one.zh} {one.en}", err=True)
    if approval_id is not None:
        typer.echo(f"待批准 to be approved: {approval_id}")


def _operator(connection: Connection, key_file: Path, *roles: Role) -> Operator:
    """The operator whose key this is, with one of these roles.

    Raises:
        InvalidInput: others can read the key.
        StaffRefused, RoleMissing: it opens nothing here.
    """
    if key_file.stat().st_mode & 0o077:
        raise InvalidInput(
            "key_file", zh="其他用户可以读取，权限须为 0600", en="others can read it; its mode must be 0600"
        )
    operator = authenticate(connection, key_file.read_text(encoding="utf-8", errors="replace").strip())
    require(operator, *roles)
    return operator


def _person(file: Path) -> dict[str, Any]:
    try:
        given = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not isinstance(given.get("aliases", []), list):
        raise InvalidInput("person_file", zh="须为 JSON 对象", en="must be a JSON object")
    return given


def _ground(code: str) -> GroundCode:
    for known in GROUND_WORDS:
        if known == code:
            return known
    raise InvalidInput("ground_code", zh="只能是 " + ", ".join(GROUND_WORDS), en="one of " + ", ".join(GROUND_WORDS))


def _source(source: str) -> EntrySource:
    known: tuple[EntrySource, ...] = ("own", "police", "hospital")
    for one in known:
        if one == source:
            return one
    raise InvalidInput("source", zh="只能是 own, police, hospital", en="one of own, police, hospital")


def _hex(key: str) -> bytes:
    try:
        return bytes.fromhex(key)
    except ValueError:
        raise InvalidInput("to_key", zh="须为十六进制", en="must be hexadecimal") from None
