"""Faces, accuracy: our pipeline and the plain one around the same net, on people of LFW, with 95 % intervals.

True match rate over all pairs of photographs, and what a list of 283 finds in passages of up to three pictures; on all
people, and on those that are kept apart from tuning (an odd first byte of the SHA-256 of a name). A photograph in which
no face is found counts as like nobody, for every pipeline. Where the extra dlib is installed, its pack stands beside
them. It takes some minutes.

Models and photographs are those of SHOUHAO_MODELS and of `shared/` beside the checkout.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.faces_listed import Enrol, Found, Fuse, Seen, search_lists
from bench.faces_plain import PlainPipeline, plain_mean
from bench.harness import Figure
from shouhao.faces.embed import units
from shouhao.faces.images import read_picture
from shouhao.faces.intervals import Share
from shouhao.faces.model import Face, Pixels
from shouhao.faces.packs import load_pack, missing_library
from shouhao.faces.pairs import THRESHOLDS_COS
from shouhao.faces.passages import probe_of
from shouhao.faces.photographs import AT_ONCE, main_face, people_in
from shouhao.faces.pipeline import open_engine
from shouhao.faces.quality import CAPTURE, problems_of
from shouhao.faces.rates import Compared, compare_all, rates_at

ROOT = Path(__file__).resolve().parent.parent
THREADS = 2
FMRS = (1e-3, 1e-4, 1e-5)
LIST_SIZE = 283  #: photographs on the list of Beijing Children's Hospital in 2019
ENROLLED = (1, 2)

People = Sequence[tuple[str, Sequence[Path]]]  #: of each the name and the photographs
FindsFaces = Callable[[list[Pixels]], list[list[Face]]]
OURS, PLAIN, DLIB = "ours", "plain", "dlib"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """One thing that is measured, by pipeline."""

    name: str
    unit: str
    told: Mapping[str, Share]
    notes: Mapping[str, float]


@contextmanager
def figures() -> Iterator[Sequence[Figure]]:
    """The figures, where models and photographs are here."""
    models = (ROOT / os.environ.get("SHOUHAO_MODELS", "../shared/models")).resolve()
    photographs = ROOT / "../shared/faces/lfw-dev"
    if (models / "mobilefacenet.onnx").is_file() and photographs.is_dir():
        yield figures_of(people_in(photographs), models)
    else:
        print("no models or photographs here: accuracy is not measured")
        yield []


def figures_of(people: People, models: Path, *, packs: Sequence[str] = ("arcface-onnx", "dlib")) -> list[Figure]:
    """The figures of some people.

    Args:
        packs: ours comes first; a pack whose package is not installed is left out.
    """
    seen = seen_by_all(people, models, packs=packs)
    subjects = np.array([n for n, (_, files) in enumerate(people) for _ in files], np.int64)
    held_out = np.array([kept_apart(name) for name, _ in people])
    compared = []
    for part, rows in (("held_out", np.flatnonzero(held_out[subjects])), ("all", np.arange(len(subjects)))):
        theirs = {name: one.part(rows) for name, one in seen.items()}
        number = np.unique(subjects[rows], return_inverse=True)[1].astype(np.int64)
        compared += [*_matched(theirs, number, part), *_listed(theirs, number, part)]
    return [_figure(one) for one in compared]


def kept_apart(name: str) -> bool:
    """Whether nothing was tuned on this person's photographs."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 1


def seen_by_all(people: People, models: Path, *, packs: Sequence[str]) -> dict[str, Seen]:
    """What each pipeline makes of every photograph of these people, in their order."""
    files = [file for _, theirs in people for file in theirs]
    found = {}
    for name, pack_name in zip((OURS, DLIB), packs, strict=False):
        pack = load_pack(pack_name, models_dir=models)
        if missing_library(pack) is None:
            engine = open_engine(pack, models_dir=models, threads=THREADS)
            views = _views(files, partial(engine.faces, in_turns=True), 2 if pack.embedder.mirrored_too else 1)
            found[name] = _seen(views, _fused, _each)
    plain = PlainPipeline(models, threads=THREADS)
    found[PLAIN] = _seen(_views(files, plain.faces, 1), plain_mean, _mean_of)
    return found


def _views(files: Sequence[Path], faces_of: FindsFaces, count: int) -> list[tuple[Face | None, ...]]:
    """The face that each photograph is about, seen in so many views, which take turns."""
    views: list[tuple[Face | None, ...]] = []
    for start in range(0, len(files), AT_ONCE):
        pictures = [read_picture(file.read_bytes()) for file in files[start : start + AT_ONCE]]
        found = iter(faces_of([picture for picture in pictures for _ in range(count)]))
        for picture in pictures:
            height, width = picture.shape[:2]
            views.append(tuple(main_face(next(found), width=width, height=height) for _ in range(count)))
    return views


def _seen(views: Sequence[tuple[Face | None, ...]], fuse: Fuse, enrol: Enrol) -> Seen:
    """A photograph that stands alone is the mean of its views, as an engine makes it."""
    faces = [_of_all(some) for some in views]
    dims = next(len(face.embedding) for face in faces if face is not None)
    return Seen(faces=faces, views=views, dims=dims, fuse=fuse, enrol=enrol)


def _of_all(views: tuple[Face | None, ...]) -> Face | None:
    there = [face for face in views if face is not None]
    return replace(there[0], embedding=units(np.mean([face.embedding for face in there], axis=0))) if there else None


def _fused(faces: Sequence[Face]) -> NDArray[np.float32] | None:
    """As an engine's `probe` does with the faces of a passage."""
    usable = [face for face in faces if not problems_of(face.quality, CAPTURE)]
    return probe_of(usable, "watchlist").embedding if usable else None


def _each(faces: Sequence[Face]) -> list[NDArray[np.float32]]:
    """A list keeps every photograph, and compares with the most alike."""
    return [face.embedding for face in faces]


def _mean_of(faces: Sequence[Face]) -> list[NDArray[np.float32]]:
    mean = plain_mean(faces)
    return [] if mean is None else [mean]


def _matched(seen: Mapping[str, Seen], subjects: NDArray[np.int64], part: str) -> Iterator[_Compared]:
    """True match rates over all pairs."""
    compared = {name: compare_all(one.vectors(), subjects) for name, one in seen.items()}
    genuine, impostor = compared[OURS].counts.genuine_pairs, compared[OURS].counts.impostor_pairs
    pairs = {"genuine_pairs": genuine, "impostor_pairs": impostor}
    for fmr in FMRS:
        told = {name: tmr for name, one in compared.items() if (tmr := _tmr(one, fmr)) is not None}
        yield _Compared(
            name=f"tmr_at_{fmr:.0e}_{part}".replace("e-0", "e-"),
            unit=f"TMR at FMR {fmr:g}, people: {part}",
            told=told,
            notes=pairs,
        )


def _tmr(compared: Compared, fmr: float) -> Share | None:
    """At the least threshold that keeps the rate, however few pairs of strangers that leaves."""
    step = int(np.argmax(compared.counts.impostor <= fmr * compared.counts.impostor_pairs))
    return rates_at(compared, [float(THRESHOLDS_COS[step])])[0].tmr


def _listed(seen: Mapping[str, Seen], subjects: NDArray[np.int64], part: str) -> Iterator[_Compared]:
    """What a list finds, as 1 - FNIR."""
    for enrolled in ENROLLED:
        found = {
            name: search_lists(one, subjects, list_size=LIST_SIZE, enrolled=enrolled) for name, one in seen.items()
        }
        told = {name: _hits(one.all.fnir) for name, one in found.items() if one.all.fnir is not None}
        yield _Compared(
            name=f"found_with_{enrolled}_{part}",
            unit=f"1 - FNIR at FPIR 1e-3, enrolled photographs: {enrolled}, people: {part}",
            told=told,
            notes={"list": found[OURS].list_size, **_of_full_passages(found)},
        )


def _of_full_passages(found: Mapping[str, Found]) -> dict[str, float]:
    notes = {}
    for name, one in found.items():
        if one.full.fnir is not None:
            notes[f"{name}_of_three_frames"] = 1 - one.full.fnir.rate
            notes[f"{name}_people_with_three_frames"] = one.full.fnir.people
        notes[f"{name}_strangers_at_threshold"] = one.strangers
    return notes


def _hits(missed: Share) -> Share:
    """The share that was not missed."""
    return Share(
        hits=missed.trials - missed.hits,
        trials=missed.trials,
        rate=1 - missed.rate,
        low=1 - missed.high,
        high=1 - missed.low,
        people=missed.people,
        effective_trials=missed.effective_trials,
        method=missed.method,
    )


def _figure(one: _Compared) -> Figure:
    ours, plain = one.told[OURS], one.told[PLAIN]
    notes: dict[str, float] = {}
    for name, told in one.told.items():
        notes |= {f"{name}_rate": told.rate, f"{name}_low": told.low, f"{name}_high": told.high}
    notes |= {"people": ours.people, **one.notes}
    return Figure(
        name=one.name,
        unit=one.unit,
        measure=lambda: ours.rate,
        floor=lambda: plain.rate,
        floor_is="OpenCV's YuNet, five points to the template, the same net once, plain mean",
        reach=1.0,
        notes={name: [value] for name, value in notes.items()},
        decimals=4,
    )
