"""Skew: how far the clock of a log is from that of the events, as told by bookings that both have seen.

A booking event and the POST that made it lie as far apart as the two clocks. Each booking is held against all POSTs of
the same session (else device, account or address) within a quarter of an hour; the true distance is the one that most
bookings share, whatever else their clients sent. It is stated and never applied: times stay as the sources wrote them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shouhao.detect.inputs.lines import Int64s
from shouhao.kernel.clock import MINUTE_US, SECOND_US

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WITHIN_US = 15 * MINUTE_US
LEAST_MATCHED = 20
LEAST_SHARE = 0.3  #: of the bookings that any POST of the same client lies near
_NEAR_US = 2 * SECOND_US  #: of the distance that most share
_BOOKINGS = 20_000
_LINES_OF_KEY = 1_000  #: a session, a device or an address with more POSTs tells nothing of one booking
_KEYS = ("session_token", "device_id", "account_id", "ip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """A log's clock against that of the events."""

    source: int  #: the log
    offset_us: int  #: the log's time less the events' time; median
    spread_us: int  #: median of the distances from it
    matched: int  #: bookings that it was told from
    by: str  #: the column that led a booking to its line


def estimate_skews(
    connection: "DuckDBPyConnection", *, logs: Iterable[int], columns: Iterable[str]
) -> tuple[Skew, ...]:
    """The skew of each log that `hits` and `events` tell one of; nothing for a log that they do not.

    Args:
        logs: numbers of the sources in `hits`.
        columns: of `hits`, those that carry anything.
    """
    filled, wanted = set(columns), set(logs)
    skews: dict[int, Skew] = {}
    for key in _KEYS:
        if key not in filled or wanted <= set(skews):
            continue
        for source, near in _pairs(connection, key, posts_alone="method" in filled).items():
            skew = _skew(source, near, key)
            if skew is not None:
                skews.setdefault(source, skew)
    return tuple(skews[source] for source in sorted(skews))


def _pairs(connection: "DuckDBPyConnection", key: str, *, posts_alone: bool) -> dict[int, tuple[Int64s, Int64s]]:
    """For each log, bookings (by number) and how much later, or earlier, the log has a POST of their client."""
    posts = (
        f"(SELECT source, at_us, {key} FROM hits WHERE {key} IS NOT NULL{' AND method = $post' if posts_alone else ''})"
    )
    query = f"""WITH booked AS (
            SELECT row_number() OVER () AS number, at_us, {key} FROM (
                SELECT at_us, {key} FROM events WHERE kind = 'booked' AND {key} IS NOT NULL
                ORDER BY md5(event_id), event_id LIMIT {_BOOKINGS})
        ), post AS (SELECT source, at_us, {key} FROM {posts} WHERE {key} IN (SELECT {key} FROM booked)),
        few AS (SELECT {key} FROM post GROUP BY {key} HAVING count(*) <= {_LINES_OF_KEY})
        SELECT post.source, booked.number, post.at_us - booked.at_us AS later
        FROM booked JOIN post ON post.{key} = booked.{key}
        WHERE post.at_us BETWEEN booked.at_us - {WITHIN_US} AND booked.at_us + {WITHIN_US}
            AND booked.{key} IN (SELECT {key} FROM few)
        ORDER BY ALL"""
    found: Any = connection.execute(query, {"post": "POST"} if posts_alone else None).fetchnumpy()
    sources = np.asarray(found["source"])
    return {
        int(source): (np.asarray(found["number"])[sources == source], np.asarray(found["later"])[sources == source])
        for source in np.unique(sources)
    }


def _skew(source: int, near: tuple[Int64s, Int64s], key: str) -> Skew | None:
    numbers, later = near
    bins = np.floor_divide(later, SECOND_US)
    # Each booking speaks once for a second; the fullest two seconds are it, those nearest to zero if several.
    spoken = np.unique(np.stack([bins, numbers]), axis=1)[0]
    seconds, votes = np.unique(spoken, return_counts=True)
    of = dict(zip(seconds.tolist(), votes.tolist(), strict=True))
    peak = max(of, key=lambda s: (of[s] + of.get(s + 1, 0), -abs(s), s))
    middle = (peak + 1) * SECOND_US
    close = np.abs(later - middle) <= _NEAR_US
    first = np.unique(numbers[close], return_index=True)[1]
    chosen = later[close][first]
    if len(chosen) < LEAST_MATCHED or len(chosen) < LEAST_SHARE * len(np.unique(numbers)):
        return None
    offset = int(np.median(chosen))
    return Skew(
        source=source,
        offset_us=offset,
        spread_us=int(np.median(np.abs(chosen - offset))),
        matched=len(chosen),
        by=key,
    )
