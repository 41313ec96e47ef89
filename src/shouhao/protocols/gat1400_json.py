"""JSON of GA/T 1400 devices, read whatever letters it came in, and never into more memory than the message is worth.

Devices send UTF-8, GB18030 with or without saying so, a byte order mark, and line ends inside texts. A message is
refused before it is built where its brackets and commas promise more values than any camera sends: a list of empty
lists takes twenty times its own length in memory.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

#: Two hundred faces with sixty fields each are 12,000.
VALUES_MOST = 300_000

_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_CHINESE = "gb18030"  #: contains GB2312 and GBK

_decode = msgspec.json.decode


class Unreadable(ValueError):  # noqa: N818 - the fault is the sender's, and no error of ours
    """The body is not JSON that can be taken; `zh` and `en` say why."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


def read_json(body: bytes, content_type: str = "") -> Any:
    """The value in the body.

    Raises:
        Unreadable: it is empty, not JSON, nested too deeply, or promises too many values.
    """
    if not body.strip():
        raise Unreadable("请求体为空", "the body is empty")
    if sum(map(body.count, (b",", b"[", b"{"))) > VALUES_MOST:
        raise Unreadable(f"数值超过 {VALUES_MOST} 个", f"more than {VALUES_MOST} values")
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # most likely other letters, or a line end inside a text
    except (RecursionError, ValueError):
        raise _too_deep() from None
    return _read_text(_text_of(body, content_type))


def _read_text(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        place_zh, place_en = f"第 {error.lineno} 行第 {error.colno} 列", f"line {error.lineno} column {error.colno}"
        raise Unreadable(f"不是有效的 JSON（{place_zh}）", f"not valid JSON ({place_en})") from None
    except (RecursionError, ValueError):
        raise _too_deep() from None


def _text_of(body: bytes, content_type: str) -> str:
    """The text, by its mark, then as declared, then UTF-8, then as Chinese devices write without saying so."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    for encoding in (_declared(content_type), "utf-8", _CHINESE):
        try:
            return body.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode(_CHINESE, "replace")


def _declared(content_type: str) -> str:
    found = _CHARSET.search(content_type)
    name = "utf-8" if found is None else found[1].lower()
    return _CHINESE if name in {"gbk", "gb2312", "gb18030", "cp936"} else name if name.startswith("utf") else "utf-8"


def _too_deep() -> Unreadable:
    return Unreadable("嵌套过深或数字过长", "nested too deeply, or a number too long")


class Fields:
    """An object's fields, found whatever the case of their names; what is absent is None."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._by_name = {name.casefold(): found for name, found in value.items()}
        self._spelt = value

    def first(self, *names: str) -> Any:
        """The first of these that is there and is neither null nor an empty text."""
        for name in names:
            found = self._by_name.get(name)
            if found is not None and found != "":
                return found
        return None

    def text(self, *names: str, most: int = 200) -> str:
        """The first of these as text; numbers are written out, other things are an empty text."""
        found = self.first(*names)
        if isinstance(found, str):
            return found.strip()[:most]
        return str(found)[:most] if isinstance(found, int | float) and not isinstance(found, bool) else ""

    def number(self, *names: str) -> float | None:
        """The first of these as a finite number, also where it was sent as text."""
        found = self.first(*names)
        if not isinstance(found, int | float | str) or isinstance(found, bool):
            return None
        try:
            value = float(found)
        except (ValueError, OverflowError):
            return None
        return value if abs(value) < 1e15 else None  # noqa: PLR2004 - neither infinite nor absurd; NaN compares false

    def items(self) -> Iterator[tuple[str, str, Any]]:
        """Names in lower case, names as they were spelt, and values."""
        for name, value in self._spelt.items():
            yield name.casefold(), name[:64], value

    def spelt(self, name: str) -> str:
        """How the device spells a field, for telling where something stood."""
        return next((given[:64] for given in self._spelt if given.casefold() == name), name)


def as_list(value: Any) -> list[Any]:
    """The value as a list: a single object stands for a list of one, nothing for none."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
