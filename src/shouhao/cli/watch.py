"""`shouhao watch search`: one face in recordings that were handed in, once another person has agreed."""

import json
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress as Bar

from shouhao.cli.opening import opened, read_settings
from shouhao.kernel.clock import HOSPITAL_ZONE, from_us, iso, to_us
from shouhao.kernel.errors import InvalidInput
from shouhao.staff.model import Operator
from shouhao.staff.store import authenticate
from shouhao.watch.video import Span
from shouhao.wiring import System
from shouhao.wiring.watch import recording_files, search_desk

if TYPE_CHECKING:
    from shouhao.flows.search_run import Found, Progress, SearchDesk, Wanted

app = typer.Typer(help="布控：录像检索。 The watch: searches of recordings.", no_args_is_help=True)


@app.callback()
def watch() -> None:
    """Keep `search` a word of its own while it is the only command."""


@app.command("search")
def search(
    context: typer.Context,
    recordings: Annotated[
        list[Path], typer.Argument(help="录像文件或目录 Recordings, or folders of them", exists=True)
    ],
    *,
    since: Annotated[str, typer.Option("--from", help="起 From, e.g. 2026-03-02T08:00")],
    until: Annotated[str, typer.Option("--until", help="止 Until")],
    reason: Annotated[str, typer.Option("--reason", help="事由 Why")],
    photo: Annotated[
        Path | None, typer.Option("--photo", help="照片 Photograph of whom to look for", exists=True, dir_okay=False)
    ] = None,
    entry: Annotated[str | None, typer.Option("--entry", help="或布控条目 Or a watch entry")] = None,
    camera: Annotated[str | None, typer.Option("--camera", help="录像所属摄像机 Camera of the recordings")] = None,
    began: Annotated[
        str | None, typer.Option("--began", help="首个录像的开始时间 When the first recording began")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="相似度阈值 Likeness (cosine)", min=-1, max=1)
    ] = None,
    approval: Annotated[
        str | None, typer.Option("--approval", help="批准编号；不填则提出申请 Approval; without it, ask for one")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="工作人员密钥文件 File with the operator's key", dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")] = False,
) -> None:
    """先申请，经另一人批准后再检索；只保存命中。 Ask first; once approved, search. Only hits are kept.

    申请已提出而未检索，或有录像未能读完，退出码为 1。 Exit status 1 when it was only asked for, or when a recording
    could not be read to its end.
    """
    from shouhao.flows.search_recordings import ask_for_search  # noqa: PLC0415 - reading pictures takes half a second
    from shouhao.flows.search_run import Wanted  # noqa: PLC0415 - as above

    with opened(read_settings(context.obj)) as system:
        operator = _operator(system, key_file)
        desk = search_desk(system)
        wanted = Wanted(
            photo=None if photo is None else photo.read_bytes(),
            entry_id=entry,
            recordings=tuple(file for given in recordings for file in recording_files(given)),
            began_us=None if began is None else _moment("began", began),
            camera_id=camera,
            span=Span(from_us=_moment("from", since), until_us=_moment("until", until)),
            threshold_cos=threshold,
        )
        if approval is None:
            asked = ask_for_search(desk, wanted, reason=reason, operator=operator)
            typer.echo(f"已提出申请，待另一人批准 asked, another person decides: {asked.id}")
            raise typer.Exit(1)
        found = _searched(desk, wanted, approval, reason, operator)
    typer.echo(json.dumps(_told(found), ensure_ascii=False)) if as_json else _print(found)
    if found.state != "done" or not found.whole:
        raise typer.Exit(1)


def _searched(desk: "SearchDesk", wanted: "Wanted", approval: str, reason: str, operator: Operator) -> "Found":
    """Search with a bar on a terminal; an interrupt breaks it off, and nothing is kept."""
    from shouhao.flows.search_recordings import begin_search  # noqa: PLC0415 - as above

    stop, ended = threading.Event(), threading.Event()
    found: list[Found] = []
    errors: list[BaseException] = []
    run = begin_search(desk, wanted, approval, reason=reason, operator=operator)
    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("检索 searching", total=None)

        def on_progress(one: "Progress") -> None:
            words = f"{one.file}/{one.files} · {one.hits} 命中 hits"
            bar.update(task, description=words, completed=one.position_s, total=one.duration_s or None)

        def work() -> None:
            try:
                found.append(run.to_its_end(on_progress, stop.is_set))
            except BaseException as error:  # noqa: BLE001 - raised again below, where the command can end by it
                errors.append(error)
            finally:
                ended.set()

        threading.Thread(target=work, name="search", daemon=True).start()
        try:
            ended.wait()
        except KeyboardInterrupt:
            stop.set()
            ended.wait()
    if errors:
        raise errors[0]
    return found[0]


def _operator(system: System, key_file: Path | None) -> Operator:
    """Who searches, by key: from a file, or typed where nobody sees it; never an argument, which others can read."""
    key = (
        typer.prompt("工作人员密钥 Operator's key", hide_input=True, err=True) if key_file is None else _read(key_file)
    )
    with system.db.read() as connection:
        return authenticate(connection, key.strip())


def _read(key_file: Path) -> str:
    if not key_file.is_file() or key_file.stat().st_mode & 0o077:
        raise InvalidInput("key_file", zh="不存在，或其他用户可以读取", en="is missing, or others can read it")
    return key_file.read_text(encoding="utf-8")


def _moment(field: str, given: str) -> int:
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise InvalidInput(field, zh="须为 ISO 8601 时间", en="a moment as ISO 8601") from None
    return to_us(moment if moment.tzinfo is not None else moment.replace(tzinfo=HOSPITAL_ZONE))


def _told(found: "Found") -> dict[str, object]:
    return {
        "search_id": found.search_id,
        "state": found.state,
        "searched_s": round(found.searched_s, 3),
        "pictures": found.pictures,
        "faces": found.faces,
        "files": [
            {
                "name": one.name,
                "sha256": one.sha256,
                "began_at": None if one.began_at_us is None else iso(one.began_at_us),
                "began_known_from": one.began_known_from,
                "stopped": one.stopped,
                "position_s": one.position_s,
                "byte": one.byte,
            }
            for one in found.files
        ],
        "hits": [
            {
                "hit_id": hit.id,
                "seen_at": iso(hit.seen_at_us),
                "file": hit.file_number,
                "position_s": hit.position_s,
                "camera_id": hit.camera_id,
                "similarity_cos": hit.similarity_cos,
                "threshold_cos": hit.threshold_cos,
            }
            for hit in found.hits
        ],
    }


def _print(found: "Found") -> None:
    console = Console()
    console.print(
        f"检索 search {found.search_id}: {found.state} · {found.searched_s:.0f} s · {found.faces} 张人脸 faces"
    )
    for hit in found.hits:
        moment = from_us(hit.seen_at_us).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
        place = timedelta(seconds=round(hit.position_s))
        console.print(f"  {moment}  #{hit.file_number} {place}  {hit.similarity_cos:.3f} ≥ {hit.threshold_cos:.3f}")
    for one in found.files:
        if one.stopped not in {"ended", "outside"}:
            at = f"{one.position_s:.1f} s，字节 byte {one.byte}"
            console.print(f"  未能读完 not read to its end: {one.name} · {one.stopped} · {at}", soft_wrap=True)
