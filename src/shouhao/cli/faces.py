"""`shouhao faces`: photographs embedded in a batch, and thresholds measured before a list goes live."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from shouhao.cli.face_pack import engine_for
from shouhao.cli.opening import read_settings
from shouhao.faces.budget import Budget
from shouhao.faces.calibrate import Calibration, calibrate, see_enough_people
from shouhao.faces.calibration_report import DataSet, Unusable, report_of, write_calibration
from shouhao.faces.calibration_words import WHY_NOT
from shouhao.faces.packs import Pack
from shouhao.faces.photographs import FindsFaces, Photograph, look_at, people_in
from shouhao.kernel.errors import InvalidInput

app = typer.Typer(
    help="人脸：阈值校准与批量提取。 Faces: calibrate thresholds, embed in a batch.", no_args_is_help=True
)

_PackOption = Annotated[
    str | None,
    typer.Option("--pack", help="模型包；不填则用设置 face_pack Model pack; without it, the setting face_pack"),
]
_JSONOption = Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")]


@app.command("calibrate")
def calibrate_folder(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(
            help="照片目录，每人一个子目录 One folder a person", exists=True, file_okay=False, readable=True
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="结果目录 Folder for the result", file_okay=False)],
    pack: _PackOption = None,
    passages_a_day: Annotated[
        int, typer.Option("--passages-a-day", help="每日通行人次 Passages a day", min=1)
    ] = 20_000,
    list_size: Annotated[int, typer.Option("--list-size", help="名单照片数 Photographs on the list", min=1)] = 2_100,
    false_alarms_a_day: Annotated[
        float, typer.Option("--false-alarms-a-day", help="每日可承受的误报 False alarms a day that can be borne")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="随机种子 Seed", min=0)] = 1,
    *,
    without_names: Annotated[
        bool,
        typer.Option("--without-names", help="报告中以编号代替姓名 Numbers in place of names of folders and files"),
    ] = False,
    as_json: _JSONOption = False,
) -> None:
    """由照片测得错误率与阈值；人数太少则退出码为 1。 Measure rates and derive thresholds; exit 1: too few people."""
    try:
        budget = Budget(false_alarms_a_day=false_alarms_a_day, passages_a_day=passages_a_day, list_size=list_size)
    except InvalidInput as error:
        raise typer.BadParameter(f"{error.says('zh')} {error.says('en')}") from None
    people = people_in(folder)
    see_enough_people(np.array([n for n, (_, theirs) in enumerate(people) for _ in theirs], dtype=np.int64))
    engine, chosen = engine_for(read_settings(context.obj), pack)
    data, found = _measured(folder, people, engine, chosen, budget, seed)
    made_at = datetime.now(UTC).astimezone().isoformat()
    report = report_of(found, pack=chosen, data=data, made_at=made_at, names=not without_names)
    as_json_file, page = write_calibration(report, out)
    summary = _summary(found) | {
        "pack": chosen.id,
        "unusable": len(data.unusable),
        "json": str(as_json_file),
        "page": str(page),
    }
    typer.echo(msgspec.json.encode(summary).decode() if as_json else _said(summary))


@app.command("embed")
def embed(
    context: typer.Context,
    paths: Annotated[
        Path,
        typer.Option(
            "--list", help="图片路径清单，每行一个，UTF-8 Image paths, one a line, UTF-8", exists=True, dir_okay=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="结果文件 .npz File for the arrays", dir_okay=False)],
    pack: _PackOption = None,
    *,
    as_json: _JSONOption = False,
) -> None:
    """批量提取特征，顺序与清单一致；有文件不存在则退出码为 1。 Embed images in order; exit 1 when one does not exist.

    Arrays: path, found, box_xyxy_px, quality, embedding (zeros where not found) and the scalar pack. Of several faces
    the large one nearest the middle is taken.
    """
    named = _named(paths)
    engine, chosen = engine_for(read_settings(context.obj), pack)
    looked = list(_shown(look_at((path for _, path in named), engine), len(named)))
    absent = [name for name, path in named if not _exists(path)]
    for (name, _), one in zip(named, looked, strict=True):
        if one.refusal is not None:
            typer.echo(f"{name}: {one.refusal.says('zh')} {one.refusal.says('en')}", err=True)
    _write_arrays(out, [name for name, _ in named], looked, pack=chosen.id, dims=chosen.embedder.dims)
    summary = {
        "pack": chosen.id,
        "files": len(named),
        "found": sum(one.face is not None for one in looked),
        "missing": absent,
        "out": str(out),
    }
    if as_json:
        typer.echo(msgspec.json.encode(summary).decode())
    else:
        typer.echo(f"{summary['files']} 个文件，{summary['found']} 张人脸 files, faces -> {out}")
    if absent:
        raise typer.Exit(1)


def _measured(
    folder: Path, people: list[tuple[str, list[Path]]], engine: FindsFaces, pack: Pack, budget: Budget, seed: int
) -> tuple[DataSet, Calibration]:
    """Look at every photograph of every person, and measure those with a face."""
    files = [(number, file) for number, (_, theirs) in enumerate(people) for file in theirs]
    looked = list(_shown(look_at((file for _, file in files), engine), len(files)))
    usable = [(number, one) for (number, _), one in zip(files, looked, strict=True) if one.face is not None]
    subjects = [number for number, _ in usable]
    vectors = _embeddings([one for _, one in usable], pack.embedder.dims)
    data = DataSet(
        people=tuple(name for name, _ in people),
        photographs=tuple(_below(folder, one) for _, one in usable),
        subjects=tuple(subjects),
        sha256=tuple(one.sha256 for one in looked if one.sha256 is not None),
        unusable=tuple(Unusable(name=_below(folder, one), refusal=one.refusal) for one in looked if one.refusal),
        several_faces=sum(one.faces > 1 for one in looked),
    )
    return data, calibrate(vectors, np.array(subjects, dtype=np.int64), budget=budget, seed=seed)


def _below(folder: Path, one: Photograph) -> str:
    return one.path.relative_to(folder).as_posix()


def _shown(looked: Iterator[Photograph], count: int) -> Iterable[Photograph]:
    """The same, with a bar on a terminal; a pipe stays quiet."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return looked
    return track(looked, description="人脸 faces", total=count, console=console, transient=True)


def _embeddings(looked: list[Photograph], dims: int) -> NDArray[np.float32]:
    """(n, dims), zeros where there is no face."""
    vectors = np.zeros((len(looked), dims), dtype=np.float32)
    for n, one in enumerate(looked):
        if one.face is not None:
            vectors[n] = one.face.embedding
    return vectors


def _named(paths: Path) -> list[tuple[str, Path]]:
    """Each line of the list, and the file it means: from here, else from where the list lies.

    Raises:
        InvalidInput: the list is not UTF-8.
    """
    try:
        lines = paths.read_text(encoding="utf-8-sig").split("\n")  # names may hold other line ends
    except UnicodeDecodeError:
        raise InvalidInput("list", zh="不是 UTF-8 文本", en="is not UTF-8 text") from None
    names = [line.removesuffix("\r") for line in lines if line.strip()]
    return [(name, Path(name) if _exists(Path(name)) else paths.parent / name) for name in names]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or none at all
        return False


def _write_arrays(out: Path, names: list[str], looked: list[Photograph], *, pack: str, dims: int) -> None:
    boxes, quality = np.zeros((len(looked), 4), dtype=np.float32), np.zeros(len(looked), dtype=np.float32)
    for n, one in enumerate(looked):
        if one.face is not None:
            boxes[n], quality[n] = one.face.box_xyxy_px, one.face.quality.score
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"{out.name}.part")  # a run that is cut short leaves what was there
    with part.open("wb") as file:
        np.savez(
            file,
            path=np.array(names, dtype=np.str_),
            found=np.array([one.face is not None for one in looked], dtype=np.bool_),
            box_xyxy_px=boxes,
            quality=quality,
            embedding=_embeddings(looked, dims),
            pack=np.array(pack),
        )
    part.replace(out)


def _summary(found: Calibration) -> dict[str, Any]:
    chosen, asked = found.decision.chosen, found.search.at_chosen
    return {
        "people": found.people,
        "photographs": found.photographs,
        "impostor_pairs": found.impostor_pairs,
        "smallest_fmr": found.smallest_fmr,
        "fpir_needed": found.decision.fpir_needed,
        "fmr_needed": found.decision.fmr_needed,
        "threshold_cos": chosen.threshold_cos if chosen else None,
        "extrapolated": chosen.extrapolated if chosen else None,
        "why_not": found.decision.why_not,
        "fnir": asked.fnir.rate if asked and asked.fnir else None,
        "too_close": len(found.too_close),
        "mislabelled": len(found.mislabelled),
    }


def _said(summary: dict[str, Any]) -> str:
    threshold = summary["threshold_cos"]
    kind = "外推 extrapolated" if summary["extrapolated"] else "实测 counted"
    missed = "" if summary["fnir"] is None else f"，漏报 missed {summary['fnir']:.1%}"
    verdict = (
        f"阈值 threshold {threshold:.4f}（{kind}）{missed}"
        if threshold is not None
        else "\n".join(("得不出满足预算的阈值 no threshold keeps the budget", *WHY_NOT[summary["why_not"]]))
    )
    return "\n".join(
        [
            f"人数 people: {summary['people']}",
            f"照片 photographs: {summary['photographs']}，不可用 unusable: {summary['unusable']}",
            f"能数出的最小 FMR smallest FMR counted: {summary['smallest_fmr']:.1e}",
            verdict,
            f"太像 too close: {summary['too_close']}，可能放错 perhaps mislabelled: {summary['mislabelled']}",
            f"报告 report: {summary['page']}",
        ]
    )
