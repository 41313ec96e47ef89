"""Photographs for the demo: real faces out of two packages of the package index, pinned, and never kept in the source.

They are downloaded by pip into the demo's own folder, opened here without running anything in them, and each picture is
held against its SHA-256. Where they cannot be had, the demo says so and asks for a folder.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shouhao.kernel.errors import Refused

_TIMEOUT_S = 90


class NoPhotographs(Refused):
    """The package index does not give them, or gives others."""

    code = "demo.no_photographs"
    zh = "拿不到演示用的照片（{why}）；请用 --faces 指定照片目录，每人一个子目录"
    en = "No photographs for the demo ({why}); name a folder with --faces, one folder a person in it"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    """A package as it stands on the index, and which of its pictures are taken as whose."""

    named: str  #: name==version
    sha256: str
    from_source: bool
    pictures: Mapping[str, str]  #: member of the archive -> PERSON/FILE


_PACKAGES = (
    _Package(
        named="face_recognition==1.3.0",
        sha256="5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec",
        from_source=True,
        pictures={
            f"face_recognition-1.3.0/tests/test_images/{name}.jpg": f"{person}/{number}.jpg"
            for name, person, number in (
                ("obama", "listed", 1),
                ("obama2", "listed", 2),
                ("obama3", "listed", 3),
                ("biden", "stranger", 1),
            )
        },
    ),
    _Package(
        named="insightface==2.1",
        sha256="dcd58ee79d99d689572477315f3149353afd65a36dc575f597cbb217a7bde399",
        from_source=False,
        pictures={"insightface/data/images/t1.jpg": "scene/1.jpg"},
    ),
)

LISTED = "listed"  #: the folder of the man who is put on the list
SCENE = "scene"  #: one picture of several people


def get_photographs(into: Path) -> Path:
    """A folder with one folder a person.

    Raises:
        NoPhotographs: they cannot be had.
    """
    for package in _PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            archive = _downloaded(package, Path(folder))
            for name, data in _members(archive, package).items():
                place = into / package.pictures[name]
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
    return into


def _downloaded(package: _Package, folder: Path) -> Path:
    how = ["--no-binary", ":all:"] if package.from_source else ["--only-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{package.named} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    try:
        subprocess.run(  # noqa: S603 - pip, with words of our own
            [*command, *how, "--require-hashes", "--dest", str(folder), "--requirement", str(wanted)],
            check=True,
            capture_output=True,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoPhotographs(why=f"pip: {type(error).__name__}") from error
    for found in folder.iterdir():
        if hashlib.sha256(found.read_bytes()).hexdigest() == package.sha256:
            return found
    raise NoPhotographs(why=f"{package.named}: SHA-256")


def _members(archive: Path, package: _Package) -> dict[str, bytes]:
    """The pictures that are wanted; nothing of the archive is unpacked to a path of its own choosing."""
    found: dict[str, bytes] = {}
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            found = {name: opened.read(name) for name in package.pictures if name in opened.namelist()}
    else:
        with tarfile.open(archive) as opened_tar:
            for name in package.pictures:
                member = opened_tar.extractfile(name) if name in opened_tar.getnames() else None
                if member is not None:
                    found[name] = member.read()
    if set(found) != set(package.pictures):
        raise NoPhotographs(why=f"{package.named}: {len(found)}/{len(package.pictures)}")
    return found
