"""Whole list: what ends or must be looked at again soon, and what came of alarms, over all entries. Reads only."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, or_, select

from shouhao.watch.store.alarm_tables import alarms
from shouhao.watch.store.watchlist_tables import entries
from shouhao.watch.watchlist import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """An entry under way whose review or end is near."""

    entry_id: str
    list_id: str
    state: State
    review_at_us: int | None
    expires_at_us: int


def ending_before(connection: Connection, until_us: int, *, limit: int) -> tuple[list[Ending], int]:
    """Listed entries whose review or end comes before an instant, the nearest first; and how many there are in all."""
    near = or_(entries.c.review_at_us < until_us, entries.c.expires_at_us < until_us)
    mine = entries.c.state.in_(("approved", "suspended")) & near
    first = case(
        (entries.c.review_at_us < entries.c.expires_at_us, entries.c.review_at_us), else_=entries.c.expires_at_us
    )
    query = select(entries).where(mine).order_by(first, entries.c.id).limit(limit)
    found = [
        Ending(
            entry_id=row.id,
            list_id=row.list_id,
            state=row.state,
            review_at_us=row.review_at_us,
            expires_at_us=row.expires_at_us,
        )
        for row in connection.execute(query)
    ]
    return found, connection.scalar(select(func.count()).select_from(entries).where(mine)) or 0


def outcomes_since(connection: Connection, since_us: int) -> Mapping[str, Mapping[str, int]]:
    """How many alarms of each list came to what: an outcome of alarm.py, `rejected`, or `open` for none so far."""
    rejected = alarms.c.rejected_at_us.is_not(None)
    query = select(alarms.c.list_id, alarms.c.outcome, rejected.label("rejected"), func.count().label("n"))
    query = query.where(alarms.c.raised_at_us >= since_us).group_by(alarms.c.list_id, alarms.c.outcome, rejected)
    by_list: dict[str, dict[str, int]] = {}
    for row in connection.execute(query):
        became = row.outcome or ("rejected" if row.rejected else "open")
        counts = by_list.setdefault(row.list_id, {})
        counts[became] = counts.get(became, 0) + row.n
    return by_list
