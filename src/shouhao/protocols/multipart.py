"""Multipart bodies of cameras, taken apart within bounds, and as loosely as cameras write them.

Cameras end lines with a bare line feed, leave out the last boundary, or write headers in any case. What a part is
called by its sender is kept as text and is never a file's name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

PARTS_MOST = 4096  #: a face has two or three of them
_HEAD_MOST = 8 * 1024
_BOUNDARY = re.compile(r"boundary\s*=\s*(?:\"([^\"]{1,200})\"|([^\s;,]{1,200}))", re.IGNORECASE)
_NAMED = re.compile(r"(?:^|;)\s*(name|filename)\s*=\s*(?:\"([^\"]{0,200})\"|([^\s;]{0,200}))", re.IGNORECASE)
_BLANK = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One part of a body."""

    number: int  #: from 0
    kind: str  #: its Content-Type, in lower case, without parameters
    name: str
    filename: str
    content_id: str
    data: bytes = field(repr=False)


class NotMultipart(ValueError):  # noqa: N818 - the fault is the sender's, and no error of ours
    """There is no boundary, or too many parts; `zh` and `en` say why."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


def parts_of(body: bytes, content_type: str) -> Iterator[Part]:
    """The parts, in their order.

    Raises:
        NotMultipart: at once, or after the parts that could be told apart.
    """
    mark = _mark(body, content_type)
    at = body.find(mark)
    number = 0
    while at >= 0:
        start = at + len(mark)
        if body.startswith(b"--", start):
            return
        at = body.find(mark, start)
        piece = body[start : at if at >= 0 else len(body)]
        if number == PARTS_MOST:
            raise NotMultipart(f"超过 {PARTS_MOST} 个部分", f"more than {PARTS_MOST} parts")
        part = _part(piece, number)
        if part is not None:
            yield part
        number += 1


def _mark(body: bytes, content_type: str) -> bytes:
    """The line that stands between parts, as declared, or else as the body begins."""
    found = _BOUNDARY.search(content_type)
    if found is not None:
        mark = b"--" + (found[1] or found[2]).encode("latin-1", "replace")
        if mark in body:
            return mark
    first = body[:300].lstrip().split(b"\n", 1)[0].strip()
    if not first.startswith(b"--") or not 2 < len(first) <= 202:  # noqa: PLR2004 - as the pattern above
        raise NotMultipart("不是 multipart，或缺少分隔符", "not multipart, or without its boundary")
    return first


def _part(piece: bytes, number: int) -> Part | None:
    blank = _BLANK.search(piece, 0, _HEAD_MOST)
    if blank is None:
        return None
    headers = _headers(piece[: blank.start()])
    data = piece[blank.end() :]
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    named = {
        found[1].lower(): found[3] if found[2] is None else found[2]
        for found in _NAMED.finditer(headers.get("content-disposition", ""))
    }
    return Part(
        number=number,
        kind=headers.get("content-type", "").partition(";")[0].strip().lower(),
        name=named.get("name", ""),
        filename=named.get("filename", ""),
        content_id=headers.get("content-id", "").strip("<> "),
        data=data,
    )


def _headers(head: bytes) -> Mapping[str, str]:
    lines = (line.partition(":") for line in head.decode("utf-8", "replace").splitlines())
    return {name.strip().lower(): value.strip()[:400] for name, _, value in lines if name.strip()}
