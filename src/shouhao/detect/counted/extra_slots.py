"""Extra slots: who added them for whom, and what became of them; and what staff looked at; counted only."""

import ibis
from ibis.expr.types import Table

from shouhao.detect.counted.fresh_patients import bindings
from shouhao.kernel.clock import DAY_US, HOUR_US

_SHIFT_US = 8 * HOUR_US  # the hospital's zone
_COLUMNS = (
    "event_id",
    "at_us",
    "staff_id",
    "department_id",
    "patient_id",
    "session_id",
    "slot_id",
)


def extras(events: Table, *, hours: tuple[int, int]) -> Table:
    """Each extra slot: when, by whom, for whom, on whose account and purse, and whether somebody came.

    Args:
        hours: local hours between which the house works.
    """
    added = events.filter((events.kind == "extra_slot_added") & events.staff_id.notnull())
    added = added.filter(added.patient_id.notnull() | added.slot_id.notnull())
    local_us = (added.at_us + _SHIFT_US) % DAY_US
    off = (local_us < hours[0] * HOUR_US) | (local_us >= hours[1] * HOUR_US)
    added = added.select(*_COLUMNS, off_hours=off, own_account=added.account_id, own_payer=added.payer_id)
    with_purse = _with_purse(events, added)
    return _with_visit(events, with_purse.view())  # a view: the next joins name its computed columns


def _with_purse(events: Table, added: Table) -> Table:
    """Whoever else is named at that slot: the account that holds it, the one who pays, the patient."""
    at_slot = events.filter(events.slot_id.notnull() & events.kind.isin(("booked", "paid", "checked_in")))
    named = at_slot.group_by("slot_id").agg(
        slot_account=at_slot.account_id.min(),
        slot_payer=at_slot.payer_id.min(),
        slot_patient=at_slot.patient_id.min(),
    )
    joined = added.left_join(named, "slot_id")
    return joined.select(
        *(name for name in _COLUMNS if name != "patient_id"),
        "off_hours",
        patient_id=joined.patient_id.fill_null(joined.slot_patient),
        account_id=joined.own_account.fill_null(joined.slot_account),
        payer_id=joined.own_payer.fill_null(joined.slot_payer),
    )


def _with_visit(events: Table, added: Table) -> Table:
    """With whether somebody came, and whether that can be known: only where visits of the session are recorded."""
    visits = events.filter(events.kind.isin(("checked_in", "no_show")))
    came = visits.filter(visits.kind == "checked_in")
    sessions = visits.filter(visits.session_id.notnull()).select("session_id")
    at_slot = came.filter(came.slot_id.notnull()).select("slot_id")
    at_session = came.filter(came.session_id.notnull() & came.patient_id.notnull()).select("session_id", "patient_id")
    known = added.semi_join(sessions, "session_id").select("event_id", came=0)
    seen = ibis.union(
        added.semi_join(at_slot, "slot_id").select("event_id", came=1),
        added.semi_join(at_session, ["session_id", "patient_id"]).select("event_id", came=1),
    )
    both = ibis.union(known, seen)
    decided = both.group_by("event_id").agg(came=both.came.max())
    joined = added.left_join(decided, "event_id")
    return joined.select(*added.columns, came=joined.came.fill_null(0) == 1, decided=joined.came.notnull())


def newly_bound(events: Table, added: Table, *, within_us: int) -> Table:
    """Extra slots for patients whom an account had bound not long before: event_id, bound_by.

    Args:
        added: as `extras` gives them.
    """
    bound = bindings(events).select("patient_id", "bound_at_us", bound_by="account_id")
    met = added.select("event_id", "at_us", "patient_id").join(bound, "patient_id")
    age_us = met.at_us - met.bound_at_us
    return met.filter((age_us >= 0) & (age_us <= within_us)).group_by("event_id").agg(bound_by=met.bound_by.min())


def looks_without_need(events: Table, *, within_us: int) -> Table:
    """At how many patients each member of staff looked, and of how many nothing else is known around that time."""
    looked = events.filter((events.kind == "viewed") & events.staff_id.notnull() & events.patient_id.notnull())
    looks = looked.group_by("staff_id", "patient_id", day=_day(looked.at_us)).agg(
        first_at_us=looked.at_us.min(), last_at_us=looked.at_us.max()
    )
    other = events.filter((events.kind != "viewed") & events.patient_id.notnull())
    busy = other.select("patient_id", busy_day=_day(other.at_us)).distinct()
    met = looks.join(busy, "patient_id")
    days = met.busy_day - met.day
    needed = met.filter((days <= within_us) & (days >= -within_us))
    needed = needed.select("staff_id", "patient_id", "day").distinct().mutate(needed=1)
    joined = looks.left_join(needed, ["staff_id", "patient_id", "day"]).select(*looks.columns, "needed")
    return joined.group_by("staff_id").agg(
        looked=joined.patient_id.nunique(),
        needless=ibis.cases((joined.needed.isnull(), joined.patient_id)).nunique(),
        first_at_us=joined.first_at_us.min(),
        last_at_us=joined.last_at_us.max(),
    )


def _day(at_us: ibis.expr.types.IntegerColumn) -> ibis.expr.types.IntegerColumn:
    local_us = at_us + _SHIFT_US
    return local_us - local_us % DAY_US
