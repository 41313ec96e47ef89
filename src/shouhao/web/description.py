"""Description: one app class whose OpenAPI document says what is really given, in Chinese first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from shouhao import __version__
from shouhao.booking.model import BookingView
from shouhao.web import handlers
from shouhao.wiring import System

REF = "#/components/schemas/{name}"
OPENAPI_PATH = "/api/v1/openapi.json"

_MEANINGS = {
    400: "请求无法读取或缺少幂等键 The request cannot be read, or has no idempotency key",
    401: "密钥或登录无效 The key or the sign-in is not valid",
    403: "无权进行此操作 Not allowed",
    404: "不存在，或不属于您 No such thing, or not yours",
    409: "当前状态不允许 The state of things says no",
    413: "请求体过大 The body is too large",
    415: "请求体类型不符 The body is of another type",
    422: "字段不符合规则 A field breaks its rule",
    429: "过于频繁 Too often",
    500: "系统内部错误 Internal error",
    503: "系统繁忙，请稍后再试 Busy, try again shortly",
}
_EVERYWHERE = (413, 500, 503)
_METHODS = {"get", "put", "post", "delete", "patch"}


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str
    message: str
    field: str | None
    request_id: str


class ErrorAnswer(BaseModel):
    """The one shape of an error."""

    error: ErrorDetail


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Responses of a route that says no in these ways, and in those that every route has."""
    return {
        status: {"model": ErrorAnswer, "description": _MEANINGS[status]} for status in sorted({*statuses, *_EVERYWHERE})
    }


#: `openapi_extra` of a route where a sign-in may be shown and need not.
MAYBE_SIGNED_IN: dict[str, Any] = {"security": [{"channel_key": [], "sign_in": []}]}


def msgspec_schemas(*more: type[Any]) -> dict[str, Any]:
    """The schemas that routes name by reference: a booking's, and those of the hot routes' values."""
    _, schemas = msgspec.json.schema_components([BookingView, *more], ref_template=REF)
    return schemas


def raw_body(*media_types: str) -> dict[str, Any]:
    """`openapi_extra` of a route that takes bytes as they are."""
    schema = {"type": "string", "format": "binary"}
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in media_types}}}


class Api(FastAPI):
    """An app that errs in our shape and describes itself."""

    def __init__(
        self,
        system: System,
        *,
        title: str,
        routers: Sequence[APIRouter],
        lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Set up.

        Args:
            routers: what it serves.
            lifespan: what is open while it serves.
            more: paths and schemas that are described here and served elsewhere.
        """
        super().__init__(
            title=title,
            version=__version__,
            description=(
                "错误一律为 `{error: {code, message, field, request_id}}`;`Accept-Language: en` 得到英文。\n\n"
                "Every error has this one shape; `Accept-Language: en` gives English."
            ),
            openapi_url=OPENAPI_PATH,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            lifespan=lifespan,
        )
        self.state.system = system
        self._more = more or {}
        handlers.install(self)
        for router in routers:  # `include_router` would make each of its routes once more, for every app
            self.router.routes.extend(router.routes)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is None:
            document = get_openapi(
                title=self.title, version=self.version, description=self.description, routes=self.routes
            )
            for path, operations in self._more.get("paths", {}).items():
                document["paths"].setdefault(path, {}).update(operations)
            document["components"]["schemas"].update(self._more.get("schemas", {}))
            for operation in _operations(document):
                _mend(operation)
            self.openapi_schema = document
        return self.openapi_schema


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in _METHODS:
                yield operation


def _mend(operation: dict[str, Any]) -> None:
    """Say what FastAPI cannot: several keys are all needed, and a write needs its idempotency key."""
    keys = operation.get("security", [])
    if len(keys) > 1 and all(len(key) == 1 for key in keys):
        operation["security"] = [{name: scopes for key in keys for name, scopes in key.items()}]
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "Idempotency-Key":
            parameter["required"] = True
            parameter["schema"] = {"type": "string", "pattern": "^[!-~]{1,128}$"}
