"""Demand in the database: who asked for the sessions of a scope in a past time, for the dry run of a policy.

A person asked when they booked, found the session sold out, joined its waitlist, or entered its draw. It reads what is
there already: bookings, events and entries; five statements, bounded by a number of sessions and of requests.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, func, or_, select, text

from shouhao.booking.demand import Asker, Demand, SessionDemand
from shouhao.booking.release.policy import PREFIX, check_number, check_scope, inherits
from shouhao.booking.tables import sessions
from shouhao.store import batch, policies

MOST_SESSIONS: Final = 2000
MOST_ASKED: Final = 500_000  #: rows of each kind of request; beyond it sessions are left out whole

#: Refusals of somebody who would have had a slot if there had been one. A limit or a restriction would stand under any
#: release policy, so who met one is no demand that a policy could serve.
_NONE_LEFT: Final = ("booking.sold_out", "booking.slot_taken")


def demand(
    connection: Connection, *, scope: str, from_us: int, to_us: int, limit: int = MOST_SESSIONS, most: int = MOST_ASKED
) -> Demand:
    """What was asked of the sessions that a scope rules and that were released in a time.

    A session that a narrower policy rules at the end of this time is not the scope's, and is left out.

    Args:
        scope: as `check_scope` has it.
        from_us: the first moment of the time.
        to_us: the moment after its last.
        limit: 1..2000 sessions; when there are more, the latest are taken.
        most: requests of each kind; when there are more, some sessions are left out, whole.
    Raises:
        InvalidInput: the scope is none, or the limit is outside its range.
    """
    check_scope(scope)
    check_number("limit", limit, 1, MOST_SESSIONS)
    mine = [*_ruled(connection, scope, now_us=to_us), sessions.c.released_at_us >= from_us]
    mine.append(sessions.c.released_at_us < to_us)
    ruled = connection.execute(select(func.count()).select_from(sessions).where(*mine)).scalar_one()
    latest = select(sessions).where(*mine).order_by(sessions.c.released_at_us.desc(), sessions.c.id).limit(limit)
    found = {row.id: row for row in connection.execute(latest)}
    asked, before = _asked(connection, list(found), most)
    kept = [row for session_id, row in found.items() if before is None or session_id < before]
    capacity = _capacity(connection, [row.id for row in kept])
    return Demand(
        scope=scope,
        from_us=from_us,
        to_us=to_us,
        sessions=tuple(
            SessionDemand(
                session_id=row.id,
                department_id=row.department_id,
                released_at_us=row.released_at_us,
                starts_at_us=row.starts_at_us,
                capacity=capacity.get(row.id, 0),
                askers=tuple(asked[row.id].values()),
            )
            for row in sorted(kept, key=lambda row: (row.released_at_us, row.id))
        ),
        ruled=ruled,
        cut=len(kept) < ruled,
    )


def _ruled(connection: Connection, scope: str, *, now_us: int) -> list[ColumnElement[bool]]:
    """The sessions of a scope, less those of narrower scopes that have a policy of their own."""
    what, _, which = scope.partition(":")
    kept = policies.all_effective(connection, now_us=now_us, prefix=PREFIX)
    own: dict[str, list[str]] = defaultdict(list)
    for kind, version in kept.items():
        if inherits(version.body):
            continue
        narrower, _, of = kind.removeprefix(PREFIX).partition(":")
        own[narrower].append(of)
    columns = {"doctor": sessions.c.doctor_id, "department": sessions.c.department_id, "kind": sessions.c.kind}
    conditions: list[ColumnElement[bool]] = []
    for narrower, column in columns.items():
        if narrower == what:
            return [*conditions, column == which]
        conditions.append(or_(column.is_(None), column.not_in(own[narrower])))
    return conditions


def _asked(
    connection: Connection, session_ids: Sequence[str], most: int
) -> tuple[dict[str, dict[str, Asker]], str | None]:
    """Everybody who asked, by session and person; and the session from which on, by id, not all were read."""
    sql = _sql(connection.dialect.name)
    which = {"ids": batch.encode(list(session_ids)), "most": most + 1}
    found: dict[str, dict[str, Asker]] = defaultdict(dict)
    ends: list[str] = []
    for statement, take in ((sql.refused, _take_refused), (sql.booked, _take_booked), (sql.entered, _take_entered)):
        rows = batch.rows(connection, statement, which)
        if len(rows) > most:
            ends.append(rows[-1][0])
        for row in rows:
            take(found[row[0]], row)
    return found, min(ends, default=None)


def _take_refused(askers: dict[str, Asker], row: Any) -> None:
    _, patient_id, account_id, channel, asked_after_us = row
    _ask(askers, Asker(patient_id=patient_id, account_id=account_id, channel=channel, asked_after_us=asked_after_us))


def _take_booked(askers: dict[str, Asker], row: Any) -> None:
    """A booking is a request that was served; one that was offered is served if it was taken."""
    _, patient_id, account_id, channel, asked_after_us, state, ended_at_us, handed_on = row
    let_go = state in {"returned", "expired"}
    refused_offer = handed_on and state == "expired"
    asker = Asker(
        patient_id=patient_id,
        account_id=account_id,
        channel=channel,
        asked_after_us=max(asked_after_us, 0),
        got=state != "offered" and not refused_offer,
        returned_at_us=ended_at_us if let_go and not refused_offer else None,
    )
    _ask(askers, asker)


def _take_entered(askers: dict[str, Asker], row: Any) -> None:
    session_id, people, account_id, channel, wishes = row
    wished = msgspec.json.decode(wishes)
    if session_id not in wished:  # LIKE is not exact: an underscore of an id stands for any letter
        return
    wish = wished.index(session_id)
    for patient_id in msgspec.json.decode(people):
        entered = Asker(patient_id=patient_id, account_id=account_id, channel=channel, asked_after_us=None, wish=wish)
        _ask(askers, entered)


def _ask(askers: dict[str, Asker], asker: Asker) -> None:
    """Join what is known of a person: the first request counts, and what came of any of them."""
    known = askers.get(asker.patient_id)
    if known is None:
        askers[asker.patient_id] = asker
        return
    first = min(known, asker, key=lambda a: -1 if a.asked_after_us is None else a.asked_after_us)
    returned = [at for at in (known.returned_at_us, asker.returned_at_us) if at is not None]
    askers[asker.patient_id] = replace(first, got=known.got or asker.got, returned_at_us=max(returned, default=None))


def _capacity(connection: Connection, session_ids: Sequence[str]) -> dict[str, int]:
    which = {"ids": batch.encode(list(session_ids))}
    return {row[0]: row[1] for row in batch.rows(connection, _sql(connection.dialect.name).capacity, which)}


class _Statements:
    """The statements, worded once for one kind of database. Each answers in the order of the sessions' ids."""

    def __init__(self, dialect: str) -> None:
        ids = batch.values(dialect, "ids")
        detail = "CAST(e.detail AS json)" if dialect == "postgresql" else "e.detail"
        codes = ", ".join(f"'{code}'" for code in _NONE_LEFT)
        self.refused = text(
            f"""
            SELECT e.session_id, e.patient_id, e.account_id, e.channel, min(e.at_us - s.released_at_us)
            FROM events e JOIN sessions s ON s.id = e.session_id
            WHERE e.session_id IN {ids} AND e.kind IN ('refused', 'waitlisted') AND e.at_us >= s.released_at_us
              AND e.patient_id IS NOT NULL AND e.channel IS NOT NULL
              AND (e.kind = 'waitlisted' OR {detail} ->> 'code' IN ({codes}))
            GROUP BY e.session_id, e.patient_id, e.account_id, e.channel
            ORDER BY e.session_id LIMIT :most
            """
        )
        # An extra slot is given, not released.
        self.booked = text(
            f"""
            SELECT b.session_id, b.patient_id, b.account_id, b.channel, b.created_at_us - s.released_at_us, b.state,
                   b.ended_at_us, b.wait_id IS NOT NULL
            FROM bookings b JOIN sessions s ON s.id = b.session_id JOIN slots p ON p.id = b.slot_id
            WHERE b.session_id IN {ids} AND NOT p.extra
            ORDER BY b.session_id LIMIT :most
            """
        )
        self.entered = text(
            f"""
            SELECT t.session_id, e.people, e.account_id, e.channel, e.wishes
            FROM draw_targets t JOIN draws d ON d.id = t.draw_id JOIN draw_entries e ON e.draw_id = d.id
            WHERE t.session_id IN {ids} AND d.kind = 'release' AND e.state IN ('entered', 'won', 'lost')
              AND e.wishes LIKE '%"' || t.session_id || '"%'
            ORDER BY t.session_id LIMIT :most
            """
        )
        # The slot of somebody who did not come is withdrawn afterwards; it was released all the same.
        self.capacity = text(
            f"""
            SELECT p.session_id, count(*) FROM slots p
            WHERE p.session_id IN {ids} AND NOT p.extra
              AND (p.state <> 'withdrawn' OR p.id IN (SELECT b.slot_id FROM bookings b WHERE b.session_id IN {ids}))
            GROUP BY p.session_id
            """
        )


@lru_cache(maxsize=2)
def _sql(dialect: str) -> _Statements:
    return _Statements(dialect)
