"""Log format: how a line of an access log is made up, from what stands in the server's own configuration.

nginx's `log_format` is taken as it stands, whole or its text alone, or by the name it has in an nginx.conf; Apache's
LogFormat is translated (apache_format.py). How a format becomes expressions that read lines is format_sql.py's part.
"""

import glob
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from shouhao.detect.inputs import apache_format, w3c_format
from shouhao.detect.inputs.apache_format import Variable
from shouhao.kernel.errors import InvalidInput

Escape = Literal["default", "json", "none"]
Part = str | Variable

COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
COMMON = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent'
_ESCAPES = ("default", "json", "none")
_LARGEST_CONF_BYTES = 16 << 20
_DEEPEST_INCLUDE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat:
    """What a line is made of.

    With `json` a line is one JSON object, and `keys` tells which variable stands at which path; without keys they are
    taken from the log itself, where a key may be called like a variable or like a column.
    """

    text: str  #: as it was given
    escape: Escape = "default"
    parts: tuple[Part, ...] = ()
    json: bool = False
    w3c: bool = False  #: fields between single blanks, as the log's own `#Fields:` names them
    keys: Mapping[tuple[str, ...], tuple[Part, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables in it, in order, each once."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, Variable)))


def parse_log_format(given: str) -> LogFormat:
    """A format from what the command line gives.

    That is `combined`, `common`, `json` or `w3c`; a directive `log_format NAME ...;`; the text of a format; a LogFormat
    of Apache; or the path of an nginx.conf, with `:NAME` behind it if it has several formats. What it includes is read
    too, where it lies there.

    Raises:
        InvalidInput: it is none of these.
    """
    text = given.strip() or "combined"
    known = _PREDEFINED.get(text) or _from_file(text)
    if known is not None:
        return known
    if text.startswith("#Fields:"):
        return w3c(text)
    if re.match(r"log_format\s", text):
        found = dict(_directives(text))
        if len(found) != 1:
            raise _invalid("不是一条完整的 log_format 指令", "is not one whole directive log_format")
        return next(iter(found.values()))
    if apache_format.looks_like(text):
        return LogFormat(text=text, parts=_checked(text, apache_format.parts_of(text)))
    if "$" not in text:
        raise _no_format(text)
    strings = _single_quoted(text)
    return _made(text, "default", text if strings is None else strings)


def w3c(directive: str) -> LogFormat:
    """The format that a `#Fields:` tells."""
    return LogFormat(text=directive, escape="none", parts=w3c_format.parts_of(directive), w3c=True)


def _no_format(text: str) -> InvalidInput:
    names = "、".join((*_PREDEFINED, *apache_format.NICKNAMES))
    return _invalid(
        f"不是日志格式，也没有这个文件：{text[:80]}；自定义的名称请写作 nginx.conf 的路径:名称，预设的有：{names}",
        f"is not a format, nor a file: {text[:80]}; of an nginx.conf say its PATH:NAME; known by name: {names}",
    )


def _invalid(zh: str, en: str) -> InvalidInput:
    return InvalidInput("log_format", zh=zh, en=en)


def _from_file(text: str) -> LogFormat | None:
    """The format in a file, where the text is a path."""
    for path, name in ((text, None), text.rpartition(":")[::2]):
        if not path or "\n" in path or "$" in path:
            continue
        file = Path(path)
        try:
            if not os.path.isfile(path):  # noqa: PTH113 - false too for what is too long for a name
                continue
            missing: list[str] = []
            found = dict(_formats_of(file, missing, depth=0))
        except OSError as error:
            raise _invalid(f"无法读取 {file}：{error.strerror}", f"cannot read {file}: {error.strerror}") from None
        names = "、".join([*found, *(f"include {one}（此处没有 not here）" for one in missing)]) or "（没有 none）"
        if not found and not missing:
            raise _invalid(f"{file} 中没有 log_format", f"{file} has no log_format in it")
        if name is None and len(found) != 1:
            raise _invalid(
                f"{file} 中有 {len(found)} 个 log_format，请用 文件:名称 指明：{names}",
                f"{file} has {len(found)} formats; name one as FILE:NAME out of: {names}",
            )
        if name is not None and name not in found:
            raise _invalid(f"{file} 中没有 {name}，只有：{names}", f"{file} has no {name}, but: {names}")
        return found[name] if name is not None else next(iter(found.values()))
    return None


def _formats_of(file: Path, missing: list[str], *, depth: int) -> Iterator[tuple[str, LogFormat]]:
    """The formats of a file and of what it includes, by name.

    Args:
        missing: takes what is included and does not lie here, as in a copy of nginx.conf alone.
    """
    if file.stat().st_size > _LARGEST_CONF_BYTES:
        raise _invalid(f"{file} 过大", f"{file} is too large")
    conf = file.read_text(encoding="utf-8", errors="replace")
    yield from _directives(conf)
    for words in _statements(conf):
        if words[0] != "include" or len(words) != 2 or depth == _DEEPEST_INCLUDE:  # noqa: PLR2004 - and its file
            continue
        named = sorted(glob.glob(str(file.parent / words[1])))  # noqa: PTH207 - absolute too
        if not named and not words[1].endswith("mime.types"):
            missing.append(words[1])
        for one in named:
            if os.path.isfile(one):  # noqa: PTH113 - as above
                yield from _formats_of(Path(one), missing, depth=depth + 1)


def _directives(conf: str) -> Iterator[tuple[str, LogFormat]]:
    """The formats of a configuration, by name, includes left out."""
    for words in _statements(conf):
        if words[0] == "log_format" and len(words) > 2:  # noqa: PLR2004 - the directive, its name and its text
            name, texts, escape = words[1], words[2:], "default"
            if texts[0].startswith("escape="):
                escape = texts.pop(0).removeprefix("escape=")
            yield name, _made(name, escape, "".join(texts))


def _statements(conf: str) -> Iterator[list[str]]:
    """The words of each directive."""
    words: list[str] = []
    for word in _words(conf):
        if word is not None:
            words.append(word)
            continue
        if words:
            yield words
        words = []


_WORD = re.compile(
    r"""\s+ | \#[^\n]* | (?P<end>[;{}])
      | "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)'
      | (?P<bare>(?:[^\s;{}"'\\]|\\.|\$\{)(?:[^\s;{\\]|\\.|\$\{)*)""",
    re.VERBOSE | re.DOTALL,
)


def _words(conf: str) -> Iterator[str | None]:
    """The words of a configuration as nginx reads them; None where a directive or a block begins or ends."""
    at = 0
    while at < len(conf):
        match = _WORD.match(conf, at)
        if match is None:
            line = conf.count("\n", 0, at) + 1
            raise _invalid(
                f"第 {line} 行的引号没有闭合；也可直接给出 log_format 的原文",
                f"a quotation mark is not closed in line {line}; the text of log_format will do as well",
            )
        at = match.end()
        if match["end"] is not None:
            yield None
        for kind in ("double", "single", "bare"):
            if match[kind] is not None:
                yield _unescaped(match[kind])
    yield None  # a directive without its semicolon is taken as well


def _unescaped(word: str) -> str:
    meant = {"t": "\t", "r": "\r", "n": "\n"}
    return re.sub(r"\\(.)", lambda m: meant.get(m[1], m[1] if m[1] in "\"'\\" else m[0]), word, flags=re.DOTALL)


def _single_quoted(text: str) -> str | None:
    """The text behind strings in a row, as they stand in the directive; None if it is not written so."""
    if re.fullmatch(r"(?:'(?:[^'\\]|\\.)*'\s*)+;?", text, re.DOTALL) is None:
        return None
    return "".join(word for word in _words(text) if word is not None)


def _made(text: str, escape: str, body: str) -> LogFormat:
    if escape not in _ESCAPES:
        raise _invalid(f"没有 escape={escape}", f"there is no escape={escape}")
    known: Escape = "json" if escape == "json" else "none" if escape == "none" else "default"
    parts = _checked(body, _parts(body))
    keys = _json_keys(parts)
    if keys is not None:
        return LogFormat(text=text, escape=known, parts=parts, json=True, keys=keys)
    return LogFormat(text=text, escape=known, parts=parts)


def _checked(text: str, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    names = [part.name for part in parts if isinstance(part, Variable)]
    if not names:
        raise _invalid(f"不是日志格式：{text[:80]}", f"is not a format: {text[:80]}")
    for before, after in pairwise(parts):
        if isinstance(before, Variable) and isinstance(after, Variable):
            raise _invalid(
                f"${before.name} 与 ${after.name} 之间没有分隔，无法分开",
                f"nothing stands between ${before.name} and ${after.name}; they cannot be told apart",
            )
    return parts


def _parts(text: str) -> tuple[Part, ...]:
    """Literals and variables of nginx's text."""
    parts: list[Part] = []
    at = 0
    for match in re.finditer(r"\$(?:\{(\w+)\}|(\w+))", text):
        if match.start() > at:
            parts.append(text[at : match.start()])
        parts.append(Variable(match[1] or match[2]))
        at = match.end()
    if at < len(text):
        parts.append(text[at:])
    return tuple(parts)


def _json_keys(parts: Sequence[Part]) -> Mapping[tuple[str, ...], tuple[Part, ...]] | None:
    """What stands at which path of the object that a format writes; None if it does not write one."""
    if not (isinstance(parts[0], str) and parts[0].lstrip().startswith("{")):
        return None
    marks: dict[str, Variable] = {}
    text = ""
    for n, part in enumerate(parts):
        if isinstance(part, str):
            text += part
            continue
        mark = f"\x02{n}\x02"
        marks[mark] = part
        in_string = text.replace("\\\\", "").replace('\\"', "").count('"') % 2
        text += mark if in_string else f'"{mark}"'
    try:
        value = json.loads(text, strict=False)
    except ValueError:
        return None
    return dict(_paths(value, (), marks)) if isinstance(value, dict) else None


def _paths(
    value: Mapping[str, Any], at: tuple[str, ...], marks: Mapping[str, Variable]
) -> Iterator[tuple[tuple[str, ...], tuple[Part, ...]]]:
    for key, inner in value.items():
        path = (*at, key)
        if isinstance(inner, dict):
            yield from _paths(inner, path, marks)
        elif isinstance(inner, str) and "\x02" in inner:
            pieces = [piece for piece in re.split("(\x02\\d+\x02)", inner) if piece]
            yield path, tuple(marks.get(piece, piece) for piece in pieces)


_PREDEFINED: Mapping[str, LogFormat] = {
    "combined": LogFormat(text="combined", parts=_parts(COMBINED)),
    "common": LogFormat(text="common", parts=_parts(COMMON)),
    "json": LogFormat(text="json", escape="json", json=True),
    "w3c": LogFormat(text="w3c", escape="none", w3c=True),
}
