"""FHIR resources out of JSON: a Bundle, a list, one resource, or NDJSON; what is broken is told by line and byte.

Only splits the text into resources; what they mean is left to `fhir.py`. Nothing is fetched: a reference outside
what was given stays unresolved.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from shouhao.booking.schedule import BadRow, Place, Stopped

MAX_RESOURCES = 500_000
_SPACE = re.compile(r"[ \t\r\n]*")
_ENTRIES = re.compile(r'"entry"[ \t\r\n]*:[ \t\r\n]*\[')


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResource:
    """A JSON object that calls itself a resource, and where it stood."""

    place: Place
    body: dict[str, Any]
    full_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResources:
    """What the text held."""

    resources: tuple[RawResource, ...]
    bad: tuple[BadRow, ...]
    stopped: Stopped | None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


#: Money is exact and NaN is not a number; the strict reader knows neither floats nor constants.
_decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)


def split_resources(data: bytes) -> RawResources:
    """Split the text; never raises for what stands in it."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        return _ended(_stop("", error.start, "不是有效的 UTF-8 文本", "not valid UTF-8", data=data))
    if not text.strip():
        return _ended(_stop("", 0, "文件是空的", "the file is empty"))
    if _is_ndjson(text):
        return _from_lines(text)
    try:
        whole = _decoder.decode(text)
    except (ValueError, RecursionError) as error:
        return _until_break(text, getattr(error, "pos", 0))
    return _from_whole(whole)


def _from_whole(whole: Any) -> RawResources:
    if isinstance(whole, list):
        return _from_values([(Place(element=f"[{n}]"), value) for n, value in enumerate(whole)])
    if isinstance(whole, dict) and whole.get("resourceType") == "Bundle":
        entries = whole.get("entry", [])
        if isinstance(entries, list):
            return _from_values([(Place(element=f"entry[{n}]"), value) for n, value in enumerate(entries)], entry=True)
    return _from_values([(Place(element="$"), whole)])


def _is_ndjson(text: str) -> bool:
    """More than one line with something on it, and the first is a JSON object by itself."""
    first, _, rest = text.lstrip().partition("\n")
    if not rest.strip():
        return False
    try:
        return isinstance(_decoder.decode(first), dict)
    except (ValueError, RecursionError):
        return False


def _from_lines(text: str) -> RawResources:
    values: list[tuple[Place, Any]] = []
    bad: list[BadRow] = []
    byte = 0
    for number, line in enumerate(text.split("\n"), start=1):
        place = Place(line=number, byte=byte)
        byte += len(line.encode()) + 1
        if not line.strip():
            continue
        try:
            values.append((place, _decoder.decode(line)))
        except (ValueError, RecursionError):
            bad.append(BadRow(place=place, field="$", zh="不是有效的 JSON", en="not valid JSON"))
    found = _from_values(values)
    return RawResources(resources=found.resources, bad=(*bad, *found.bad), stopped=found.stopped)


def _until_break(text: str, position: int) -> RawResources:
    """The complete resources before the place where the JSON breaks off."""
    stopped = _stop(text, position, "JSON 在此处中断", "the JSON breaks here")
    entries = _ENTRIES.search(text)
    start = len(text) - len(text.lstrip())
    bundle = text[start] == "{" and entries is not None
    at = entries.end() if bundle and entries is not None else start + 1
    if not bundle and text[start] != "[":
        return _ended(stopped)
    values = [
        (Place(element=f"entry[{n}]" if bundle else f"[{n}]"), value) for n, value in enumerate(_elements(text, at))
    ]
    found = _from_values(values, entry=bundle)
    return RawResources(resources=found.resources, bad=found.bad, stopped=stopped)


def _elements(text: str, at: int) -> Iterator[Any]:
    while True:
        try:
            value, at = _decoder.raw_decode(text, _skip(text, at))
        except (ValueError, RecursionError):
            return
        yield value
        at = _skip(text, at)
        if text[at : at + 1] != ",":
            return
        at += 1


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _from_values(values: list[tuple[Place, Any]], *, entry: bool = False) -> RawResources:
    resources: list[RawResource] = []
    bad: list[BadRow] = []
    for place, value in values[:MAX_RESOURCES]:
        body = value.get("resource") if entry and isinstance(value, dict) else value
        if not isinstance(body, dict) or not isinstance(body.get("resourceType"), str):
            path = "resource.resourceType" if entry else "resourceType"
            bad.append(BadRow(place=place, field=path, zh="不是 FHIR 资源", en="not a FHIR resource"))
            continue
        url = value.get("fullUrl") if entry else None
        resources.append(RawResource(place=place, body=body, full_url=url if isinstance(url, str) else None))
    stopped = None
    if len(values) > MAX_RESOURCES:
        zh, en = f"超过 {MAX_RESOURCES} 个资源", f"more than {MAX_RESOURCES} resources"
        stopped = Stopped(place=values[MAX_RESOURCES][0], zh=zh, en=en)
    return RawResources(resources=tuple(resources), bad=tuple(bad), stopped=stopped)


def _stop(text: str, position: int, zh: str, en: str, *, data: bytes | None = None) -> Stopped:
    before = data[:position] if data is not None else text[:position].encode()
    return Stopped(place=Place(line=before.count(b"\n") + 1, byte=len(before)), zh=zh, en=en)


def _ended(stopped: Stopped) -> RawResources:
    return RawResources(resources=(), bad=(), stopped=stopped)
