"""Sought sessions: a good part of their slots is gone within a minute of the release; nobody sells the others."""

from ibis.expr.types import Table

from shouhao.kernel.clock import SECOND_US

_SOON_US = 60 * SECOND_US
_SHARE = 4  # one in so many; a script, or two in a hurry, make no session sought


def sought(events: Table) -> Table:
    """The sessions that were sought, as far as their release is known: session_id."""
    booked = events.filter((events.kind == "booked") & events.session_id.notnull() & events.released_at_us.notnull())
    soon = booked.at_us - booked.released_at_us <= _SOON_US
    each = booked.group_by("session_id").agg(booked=booked.count(), soon=soon.sum())
    return each.filter(each.soon * _SHARE >= each.booked).select("session_id")
