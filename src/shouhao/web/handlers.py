"""Handlers: whatever goes wrong in a route comes out in the one shape of `errors.py`, in the language asked for."""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from shouhao.kernel.errors import InvalidInput, Refused, Tampered, Unavailable
from shouhao.web import errors
from shouhao.web.caller import Heard

JSON = "application/json"

_LONGEST_FIELD = 120
_log = structlog.get_logger()

#: pydantic's kinds of errors, as people read them; `{...}` is filled from the error's own numbers.
_RULES = {
    "missing": ("缺少该字段", "is missing"),
    "extra_forbidden": ("没有这个字段", "there is no such field"),
    "null_byte": ("不能含有空字符", "must not hold a null byte"),
    "string_type": ("须为文本", "must be text"),
    "string_unicode": ("须为有效的 Unicode 文本", "must be valid Unicode text"),
    "string_too_long": ("最多 {max_length} 个字符", "at most {max_length} characters"),
    "string_too_short": ("至少 {min_length} 个字符", "at least {min_length} characters"),
    "string_pattern_mismatch": ("须符合 {pattern}", "must match {pattern}"),
    "bool_type": ("须为 true 或 false", "must be true or false"),
    "int_type": ("须为整数", "must be a whole number"),
    "int_parsing": ("须为整数", "must be a whole number"),
    "int_parsing_size": ("数字过大", "the number is too large"),
    "int_from_float": ("须为整数", "must be a whole number"),
    "greater_than_equal": ("不能小于 {ge}", "must be at least {ge}"),
    "less_than_equal": ("不能大于 {le}", "must be at most {le}"),
    "day": ("须为 YYYY-MM-DD 格式的日期", "must be a day as YYYY-MM-DD"),
    "moment": ("须为带时区的 ISO 8601 时间", "must be a moment as ISO 8601 with a zone"),
    "literal_error": ("须为 {expected} 之一", "must be one of {expected}"),
    "enum": ("须为 {expected} 之一", "must be one of {expected}"),
    "list_type": ("须为数组", "must be a list"),
    "dict_type": ("须为对象", "must be an object"),
    "model_type": ("须为对象", "must be an object"),
    "model_attributes_type": ("须为 JSON 对象", "must be a JSON object"),
}


def install(app: FastAPI) -> None:
    """Give an app the handlers."""
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(Unavailable, _on_unavailable)
    app.add_exception_handler(Tampered, _on_tampered)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_bug)


def heard_of(request: Request) -> Heard:
    """What `Edge` read from the headers."""
    heard: Heard = request.state.heard
    return heard


def tell(request: Request, error: Refused) -> Response:
    """A refusal as an answer."""
    heard = heard_of(request)
    status, body = errors.refused(error, language=heard.language, request_id=heard.request_id)
    return Response(body, status, headers=dict(errors.retry_headers(error)), media_type=JSON)


async def _on_refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):
        raise error
    return tell(request, error)


async def _on_unavailable(request: Request, error: Exception) -> Response:
    if not isinstance(error, Unavailable):
        raise error
    heard = heard_of(request)
    _log.warning("unavailable", what=error.what, request_id=heard.request_id)
    status, body, headers = errors.unavailable(error, language=heard.language, request_id=heard.request_id)
    return Response(body, status, headers=dict(headers), media_type=JSON)


async def _on_tampered(request: Request, error: Exception) -> Response:
    heard = heard_of(request)
    _log.error("tampered", request_id=heard.request_id, path=request.url.path, what=str(error))
    return _internal(heard)


async def _on_bug(request: Request, _error: Exception) -> Response:
    return _internal(heard_of(request))  # `Edge` logs it


def _internal(heard: Heard) -> Response:
    status, body = errors.internal(language=heard.language, request_id=heard.request_id)
    return Response(body, status, media_type=JSON)


async def _on_http(request: Request, error: Exception) -> Response:
    """What the router itself says: no such path, no such method, a body that is not JSON."""
    if not isinstance(error, HTTPException):
        raise error
    known: dict[int, Refused] = {
        400: errors.BadJSON(),
        404: errors.NoSuchRoute(),
        405: errors.MethodNotAllowed(),
    }
    response = tell(request, known.get(error.status_code) or errors.NoSuchRoute())
    response.headers.update(error.headers or {})
    return response


async def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return tell(request, first_broken(error.errors(), content_type=request.headers.get("content-type", "")))


def first_broken(found: Sequence[Any], *, content_type: str = "") -> Refused:
    """The first broken rule as our refusal.

    Args:
        found: pydantic's errors.
        content_type: of the body, to tell a body that is no JSON object from one that was not read as JSON.
    """
    first = found[0]
    kind = first["type"]
    if kind == "json_invalid":
        return errors.BadJSON()
    field = _field(first["loc"])
    if kind == "model_attributes_type" and field == "body" and "json" not in content_type.lower():
        return errors.UnsupportedMediaType("Content-Type", expected=JSON)
    zh, en = _RULES.get(kind, ("不符合接口说明", "does not keep to the description of this route"))
    numbers = {name: value for name, value in (first.get("ctx") or {}).items() if isinstance(value, str | int)}
    try:
        return InvalidInput(field, zh=zh.format(**numbers), en=en.format(**numbers))
    except KeyError:
        return InvalidInput(field, zh="不符合接口说明", en="does not keep to the description of this route")


def _field(loc: Sequence[Any]) -> str:
    """`("body", "roles", 0)` as `roles[0]`. The caller may have made the name up, so it is cut and made printable."""
    parts = loc[1:] if len(loc) > 1 and loc[0] in {"body", "query", "path", "header"} else loc
    said = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    said = said.encode("utf-8", "replace").decode().replace("\0", "?")
    return said[:_LONGEST_FIELD] or "body"
