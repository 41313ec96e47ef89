"""Given: what is named on a command line, a file, a folder or a pattern, becomes files."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from shouhao.detect.inputs.files import Kind
from shouhao.kernel.errors import InvalidInput


def given_files(paths: Sequence[Path], kind: Kind) -> list[Path]:
    """The files: those in a folder whose names do not begin with a dot, and those that a pattern as `*.gz` matches.

    Raises:
        InvalidInput: a folder holds folders, or nothing.
    """
    return [file for path in paths for file in _files_of(path, kind)]


def _files_of(path: Path, kind: Kind) -> Iterator[Path]:
    if not path.is_dir():
        found = [] if path.exists() else [Path(one) for one in sorted(glob.glob(str(path)))]  # noqa: PTH207 - absolute too
        yield from found or [path]
        return
    inside = sorted(one for one in path.iterdir() if not one.name.startswith("."))
    folders = [one.name for one in inside if one.is_dir()]
    if folders:
        named = "、".join(folders[:10])
        raise InvalidInput(
            kind,
            zh=f"{path} 中还有文件夹，请分别给出：{named}",
            en=f"{path} has folders in it; name them too: {named}",
        )
    if not inside:
        raise InvalidInput(kind, zh=f"{path} 中没有文件", en=f"{path} has no files in it")
    yield from inside
