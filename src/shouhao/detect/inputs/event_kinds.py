"""Event kinds: what exports call them, and what a mapping says they do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shouhao.detect.inputs.mapping import Names
from shouhao.detect.inputs.sql import literal
from shouhao.kernel.events import EVENT_KINDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: In small letters. A state (已取消) is none of them: it tells what came of a row, not what happened at its time.
_KINDS: Mapping[str, str] = {
    "account_registered": "注册 账号注册 用户注册",
    "patient_bound": "绑定 绑卡 绑定就诊人 绑定患者 添加就诊人",
    "patient_unbound": "解绑 解绑就诊人 解绑患者 删除就诊人",
    "logged_in": "登录 登陆 用户登录 login",
    "logged_out": "退出 登出 logout",
    "viewed": "浏览 查看 查看号源 view",
    "searched": "搜索 查询 查询号源 search",
    "booked": "预约 挂号 预约成功 挂号成功 预约挂号 预约挂号成功 book booking",
    "refused": "拒绝 预约失败 挂号失败",
    "cancelled": "取消 退号 取消预约 取消挂号 退约 cancel canceled cancellation",
    "paid": "支付 缴费 付款 支付成功 pay payment",
    "refunded": "退费 退款 refund",
    "expired": "过期 超时 超时未支付",
    "waitlisted": "候补 加入候补",
    "checked_in": "取号 签到 报到 就诊",
    "no_show": "爽约 未就诊",
    "extra_slot_added": "加号",
    "face_checked": "人脸核验 人脸识别 刷脸",
    "draw_entered": "抽签登记 参加抽签",
    "complained": "投诉",
    "released": "放号",
}


def own_kinds(mapping: Names) -> dict[str, tuple[str, str]]:
    """What the mapping says of kinds: for a word in small letters the kind, and the word as it was given."""
    return {word.lower(): (kind, word) for kind in EVENT_KINDS for word in mapping.get(kind, ())}


def kinds_found(
    connection: "DuckDBPyConnection", rows: str, own: Mapping[str, tuple[str, str]]
) -> frozenset[tuple[str, str]]:
    """Those of the mapping's words that a file has."""
    if not own:
        return frozenset()
    words = ", ".join(literal(word) for word in own)
    found = connection.execute(f"SELECT DISTINCT lower(kind) FROM ({rows}) WHERE lower(kind) IN ({words})").fetchall()
    return frozenset(own[word] for (word,) in found)


def kind_of(word: str, own: Mapping[str, tuple[str, str]]) -> str:
    """Our kind for a word, in SQL; the word in small letters where it is none of ours.

    Args:
        own: as `own_kinds` makes it.
    """
    kinds = {called: kind for kind, words in _KINDS.items() for called in words.split()}
    kinds |= {called: kind for called, (kind, _) in own.items()}
    called = ", ".join(f"{literal(one)}: {literal(kind)}" for one, kind in kinds.items())
    return f"coalesce(MAP {{{called}}}[lower({word})], lower({word}))"
