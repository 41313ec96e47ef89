"""Releases that nobody wrote down: many exports do not say when slots were opened, but the crowd shows it.

A session counts as opened at the full minute in which it was first asked for, if several accounts came to it within a
minute, and many to all such sessions. Releases are set by the clock, so that the minute is the moment; where one was
not, people are taken to be slower than they were, and nobody is accused by it.
"""

from ibis.expr.types import Table

from shouhao.detect.identifiers import in_house
from shouhao.kernel.clock import MINUTE_US

_LEAST_HERE = 3  # accounts at one session; two may meet by chance
_LEAST_IN_ALL = 20  # accounts in the minute: a crowd


def with_releases(events: Table) -> Table:
    """The events with released_at_us by session, null where no crowd shows it."""
    asked = events.filter(events.kind.isin(("booked", "refused")) & ~in_house(events))
    asked = asked.filter(asked.session_id.notnull() & asked.account_id.notnull())
    firsts = asked.group_by("session_id").agg(first_us=asked.at_us.min())
    firsts = firsts.mutate(opened_us=firsts.first_us - firsts.first_us % MINUTE_US)
    met = asked.select("session_id", "account_id", "at_us").join(firsts, "session_id")
    met = met.filter(met.at_us < met.first_us + MINUTE_US)
    here = met.group_by("session_id", "opened_us").agg(accounts=met.account_id.nunique())
    here = here.filter(here.accounts >= _LEAST_HERE)
    crowds = met.semi_join(here, "session_id").group_by("opened_us").agg(everybody=met.account_id.nunique())
    crowds = crowds.filter(crowds.everybody >= _LEAST_IN_ALL)
    opened = here.semi_join(crowds, "opened_us").select("session_id", "opened_us")
    joined = events.left_join(opened, "session_id")
    return joined.select(
        *(joined.opened_us.name(name) if name == "released_at_us" else name for name in events.columns)
    )
