"""Model packs: which files make an engine, where they come from, and what was measured with them.

A pack is one manifest (TOML) in `manifests/`, or one of the same name in the hospital's models folder, which wins.
How a manifest is written stands in manifest.py. Fetching files is left to protocols/model_mirror.py, running them to
pipeline.py. Whoever opens a model takes its path from here, and so never opens one that is not the file named.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from importlib import resources
from importlib.machinery import ModuleSpec
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from shouhao.faces.manifest import (
    FILE_NAME,
    PACK_NAME,
    DetectorEntry,
    EmbedderEntry,
    FileEntry,
    Manifest,
    PackagedEntry,
    read_manifest,
)
from shouhao.faces.model import ModelMissing, ModelRefused, PackUnknown
from shouhao.kernel.errors import InvalidInput

#: Part of every pack's id: one more whenever alignment or embedding changes so that old vectors no longer compare.
_STEPS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One file of a pack."""

    name: str  #: in the models folder
    sha256: str  #: hex
    size_bytes: int | None
    url: str | None  #: below the mirror, or None: the hospital brings it
    licence: str
    pack: str = ""  #: whose file it is, for what people are told


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedFile:
    """One file of a pack that an installed Python package brings."""

    package: str  #: as it is imported, though it never is
    name: str  #: below the package's folder
    sha256: str  #: hex
    size_bytes: int
    licence: str
    pack: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSpec:
    """How faces are found."""

    kind: Literal["yunet", "dlib"]
    file: ModelFile | None  #: None: inside a package
    score_at_least: float
    packaged: tuple[PackagedFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbedderSpec:
    """How an aligned face becomes a vector."""

    kind: Literal["onnx", "dlib"]
    file: ModelFile | None
    dims: int
    chip_px: int
    template_px: NDArray[np.float32]  #: (5, 2), where the landmarks stand in the aligned face
    channels: Literal["rgb", "bgr"]  #: order that the net takes
    mean: float  #: subtracted from 0-255 before dividing
    scale: float  #: value that is divided by
    mirrored_too: bool  #: embed the mirrored face as well and take the mean: twice the work, fewer misses
    packaged: tuple[PackagedFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessSpec:
    """One net of passive liveness; the scores of several are averaged."""

    file: ModelFile
    crop_scale: float  #: of the face's box


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredThreshold:
    """A similarity, and how often strangers reach it in the data it was measured on."""

    fmr: float  #: share of impostor pairs at or above
    similarity_cos: float
    tmr: float  #: share of genuine pairs at or above
    measured_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedThreshold:
    """A similarity that the makers of a model name, without rates that were measured here."""

    similarity_cos: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pack:
    """One choice of models, as its manifest names it."""

    name: str
    id: str  #: `NAME@` and 12 hex digits of the hash of all that shapes an embedding; vectors of two ids never meet
    zh: str
    en: str
    source: str
    licence: str
    for_trying_out: bool  #: every screen says so
    detector: DetectorSpec
    embedder: EmbedderSpec
    liveness: tuple[LivenessSpec, ...]  #: optional: a pack works without these files, and then without liveness
    thresholds: tuple[MeasuredThreshold, ...]
    published_threshold: PublishedThreshold | None = None
    mirror: str | None = None  #: base of the files' urls, where the settings name no other


FileState = Literal["ok", "missing", "unreadable", "wrong_size", "wrong_hash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """What was found where a pack's file should be."""

    file: ModelFile | PackagedFile
    required: bool  #: without it the pack does nothing
    state: FileState

    @property
    def stops(self) -> bool:
        """Whether the pack must not be used like this: a wrong file is never an optional one."""
        return self.state != "ok" and (self.required or self.state != "missing")


class PackageMissing(ModelMissing):
    """The Python package that brings a pack's files is not installed."""

    code = "faces.package_missing"
    zh = "模型包 {pack} 需要 Python 包 {package}：安装 shouhao[dlib] 即可，无需下载模型"
    en = "Pack {pack} needs the Python package {package}: install shouhao[dlib]; no model is downloaded"


def known_packs(models_dir: Path) -> tuple[str, ...]:
    """The names of all packs: those built in, and the hospital's own manifests."""
    own = models_dir.glob("*.toml") if models_dir.is_dir() else ()
    found = {*_built_in(), *(path.stem for path in own if path.is_file())}
    return tuple(sorted(name for name in found if PACK_NAME.fullmatch(name)))


def load_pack(name: str, *, models_dir: Path) -> Pack:
    """The pack of this name; a manifest in the models folder wins over the one built in.

    Raises:
        PackUnknown: there is none.
        InvalidInput: its manifest breaks a rule; names field and rule.
    """
    if name not in known_packs(models_dir):
        raise PackUnknown("pack", pack=name, known=", ".join(known_packs(models_dir)))
    own = models_dir / f"{name}.toml"
    try:
        written = own.read_bytes() if own.is_file() else _manifests().joinpath(f"{name}.toml").read_bytes()
    except OSError as error:
        zh, en = f"无法读取（{error.strerror}）", f"cannot be read ({error.strerror})"
        raise InvalidInput(f"{name}.toml", zh=zh, en=en) from None
    return _pack(read_manifest(name, written))


def check_files(pack: Pack, models_dir: Path, *, hashed: bool = True) -> tuple[FileCheck, ...]:
    """Every file of a pack as it lies there now.

    Args:
        hashed: False looks at presence and size alone, which takes no time.
    """
    liveness = [one.file for one in pack.liveness]
    return tuple(
        FileCheck(file=file, required=file not in liveness, state=_state(file, _place(file, models_dir), hashed))
        for file in (*_required(pack), *liveness)
    )


def missing_library(pack: Pack) -> str | None:
    """The extra Python package that runs this pack, when it is not installed."""
    kinds = {pack.detector.kind, pack.embedder.kind}
    return "dlib-bin" if "dlib" in kinds and _installed("dlib") is None else None


def model_path(file: ModelFile, models_dir: Path) -> Path:
    """Where a file of the models folder lies, once it is certain that it is the one named.

    It is hashed once in a process, and again when its inode, size or times have changed. Between this and opening it
    a file can still be exchanged by whoever may write into the folder; keep it writable for the operator alone.

    Raises:
        ModelMissing: it is not there.
        ModelRefused: it is another file.
    """
    if not FILE_NAME.fullmatch(file.name):
        raise _refused(file, "文件名不合规则", "its name breaks the rule")
    return _certain(file, models_dir / file.name)


def packaged_path(file: PackagedFile) -> Path:
    """Where a file of an installed package lies, once it is certain that it is the one named.

    Raises:
        PackageMissing: the package is not installed.
        ModelMissing: it is, and lacks the file.
        ModelRefused: it is another file.
    """
    path = _place(file, Path())
    if path is None:
        raise PackageMissing(pack=file.pack, package=file.package, file=file.name)
    return _certain(file, path)


def _built_in() -> set[str]:
    return {path.name.removesuffix(".toml") for path in _manifests().iterdir() if path.name.endswith(".toml")}


def _manifests() -> Traversable:
    return resources.files("shouhao.faces").joinpath("manifests")


def _required(pack: Pack) -> list[ModelFile | PackagedFile]:
    parts = (pack.detector, pack.embedder)
    return [file for part in parts for file in (part.file, *part.packaged) if file is not None]


def _place(file: ModelFile | PackagedFile, models_dir: Path) -> Path | None:
    if isinstance(file, ModelFile):
        return models_dir / file.name
    found = _installed(file.package)
    folders = None if found is None else found.submodule_search_locations
    return Path(folders[0]) / file.name if folders else None


def _installed(package: str) -> ModuleSpec | None:
    """Where a package lies, without importing it; None as well where something keeps it from being found."""
    try:
        return importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None


def _state(file: ModelFile | PackagedFile, path: Path | None, hashed: bool) -> FileState:
    if path is None or not path.is_file():
        return "missing"
    try:
        if file.size_bytes is not None and path.stat().st_size != file.size_bytes:
            return "wrong_size"
        return "ok" if not hashed or _hash_of(path) == file.sha256 else "wrong_hash"
    except OSError:
        return "unreadable"


_WORDS: dict[FileState, tuple[str, str]] = {
    "unreadable": ("无法读取", "it cannot be read"),
    "wrong_size": ("大小与清单不符", "its size is not that of the manifest"),
    "wrong_hash": ("SHA-256 与清单不符", "its SHA-256 is not that of the manifest"),
}
#: Places and times of files whose hash was found right in this process.
_certain_of: set[tuple[object, ...]] = set()


def _certain(file: ModelFile | PackagedFile, path: Path) -> Path:
    if not path.is_file():
        raise ModelMissing(pack=file.pack, file=file.name)
    seen = path.stat()
    identity = (path.absolute(), seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    if (file.sha256, file.size_bytes, *identity) not in _certain_of:
        state = _state(file, path, hashed=True)
        if state != "ok":
            raise _refused(file, *_WORDS.get(state, _WORDS["unreadable"]))
        _certain_of.add((file.sha256, file.size_bytes, *identity))
    return path


def _hash_of(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _refused(file: ModelFile | PackagedFile, zh: str, en: str) -> ModelRefused:
    return ModelRefused(file=file.name, why_zh=zh, why_en=en)


def _pack(manifest: Manifest) -> Pack:
    published = manifest.published_threshold
    return Pack(
        name=manifest.name,
        id=_id(manifest),
        zh=manifest.zh,
        en=manifest.en,
        source=manifest.source,
        licence=manifest.licence,
        for_trying_out=manifest.for_trying_out,
        detector=_detector(manifest.name, manifest.detector),
        embedder=_embedder(manifest.name, manifest.embedder),
        liveness=tuple(
            LivenessSpec(file=_file(manifest.name, one.file), crop_scale=one.crop_scale) for one in manifest.liveness
        ),
        thresholds=tuple(MeasuredThreshold(**msgspec.structs.asdict(one)) for one in manifest.threshold),
        published_threshold=None if published is None else PublishedThreshold(**msgspec.structs.asdict(published)),
        mirror=manifest.mirror,
    )


def _id(manifest: Manifest) -> str:
    """What two vectors must have in common to be compared. Neither licences nor thresholds nor liveness shape them."""
    detector, embedder = manifest.detector, manifest.embedder
    shaping = {
        "steps": _STEPS,
        "detector": [detector.kind, *_hashes(detector)],
        "embedder": [embedder.kind, *_hashes(embedder)],
        "chip": [embedder.dims, embedder.chip_px, [[f"{level:.4f}" for level in p] for p in embedder.template_px]],
        "levels": [embedder.channels, f"{embedder.mean:.6g}", f"{embedder.scale:.6g}", embedder.mirrored_too],
    }
    return f"{manifest.name}@{hashlib.sha256(msgspec.json.encode(shaping)).hexdigest()[:12]}"


def _hashes(entry: DetectorEntry | EmbedderEntry) -> list[str]:
    return [file.sha256 for file in (entry.file, *entry.packaged) if file is not None]


def _file(pack: str, entry: FileEntry) -> ModelFile:
    return ModelFile(pack=pack, **msgspec.structs.asdict(entry))


def _packaged(pack: str, entries: tuple[PackagedEntry, ...]) -> tuple[PackagedFile, ...]:
    return tuple(
        PackagedFile(
            package=entry.package,
            name=entry.path,
            sha256=entry.sha256,
            size_bytes=entry.size_bytes,
            licence=entry.licence,
            pack=pack,
        )
        for entry in entries
    )


def _detector(pack: str, entry: DetectorEntry) -> DetectorSpec:
    return DetectorSpec(
        kind=entry.kind,
        file=None if entry.file is None else _file(pack, entry.file),
        score_at_least=entry.score_at_least,
        packaged=_packaged(pack, entry.packaged),
    )


def _embedder(pack: str, entry: EmbedderEntry) -> EmbedderSpec:
    template_px = np.array(entry.template_px, np.float32)
    template_px.flags.writeable = False
    return EmbedderSpec(
        kind=entry.kind,
        file=None if entry.file is None else _file(pack, entry.file),
        dims=entry.dims,
        chip_px=entry.chip_px,
        template_px=template_px,
        channels=entry.channels,
        mean=entry.mean,
        scale=entry.scale,
        mirrored_too=entry.mirrored_too,
        packaged=_packaged(pack, entry.packaged),
    )
