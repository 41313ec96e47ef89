"""Errors on the wire: one JSON shape, and the only place that knows which refusal gets which HTTP status.

`{"error": {"code", "message", "field", "request_id"}}`; the message is in the language that was asked for.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from shouhao.kernel.errors import Refused, Unavailable

_EXACT = {
    "invalid": 422,
    "not_found": 404,
    "idempotency_key_reused": 422,
    "web.body_too_large": 413,
    "web.body_incomplete": 400,
    "web.body_too_slow": 408,
    "web.method_not_allowed": 405,
    "web.unsupported_media_type": 415,
    "web.bad_json": 400,
    "web.idempotency_key_needed": 400,
    "booking.unknown": 404,
    "booking.session_unknown": 404,
    "booking.draw_unknown": 404,
    "booking.antenatal_unknown": 404,
    "booking.draw_not_made": 404,
    "booking.not_waiting": 404,
    "booking.wish_not_in_draw": 422,
    "patients.not_bound": 404,
    "patients.care_proof_unknown": 404,
    "payment.notice_refused": 400,
    "payment.order_refused": 400,
    "gate.channel_refused": 401,
    "gate.sign_in_refused": 401,
    "gate.signed_out": 401,
    "gate.phone_code_refused": 401,
    "gate.phone_code_too_often": 429,
    "watch.step_not_yours": 403,
    "watch.guard_unknown": 422,
    "staff.refused": 401,
    "staff.role_missing": 403,
    "staff.session_ended": 401,
    "staff.sign_in_refused": 401,
    "staff.too_many_tries": 429,
    "staff.setup_needed": 403,
    "staff.not_trained": 403,
    "staff.picture_unreadable": 422,
    "web.outside_zone": 403,
    "web.cross_site": 403,
    "web.csrf_refused": 403,
    "watch.forbidden_place": 422,
    "watch.plan_refused": 422,
    "watch.file_refused": 422,
    "watch.shorter_way_round": 422,
    "faces.picture_refused": 422,
    "faces.no_face": 422,
    "faces.several_faces": 422,
    "faces.poor_face": 422,
    "watch.bundle_refused": 422,
    "watch.bundle_signature": 422,
    "watch.bundle_sealed": 422,
    "watch.bundle_needs_passphrase": 422,
    "watch.issuer_unknown": 422,
    "patients.account_closed": 403,
    "watch.too_many_subscriptions": 422,
    "cases.tips_too_often": 429,
    "cases.tips_full": 429,
    "cases.tip_code_tries": 429,
    "cases.tip_unknown": 404,
}
_OTHERWISE = 409  #: the request is fine; the state of things says no


class BodyTooLarge(Refused):
    """More bytes than this route takes."""

    code = "web.body_too_large"
    zh = "请求体超过上限 {limit} 字节"
    en = "The body is larger than {limit} bytes"


class BodyIncomplete(Refused):
    """The caller hung up before the body was whole; half a file must not pass for a file."""

    code = "web.body_incomplete"
    zh = "请求体不完整"
    en = "The body is not complete"


class NoSuchRoute(Refused):
    """Nothing is served at this path."""

    code = "not_found"
    zh = "没有这个接口"
    en = "There is no such path"


class MethodNotAllowed(Refused):
    """The path is served, with other methods."""

    code = "web.method_not_allowed"
    zh = "该接口不支持此方法"
    en = "This path is not served with this method"


class UnsupportedMediaType(Refused):
    """The body is of a kind that this route does not read."""

    code = "web.unsupported_media_type"
    zh = "请求体类型须为：{expected}"
    en = "The body's type must be: {expected}"


class BadJSON(Refused):
    """The body is not JSON."""

    code = "web.bad_json"
    zh = "请求体不是有效的 JSON"
    en = "The body is not valid JSON"


class IdempotencyKeyNeeded(Refused):
    """A write without a key: a retry could do it twice."""

    code = "web.idempotency_key_needed"
    zh = "写操作须带 Idempotency-Key 请求头（1 至 128 个可见 ASCII 字符）"
    en = "A write needs an Idempotency-Key header of 1 to 128 visible ASCII characters"


class OutsideZone(Refused):
    """The console does not answer this network."""

    code = "web.outside_zone"
    zh = "控制台不对该网络开放"
    en = "The console does not answer this network"


class CrossSite(Refused):
    """Another site made this request in the operator's browser, or nothing says that ours did."""

    code = "web.cross_site"
    zh = "请求不是由本控制台的页面发出"
    en = "The request does not come from the console's own pages"


class CSRFRefused(Refused):
    """A write by cookie without the session's own token."""

    code = "web.csrf_refused"
    zh = "缺少或不符的 {header} 请求头"
    en = "The header {header} is missing or not this session's"

    def __init__(self, header: str) -> None:
        super().__init__(header, header=header)


class _Error(msgspec.Struct):
    code: str
    message: str
    field: str | None
    request_id: str


class _Shape(msgspec.Struct):
    error: _Error


_encode = msgspec.json.Encoder().encode


def status_of(code: str) -> int:
    """The HTTP status of a refusal's code."""
    return _EXACT.get(code, _OTHERWISE)


def body_of(code: str, message: str, *, field: str | None, request_id: str) -> bytes:
    """The one JSON shape of an error."""
    return _encode(_Shape(_Error(code, message, field, request_id)))


def refused(error: Refused, *, language: str, request_id: str) -> tuple[int, bytes]:
    """Status and body of a refusal."""
    field = error.field
    return status_of(error.code), body_of(error.code, error.says(language), field=field, request_id=request_id)


def kept_refusal(body: str, *, language: str, request_id: str) -> tuple[int, bytes]:
    """Status and body of a refusal that was kept as an answer (`flows.book.refusal_body`)."""
    kept: Mapping[str, Any] = msgspec.json.decode(body)
    message = str(kept["en" if language == "en" else "zh"])
    return status_of(kept["code"]), body_of(kept["code"], message, field=kept["field"], request_id=request_id)


def retry_headers(error: Refused) -> Mapping[str, str]:
    """Headers of a refusal that time will lift: when to try again."""
    wait_s = error.data.get("retry_after_s")
    return {} if wait_s is None else {"retry-after": str(wait_s)}


def unavailable(error: Unavailable, *, language: str, request_id: str) -> tuple[int, bytes, Mapping[str, str]]:
    """Status, body and headers of "busy": when to try again."""
    body = body_of(error.code, error.says(language), field=None, request_id=request_id)
    return 503, body, {"retry-after": str(max(1, round(error.retry_after_s)))}


def internal(*, language: str, request_id: str) -> tuple[int, bytes]:
    """Status and body of a bug: nothing of it is shown, the request id finds it in the log."""
    message = "Internal error" if language == "en" else "系统内部错误"
    return 500, body_of("internal", message, field=None, request_id=request_id)


def language_of(accept_language: str | None) -> str:
    """`en` when English is asked for before Chinese, otherwise `zh`.

    >>> language_of("en-GB,en;q=0.9,zh;q=0.5"), language_of("zh-CN,en;q=0.8"), language_of(None)
    ('en', 'zh', 'zh')
    """
    if not accept_language:
        return "zh"
    return "en" if accept_language.lstrip()[:2].lower() == "en" else "zh"
