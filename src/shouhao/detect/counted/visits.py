"""Visits: what became of each account's bookings: given back, missed, attended, and by whom; counted only."""

from collections.abc import Mapping

import ibis
from ibis.expr.types import Table

from shouhao.detect.counted.returned_slots import RETURNS
from shouhao.detect.identifiers import in_house
from shouhao.kernel.clock import DAY_US

_ABOUT = r'"about"\s*:\s*"([^"]+)"'
_ENDS = (*RETURNS, "checked_in", "no_show")


def outcomes(events: Table) -> Table:
    """One row an account: how many bookings it made by its own hand, and what became of them.

    booked, patients, returned, decided (attended or missed), missed, checked_in, somebody_else (another patient came
    than the one booked), passing (patients who appear on no other day), first_at_us, last_at_us.
    """
    booked = events.filter(
        (events.kind == "booked") & ~in_house(events) & events.account_id.notnull() & events.slot_id.notnull()
    )
    order = ibis.window(group_by=booked.slot_id, order_by=[booked.at_us, booked.event_id])
    booked = booked.select(
        "slot_id", "account_id", "patient_id", "event_id", "at_us", until_us=booked.at_us.lead(1).over(order)
    )
    ends = events.filter(events.kind.isin(_ENDS) & events.slot_id.notnull())
    ends = ends.select("slot_id", end_kind=ends.kind, end_us=ends.at_us, end_patient=ends.patient_id)
    # An end with a patient who has booked that slot is theirs; only one with a stranger to it is the last booker's.
    own = booked.select("slot_id", end_patient=booked.patient_id, known=booked.at_us).distinct(
        on=["slot_id", "end_patient"]
    )
    ends = ends.left_join(own, ["slot_id", "end_patient"]).select(*ends.columns, known=own.known.notnull())
    met = booked.join(ends, "slot_id")
    same = (met.end_patient == met.patient_id).fill_null(False)  # noqa: FBT003 - Ibis
    live = met.until_us.isnull() | (met.end_us <= met.until_us)
    met = met.filter((met.end_us >= met.at_us) & ((met.known & same) | (~met.known & live)))
    other = met.end_patient.notnull() & met.patient_id.notnull() & ~met.known
    came = met.end_kind == "checked_in"
    became = met.group_by("event_id").agg(
        returned=met.end_kind.isin(RETURNS).max(),
        missed=(met.end_kind == "no_show").max(),
        checked_in=came.max(),
        somebody_else=(came & other).max(),
    )
    joined = booked.left_join(became, "event_id")
    flags = {name: joined[name].fill_null(False) for name in _FLAGS}  # noqa: FBT003 - Ibis
    each = joined.select("account_id", "patient_id", "at_us", **flags)
    passing = _passing(events)
    each = each.left_join(passing, "patient_id").select(*each.columns, "passes")
    return each.group_by("account_id").agg(
        booked=each.count(),
        patients=each.patient_id.nunique(),
        passing=ibis.cases((each.passes.notnull(), each.patient_id)).nunique(),
        decided=(each.missed | each.checked_in).sum().cast("int64"),
        first_at_us=each.at_us.min(),
        last_at_us=each.at_us.max(),
        **{name: each[name].sum().cast("int64") for name in _FLAGS},
    )


_FLAGS = ("returned", "missed", "checked_in", "somebody_else")


def _passing(events: Table) -> Table:
    """Patients who turn up, are booked for within the day, come or not, and are never booked for again."""
    seen = events.filter(events.patient_id.notnull() & (events.kind != "viewed"))
    is_booked = seen.kind == "booked"
    whole = seen.group_by("patient_id").agg(
        first_us=seen.at_us.min(),
        booked_us=ibis.cases((is_booked, seen.at_us)).max(),
        bookings=is_booked.sum(),
        visits=seen.kind.isin(("checked_in", "no_show")).sum(),
    )
    once = (whole.visits <= whole.bookings) & (whole.booked_us - whole.first_us <= DAY_US)
    return whole.filter(once).select("patient_id", passes=whole.bookings)


def complaints(events: Table) -> Table:
    """Whom complaints are about: account_id, complaint_event, complaint_at_us, by_staff.

    A patient complains of the one who had the slot before; a doctor, of the one who has it. Where the complaint says
    whom it is about, that holds.
    """
    said = events.filter(events.kind == "complained")
    about = said.detail.re_extract(_ABOUT, 1).fill_null("")
    said = said.select(
        "slot_id",
        complaint_event=said.event_id,
        complaint_at_us=said.at_us,
        complainer=said.account_id,
        by_staff=said.staff_id.notnull(),
        about=about,
    )
    named = said.filter(said.about != "").select(
        "complaint_event", "complaint_at_us", "by_staff", account_id=ibis._.about
    )
    held = events.filter((events.kind == "booked") & events.account_id.notnull() & events.slot_id.notnull())
    held = held.select("slot_id", "account_id", held_at_us=held.at_us)
    met = said.filter(said.about == "").join(held, "slot_id")
    met = met.filter(met.held_at_us <= met.complaint_at_us)
    own = (met.account_id == met.complainer).fill_null(False)  # noqa: FBT003 - Ibis
    last_held = met.group_by("complaint_event").agg(last_us=met.held_at_us.max())
    met = met.join(last_held, "complaint_event")
    meant = (met.by_staff & (met.held_at_us == met.last_us)) | (~met.by_staff & ~own)
    of_slot = met.filter(meant).select("complaint_event", "complaint_at_us", "by_staff", "account_id")
    return ibis.union(named, of_slot).distinct()


def counted_visits(events: Table) -> Mapping[str, Table]:
    """Both tables."""
    return {"accounts": outcomes(events), "complaints": complaints(events)}
