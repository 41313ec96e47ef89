"""Antenatal places: what is free goes to the next entitled woman, in the unit of work that freed it.

Every story that frees, adds, lends or carries a place ends in `settle`. The months are locked before, from the
earliest on, so that what stays unfilled after the close can move into the following ones.
"""

from bisect import insort
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from shouhao.booking.antenatal import Application
from shouhao.booking.release.antenatal import MonthRules, Tier, add_months, allot, carry, lent_now
from shouhao.booking.store import antenatal as store
from shouhao.booking.store.antenatal import Month
from shouhao.flows.give_back import Caller
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.events import Event, EventKind
from shouhao.store import event_log

Months = Mapping[str, Month]


def settle(connection: Connection, months: Months, touched: Iterable[str], *, now_us: int) -> int:
    """Give away what is free in months where something changed, and carry on what a closed month cannot use.

    Args:
        months: locked, from the earliest one touched to the last that is published.
    Returns:
        How many places were given.
    """
    todo = sorted(set(touched))
    given = 0
    while todo:
        month = months.get(todo.pop(0))
        if month is None or month.state not in {"drawn", "closed"}:
            continue
        given += _give(connection, month, now_us=now_us)
        following = add_months(month.month, 1)
        if month.state == "closed" and _carry_on(connection, month, following, now_us=now_us) and following not in todo:
            insort(todo, following)
    return given


def grant(connection: Connection, application: Application, tier: Tier, rules: MonthRules, *, now_us: int) -> None:
    """Give a woman a place; one whose papers were seen before need not come again."""
    seen = application.confirmed_at_us is not None
    confirm_by_us = None if seen else now_us + rules.confirm_days * DAY_US
    store.change_application(
        connection,
        application.id,
        state="confirmed" if seen else "granted",
        place_tier=tier,
        ahead=False,
        granted_at_us=now_us,
        confirm_by_us=confirm_by_us,
    )
    record(connection, "antenatal_granted", application, now_us=now_us, place_tier=tier)


def record(
    connection: Connection,
    kind: EventKind,
    application: Application,
    *,
    now_us: int,
    caller: Caller | None = None,
    **detail: Any,
) -> None:
    """Write down what happened to an application."""
    said = {"application_id": application.id, "month": application.month, "tier": application.tier, **detail}
    happened = Event(
        at_us=now_us,
        kind=kind,
        channel=application.channel if caller is None else caller.channel,
        account_id=None if caller is None else caller.account_id,
        patient_id=application.patient_id,
        device_id=None if caller is None else caller.device_id,
        session_token=None if caller is None else caller.sign_in_id,
        ip=None if caller is None else caller.ip,
        user_agent=None if caller is None else caller.user_agent,
        staff_id=None if caller is None else caller.staff_id,
        detail=said,
    )
    event_log.append(connection, [happened])


def record_month(connection: Connection, month: str, what: str, *, now_us: int, **detail: Any) -> None:
    """Write down what happened to a due month: published, drawn, lent, closed, carried, over."""
    happened = Event(at_us=now_us, kind="antenatal_month", detail={"month": month, "what": what, **detail})
    event_log.append(connection, [happened])


def _give(connection: Connection, month: Month, *, now_us: int) -> int:
    free = {one.tier: one.free for one in store.places_of(connection, month.month) if one.free > 0}
    if not free:
        return 0
    rules = month.rules()
    lent = lent_now(rules.lending, closes_at_us=month.closes_at_us, now_us=now_us)
    entitled = set(free).union(*(lent.get(tier, frozenset()) for tier in free))
    given = allot(free, store.waiting_in(connection, month.month, entitled), lent=lent)
    for one in given:
        grant(connection, store.find_application(connection, one.id), one.tier, rules, now_us=now_us)
    return len(given)


def _carry_on(connection: Connection, month: Month, following: str, *, now_us: int) -> bool:
    """Move what a closed month has left to the next; whether anything moved."""
    unfilled = {one.tier: one.free for one in store.places_of(connection, month.month) if one.free > 0}
    if not unfilled:
        return False
    carried = carry(unfilled, room=_room(connection, month.month, following, now_us=now_us))
    store.add_places(connection, month.month, carried_out=carried.on, dropped=carried.dropped)
    store.add_places(connection, following, carried_in=carried.on)
    record_month(
        connection, month.month, "carried", now_us=now_us, to=following, places=carried.on, dropped=carried.dropped
    )
    return bool(carried.on)


def _room(connection: Connection, month: str, following: str, *, now_us: int) -> int | None:
    """How much the next month may take: a new year keeps its capacity, within a year nothing changes."""
    kept = store.policy_in_force(connection, now_us=now_us)
    if month[:4] == following[:4] or kept is None:
        return None
    policy, _ = kept
    year = policy.places_of_year(int(following[:4]))
    return policy.yearly_places - year - store.carried_into(connection, following)
