"""Subscriptions' store: who asked to be told of what, kept so that a person sees it.

Nothing is sent to anybody who only asked: faces leave this hospital as a bundle that two people approved, or not at
all. Each change writes its event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, update

from shouhao.kernel.errors import Refused
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.store.held import hold
from shouhao.watch.store.subscription_tables import camera_subscriptions as table

MOST_PER_DEVICE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What somebody asked to be told of."""

    subscription_id: str
    title: str = ""
    detail: str = ""
    resource: str = ""
    receive_addr: str = ""
    begin_us: int | None = None
    end_us: int | None = None
    state: Literal["asked", "cancelled"] = "asked"


class TooManySubscriptions(Refused):
    """One device has asked for more than anybody needs."""

    code = "watch.too_many_subscriptions"
    zh = "一台设备最多 {most} 项订阅"
    en = "One device has {most} subscriptions at most"


def put_subscription(connection: Connection, device_id: str, asked: Subscription, *, now_us: int) -> bool:
    """Keep what a device asks, in place of what it asked under the same id; whether that changed anything.

    Raises:
        TooManySubscriptions: it has as many as one may have.
    """
    hold(connection, f"watch.subscriptions:{device_id}")
    key = (table.c.device_id == device_id) & (table.c.subscription_id == asked.subscription_id)
    known = connection.execute(select(table).where(key)).mappings().one_or_none()
    values = _values(asked)
    if known is None:
        held = connection.scalar(select(func.count()).select_from(table).where(table.c.device_id == device_id)) or 0
        if held >= MOST_PER_DEVICE:
            raise TooManySubscriptions(most=MOST_PER_DEVICE)
        row = {"device_id": device_id, "subscription_id": asked.subscription_id, "asked_at_us": now_us}
        connection.execute(insert(table).values(**row, **values, changed_at_us=now_us))
    elif all(known[name] == value for name, value in values.items()):
        return False
    else:
        connection.execute(update(table).where(key).values(**values, changed_at_us=now_us))
    _tell(connection, device_id, asked.subscription_id, asked.state, now_us=now_us)
    return True


def cancel_subscriptions(
    connection: Connection, device_id: str, subscription_ids: Sequence[str], *, now_us: int
) -> list[str]:
    """Cancel these of a device; those that it had."""
    cancelled = []
    for subscription_id in dict.fromkeys(subscription_ids):
        key = (table.c.device_id == device_id) & (table.c.subscription_id == subscription_id)
        changed = update(table).where(key, table.c.state == "asked").values(state="cancelled", changed_at_us=now_us)
        if connection.execute(changed).rowcount:
            cancelled.append(subscription_id)
            _tell(connection, device_id, subscription_id, "cancelled", now_us=now_us)
    return cancelled


def list_subscriptions(connection: Connection, device_id: str | None = None) -> list[tuple[str, Subscription]]:
    """What was asked, by whom; of one device or of all."""
    query = select(table).order_by(table.c.device_id, table.c.subscription_id)
    if device_id is not None:
        query = query.where(table.c.device_id == device_id)
    fields = Subscription.__dataclass_fields__
    return [
        (row["device_id"], Subscription(**{name: row[name] for name in fields}))
        for row in connection.execute(query).mappings()
    ]


def _values(asked: Subscription) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in Subscription.__dataclass_fields__ if name != "subscription_id"}


def _tell(connection: Connection, device_id: str, subscription_id: str, change: str, *, now_us: int) -> None:
    detail = {"change": f"subscription_{change}", "subscription_id": subscription_id}
    event = Event(at_us=now_us, kind="camera_changed", device_id=device_id, detail=detail)
    event_log.append(connection, [event])
