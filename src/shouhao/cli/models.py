"""`shouhao models`: which face models there are, getting them, and whether what lies here is what was meant."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from shouhao.cli.opening import read_settings
from shouhao.faces.packs import (
    FileCheck,
    FileState,
    ModelFile,
    Pack,
    PackagedFile,
    check_files,
    known_packs,
    load_pack,
    missing_library,
)
from shouhao.kernel.errors import InvalidInput, Unavailable
from shouhao.protocols.model_mirror import pull_file
from shouhao.settings import Settings

app = typer.Typer(help="人脸模型：查看、下载、核对。 Face models: see, pull, verify.", no_args_is_help=True)

_JSONOption = Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")]
_STATES: dict[FileState, str] = {
    "ok": "正确 ok",
    "missing": "缺少 missing",
    "unreadable": "无法读取 unreadable",
    "wrong_size": "大小不符 wrong size",
    "wrong_hash": "SHA-256 不符 wrong SHA-256",
}


@app.command("list")
def list_packs(context: typer.Context, as_json: _JSONOption = False) -> None:
    """列出模型包、许可与文件是否在位（不核对内容）。 List packs, licences, and whether files are here, unread."""
    settings = read_settings(context.obj)
    packs = [_summary(name, settings) for name in known_packs(settings.models_dir)]
    if as_json:
        _print_json({"models_dir": str(settings.models_dir), "packs": packs})
        return
    for pack in packs:
        typer.echo("\n".join(_summary_lines(pack)))
    typer.echo(f"模型目录 models folder: {settings.models_dir}")


@app.command("pull")
def pull(
    context: typer.Context,
    pack: Annotated[str, typer.Argument(help="模型包 Pack", metavar="PACK")],
    as_json: _JSONOption = False,
) -> None:
    """下载并核对模型包，可断点续传；仍缺文件则退出码为 1。 Pull a pack and check it; exit 1 while it is incomplete.

    From the setting models_mirror, or else from where the pack's manifest says. 未安装所需 Python 包则退出码为 3。
    Exit 3 where a Python package is not installed.
    """
    settings = read_settings(context.obj)
    chosen = load_pack(pack, models_dir=settings.models_dir)
    files = [check.file for check in check_files(chosen, settings.models_dir, hashed=False)]
    wanted = [file for file in files if isinstance(file, ModelFile) and file.url is not None]
    base_url = settings.models_mirror or chosen.mirror
    if base_url is not None:
        with _hint(settings), _progress() as progress_of:
            for file in wanted:
                pull_file(file, base_url=base_url, into=settings.models_dir, progress=progress_of(file))
    _tell(chosen, settings, as_json=as_json, nothing_to_pull=not wanted)


@app.command("verify")
def verify(
    context: typer.Context,
    pack: Annotated[
        str | None,
        typer.Argument(help="模型包；不填则为设置 face_pack Pack; without it, the setting face_pack", metavar="[PACK]"),
    ] = None,
    as_json: _JSONOption = False,
) -> None:
    """核对每个文件的 SHA-256；缺少或不符则退出码为 1。 Hash every file; exit 1 when one is missing or wrong.

    未安装所需 Python 包则退出码为 3。 Exit 3 where a Python package is not installed.
    """
    settings = read_settings(context.obj)
    chosen = load_pack(pack or settings.face_pack, models_dir=settings.models_dir)
    _tell(chosen, settings, as_json=as_json, nothing_to_pull=False)


def _tell(pack: Pack, settings: Settings, *, as_json: bool, nothing_to_pull: bool) -> None:
    """What lies here now, every byte of it read; ends with status 1 when the pack cannot be used like this.

    With 3 where packages have to be installed first, whatever else is wrong.
    """
    checks = check_files(pack, settings.models_dir)
    packages = _packages_lacking(pack, checks)
    usable = not packages and not any(check.stops for check in checks)
    if as_json:
        _print_json(
            {
                "pack": pack.name,
                "id": pack.id,
                "usable": usable,
                "nothing_to_pull": nothing_to_pull,
                "for_trying_out": pack.for_trying_out,
                "to_install": packages,
                "files": [_file(check) for check in checks],
            }
        )
    else:
        closing = _closing(pack, checks, packages, usable=usable, nothing_to_pull=nothing_to_pull)
        typer.echo("\n".join([*_lines(checks), *closing]))
    if not usable:
        raise typer.Exit(3 if packages else 1)


def _summary(name: str, settings: Settings) -> dict[str, Any]:
    """One pack as data; a manifest that breaks a rule is shown with the rule, and hides no other pack."""
    in_use = name == settings.face_pack
    try:
        pack = load_pack(name, models_dir=settings.models_dir)
    except InvalidInput as broken:
        return {"name": name, "in_use": in_use, "broken": {"zh": broken.says("zh"), "en": broken.says("en")}}
    checks = check_files(pack, settings.models_dir, hashed=False)
    return {
        "name": name,
        "id": pack.id,
        "in_use": in_use,
        "zh": pack.zh,
        "en": pack.en,
        "source": pack.source,
        "licence": pack.licence,
        "for_trying_out": pack.for_trying_out,
        "complete": missing_library(pack) is None and not any(check.stops for check in checks),
        "files": [_file(check) for check in checks],
        "thresholds": pack.thresholds,
        "published_threshold": pack.published_threshold,
    }


def _file(check: FileCheck) -> dict[str, Any]:
    file = check.file
    return {
        "name": file.name,
        "package": file.package if isinstance(file, PackagedFile) else None,
        "state": check.state,
        "required": check.required,
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
        "licence": file.licence,
        "pulled": isinstance(file, ModelFile) and file.url is not None,
    }


def _summary_lines(pack: dict[str, Any]) -> list[str]:
    name = f"{pack['name']}{'  （使用中 in use）' if pack['in_use'] else ''}"
    if "broken" in pack:
        return [name, f"  清单有误 {pack['broken']['zh']}", f"  broken manifest {pack['broken']['en']}", ""]
    lines = [name, f"  {pack['zh']}", f"  {pack['en']}", f"  许可 licence: {pack['licence']}"]
    if pack["for_trying_out"]:
        lines.append("  仅供试用 for trying out only")
    for words, required in (("文件 files", True), ("可选 optional", False)):
        files = [file for file in pack["files"] if file["required"] is required]
        absent = [f"{_STATES[file['state']]} {file['name']}" for file in files if file["state"] != "ok"]
        if files:
            lines.append(f"  {words}: {len(files) - len(absent)}/{len(files)}  {'，'.join(absent)}".rstrip())
    return [*lines, ""]


def _lines(checks: tuple[FileCheck, ...]) -> list[str]:
    return [
        f"{_STATES[check.state]}  {check.file.name}{'' if check.required else '  （可选 optional）'}"
        for check in checks
    ]


def _packages_lacking(pack: Pack, checks: tuple[FileCheck, ...]) -> list[str]:
    """Python packages that have to be installed, by name."""
    lacking = {
        check.file.package for check in checks if check.state == "missing" and isinstance(check.file, PackagedFile)
    }
    return sorted(package for package in {*lacking, missing_library(pack)} if package is not None)


def _closing(
    pack: Pack, checks: tuple[FileCheck, ...], packages: list[str], *, usable: bool, nothing_to_pull: bool
) -> Iterator[str]:
    """What the person in front of this should know or do."""
    if nothing_to_pull:
        yield "此模型包无需下载。 Nothing is to be pulled for this pack."
    lacking = [check.file for check in checks if check.stops and check.state == "missing"]
    brought = [file.name for file in lacking if isinstance(file, ModelFile) and file.url is None]
    if brought:
        yield f"须由医院自行放入模型目录 to be put into the models folder by the hospital: {', '.join(brought)}"
    if packages:
        yield f"须安装 to be installed: shouhao[dlib] ({', '.join(packages)})"
    if pack.for_trying_out:
        yield "仅供试用 for trying out only"
    yield f"{pack.id}  {'可以使用 usable' if usable else '不可使用 cannot be used'}"


@contextmanager
def _hint(settings: Settings) -> Iterator[None]:
    """What a hospital without internet does when the mirror is not reached."""
    try:
        yield
    except Unavailable:
        zh = f"无法取得时，可设置 models_mirror，或由他处把文件复制到 {settings.models_dir}，再运行 verify。"
        en = "Where it cannot be reached, set models_mirror, or copy the files into that folder and run verify."
        typer.echo(f"{zh}\n{en}", err=True)
        raise


@contextmanager
def _progress() -> Iterator[Callable[[ModelFile], Callable[[int, int | None], None]]]:
    """A bar for each file on a terminal, silence in a pipe."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _file: lambda _here, _of: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as bars:

        def progress_of(file: ModelFile) -> Callable[[int, int | None], None]:
            bar = bars.add_task(file.name, total=file.size_bytes)
            return lambda here, of: bars.update(bar, completed=here, total=of)

        yield progress_of


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(msgspec.json.encode(content).decode())
