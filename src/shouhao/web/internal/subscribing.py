"""Subscribing: what a platform asks to be told of, between the wire and the store."""

from typing import Any

import msgspec

from shouhao.kernel.errors import InvalidInput
from shouhao.protocols.device_times import time_us
from shouhao.protocols.gat1400_json import Fields, Unreadable, as_list, read_json
from shouhao.protocols.gat1400_write import local_time
from shouhao.store.engine import Database
from shouhao.watch.store.subscriptions import (
    Subscription,
    cancel_subscriptions,
    list_subscriptions,
    put_subscription,
)

_AT_ONCE = 100
_CANCEL = "1"


def keep(db: Database, device_id: str, body: bytes, content_type: str, *, now_us: int) -> list[str]:
    """Keep what is asked; the ids.

    Raises:
        InvalidInput: it cannot be read, or has no id.
        TooManySubscriptions: the device has as many as one may have.
    """
    asked = _read(body, content_type)
    with db.write() as connection:
        for one in asked:
            put_subscription(connection, device_id, one, now_us=now_us)
    return [one.subscription_id for one in asked]


def cancel(db: Database, device_id: str, subscription_ids: list[str], *, now_us: int) -> None:
    """Cancel these; those that are not there are cancelled already."""
    with db.write() as connection:
        cancel_subscriptions(connection, device_id, subscription_ids[:_AT_ONCE], now_us=now_us)


def listed(db: Database, device_id: str) -> bytes:
    """The device's own subscriptions, as the standard writes them."""
    with db.read() as connection:
        found = list_subscriptions(connection, device_id)
    return msgspec.json.encode({"SubscribeListObject": {"SubscribeObject": [_written(one) for _, one in found]}})


def _read(body: bytes, content_type: str) -> list[Subscription]:
    try:
        value = read_json(body, content_type)
    except Unreadable as fault:
        raise InvalidInput("$", zh=fault.zh, en=fault.en) from None
    if isinstance(value, dict):
        value = Fields(value).first("subscribelistobject", "subscribelist", "subscribeobject") or value
    if isinstance(value, dict):
        value = Fields(value).first("subscribeobject") or value
    items = [Fields(item) for item in as_list(value)[: _AT_ONCE + 1] if isinstance(item, dict)]
    if not items or len(items) > _AT_ONCE or any(not item.text("subscribeid") for item in items):
        raise InvalidInput("SubscribeID", zh="每项订阅须有编号", en="each subscription has an id")
    return [_subscription(item) for item in items]


def _subscription(item: Fields) -> Subscription:
    texts = {
        name: _printable(item.text(field))
        for name, field in (
            ("title", "title"),
            ("detail", "subscribedetail"),
            ("resource", "resourceuri"),
            ("receive_addr", "receiveaddr"),
        )
    }
    return Subscription(
        subscription_id=_printable(item.text("subscribeid", most=64)),
        begin_us=time_us(item.first("begintime")),
        end_us=time_us(item.first("endtime")),
        state="cancelled" if item.text("operatetype") == _CANCEL else "asked",
        **texts,
    )


def _written(one: Subscription) -> dict[str, Any]:
    told = {
        "SubscribeID": one.subscription_id,
        "Title": one.title,
        "SubscribeDetail": one.detail,
        "ResourceURI": one.resource,
        "ReceiveAddr": one.receive_addr,
        "OperateType": 0 if one.state == "asked" else 1,
        "SubscribeStatus": 0 if one.state == "asked" else 1,
    }
    for name, at_us in (("BeginTime", one.begin_us), ("EndTime", one.end_us)):
        if at_us is not None:
            told[name] = local_time(at_us)
    return told


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())
