"""Asks: what the watchlist's staff asked others to approve, until it is done or has come to nothing.

Who asked, who agreed and what exactly stands with the approval (staff/approvals.py); here stands what to do with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from shouhao.kernel.errors import NotFound
from shouhao.watch.store.watchlist_tables import asks

AskedAct = Literal["list", "renew", "resume", "erase", "list_change", "issuer", "import", "export"]
AskKind = Literal["watch_entry", "watch_import", "erase", "policy", "export"]
Became = Literal["done", "refused", "over"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One of them."""

    approval_id: str
    act: AskedAct
    kind: AskKind
    subject: str
    asked_at_us: int
    became: Became | None  #: None: it is still waited for


def add_ask(
    connection: Connection, approval_id: str, *, act: AskedAct, kind: AskKind, subject: str, now_us: int
) -> None:
    """Remember what an approval is for."""
    row = {"approval_id": approval_id, "act": act, "kind": kind, "subject": subject, "asked_at_us": now_us}
    connection.execute(insert(asks).values(**row))


def ask_of(connection: Connection, approval_id: str, *, lock: bool = False) -> Ask:
    """What an approval is for.

    Args:
        lock: hold the row until the unit of work ends.
    Raises:
        NotFound: nothing of the watchlist.
    """
    query = select(asks).where(asks.c.approval_id == approval_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("watchlist request", "approval_id")
    return Ask(
        approval_id=row.approval_id,
        act=row.act,
        kind=row.kind,
        subject=row.subject,
        asked_at_us=row.asked_at_us,
        became=row.became,
    )


def waiting(connection: Connection, *, after: str = "", limit: int = 200) -> Sequence[str]:
    """Approvals of which nothing has come yet, in the order in which they were asked for."""
    query = select(asks.c.approval_id).where(asks.c.done_at_us.is_(None), asks.c.approval_id > after)
    return connection.scalars(query.order_by(asks.c.approval_id).limit(limit)).all()


def waiting_for(connection: Connection, subject: str, act: AskedAct) -> str | None:
    """An approval about this subject that is still waited for, so that nobody asks twice."""
    query = select(asks.c.approval_id).where(asks.c.done_at_us.is_(None), asks.c.subject == subject, asks.c.act == act)
    return connection.scalar(query.order_by(asks.c.approval_id.desc()).limit(1))


def close_ask(connection: Connection, approval_id: str, became: Became, *, now_us: int) -> None:
    """Say what became of it."""
    row = update(asks).where(asks.c.approval_id == approval_id)
    connection.execute(row.values(done_at_us=now_us, became=became))
