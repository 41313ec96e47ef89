"""Model mirror: one file of a model pack over HTTP, resumed where it broke off, and never in place before its hash is.

What arrives is written to a `.part` file beside its place, and moved there only when its SHA-256 is the one that the
manifest names. So the mirror need not be trusted: all that it can do is to serve nothing. A hospital without internet
needs none of this, it copies the files into the models folder.

Source: RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range), 14.4 (Content-Range) and 15.5.17 (416).
"""

import fcntl
import hashlib
import os
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from shouhao.faces.manifest import FILE_NAME
from shouhao.faces.model import ModelRefused
from shouhao.faces.packs import ModelFile
from shouhao.kernel.errors import Unavailable

Progress = Callable[[int, int | None], None]  #: bytes that are here, of how many

_REDIRECTS_MAX = 5
_UNKNOWN_MAX_BYTES = 4_000_000_000  #: of a file whose manifest names no size
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_ITSELF = {"127.0.0.1", "::1", "localhost"}  #: a tunnel or a test; nobody stands between


@dataclass(frozen=True, slots=True)
class _Part:
    """What has arrived so far, and what the server called that version of the file."""

    path: Path

    @property
    def tag_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.tag")

    def length(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def tag(self) -> str | None:
        try:
            return self.tag_path.read_text(encoding="ascii") or None
        except (OSError, ValueError):
            return None

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.tag_path.unlink(missing_ok=True)


def pull_file(
    file: ModelFile,
    *,
    base_url: str,
    into: Path,
    progress: Progress = lambda _here, _of: None,
    timeout_s: float = 30.0,
) -> Path:
    """Bring one file into the models folder; one that is already there and right is left alone.

    Proxies and certificate authorities are those of the machine (HTTPS_PROXY, SSL_CERT_FILE).

    Args:
        file: what is pulled; its `url` is relative to the base.
        base_url: the mirror, https; plain http only on this machine itself.
        into: the models folder, made when it is missing.
        progress: told as bytes arrive.
        timeout_s: longest silence of the server, not the whole time.

    Returns:
        Where the file lies.

    Raises:
        ModelRefused: what the mirror has is longer than the manifest says, or another file; nothing is left of it.
        Unavailable: no answer, an error, a redirect to anything but https, or the folder cannot be written. What has
            arrived is kept, and the next call goes on from there.
    """
    if not FILE_NAME.fullmatch(file.name) or file.url is None:
        raise _refused(file, "清单没有给出下载地址", "its manifest names no place to pull it from")
    url = f"{base_url.rstrip('/')}/{file.url}"
    _check_address(url)
    place, part = into / file.name, _Part(into / f"{file.name}.{file.sha256[:12]}.part")
    with _alone_in(into) as folder:
        if place.is_file() and _is_it(place, file):
            return place
        resumed = _arrive(file, url, part, progress, timeout_s)
        if resumed and not _is_it(part.path, file):  # two versions in one part: once more, from the beginning
            part.remove()
            _arrive(file, url, part, progress, timeout_s)
        if not _is_it(part.path, file):
            part.remove()
            raise _refused(file, "下载内容的 SHA-256 与清单不符", "the mirror has a file of another SHA-256")
        _put_in_place(part, place, folder)
    return place


def _refused(file: ModelFile, zh: str, en: str) -> ModelRefused:
    return ModelRefused(file=file.name, why_zh=zh, why_en=en)


def _check_address(url: str) -> None:
    """Refuse what could be read or bent on the way.

    Raises:
        Unavailable: neither https nor this machine itself.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Unavailable("the model mirror has no valid address") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _ITSELF):
        raise Unavailable(f"model mirror {parts.hostname}: only https is asked")


@contextmanager
def _alone_in(into: Path) -> Iterator[int]:
    """The models folder, open and locked: two pulls at once would write into one part.

    Raises:
        Unavailable: it cannot be written, or another process is pulling into it.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        folder = os.open(into, os.O_RDONLY)
        try:
            _lock(folder, into)
            yield folder
        finally:
            os.close(folder)
    except OSError as error:
        raise Unavailable(f"models folder {into}: {error.strerror or 'cannot be written'}") from error


def _lock(folder: int, into: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Unavailable(f"models folder {into}: another process is pulling into it") from error
    except OSError:  # some network shares know no locks; a part that two have written is refused by its hash
        return


def _is_it(path: Path, file: ModelFile) -> bool:
    if file.size_bytes is not None and path.stat().st_size != file.size_bytes:
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256


def _put_in_place(part: _Part, place: Path, folder: int) -> None:
    """Content first, then the name: a power cut leaves the old file or the new one, never half of it."""
    with part.path.open("rb") as content:
        os.fsync(content.fileno())
    part.path.replace(place)
    os.fsync(folder)
    part.remove()


def _arrive(file: ModelFile, url: str, part: _Part, progress: Progress, timeout_s: float) -> bool:
    """Make the part whole, whatever it is worth; whether it began with what an earlier call had left."""
    most = file.size_bytes or _UNKNOWN_MAX_BYTES
    if part.length() > most:
        part.remove()
    if part.length() == file.size_bytes:
        return True
    timeout = httpx.Timeout(timeout_s, connect=min(10.0, timeout_s))
    tls = ssl.create_default_context()
    try:
        with httpx.Client(verify=tls, follow_redirects=False, timeout=timeout) as client:
            for _ in range(2):
                with _answer(client, url, part) as response:
                    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and part.length():
                        part.remove()  # the mirror's file is shorter than what is here
                        continue
                    return _take(response, file, part, progress, most)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"{_mirror(url)}: {type(error).__name__}") from error
    raise Unavailable(f"{_mirror(url)}: HTTP 416")


def _mirror(url: str) -> str:
    """Whom messages speak of: never what stands before an @ or behind a question mark."""
    parts = urlsplit(url)
    return f"model mirror {parts.hostname}{parts.path}"


@contextmanager
def _answer(client: httpx.Client, url: str, part: _Part) -> Iterator[httpx.Response]:
    """What the mirror answers, redirects followed by hand: only to https, and not for ever."""
    headers = {"accept-encoding": "identity"}
    if part.length():
        headers["range"] = f"bytes={part.length()}-"
        tag = part.tag()
        if tag is not None:
            headers["if-range"] = tag
    for _ in range(_REDIRECTS_MAX + 1):
        with client.stream("GET", url, headers=headers) as response:
            if not response.has_redirect_location:
                yield response
                return
            target = response.url.join(response.headers["location"])
        if target.scheme != "https":
            raise Unavailable(f"{_mirror(url)}: redirects to {target.scheme}, only https is followed")
        url = str(target)
    raise Unavailable(f"{_mirror(url)}: too many redirects")


def _take(response: httpx.Response, file: ModelFile, part: _Part, progress: Progress, most: int) -> bool:
    """Write what comes, to the last byte that the manifest allows and not one further."""
    before = part.length()
    if response.status_code == httpx.codes.OK:
        before = 0  # the mirror ignores ranges, or its file is another one now
    elif response.status_code != httpx.codes.PARTIAL_CONTENT or not _continues(response, before):
        raise Unavailable(f"{_mirror(str(response.url))}: HTTP {response.status_code}")
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and before + int(declared) > most:  # noqa: PLR2004 - digits
        part.remove()
        raise _refused(file, "比清单所示更长", "it is longer than the manifest says")
    part.tag_path.write_text(_tag_of(response) or "", encoding="ascii")
    here = before
    with part.path.open("ab" if before else "wb") as content:
        progress(here, file.size_bytes)
        for chunk in response.iter_raw():  # with a size it would gather first, and lose that when the line drops
            here += len(chunk)
            if here > most:
                break
            content.write(chunk)
            progress(here, file.size_bytes)
    if here > most:
        part.remove()
        raise _refused(file, "比清单所示更长", "it is longer than the manifest says")
    if file.size_bytes is not None and here < file.size_bytes and not declared:
        raise Unavailable(f"{_mirror(str(response.url))}: the answer ended early")
    return before > 0


def _continues(response: httpx.Response, before: int) -> bool:
    """Whether a partial answer begins where we asked; one that does not would be glued to the wrong place."""
    said = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    return before > 0 and said is not None and int(said[1]) == before


def _tag_of(response: httpx.Response) -> str | None:
    """What the server may be asked to compare: a strong entity tag, or else the time of the last change."""
    tag: str = response.headers.get("etag", "")
    if tag.startswith('"') and tag.isascii():
        return tag
    changed: str = response.headers.get("last-modified", "")
    return changed if changed and changed.isascii() else None
