"""Bundle: a list in one file, from another hospital or the police: signed by who issued it, with ground and term. Pure.

A ZIP of `manifest.json`, `manifest.sig` (Ed25519 over the manifest) and files that are named by their own SHA-256, so
the one signature covers all of it. Nothing is unpacked to disk and no name in it is ever a path. The envelope is held
to limits before anything is opened, the signature before any photograph is looked at. What is broken in a single entry
is named with its exact place and left out; the rest is shown to people as a whole (bundle_diff.py), never taken in by
halves. Sealing to a recipient stands in bundle_seal.py.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Meta, Struct

from shouhao.kernel.clock import to_us
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.watch.watchlist import DOCUMENTS_MOST, PHOTOS_MOST, GroundCode, Person, checked_person

FORMAT: Literal["shouhao.watch-bundle/1"] = "shouhao.watch-bundle/1"
BUNDLE_MOST_BYTES = 256 * 1024 * 1024
ENTRIES_MOST = 20_000
_FILE_MOST_BYTES = 10 * 1024 * 1024
_MANIFEST_MOST_BYTES = 32 * 1024 * 1024
_DIRECTORY_MOST_BYTES = 8 * 1024 * 1024  #: of the ZIP: some 70,000 files
_SIGNATURE_BYTES, _KEY_BYTES = 64, 32
_END_BYTES, _LOCATOR_BYTES = 22, 20
_MANIFEST, _SIGNATURE = "manifest.json", "manifest.sig"
_NAMES = re.compile(r"(?:manifest\.json|manifest\.sig|(?:photos|documents)/[0-9a-f]{64})")
_FIXED = (1980, 1, 1, 0, 0, 0)  #: time stamps of the ZIP say nothing

_SHA256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Id = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}\Z")]
_Name = Annotated[str, Meta(min_length=1, max_length=200)]
_Text = Annotated[str, Meta(min_length=1, max_length=2000)]
_Moment = Annotated[str, Meta(max_length=40)]


class DocumentGiven(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A person's document."""

    kind: Annotated[str, Meta(max_length=40)]
    number: Annotated[str, Meta(max_length=40)]


class EntryGiven(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One person of the list, as the issuer tells it."""

    id: _Id
    name: _Name
    ground_code: GroundCode
    ground: _Text
    listed_at: _Moment
    expires_at: _Moment
    photos: Annotated[tuple[_SHA256, ...], Meta(max_length=PHOTOS_MOST)]
    aliases: Annotated[tuple[_Name, ...], Meta(max_length=5)] = ()
    document: DocumentGiven | None = None
    documents: Annotated[tuple[_SHA256, ...], Meta(max_length=DOCUMENTS_MOST)] = ()


class RevokedGiven(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An entry of an earlier bundle that ends at once."""

    id: _Id
    reason: Annotated[str, Meta(max_length=500)] = ""


class IssuerGiven(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who issued it; the key is what counts."""

    name: _Name
    key: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class ListGiven(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which list it is, and by what right it is kept."""

    name: _Name
    ground: _Text


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it but the pictures. A bundle is the whole list as of its number: who is not in it any more is gone."""

    format: Literal["shouhao.watch-bundle/1"]
    issuer: IssuerGiven
    number: Annotated[int, Meta(ge=1, le=2**53)]
    issued_at: _Moment
    expires_at: _Moment
    list: ListGiven
    entries: Annotated[tuple[EntryGiven, ...], Meta(max_length=ENTRIES_MOST)]
    revoked: Annotated[tuple[RevokedGiven, ...], Meta(max_length=ENTRIES_MOST)] = ()
    revokes_all: bool = False


class BundleRefused(Refused):
    """This file is no bundle that can be taken."""

    code = "watch.bundle_refused"
    zh = "名单包无法接收（{place}）：{why_zh}"
    en = "The bundle cannot be taken ({place}): {why_en}"


class IssuerUnknown(Refused):
    """Nobody has registered this issuer's key."""

    code = "watch.issuer_unknown"
    zh = "签发方密钥未登记：{fingerprint}"
    en = "The issuer's key is not registered: {fingerprint}"


class BadSignature(Refused):
    """The manifest is not what its issuer signed."""

    code = "watch.bundle_signature"
    zh = "名单包签名无效，内容可能被改动"
    en = "The bundle's signature is not valid; it may have been changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in one entry that cannot be taken, and where it stands."""

    place: str  #: such as entries[3].photos[0]
    entry_id: str  #: as the issuer calls it
    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenEntry:
    """An entry that can be taken, as far as its words go."""

    place: str
    id: str
    digest: str  #: SHA-256 of all that the issuer says of it
    person: Person
    ground_code: GroundCode
    ground: str
    expires_at_us: int
    photos: tuple[str, ...]
    documents: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """A bundle whose signature holds."""

    issuer_id: str
    number: int
    issued_at_us: int
    expires_at_us: int
    list_name: str
    list_ground: str
    sha256: str  #: of the manifest, which covers every file
    entries: tuple[GivenEntry, ...]
    revoked: tuple[str, ...]
    revokes_all: bool
    problems: tuple[Problem, ...]
    _files: "_Files"

    def photo(self, sha256: str) -> bytes:
        """A photograph.

        Raises:
            BundleRefused: it is not there, or not what its name says.
        """
        return self._files.read(f"photos/{sha256}", sha256)

    def document(self, sha256: str) -> bytes:
        """A document.

        Raises:
            BundleRefused: as `photo`.
        """
        return self._files.read(f"documents/{sha256}", sha256)


def issuer_id_of(key: bytes) -> str:
    """By what an issuer is known: the fingerprint of its key.

    Raises:
        InvalidInput: this is no key.
    """
    if len(key) != _KEY_BYTES:
        raise InvalidInput("public_key", zh="须为 32 字节 Ed25519 公钥", en="must be an Ed25519 key of 32 bytes")
    return "is_" + hashlib.sha256(b"shouhao.watch-issuer\0" + key).hexdigest()[:32]


def read_bundle(data: bytes, *, key_of: Callable[[str], bytes | None]) -> Bundle:
    """A bundle, once its envelope keeps the limits and its signature holds.

    Args:
        data: the ZIP, opened from its seal.
        key_of: the registered key of an issuer; None: it is unknown or closed.
    Raises:
        BundleRefused: it is no bundle, or breaks a limit; with the place.
        IssuerUnknown, BadSignature: it is not from whom it says.
    """
    files = _Files(data)
    written, signature = files.read(_MANIFEST, None), files.read(_SIGNATURE, None)
    try:
        manifest = msgspec.json.decode(written, type=Manifest)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _refused(_MANIFEST, "不符合格式：" + str(error)[:200], str(error)[:200]) from None
    key = bytes.fromhex(manifest.issuer.key)
    issuer_id = issuer_id_of(key)
    registered = key_of(issuer_id)
    if registered is None or registered != key:
        raise IssuerUnknown(fingerprint=issuer_id)
    try:
        Ed25519PublicKey.from_public_bytes(registered).verify(signature, _signed(written))
    except (InvalidSignature, ValueError):
        raise BadSignature from None
    issued_at_us, expires_at_us = _moment(manifest.issued_at, "issued_at"), _moment(manifest.expires_at, "expires_at")
    entries, problems = _entries(manifest, files, ends_at_us=expires_at_us)
    return Bundle(
        issuer_id=issuer_id,
        number=manifest.number,
        issued_at_us=issued_at_us,
        expires_at_us=expires_at_us,
        list_name=manifest.list.name,
        list_ground=manifest.list.ground,
        sha256=hashlib.sha256(written).hexdigest(),
        entries=tuple(entries),
        revoked=tuple(one.id for one in manifest.revoked),
        revokes_all=manifest.revokes_all,
        problems=tuple(problems),
        _files=files,
    )


def write_bundle(
    manifest: Manifest, *, photos: Mapping[str, bytes], documents: Mapping[str, bytes], key: Ed25519PrivateKey
) -> bytes:
    """A bundle as bytes; the same content gives the same bytes.

    Args:
        photos: by SHA-256.
        documents: by SHA-256.
    """
    written = msgspec.json.encode(manifest, order="deterministic")
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        _put(archive, _MANIFEST, written, zipfile.ZIP_DEFLATED)
        _put(archive, _SIGNATURE, key.sign(_signed(written)), zipfile.ZIP_STORED)
        for folder, files in (("photos", photos), ("documents", documents)):
            for name in sorted(files):
                _put(archive, f"{folder}/{name}", files[name], zipfile.ZIP_STORED)
    return place.getvalue()


def public_key_of(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes that others register."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


class _Files:
    """The ZIP, held to its limits before anything in it is opened."""

    def __init__(self, data: bytes) -> None:
        _check_end(data)
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise _refused("file", "不是有效的 ZIP 文件", f"is no sound ZIP file ({error})") from None
        self._infos: dict[str, zipfile.ZipInfo] = {}
        total = 0
        for info in self._archive.infolist():
            name = info.filename
            if not _NAMES.fullmatch(name):  # paths, drives, dot-dot, anything that is not ours
                shown = name.encode("ascii", "backslashreplace").decode()[:80]
                raise _refused(f"file {shown}", "含有不应出现的文件名", "there is a file that does not belong here")
            if name in self._infos:
                raise _refused(name, "文件重复", "stands there twice")
            if info.flag_bits & 0x1 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise _refused(name, "压缩或加密方式不支持", "is compressed or encrypted in a way that is not taken")
            if info.file_size > (_MANIFEST_MOST_BYTES if name == _MANIFEST else _FILE_MOST_BYTES):
                raise _refused(name, "文件过大", "is too large")
            total += info.file_size
            if total > BUNDLE_MOST_BYTES:
                raise _refused(name, "解压后总量超过上限", "unpacked, all of it is larger than a bundle may be")
            self._infos[name] = info

    def has(self, name: str) -> bool:
        return name in self._infos

    def read(self, name: str, sha256: str | None) -> bytes:
        """The bytes of a file; no more than its directory declared, which was held to the limits."""
        info = self._infos.get(name)
        if info is None:
            raise _refused(name, "缺少该文件", "is not there")
        try:
            with self._archive.open(info) as file:
                data = file.read(info.file_size + 1)
        except Exception as error:  # whatever a broken archive makes the decoder say, it is not taken
            raise _refused(name, "文件损坏", "is damaged") from error
        if len(data) != info.file_size:
            raise _refused(name, "文件损坏", "is damaged")
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise _refused(name, "内容与清单的摘要不符", "is not what the manifest names")
        return data


def _check_end(data: bytes) -> None:
    """Look at the ZIP's end before a library reads a directory that claims the memory of the machine."""
    if len(data) > BUNDLE_MOST_BYTES:
        raise _refused("file", "文件过大", "is too large")
    end = data[-_END_BYTES:]
    if len(end) < _END_BYTES or not end.startswith(b"PK\x05\x06") or end[20:22] != b"\0\0":
        raise _refused("file", "不是有效的 ZIP 文件", "is no sound ZIP file, or one with a comment")
    if data[-_END_BYTES - _LOCATOR_BYTES :].startswith(b"PK\x06\x07"):
        raise _refused("file", "不接收 ZIP64", "ZIP64 is not taken")
    if int.from_bytes(end[12:16], "little") > _DIRECTORY_MOST_BYTES:
        raise _refused("file", "文件数量过多", "holds too many files")


def _entries(manifest: Manifest, files: _Files, *, ends_at_us: int) -> tuple[list[GivenEntry], list[Problem]]:
    """The entries whose words can be taken, and what is wrong with the others."""
    counted: dict[str, int] = {}
    for given in manifest.entries:
        counted[given.id] = counted.get(given.id, 0) + 1
    revoked = {one.id for one in manifest.revoked}
    found: list[GivenEntry] = []
    problems: list[Problem] = []
    for n, given in enumerate(manifest.entries):
        place = f"entries[{n}]"
        wrong = list(_wrong_with(given, place, files, twice=counted[given.id] > 1, revoked=given.id in revoked))
        with suppress(InvalidInput):  # named in `wrong` already
            if not wrong:
                found.append(_given(given, place, ends_at_us=ends_at_us))
        problems += wrong
    return found, problems


def _wrong_with(given: EntryGiven, place: str, files: _Files, *, twice: bool, revoked: bool) -> Iterator[Problem]:
    if twice:
        yield _problem(f"{place}.id", given.id, "duplicate_id", "编号重复", "this id stands there twice")
    if revoked:
        yield _problem(f"{place}.id", given.id, "revoked", "同时在列又被撤回", "is listed and revoked at once")
    try:
        _given(given, place, ends_at_us=0)
    except InvalidInput as rule:
        yield _problem(f"{place}.{rule.field}", given.id, "invalid", rule.data["rule_zh"], rule.data["rule_en"])
    if not given.photos:
        yield _problem(f"{place}.photos", given.id, "no_photo", "没有照片", "there is no photograph")
    for kind, names in (("photos", given.photos), ("documents", given.documents)):
        for n, sha256 in enumerate(names):
            if not files.has(f"{kind}/{sha256}"):
                yield _problem(f"{place}.{kind}[{n}]", given.id, "missing_file", "缺少该文件", "the file is not there")


def _given(given: EntryGiven, place: str, *, ends_at_us: int) -> GivenEntry:
    document = given.document
    person = checked_person(
        name=given.name,
        aliases=given.aliases,
        document_kind=None if document is None else document.kind,
        document_number=None if document is None else document.number,
    )
    expires_at_us = _instant(given.expires_at, "expires_at")
    _instant(given.listed_at, "listed_at")
    return GivenEntry(
        place=place,
        id=given.id,
        digest=hashlib.sha256(msgspec.json.encode(given, order="deterministic")).hexdigest(),
        person=person,
        ground_code=given.ground_code,
        ground=given.ground,
        expires_at_us=min(expires_at_us, ends_at_us),
        photos=given.photos,
        documents=given.documents,
    )


def _moment(text: str, place: str) -> int:
    try:
        return _instant(text, place)
    except InvalidInput as rule:
        raise _refused(f"{_MANIFEST} {place}", rule.data["rule_zh"], rule.data["rule_en"]) from None


def _instant(text: str, field: str) -> int:
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return to_us(moment)
    raise InvalidInput(field, zh="须为带时区的 ISO 8601 时间", en="must be a moment as ISO 8601 with a zone")


def _signed(manifest: bytes) -> bytes:
    """What is signed: never bytes that could be something else."""
    return FORMAT.encode() + b"\0" + manifest


def _put(archive: zipfile.ZipFile, name: str, data: bytes, how: int) -> None:
    info = zipfile.ZipInfo(name, _FIXED)
    info.compress_type = how
    archive.writestr(info, data)


def _problem(place: str, entry_id: str, code: str, zh: str, en: str) -> Problem:
    return Problem(place=place, entry_id=entry_id, code=code, zh=zh, en=en)


def _refused(place: str, zh: str, en: str) -> BundleRefused:
    return BundleRefused(place=place, why_zh=zh, why_en=en)
