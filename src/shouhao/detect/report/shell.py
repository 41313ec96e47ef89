"""Shell: the commands that a reader pastes into a terminal: quoted so that no file name can do anything there.

A name with control characters or changes of direction is written in escapes, or it would show one thing and do another.
"""

import re
import shlex
from collections.abc import Iterable
from functools import lru_cache

from shouhao.detect.report.model import Compression
from shouhao.detect.report.visible import visible

_UNPACK = {"gzip": "zcat", "zstd": "zstdcat"}
_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]")


@lru_cache(maxsize=1024)
def quoted(word: str) -> str:
    r"""A word for bash and zsh.

    >>> quoted("access.log"), quoted("my log"), quoted("a\x1bb'c")
    ('access.log', "'my log'", "$'a\\x1bb\\x27c'")
    """
    if word == visible(word):
        return shlex.quote(word)
    escaped = (char if _SAFE.fullmatch(char) else _in_hex(char) for char in word)
    return f"$'{''.join(escaped)}'"


def cut(file: str, *, byte_start: int, byte_end: int, compression: Compression) -> str:
    """The command that cuts a stretch of bytes out of a file again.

    >>> cut("a.log", byte_start=10, byte_end=25, compression="none")
    'dd if=a.log bs=1 skip=10 count=15 status=none'
    >>> cut("a.log.gz", byte_start=10, byte_end=25, compression="gzip")
    'zcat < a.log.gz | dd bs=64K iflag=skip_bytes,count_bytes,fullblock skip=10 count=15 status=none'
    """
    count = byte_end - byte_start
    if compression == "none":
        return f"dd if={quoted(file)} bs=1 skip={byte_start} count={count} status=none"
    # A stream cannot be entered in the middle; counting bytes in large blocks reads a gigabyte in seconds.
    read = f"dd bs=64K iflag=skip_bytes,count_bytes,fullblock skip={byte_start} count={count} status=none"
    return f"{_UNPACK[compression]} < {quoted(file)} | {read}"


def hashes(files: Iterable[tuple[str, str]]) -> str:
    r"""The command that checks the names and hashes (SHA-256) of files; for each it says OK.

    >>> print(hashes([("a.log", "00"), ("b.log", "ff")]))
    printf '%s\n' \
      '00  a.log' \
      'ff  b.log' | sha256sum -c
    """
    lines = " \\\n  ".join(quoted(_listed(name, sha256)) for name, sha256 in files)
    return f"printf '%s\\n' \\\n  {lines} | sha256sum -c"


def _listed(name: str, sha256: str) -> str:
    """A line as sha256sum writes it, which escapes names that would break its list."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{sha256}  {escaped}"


def _in_hex(char: str) -> str:
    # What Python read as a lone byte is that byte again; any other half of a pair can only be made up.
    lone = "\udc80" <= char <= "\udcff"
    return "".join(f"\\x{byte:02x}" for byte in char.encode(errors="surrogateescape" if lone else "surrogatepass"))
