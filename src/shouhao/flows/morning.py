"""Morning: what today's releases come to as they go, from the event log: who got what how fast, who was refused why.

The log is followed, not searched: a look reads what was written since the last one and adds it to the counts, so that
fifty pages that look every few seconds cost one reader. A process that begins in the middle of the day reads the day
once. What is free and who waits is asked of the inventory; here are the curves.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from shouhao.booking.store.catalogue import SessionListing, released_between
from shouhao.booking.store.draws_seen import see_draws
from shouhao.kernel.clock import DAY_US, SECOND_US, day_of, start_of_day_us
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.followed_log import FollowedLog

SESSIONS_MOST = 300  #: sessions of one day's releases that are shown
_GOOD_FOR_US = SECOND_US  #: a look that is younger is handed on as it is
_CURVE_MOST = 240  #: points of one session's curve
_FIELDS = ("seq", *event_log.events.c.keys()[1:])
_AT, _KIND, _SESSION, _RELEASED, _DETAIL = (
    _FIELDS.index(name) for name in ("at_us", "kind", "session_id", "released_at_us", "detail")
)
_COUNTED = frozenset({"booked", "cancelled", "expired", "refused", "waitlisted", "offered", "accepted", "draw_entered"})
#: What takes a slot and what gives one back, as the curve of a session counts them.
_TAKEN = {"booked": 1, "offered": 1, "cancelled": -1, "expired": -1}

_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(slots=True)
class Tally:
    """What happened to one session today."""

    kinds: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  #: by the refusal's code
    moves: list[tuple[int, int]] = field(default_factory=list)  #: when, and how many more (or fewer) slots were taken


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMorning:
    """One session of today's releases."""

    listing: SessionListing
    kinds: Mapping[str, int]
    refused: Mapping[str, int]
    entries: int  #: of the draw that allots it, if one does
    curve: Sequence[tuple[float, int]]  #: seconds since the release, slots taken by then
    gone_after_s: float | None  #: when 90 % of what it released was taken; None: not yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Morning:
    """One day's releases as they stand."""

    day: date
    at_us: int
    sessions: Sequence[SessionMorning]
    kinds: Mapping[str, int]  #: of the whole day, with what concerns no session
    refused: Mapping[str, int]


class MorningBoard:
    """Follows the log for everybody who looks. Safe to use from several threads."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._day: date | None = None
        self._log = FollowedLog(after_seq=0)
        self._tallies: dict[str, Tally] = defaultdict(Tally)
        self._whole = Tally()
        self._seen: Morning | None = None

    def look(self, *, now_us: int) -> Morning:
        """Today's releases; at most a second old."""
        with self._lock:
            seen = self._seen
            if seen is not None and seen.day == day_of(now_us) and 0 <= now_us - seen.at_us < _GOOD_FOR_US:
                return seen
            self._seen = self._look(now_us)
            return self._seen

    def _look(self, now_us: int) -> Morning:
        today = day_of(now_us)
        begins_us = start_of_day_us(today)
        with self._db.read() as connection:
            if today != self._day:
                self._day, self._log = today, FollowedLog(after_seq=event_log.seq_before(connection, begins_us))
                self._tallies, self._whole = defaultdict(Tally), Tally()
            for row in self._log.new(connection, now_us=now_us):
                self._add(row, begins_us)
            listed = released_between(connection, from_us=begins_us, to_us=begins_us + DAY_US, limit=SESSIONS_MOST)
            draws = see_draws(connection, sorted({one.draw_id for one in listed if one.draw_id is not None}))
        return Morning(
            day=today,
            at_us=now_us,
            sessions=[
                _session(
                    one,
                    self._tallies.get(one.id, _NOTHING),
                    entries=draws[one.draw_id].entries if one.draw_id in draws else 0,
                )
                for one in listed
            ],
            kinds=dict(self._whole.kinds),
            refused=dict(self._whole.refused),
        )

    def _add(self, row: Sequence[Any], begins_us: int) -> None:
        kind, at_us = row[_KIND], row[_AT]
        if kind not in _COUNTED or at_us < begins_us:
            return
        session_id = row[_SESSION]
        code = _code_of(row[_DETAIL]) if kind == "refused" else ""
        for tally in (self._whole, self._tallies[session_id]) if session_id else (self._whole,):
            tally.kinds[kind] += 1
            if code:
                tally.refused[code] += 1
        if session_id and kind in _TAKEN:
            self._tallies[session_id].moves.append((at_us, _TAKEN[kind]))


_NOTHING = Tally()


def _code_of(detail: str | None) -> str:
    try:
        code = _decode(detail or "{}").get("code")
    except msgspec.DecodeError:
        return "unknown"
    return code if isinstance(code, str) else "unknown"


def _session(listing: SessionListing, tally: Tally, *, entries: int) -> SessionMorning:
    released_us = listing.released_at_us
    curve, gone = ([], None) if released_us is None else _curve(tally.moves, released_us, listing.capacity)
    return SessionMorning(
        listing=listing,
        kinds=dict(tally.kinds),
        refused=dict(tally.refused),
        entries=entries,
        curve=curve,
        gone_after_s=gone,
    )


def _curve(
    moves: Sequence[tuple[int, int]], released_us: int, capacity: int
) -> tuple[list[tuple[float, int]], float | None]:
    """Slots taken over the seconds since the release, thinned to what can be drawn, and when nine in ten were gone."""
    taken, gone = 0, None
    points = [(0.0, 0)]
    for at_us, more in sorted(moves):
        taken += more
        after_s = max(0.0, (at_us - released_us) / SECOND_US)
        points.append((round(after_s, 3), taken))
        if gone is None and capacity and taken >= 0.9 * capacity:
            gone = after_s
    step = max(1, len(points) // _CURVE_MOST)
    return [*points[:-1:step], points[-1]], gone
