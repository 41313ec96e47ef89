"""Log: one line a happening, for operators; what serves as evidence is the event log.

An event is a constant snake_case phrase, data stands in keys. Everything that is logged, by this house or by a
library, passes one redaction just before it is written: values under telling keys are dropped, and what looks like
an ID number, a phone, an image or a secret is masked wherever it stands. A name in free text looks like any other
word and cannot be told, so code never logs one.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

DROPPED = "[dropped]"
_MAX_DEPTH = 12
_MAX_TEXT = 20_000  # what a caller sends may be logged; masking it must not take long
_TAIL = 64  # a cut may halve a number, so the end of what was cut is dropped with it
_MAX_NUMBER = 10**30

#: A value is dropped when a word of its key is one of these, in whatever spelling: `phoneNumber`, `X-Key`, `names`.
_TELLING = frozenset(
    (
        *("name", "phone", "document", "number", "photo", "birth", "passport"),
        *("token", "code", "key", "authorization", "password", "secret", "cookie"),
    )
)
#: Keys with such a word that tell nothing of a person.
_HARMLESS = frozenset({"status_code", "exit_code", "error_code"})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W_a-zA-Z]+")

_OWN_ID = r"(?P<own_id>(?<![A-Za-z0-9])[a-z]{1,8}_[0-9a-f]{26}(?![0-9A-Za-z]))"
_GAP = r"[ \u00a0-]?"
_DAY = r"(?:0[1-9]|1[0-2])" + _GAP + r"(?:0[1-9]|[12]\d|3[01])"
#: Where a number may begin: not inside a longer one, but also right after an escape that ends in a digit.
_EDGE = r"(?:(?<!\d)|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-f]{4})|(?<=\\U[0-9a-f]{8})|(?<=%[0-9A-Fa-f]{2}))"
_PAIR = (
    r"(?i:(?<![A-Za-z])(?:name|phone|document|number|photo|token|code|key|password|secret|cookie))"
    r"[\"']?\s?[=:]\s?(?:'[^']*'|\"[^\"]*\"|[^\s&,;)}\"']+)"
)
_MASKS: tuple[tuple[str, str], ...] = (
    ("parameters", r"\[parameters: [^\n]*"),  # what a database error quotes, always on one line
    ("authorization", r"(?i:authorization)[\"']?\s?[=:]\s?[\"']?[^\r\n,;\"')}]*"),
    ("authorization", r"(?i:\b(?:bearer|basic))\s[^\s,;\"')}]+"),
    ("value", _PAIR),
    ("image", r"data:image/[\w.+-]+;base64,[A-Za-z0-9+/=_-]*"),
    ("base64", r"(?<![A-Za-z0-9+/_-])(?=[a-z0-9+/_-]*[A-Z])(?=[A-Z0-9+/_-]*[a-z])[A-Za-z0-9+/_-]{40,}={0,2}"),
    ("id", r"\d{6}" + _GAP + r"(?:18|19|20)\d{2}" + _GAP + _DAY + _GAP + r"\d{3}[\dXxＸｘ]"),
    ("id", _EDGE + r"\d{8}" + _DAY + r"\d{3}(?!\d)"),  # the fifteen digits of before 1999
    ("phone", r"[+＋]\d(?:[ ()-]{0,2}\d){6,14}"),
    ("phone", _EDGE + r"(?:0{0,2}86" + _GAP + r"|0)?1[3-9]\d" + _GAP + r"\d{4}" + _GAP + r"\d{4}(?!\d)"),
)
_PATTERN = re.compile("|".join([_OWN_ID, *(f"(?P<m{n}>{mask})" for n, (_, mask) in enumerate(_MASKS))]))
_SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*", re.ASCII)


def configure_log(
    *, level: str = "INFO", form: Literal["json", "console"] = "json", stream: TextIO | None = None
) -> None:
    """Route structlog and the standard library's loggers through one chain to one stream.

    Call it once, first thing; start uvicorn with `log_config=None`, so that it keeps what is set here.
    """
    prepare: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _constant_event,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *prepare,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=prepare,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, _renderer(form)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "sqlalchemy"):
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
    for name in ("sqlalchemy.engine", "httpx", "httpcore", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel("WARNING")  # they tell each statement, address or step
    logging.captureWarnings(capture=True)


def redact(_logger: object, _method: str, event_dict: EventDict) -> MutableMapping[str, Any]:
    """Drop and mask, at any depth, whatever could tell of a person or open a door; a structlog processor."""
    return _mapping(event_dict, 0)


def mask_text(text: str) -> str:
    """The text with what looks like an ID number, a phone, an image or a secret masked.

    >>> mask_text("call 138 1234 1234")
    'call [phone]'
    """
    if len(text) > _MAX_TEXT:
        return _PATTERN.sub(_replacement, text[:_MAX_TEXT])[:-_TAIL] + "[cut]"
    return _PATTERN.sub(_replacement, text)


def _replacement(found: re.Match[str]) -> str:
    group = found.lastgroup or "own_id"
    return found[0] if group == "own_id" else f"[{_MASKS[int(group[1:])][0]}]"


def _renderer(form: Literal["json", "console"]) -> Processor:
    if form == "console":
        return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _constant_event(_logger: object, _method: str, event_dict: EventDict) -> EventDict:
    """An event is one of a few phrases that can be counted; a library's sentence goes under `message`."""
    event = event_dict.get("event")
    if not (isinstance(event, str) and _SNAKE.fullmatch(event)):
        event_dict["message"] = event
        event_dict["event"] = "library_message" if event_dict.get("_from_structlog") is False else "unnamed_event"
    return event_dict


def _mapping(mapping: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in mapping.items():
        name = mask_text(str(key))
        plain[name] = DROPPED if _is_telling(name) else _value(value, depth + 1)
    return plain


def _is_telling(key: str) -> bool:
    if key.lower() in _HARMLESS:
        return False
    words = {word.lower() for word in _WORDS.findall(key)}
    return not _TELLING.isdisjoint(words | {word.removesuffix("s") for word in words})


def _value(value: Any, depth: int) -> Any:
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return _mapping(value, depth)
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_value(item, depth + 1) for item in value]
    return _leaf(value)


def _leaf(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    return mask_text(value if isinstance(value, str) else repr(value))


def _number(value: float) -> Any:
    """A number, unless its digits are an ID number or a phone; fractions of a second are neither."""
    if isinstance(value, float) and not value.is_integer():
        return value
    if abs(value) >= _MAX_NUMBER:
        return "[large number]"
    digits = str(int(value))
    return value if mask_text(digits) == digits else mask_text(digits)
