"""Manifest: the written form of a model pack, TOML, and every rule that it keeps. Reading it opens no other file.

docs/examples/arcface-onnx.toml is a commented one for hospitals. What a manifest means is told in packs.py.
"""

import math
import re
import tomllib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from shouhao.kernel.errors import InvalidInput

PACK_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
#: One plain name, never a path: what is pulled, hashed and opened lies directly in the models folder. Nor may a file
#: be taken for a manifest, or for one that is half pulled.
FILE_NAME = re.compile(r"(?!.*\.(?:toml|part)\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,119}")

_Line = Annotated[str, Meta(min_length=1, max_length=500)]
_SHA256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Bytes = Annotated[int, Meta(ge=1, le=4_000_000_000)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Cosine = Annotated[float, Meta(ge=-1, le=1)]
_Inside = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z", max_length=300)]
_LARGEST_CHARACTERS = 100_000
_AT = re.compile(r"(?s)(.*?)(?: - at `(?:key in )?\$?\.?(.*?)`)?")


class FileEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file in the models folder."""

    name: Annotated[str, Meta(pattern=rf"\A{FILE_NAME.pattern}\Z")]
    sha256: _SHA256
    licence: _Line
    size_bytes: _Bytes | None = None
    url: _Inside | None = None


class PackagedEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file that an installed Python package brings."""

    package: Annotated[str, Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]*\Z")]
    path: _Inside
    sha256: _SHA256
    size_bytes: _Bytes
    licence: _Line


class DetectorEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[detector]`."""

    kind: Literal["yunet", "dlib"]
    score_at_least: _Share
    file: FileEntry | None = None
    packaged: tuple[PackagedEntry, ...] = ()


class EmbedderEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[embedder]`."""

    kind: Literal["onnx", "dlib"]
    dims: Annotated[int, Meta(ge=2, le=4096)]
    chip_px: Annotated[int, Meta(ge=32, le=512)]
    template_px: tuple[tuple[float, float], ...]
    channels: Literal["rgb", "bgr"]
    mean: Annotated[float, Meta(ge=-1000, le=1000)]
    scale: Annotated[float, Meta(gt=0, le=1000)]
    mirrored_too: bool
    file: FileEntry | None = None
    packaged: tuple[PackagedEntry, ...] = ()


class LivenessEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[liveness]]`."""

    crop_scale: Annotated[float, Meta(ge=1, le=10)]
    file: FileEntry


class ThresholdEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[threshold]]`."""

    fmr: _Share
    similarity_cos: _Cosine
    tmr: _Share
    measured_on: _Line


class PublishedEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[published_threshold]`."""

    similarity_cos: _Cosine
    source: _Line


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole manifest."""

    name: str
    zh: _Line
    en: _Line
    source: _Line
    licence: _Line
    for_trying_out: bool
    detector: DetectorEntry
    embedder: EmbedderEntry
    mirror: Annotated[str, Meta(pattern=r"\Ahttps://[^\s?#]+\Z", max_length=300)] | None = None
    liveness: tuple[LivenessEntry, ...] = ()
    threshold: tuple[ThresholdEntry, ...] = ()
    published_threshold: PublishedEntry | None = None


def read_manifest(name: str, written: bytes) -> Manifest:
    """The manifest of the pack of this name.

    Args:
        name: the pack, as in the file's name.
        written: the file's bytes.

    Raises:
        InvalidInput: naming the field that breaks a rule, and the rule.
    """
    content = _toml(name, written)
    try:
        manifest = msgspec.convert(content, type=Manifest)
    except msgspec.ValidationError as error:
        said = _AT.fullmatch(str(error))
        rule, field = (said[1], said[2]) if said else (str(error), None)
        raise _broken(name, field or "", f"不符合规则（{rule}）", rule) from None
    _check_numbers(name, "", content)
    _check_whole(name, manifest)
    _check_template(name, manifest.embedder)
    return manifest


def _broken(name: str, field: str, zh: str, en: str) -> InvalidInput:
    return InvalidInput(f"{name}.toml {field}".rstrip(), zh=zh, en=en)


def _toml(name: str, written: bytes) -> dict[str, Any]:
    if len(written) > _LARGEST_CHARACTERS:
        raise _broken(name, "", f"清单不得超过 {_LARGEST_CHARACTERS} 字节", f"has at most {_LARGEST_CHARACTERS} bytes")
    try:
        return tomllib.loads(written.decode())
    except (ValueError, RecursionError) as error:  # the first holds TOML, UTF-8 and numbers of too many digits
        raise _broken(name, "", f"不是合法的 TOML（{error}）", f"is no valid TOML ({error})") from None


def _check_numbers(name: str, at: str, value: object) -> None:
    """TOML knows nan and inf, and neither is above or below any limit."""
    if isinstance(value, float) and not math.isfinite(value):
        raise _broken(name, at, "必须是有限的数", "must be a finite number")
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        _check_numbers(name, f"{at}.{key}".lstrip("."), part)


def _check_whole(name: str, manifest: Manifest) -> None:
    """What fields mean together."""
    if manifest.name != name:
        raise _broken(name, "name", "必须与文件名一致", "must be the file's own name")
    for part in ("detector", "embedder"):
        entry: DetectorEntry | EmbedderEntry = getattr(manifest, part)
        if entry.kind == "dlib":
            if entry.file is not None or not entry.packaged:
                zh, en = "dlib 的文件来自 Python 包，写在 packaged", "files of dlib come from packages: packaged"
                raise _broken(name, f"{part}.packaged", zh, en)
        elif entry.file is None or entry.packaged:
            zh, en = "此类模型须有 file，且没有 packaged", "this kind has a file, and nothing packaged"
            raise _broken(name, f"{part}.file", zh, en)
    files = [manifest.detector.file, manifest.embedder.file, *(one.file for one in manifest.liveness)]
    given = [file for file in files if file is not None]
    for file in given:
        if file.url is not None and file.size_bytes is None:
            zh, en = "可下载的文件须注明 size_bytes", "a file with a url has its size_bytes"
            raise _broken(name, f"{file.name} size_bytes", zh, en)
        if file.url is not None and manifest.mirror is None:
            raise _broken(name, "mirror", "有文件可下载时必须填写", "is needed where a file has a url")
    if len({file.name for file in given}) < len(given):
        raise _broken(name, "file.name", "文件名不得重复", "no two files have the same name")


def _check_template(name: str, embedder: EmbedderEntry) -> None:
    """Five points of a face that looks out of the chip: an order mixed up here ruins every comparison in silence."""
    points = embedder.template_px
    inside = all(0 < level < embedder.chip_px for point in points for level in point)
    if len(points) != 5 or not inside:  # noqa: PLR2004 - the landmarks of model.py
        zh, en = "须为 5 个点，均在对齐图内", "five points, all inside the aligned face"
        raise _broken(name, "embedder.template_px", zh, en)
    right_eye, left_eye, nose, right_mouth, left_mouth = points
    upright = max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    if not (upright and right_eye[0] < left_eye[0] and right_mouth[0] < left_mouth[0]):
        zh = "顺序应为：右眼（图左）、左眼、鼻、右嘴角、左嘴角"
        en = "in this order: right eye (left in the picture), left eye, nose, right and left mouth corner"
        raise _broken(name, "embedder.template_px", zh, en)
