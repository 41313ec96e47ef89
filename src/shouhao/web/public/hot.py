"""Hot: the routes that are served before any framework, and how they are described beside the others."""

from collections.abc import Mapping, Sequence
from typing import Any

from shouhao.booking.model import BookingView
from shouhao.booking.receipts import SignedReceipt
from shouhao.web.caller import Door
from shouhao.web.description import REF, failures, msgspec_schemas
from shouhao.web.public import book, enter
from shouhao.web.public.at_desk import AtDesk
from shouhao.web.public.book import BookBody, book_route
from shouhao.web.public.enter import EntryBody, WaitBody, enter_route, join_route
from shouhao.wiring import System

_PREFIX = "/api/v1"
_JSON = "application/json"
_ID = {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$"}


class HotRoutes:
    """Finds the hot route of a POST, if it is one."""

    def __init__(self, system: System, door: Door) -> None:
        limit = system.settings.max_body_bytes
        self._book = book_route(system.desk, door, limit=limit)
        self._by_ends: Mapping[tuple[str, str], AtDesk] = {
            (f"{_PREFIX}/draws", "entries"): enter_route(system.desk, door, system.draw_keys, limit=limit),
            (f"{_PREFIX}/sessions", "waits"): join_route(system.desk, door, system.draw_keys, limit=limit),
        }

    def find(self, path: str) -> tuple[AtDesk, str] | None:
        """The route of a path, and the id in it."""
        if path == book.PATH:
            return self._book, ""
        before, _, last = path.rpartition("/")
        first, _, which = before.rpartition("/")
        route = self._by_ends.get((first, last))
        return None if route is None else (route, which)


def described() -> dict[str, Any]:
    """Paths and schemas of the hot routes."""
    paths = {
        book.PATH: _operation(
            "book",
            "bookings",
            summary="预约 Book a slot",
            description=(
                "某排班的任一号，或指定的号；`pool` 为 `care` 时取为 65 岁及以上、残疾或怀孕者保留的号。"
                "未支付的号保留一段时间。\n\n"
                "Any slot of a session, or one that is named; with `pool` `care` one of those kept for patients of 65 "
                "and older, disabled or pregnant. An unpaid slot is held a while."
            ),
            body=BookBody,
            gives=BookingView,
            done="已预约 Booked",
        ),
        enter.ENTRIES: _operation(
            "enter_draw",
            "draws",
            summary="报名抽签 Enter a draw",
            description=(
                "一人或一同就诊的几人报名，按顺序列出志愿；报名先后不影响机会。同样的人再次报名即更改志愿。"
                "签名内容是回执中除 `signature` 与 `receipt_key` 外的各项："
                "按名称排序、不留空格写成 JSON 的 UTF-8 字节。\n\n"
                "One person, or people who go together, with wishes in order; when they enter carries no weight, and "
                "entering again changes the wishes. What is signed is the receipt without `signature` and "
                "`receipt_key`, as JSON with sorted names and no spaces, in UTF-8."
            ),
            body=EntryBody,
            gives=SignedReceipt,
            done="已报名 Entered",
            id_names=("draw_id",),
        ),
        enter.WAITS: _operation(
            "join_waitlist",
            "waits",
            summary="加入候补 Join a waitlist",
            description=(
                "号源约满时加入候补；同一批加入的人以抽签排定先后，先加入并不占先。顺序抽出前可用回执中的编号撤回报名。\n\n"
                "When all slots are taken. Those who join in one batch are put in order by draw, so joining first "
                "gains nothing. Until the order is drawn, the entry of the receipt can be withdrawn."
            ),
            body=WaitBody,
            gives=SignedReceipt,
            done="已加入 Joined",
            id_names=("session_id",),
        ),
    }
    return {"paths": paths, "schemas": msgspec_schemas(BookBody, EntryBody, WaitBody, SignedReceipt)}


def _operation(
    operation_id: str,
    tag: str,
    *,
    summary: str,
    description: str,
    body: type[Any],
    gives: type[Any],
    done: str,
    id_names: Sequence[str] = (),
) -> dict[str, Any]:
    key = {"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"type": "string"}}
    ids = [{"name": name, "in": "path", "required": True, "schema": _ID} for name in id_names]
    says = {str(status): _failure(shape) for status, shape in failures(400, 401, 403, 404, 409, 415, 422).items()}
    return {
        "post": {
            "tags": [tag],
            "operationId": operation_id,
            "summary": summary,
            "description": description,
            "security": [{"channel_key": [], "sign_in": []}],
            "parameters": [*ids, key],
            "requestBody": {"required": True, "content": _content(body.__name__)},
            "responses": {"201": {"description": done, "content": _content(gives.__name__)}, **says},
        }
    }


def _failure(failure: dict[str, Any]) -> dict[str, Any]:
    return {"description": failure["description"], "content": _content("ErrorAnswer")}


def _content(name: str) -> dict[str, Any]:
    return {_JSON: {"schema": {"$ref": REF.format(name=name)}}}
