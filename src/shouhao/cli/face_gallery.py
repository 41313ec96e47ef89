"""`shouhao faces gallery | threshold | change-pack`: the two galleries, as the IT office looks after them."""

import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from shouhao.cli.opening import opened, read_settings
from shouhao.faces import changeover, store
from shouhao.faces.choose import usable_pack
from shouhao.faces.enrolment import GallerySetup, set_threshold
from shouhao.faces.model import PURPOSES, Purpose
from shouhao.kernel.errors import InvalidInput
from shouhao.wiring import System
from shouhao.wiring.faces import face_engine, gallery_setup

_JSONOption = Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")]
_PurposeArgument = Annotated[str, typer.Argument(help="用途 Purpose: watchlist, consented", metavar="PURPOSE")]
_AT_ONCE = 64


def gallery(context: typer.Context, as_json: _JSONOption = False) -> None:
    """两个底库的模型、人数、照片与阈值。 Packs, people, photographs and thresholds of the two galleries."""
    with opened(read_settings(context.obj)) as system:
        found = {purpose: _state(system, purpose) for purpose in PURPOSES}
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    for purpose, state in found.items():
        typer.echo(f"{purpose}: {state['people']} 人 people, {state['photographs']} 张照片 photographs")
        for pack in state["packs"]:
            thresholds = "，".join(f"{name} {cos:.4f}" for name, cos in pack["thresholds_cos"].items()) or "–"
            typer.echo(
                f"  {pack['pack']} {pack['state']}，特征 templates {pack['templates']}，阈值 thresholds {thresholds}"
            )


def threshold(
    context: typer.Context,
    purpose: _PurposeArgument,
    list_id: Annotated[str, typer.Argument(help="名单编号 List", metavar="LIST")],
    measured: Annotated[
        Path,
        typer.Option("--from", help="校准结果 calibration.json The calibration's result", exists=True, dir_okay=False),
    ],
) -> None:
    """按校准结果设定名单阈值，并记下依据。 Set a list's threshold from a calibration, and keep what it rests on."""
    meant, chosen = _purpose(purpose), _chosen(measured)
    with opened(read_settings(context.obj)) as system:
        setup = gallery_setup(system, meant, {})
        version = set_threshold(
            setup,
            list_id=list_id,
            pack=chosen["pack"],
            similarity_cos=chosen["threshold_cos"],
            derived_from=chosen,
            now_us=system.clock.now_us(),
        )
    typer.echo(f"{list_id} · {chosen['pack']} · {chosen['threshold_cos']:.4f} · 第 {version} 版 version {version}")


def change_pack(
    context: typer.Context,
    purpose: _PurposeArgument,
    pack: Annotated[str, typer.Option("--to", help="新的模型包 The new pack")],
    *,
    switch: Annotated[
        bool, typer.Option("--switch", help="全部提取完毕后切换 Switch once every photograph was seen")
    ] = False,
    without_unseen: Annotated[
        bool,
        typer.Option(
            "--without-unseen", help="放弃新模型未检出人脸的照片 Give up photographs the new pack sees no face in"
        ),
    ] = False,
) -> None:
    """用已存照片为新模型重建底库，可中断续做。 Re-embed a gallery from its photographs; resumes where it stopped."""
    settings, meant = read_settings(context.obj), _purpose(purpose)
    new = usable_pack(pack, models_dir=settings.models_dir)
    with opened(settings) as system:
        setup = gallery_setup(system, meant, {new.id: face_engine(settings, new)})
        changeover.start(setup, pack=new.id, now_us=system.clock.now_us())
        unseen = _build(setup, new.id)
        typer.echo(f"已处理 done: {new.id}，未检出 no face found in: {len(unseen)}")
        for photo_id in unseen:
            typer.echo(f"  {photo_id}")
        if switch:
            now_us = system.clock.now_us()
            changeover.switch(setup, pack=new.id, now_us=now_us, without_unseen=without_unseen)
            typer.echo(f"已切换 switched to: {new.id}")


def _build(setup: GallerySetup, pack: str) -> tuple[str, ...]:
    """Look at every photograph that is left; those without a face."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("重建 re-embedding", total=None)
        while True:
            step = changeover.advance(setup, pack=pack, most=_AT_ONCE)
            progress.advance(task, step.done)
            if not step.left:
                return step.unseen


def _state(system: System, purpose: Purpose) -> dict[str, Any]:
    with system.db.read() as connection:
        people, photographs = store.counts(connection, purpose)
        packs = [
            {
                "pack": use.pack,
                "state": use.state,
                "templates": len(store.photo_ids_with(connection, purpose, use.pack)),
                "thresholds_cos": store.thresholds_for(connection, purpose, use.pack),
            }
            for use in store.packs_in_use(connection, purpose).values()
        ]
    return {"people": people, "photographs": photographs, "packs": packs}


def _purpose(given: str) -> Purpose:
    for purpose in PURPOSES:
        if purpose == given:
            return purpose
    raise typer.BadParameter(", ".join(PURPOSES), param_hint="PURPOSE")


def _chosen(measured: Path) -> dict[str, Any]:
    """The threshold that a calibration chose, with what it rests on.

    Raises:
        InvalidInput: this is no result of a calibration, or it chose nothing.
    """
    try:
        report = json.loads(measured.read_bytes())
        pack, decision = report["pack"], report["measured"]["decision"]
        chosen, budget = decision["chosen"], report["measured"]["budget"]
        data, made_at = report["data"], report["made_at"]
    except (ValueError, KeyError, TypeError):
        raise InvalidInput("from", zh="不是校准结果文件", en="is not the result of a calibration") from None
    if chosen is None:
        raise InvalidInput(
            "from", zh="该校准没有得出满足预算的阈值", en="this calibration found no threshold for its budget"
        )
    return {
        "pack": str(pack["id"]),
        "threshold_cos": float(chosen["threshold_cos"]),
        "extrapolated": bool(chosen["extrapolated"]),
        "budget": budget,
        "files_sha256": data["files_sha256"],
        "measured_at": made_at,
    }
