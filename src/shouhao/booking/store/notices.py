"""Notices: what a channel has to tell its people: slots that were offered to them, draws and batches that were made.

Read from the events, by their growing number, so that asking often costs little. Numbers are given before a unit of
work is committed, so a lower one may appear after a higher one; that is why nothing younger than `SETTLED_US` is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, and_, func, or_, select

from shouhao.booking.draw_tables import draw_entries, draws
from shouhao.booking.tables import bookings
from shouhao.kernel.clock import SECOND_US
from shouhao.store.event_log import events

SETTLED_US: Final = 15 * SECOND_US  #: what happened longer ago is committed, or never will be
_SPAN = 20_000  #: events looked through at once
_YOUNG_MOST = 200_000  #: events in which the young ones are looked for when a channel asks for the first time
_MOST_STANDING = 5000  #: offers told to a channel that asks for the first time

NoticeKind = Literal["offer", "draw_result", "batch_result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell one account; ids alone, never a name."""

    id: str  #: the same when it is told again
    kind: NoticeKind
    account_id: str
    at_us: int
    draw_id: str | None = None
    entry_id: str | None = None
    outcome: str | None = None  #: of an entry: won, lost, left_out
    booking_id: str | None = None
    session_id: str | None = None
    until_us: int | None = None  #: when an offer is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a channel has read."""

    seq: int  #: of the last event that was told whole
    entry_id: str = ""  #: within the next event, a draw: the last entry that was told


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Some notices, oldest first."""

    notices: tuple[Notice, ...]
    cursor: Cursor
    more: bool  #: ask again at once


def standing_offers(connection: Connection, channel: str, *, now_us: int) -> Told:
    """What a channel that asks for the first time is told: the offers that stand, and from where to read on."""
    rows = connection.execute(
        select(bookings)
        .where(
            bookings.c.state == "offered",
            bookings.c.hold_expires_at_us > now_us,
            bookings.c.channel == channel,
            bookings.c.account_id.is_not(None),
        )
        .order_by(bookings.c.created_at_us, bookings.c.id)
        .limit(_MOST_STANDING)
    )
    offers = tuple(
        Notice(
            id=f"offer:{row.id}",
            kind="offer",
            account_id=row.account_id,
            at_us=row.created_at_us,
            booking_id=row.id,
            session_id=row.session_id,
            until_us=row.hold_expires_at_us,
        )
        for row in rows
    )
    return Told(notices=offers, cursor=Cursor(seq=_last_settled(connection, now_us=now_us)), more=False)


def notices_after(connection: Connection, channel: str, cursor: Cursor, *, limit: int, now_us: int) -> Told:
    """What happened to a channel's people since it last asked."""
    end, beyond = _until(connection, cursor.seq, now_us=now_us)
    offered = and_(events.c.kind == "offered", events.c.channel == channel, events.c.account_id.is_not(None))
    rows = connection.execute(
        select(events.c.seq, events.c.at_us, events.c.kind, events.c.account_id, events.c.session_id, events.c.detail)
        .where(events.c.seq > cursor.seq, events.c.seq <= end, or_(offered, events.c.kind == "draw_made"))
        .order_by(events.c.seq)
        .limit(limit)
    ).all()
    told: list[Notice] = []
    at = cursor
    for row in rows:
        if row.kind == "offered":
            told.append(_offer(row))
        else:
            results = _results(connection, channel, row, after=at.entry_id, limit=limit - len(told) + 1)
            room = limit - len(told)
            told += results[:room]
            if len(results) > room:
                stopped = results[room - 1].entry_id if room else at.entry_id
                return Told(notices=tuple(told), cursor=Cursor(seq=at.seq, entry_id=stopped or ""), more=True)
        at = Cursor(seq=row.seq)
        if len(told) >= limit:
            return Told(notices=tuple(told), cursor=at, more=True)
    if len(rows) == limit:
        return Told(notices=tuple(told), cursor=at, more=True)
    return Told(notices=tuple(told), cursor=Cursor(seq=max(end, cursor.seq)), more=beyond)


def _last_settled(connection: Connection, *, now_us: int) -> int:
    """The last number before everything that is too young; what is around it may be told twice, never not at all."""
    last = connection.execute(select(func.max(events.c.seq))).scalar() or 0
    young = connection.execute(
        select(func.min(events.c.seq)).where(events.c.seq > last - _YOUNG_MOST, events.c.at_us > now_us - SETTLED_US)
    ).scalar()
    return int(last if young is None else young - 1)


def _until(connection: Connection, seq: int, *, now_us: int) -> tuple[int, bool]:
    """How far may be read now, and whether there is more behind it that may be read as well."""
    reach = seq + _SPAN
    young = connection.execute(
        select(func.min(events.c.seq)).where(
            events.c.seq > seq, events.c.seq <= reach, events.c.at_us > now_us - SETTLED_US
        )
    ).scalar()
    if young is not None:
        return int(young) - 1, False
    last = connection.execute(select(func.max(events.c.seq))).scalar() or 0
    return min(reach, int(last)), int(last) > reach


def _offer(row: Any) -> Notice:
    detail = msgspec.json.decode(row.detail)
    return Notice(
        id=f"offer:{detail['booking_id']}",
        kind="offer",
        account_id=row.account_id,
        at_us=row.at_us,
        booking_id=detail["booking_id"],
        session_id=row.session_id,
        until_us=row.at_us + detail["expires_in_s"] * SECOND_US,
    )


def _results(connection: Connection, channel: str, row: Any, *, after: str, limit: int) -> Sequence[Notice]:
    """What a draw brought the channel's people, by the entries' ids."""
    draw_id = msgspec.json.decode(row.detail)["draw_id"]
    found = connection.execute(
        select(
            draw_entries.c.id,
            draw_entries.c.account_id,
            draw_entries.c.state,
            draw_entries.c.session_id,
            draws.c.kind,
        )
        .join(draws, draws.c.id == draw_entries.c.draw_id)
        .where(
            draw_entries.c.draw_id == draw_id,
            draw_entries.c.id > after,
            draw_entries.c.channel == channel,
            draw_entries.c.account_id.is_not(None),
            draw_entries.c.state.in_(["won", "lost", "left_out"]),
        )
        .order_by(draw_entries.c.id)
        .limit(limit)
    )
    return [
        Notice(
            id=f"result:{one.id}",
            kind="batch_result" if one.kind == "waitlist" else "draw_result",
            account_id=one.account_id,
            at_us=row.at_us,
            draw_id=draw_id,
            entry_id=one.id,
            outcome=one.state,
            session_id=one.session_id,
        )
        for one in found
    ]
