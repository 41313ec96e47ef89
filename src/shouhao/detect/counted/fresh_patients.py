"""Fresh patients: for whom an account stands at a release, and whether it knew them the day before; counted only.

A patient is fresh who was bound to the account within a day and a half before the try. What was tried for counts, not
what was won: a seller who loses the race has shown a customer all the same. Days on which somebody was bound are
counted and not patients, for a parent binds three children in one evening. Whoever signs up binds people at once, which
says nothing: what an account binds within the hour of its making is left out.
"""

from ibis.expr.types import BooleanValue, IntegerValue, Table

from shouhao.detect.counted.sought import sought
from shouhao.detect.identifiers import in_house
from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US

FRESH_US = 36 * HOUR_US
RUSH_US = 60 * SECOND_US  #: who comes later did not wait for the release
SIGNING_UP_US = HOUR_US
LET_GO_US = 5 * DAY_US  #: the visit is over, and the place among the account's patients is wanted for the next one
EARLY_US = 10 * SECOND_US
_SHIFT_US = 8 * HOUR_US  # the hospital's zone, so that its days are whole


def rushes(events: Table) -> Table:
    """One row an account that was at releases by its own hand: how often, and on how many days for somebody fresh.

    account_id, days (with a release it came to), fresh_days (on which the fresh ones were bound), fresh (patients),
    first_at_us, last_at_us (of the fresh ones: from the binding to the try; null without any), calm_fresh_days,
    calm_fresh (the same of what it booked that anybody can have).
    """
    outside = _outside(events)
    found = _with_fresh(events, outside.filter(_in_a_rush(outside)))
    calm = _with_fresh(events, _calm(events, outside))
    calm = calm.select("account_id", calm_fresh_days=calm.fresh_days, calm_fresh=calm.fresh)
    joined = found.left_join(calm, "account_id")
    return joined.select(
        *found.columns,
        calm_fresh_days=joined.calm_fresh_days.fill_null(0),
        calm_fresh=joined.calm_fresh.fill_null(0),
    )


def elsewhere(events: Table) -> Table:
    """Accounts that were at no release and booked what anybody can have: account_id, days, fresh_days, fresh."""
    outside = _outside(events)
    rushed = outside.filter(_in_a_rush(outside)).select("account_id").distinct()
    return _with_fresh(events, _calm(events, outside).anti_join(rushed, "account_id"))


def _calm(events: Table, outside: Table) -> Table:
    """Bookings of sessions that nobody fights over."""
    booked = outside.filter((outside.kind == "booked") & ~_in_a_rush(outside))
    hot = sought(events)
    return booked.anti_join(hot, booked.session_id == hot.session_id)


def _outside(events: Table) -> Table:
    outside = events.filter(~in_house(events) & events.account_id.notnull() & events.patient_id.notnull())
    return outside.select("account_id", "patient_id", "kind", "at_us", "released_at_us", "session_id")


def _in_a_rush(outside: Table) -> BooleanValue:
    after_us = outside.at_us - outside.released_at_us
    there = outside.kind.isin(("booked", "refused")) & (after_us >= -EARLY_US) & (after_us <= RUSH_US)
    return there.fill_null(False)  # noqa: FBT003 - Ibis


def _with_fresh(events: Table, tried: Table) -> Table:
    tried = tried.group_by("account_id", "patient_id", day=_day(tried.at_us)).agg(tried_at_us=tried.at_us.min())
    came = tried.group_by("account_id").agg(days=tried.day.nunique())
    bound = bindings(events)
    met = tried.join(bound, ["account_id", "patient_id"])
    age_us = met.tried_at_us - met.bound_at_us
    fresh = met.filter((age_us >= 0) & (age_us <= FRESH_US))
    counted = fresh.group_by("account_id").agg(
        fresh_days=_day(fresh.bound_at_us).nunique(),
        fresh=fresh.patient_id.nunique(),
        first_at_us=fresh.bound_at_us.min(),
        last_at_us=fresh.tried_at_us.max(),
    )
    joined = came.left_join(counted, "account_id")
    return joined.select(
        "account_id",
        "days",
        "first_at_us",
        "last_at_us",
        fresh_days=joined.fresh_days.fill_null(0),
        fresh=joined.fresh.fill_null(0),
    )


def let_go(events: Table) -> Table:
    """Patients for whom an account was at a release, and whom it unbound within days.

    account_id, patients, first_at_us, last_at_us (from the first try to the last unbinding).
    """
    outside = events.filter(~in_house(events) & events.account_id.notnull() & events.patient_id.notnull())
    after_us = outside.at_us - outside.released_at_us
    tried = outside.filter(outside.kind.isin(("booked", "refused")) & (after_us >= -EARLY_US) & (after_us <= RUSH_US))
    tried = tried.select("account_id", "patient_id", tried_at_us=tried.at_us)
    gone = outside.filter(outside.kind == "patient_unbound")
    met = tried.join(gone.select("account_id", "patient_id", gone_at_us=gone.at_us), ["account_id", "patient_id"])
    met = met.filter((met.gone_at_us > met.tried_at_us) & (met.gone_at_us - met.tried_at_us <= LET_GO_US))
    return met.group_by("account_id").agg(
        patients=met.patient_id.nunique(), first_at_us=met.tried_at_us.min(), last_at_us=met.gone_at_us.max()
    )


def bindings(events: Table) -> Table:
    """Patients whom accounts bound by their own hand, after they were made: account_id, patient_id, bound_at_us."""
    outside = events.filter(~in_house(events) & events.account_id.notnull())
    made = outside.filter(outside.kind == "account_registered")
    made = made.group_by("account_id").agg(made_at_us=made.at_us.min())
    bound = outside.filter((outside.kind == "patient_bound") & outside.patient_id.notnull())
    bound = bound.select("account_id", "patient_id", "at_us")
    joined = bound.left_join(made, "account_id")
    later = joined.filter(joined.made_at_us.isnull() | (joined.at_us - joined.made_at_us >= SIGNING_UP_US))
    return later.select("account_id", "patient_id", bound_at_us="at_us")


def _day(at_us: IntegerValue) -> IntegerValue:
    return (at_us + _SHIFT_US) // DAY_US
