"""Returned slots: which came back, who took them next, and what the two share; counted only.

A slot is followed from event to event. What a waitlist offered, what staff booked for somebody at a window, by phone or
at a kiosk, and what came from a kept pool has an explanation of its own and does not appear.
"""

from collections.abc import Sequence

import ibis
from ibis.expr.types import BooleanValue, IntegerColumn, Table

from shouhao.detect.identifiers import HUB_FROM, IdentifierKind, in_house
from shouhao.detect.model import Tables
from shouhao.detect.rings.links import shared_links
from shouhao.kernel.clock import MINUTE_US, SECOND_US

RETURNS = ("cancelled", "expired")
OFFERS = ("offered", "accepted")
TAKES = ("booked", "accepted")
_TRIES = ("viewed", "searched", "refused", "booked")
_OFFER_NEAR_US = 5 * MINUTE_US  # clocks of two sources may differ, and offers are accepted within minutes
_SOON_US = 60 * SECOND_US
_HALF_HOUR_US = 30 * MINUTE_US
_ON_TIME_US = 20 * SECOND_US  # whoever waits for a moment acts within seconds of it
_CARRIED = ("event_id", "at_us", "kind", "account_id", "patient_id", "device_id", "session_token")
_STEP_COLUMNS = (
    *_CARRIED,
    "slot_id",
    "session_id",
    "doctor_id",
    "released_at_us",
    "staff_id",
    "channel",
    "detail",
)
#: What two people share only if they know each other; an address only when few have it.
_RELATING: dict[IdentifierKind, int] = {
    **{kind: HUB_FROM[kind] for kind in ("device", "payer", "phone", "patient", "face")},
    "ip": 6,
}


def retakes(tables: Tables) -> Table:
    """One row for each returned slot that another account took, with how many tried there."""
    changed = _changed(tables.events)
    others = changed.filter((changed.seller_account != changed.taker_account).fill_null(True))  # noqa: FBT003 - Ibis
    found = _with_session(tables.events, _unexplained(tables.events, others))
    return _with_time(tables.events, _with_tries(tables.events, found))


def retook(tables: Tables) -> Table:
    """The same rows before they are explained or compared: take_event, who took, and when each came back and went."""
    changed = _changed(tables.events)
    others = (changed.seller_account != changed.taker_account).fill_null(True)  # noqa: FBT003 - Ibis
    return changed.filter(others).select(
        "take_event", "returned_at_us", "taken_at_us", "taker_account", "taker_patient"
    )


def swaps(tables: Tables) -> Table:
    """One row for each returned slot that the same account took for another of its patients."""
    changed = _changed(tables.events)
    return _unexplained(tables.events, changed.filter(changed.seller_account == changed.taker_account))


def relations(tables: Tables) -> Table:
    """What givers and takers have ever both used: seller_account, taker_account, kind."""
    shared = shared_links(tables, most=_RELATING)
    shared = shared.filter(shared.member_kind == "account").select("member", "kind", "value")
    changed = _changed(tables.events)
    pairs = changed.filter(changed.seller_account != changed.taker_account)
    pairs = pairs.select("seller_account", "taker_account").distinct()
    givers = shared.rename(seller_account="member")
    takers = shared.view().rename(taker_account="member")
    both = pairs.join(givers, "seller_account").join(takers, ["taker_account", "kind", "value"])
    return both.select("seller_account", "taker_account", "kind").distinct()


def returns(tables: Tables) -> Table:
    """How many slots each account gave back: account_id, n."""
    events = tables.events
    given = events.filter(events.kind.isin(RETURNS) & events.account_id.notnull() & events.slot_id.notnull())
    return given.group_by("account_id").agg(n=given.count())


def looks(tables: Tables) -> Table:
    """One row: how many looks and bookings are on record in all, and how many accounts booked."""
    events = tables.events
    return events.agg(
        looks=events.kind.isin(("viewed", "searched")).sum().cast("int64"),
        booked=(events.kind == "booked").sum().cast("int64"),
        takers=ibis.cases((events.kind == "booked", events.account_id)).nunique(),
    )


def _changed(events: Table) -> Table:
    """Returned slots that are another person's now, booked by their own hand from what is open to all."""
    steps = _steps(events)
    took = steps.filter((steps.kind == "booked") & steps.prev_kind.isin(RETURNS) & ~in_house(steps) & ~_pooled(steps))
    booked_before = took.prev2_kind.isin(TAKES).fill_null(False)  # noqa: FBT003 - Ibis
    named = took.mutate(
        seller_account=took.prev_account_id.fill_null(ibis.cases((booked_before, took.prev2_account_id))),
        seller_patient=took.prev_patient_id.fill_null(ibis.cases((booked_before, took.prev2_patient_id))),
    )
    there_at = ibis.greatest(named.prev_at_us, named.opened_at_us.fill_null(named.prev_at_us))
    found = named.select(
        "slot_id",
        "session_id",
        "doctor_id",
        "released_at_us",
        "seller_account",
        "seller_patient",
        taker_account=named.account_id,
        taker_patient=named.patient_id,
        returned_at_us=named.prev_at_us,
        taken_at_us=named.at_us,
        gap_us=named.at_us - there_at,
        by_hand=named.prev_kind == "cancelled",
        return_event=named.prev_event_id,
        take_event=named.event_id,
        same_device=_same(named, "device_id"),
        same_session_token=_same(named, "session_token"),
    )
    return found.filter(_changed_hands(found))


def _pooled(steps: Table) -> BooleanValue:
    """Whether the slot came from a pool that is given to people by name."""
    return steps.detail.contains('"pool"').fill_null(False)  # noqa: FBT003 - Ibis


def _steps(events: Table) -> Table:
    """The events of each slot in order, each with the two before it and the last moment it was opened to all."""
    came_back = events.filter(events.kind.isin(RETURNS) & events.slot_id.notnull()).select("slot_id")
    events = events.semi_join(came_back, "slot_id")
    opened = ((events.kind == "slot_moved") & events.detail.contains('"public"')).fill_null(False)  # noqa: FBT003
    rank = ibis.cases((events.kind.isin(RETURNS), 0), (opened, 1), (events.kind.isin(OFFERS), 2), else_=3)
    kept = events.select(*_STEP_COLUMNS, opened=opened, rank=rank)
    kept = kept.filter(kept.opened | kept.kind.isin((*RETURNS, *OFFERS, "booked", "extra_slot_added")))
    order = [kept.at_us, kept.rank, kept.event_id]
    so_far = ibis.cumulative_window(group_by=kept.slot_id, order_by=order)
    kept = kept.mutate(opened_at_us=ibis.cases((kept.opened, kept.at_us)).max().over(so_far))
    kept = kept.filter(~kept.opened)
    before = ibis.window(group_by=kept.slot_id, order_by=[kept.at_us, kept.rank, kept.event_id])
    return kept.mutate(
        **{f"prev_{name}": kept[name].lag(1).over(before) for name in _CARRIED},
        **{f"prev2_{name}": kept[name].lag(2).over(before) for name in ("kind", "account_id", "patient_id")},
    )


def _same(steps: Table, column: str) -> BooleanValue:
    return (steps[column] == steps[f"prev_{column}"]).fill_null(False)  # noqa: FBT003 - Ibis


def _changed_hands(found: Table) -> BooleanValue:
    """Whether the slot is another person's now; whoever takes the own slot back has changed their mind."""
    same_patient = (found.seller_patient == found.taker_patient).fill_null(False)  # noqa: FBT003 - Ibis
    both_known = found.seller_patient.notnull() & found.taker_patient.notnull()
    other_account = (found.seller_account != found.taker_account).fill_null(False)  # noqa: FBT003 - Ibis
    no_account = found.seller_account.isnull() | found.taker_account.isnull()
    return ~same_patient & (other_account | both_known) & (~no_account | both_known)


def _unexplained(events: Table, found: Table) -> Table:
    """Without those whose taker was offered something of the session in these minutes."""
    offers = events.filter(events.kind.isin(OFFERS)).select(
        offer_session=events.session_id,
        offer_slot=events.slot_id,
        offer_account=events.account_id,
        offer_patient=events.patient_id,
        offer_at_us=events.at_us,
    )
    near = (offers.offer_at_us >= found.returned_at_us - _OFFER_NEAR_US) & (
        offers.offer_at_us <= found.taken_at_us + _OFFER_NEAR_US
    )
    mine = (offers.offer_account == found.taker_account) | (offers.offer_patient == found.taker_patient)
    of_slot = found.join(offers, [found.slot_id == offers.offer_slot, near])
    of_session = found.join(offers, [found.session_id == offers.offer_session, near, mine])
    explained = ibis.union(of_slot.select("take_event"), of_session.select("take_event")).distinct()
    return found.anti_join(explained, "take_event")


def _with_session(events: Table, found: Table) -> Table:
    """With how hot the session is, by the quarters of its bookings that came at once, and how many accounts tried."""
    tried = events.filter(events.kind.isin(("booked", "refused")) & events.session_id.notnull())
    soon = ((tried.at_us - tried.released_at_us) <= _SOON_US).fill_null(False)  # noqa: FBT003 - Ibis
    is_booked = tried.kind == "booked"
    sessions = tried.group_by("session_id").agg(
        accounts_tried=tried.account_id.nunique(),
        booked=is_booked.sum(),
        soon=(is_booked & soon).sum(),
        timed=(is_booked & tried.released_at_us.notnull()).sum(),
    )
    quarters = sessions.soon * 4
    bucket = ibis.cases(
        (sessions.timed == 0, -1), (quarters < sessions.timed, 0), (quarters < 3 * sessions.timed, 1), else_=2
    )
    sessions = sessions.select("session_id", "accounts_tried", hot_bucket=bucket.cast("int64"))
    joined = found.left_join(sessions, "session_id")
    return joined.select(
        *found.columns,
        accounts_tried=joined.accounts_tried.fill_null(0),
        hot_bucket=joined.hot_bucket.fill_null(-1),
    )


def _with_tries(events: Table, found: Table) -> Table:
    """With how many others looked or tried there around the moment, by their own hand; looks may name the doctor alone.

    Whoever waits for a slot that was promised looks again and again; that is no demand.
    """
    tried = events.filter(events.kind.isin(_TRIES) & events.staff_id.isnull())
    tried = tried.select("account_id", place=tried.session_id.fill_null(tried.doctor_id), at_us=tried.at_us)
    tried = tried.filter(tried.place.notnull())
    keys = ibis.union(
        found.select("take_event", "taken_at_us", "taker_account", place=found.session_id),
        found.select("take_event", "taken_at_us", "taker_account", place=found.doctor_id),
    )
    steps = (-MINUTE_US, 0, MINUTE_US)
    minutes = _met(tried, keys, MINUTE_US, steps).group_by("take_event", "start_us").agg(tries=ibis._.tries.sum())
    busiest = minutes.group_by("take_event").agg(tries_minute=minutes.tries.max())
    halves = _met(tried, keys, _HALF_HOUR_US, (0,))
    half = halves.group_by("take_event").agg(tries_half_hour=halves.tries.sum().cast("int64"))
    joined = found.left_join(busiest, "take_event").drop("take_event_right").left_join(half, "take_event")
    return joined.select(
        *(name for name in found.columns if name != "doctor_id"),
        tries_minute=joined.tries_minute.fill_null(0).cast("int64"),
        tries_half_hour=joined.tries_half_hour.fill_null(0),
    )


def _met(tried: Table, keys: Table, width_us: int, steps: Sequence[int]) -> Table:
    """How many tries there were in the stretches around each key: take_event, start_us, tries."""
    counted = tried.select("place", "account_id", start_us=_floor(tried.at_us, width_us))
    counted = counted.group_by("place", "start_us", "account_id").agg(tries=counted.count())
    around = [
        keys.select("take_event", "taker_account", "place", start_us=_floor(keys.taken_at_us, width_us) + step)
        for step in steps
    ]
    every = ibis.union(*around) if len(around) > 1 else around[0]
    met = every.join(counted, ["place", "start_us"])
    others = met.filter((met.account_id != met.taker_account).fill_null(True))  # noqa: FBT003 - Ibis
    return others.group_by("take_event", "start_us").agg(tries=others.tries.sum())


def _with_time(events: Table, found: Table) -> Table:
    """With whether the slot was given back by the clock, just after a full or half hour; null where that says nothing.

    At releases everybody is about, and what has expired was given back by nobody.
    """
    released = events.filter((events.kind == "booked") & events.released_at_us.notnull())
    busy = released.select(busy_us=_floor(released.released_at_us, _HALF_HOUR_US)).distinct()
    half_hour = _floor(found.returned_at_us, _HALF_HOUR_US)
    joined = found.mutate(half_hour_us=half_hour).left_join(busy, ibis._.half_hour_us == busy.busy_us)
    on_time = joined.returned_at_us - joined.half_hour_us <= _ON_TIME_US
    columns = (name for name in found.columns if name != "by_hand")
    return joined.select(*columns, on_time=ibis.cases((joined.by_hand & joined.busy_us.isnull(), on_time)))


def _floor(at_us: IntegerColumn, width_us: int) -> IntegerColumn:
    return at_us - at_us % width_us
