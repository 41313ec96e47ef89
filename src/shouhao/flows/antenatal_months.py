"""Antenatal months: a due month is published, drawn, closed and over, each at its time; places lapse, lend, carry on.

All of it is driven from the database and can be repeated: each step looks again under the month's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection

from shouhao.booking.antenatal import HOLDING, Application, draw_secret, turn_of_place
from shouhao.booking.entering import SamePersonEntered
from shouhao.booking.release.antenatal import (
    KIND,
    AntenatalPolicy,
    MonthRules,
    Tier,
    add_months,
    antenatal_body,
    month_of,
    months_to_publish,
    next_lending_us,
    split,
)
from shouhao.booking.release.draw import Entry
from shouhao.booking.release.draw_file import canonical, draw_file
from shouhao.booking.release.seal import commitment
from shouhao.booking.store import antenatal as store
from shouhao.booking.store import antenatal_referrals
from shouhao.booking.store.antenatal import Month
from shouhao.flows.antenatal import draw_key
from shouhao.flows.antenatal_places import Months, grant, record, record_month, settle
from shouhao.kernel.clock import SECOND_US, day_of, iso, start_of_day_us
from shouhao.kernel.errors import Refused, Tampered, Unavailable
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.patients.same_person import same_person
from shouhao.patients.standing import PatientUnknown, standings
from shouhao.patients.store import lock_patients
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.vault import Vault

_LAPSED_AT_ONCE = 100
_AFTER_BIRTH_DAYS = 42  #: the lying-in; a registration of the month lives so long beyond it
_SHOWN_AHEAD = 12  #: months of a dry run


_log = structlog.get_logger()


class Step(Protocol):
    """Something that is due, in a unit of work; how much was done."""

    def __call__(self, connection: Connection, *, now_us: int) -> int:
        """Do it."""
        ...


def antenatal_due(db: Database, vault: Vault, *, now_us: int) -> int:
    """Do what is due for all months; how much that was. A restart in between neither loses nor repeats anything."""
    with db.read() as connection:
        kept = store.policy_in_force(connection, now_us=now_us)
        months = store.published_months(connection)
        lapsing = store.due_to_lapse(connection, now_us=now_us, limit=_LAPSED_AT_ONCE)
    todo: list[Step] = []
    if kept is not None:
        policy, version = kept
        known = {month.month for month in months}
        todo += [
            partial(_publish, vault=vault, rules=rules, policy=policy, version=version)
            for rules in months_to_publish(policy, now_us=now_us, today=day_of(now_us))
            if rules.month not in known
        ]
    todo += [partial(_move_on, vault=vault, seen=month) for month in months if _step(month, now_us=now_us) is not None]
    todo += [partial(_lapse, seen=application) for application in lapsing]
    return sum(_do(db, step, now_us=now_us) for step in todo)


def _do(db: Database, step: Step, *, now_us: int) -> int:
    """One step in a unit of work of its own; what keeps one month from moving must not keep the others."""
    try:
        with db.write() as connection:
            return step(connection, now_us=now_us)
    except Unavailable as error:
        _log.warning("antenatal_step_postponed", what=error.what)
    except Tampered as error:
        _log.error("antenatal_step_tampered", what=str(error))
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMonth:
    """A due month as a policy would have it, with what is known to be carried to it."""

    month: str
    state: str  #: planned, or as it is published
    opens_at_us: int
    window_closes_at_us: int
    closes_at_us: int
    own: dict[Tier, int]
    carried_in: dict[Tier, int]
    carried_out: dict[Tier, int]

    @property
    def places(self) -> int:
        """What it can give after carrying."""
        return sum(self.own.values()) + sum(self.carried_in.values()) - sum(self.carried_out.values())


def planned_months(connection: Connection, policy: AntenatalPolicy, *, now_us: int) -> list[PlannedMonth]:
    """The coming due months under a policy. A published month stands with what it was published with."""
    published = {month.month: month for month in store.published_months(connection)}
    first = month_of(day_of(now_us))
    shown = []
    for name in (add_months(first, ahead) for ahead in range(_SHOWN_AHEAD + 1)):
        month, rules = published.get(name), policy.for_month(name)
        places = store.places_of(connection, name)
        opens_at_us = rules.opens_at_us if month is None else month.opens_at_us
        window_us = rules.apply_window_s * SECOND_US
        shown.append(
            PlannedMonth(
                month=name,
                state="planned" if month is None else month.state,
                opens_at_us=opens_at_us,
                window_closes_at_us=opens_at_us + window_us if month is None else month.window_closes_at_us,
                closes_at_us=rules.closes_at_us if month is None else month.closes_at_us,
                own=split(rules.places, rules.tiers) if month is None else {one.tier: one.own for one in places},
                carried_in={one.tier: one.carried_in for one in places if one.carried_in},
                carried_out={one.tier: one.carried_out for one in places if one.carried_out},
            )
        )
    return shown


def _publish(
    connection: Connection, *, vault: Vault, rules: MonthRules, policy: AntenatalPolicy, version: int, now_us: int
) -> int:
    """Open the entry window of a month. It is whole even if the worker comes late, for it begins now."""
    draw_id = new_id("ad")
    month = Month(
        month=rules.month,
        draw_id=draw_id,
        policy_version=version,
        policy=policy,
        state="open",
        opens_at_us=now_us,
        window_closes_at_us=now_us + rules.apply_window_s * SECOND_US,
        closes_at_us=rules.closes_at_us,
        lends_at_us=None,
        commitment=commitment(draw_id, draw_secret(draw_key(vault), draw_id)),
        drawn_at_us=None,
    )
    if not store.add_month(connection, month, antenatal_body(policy)):
        return 0
    store.add_places(connection, month.month, own=split(rules.places, rules.tiers))
    record_month(
        connection,
        month.month,
        "published",
        now_us=now_us,
        draw_id=draw_id,
        places=rules.places,
        policy_version=version,
        commitment=month.commitment,
    )
    return 1


def _move_on(connection: Connection, *, vault: Vault, seen: Month, now_us: int) -> int:
    """Take a month one step further if its time has come."""
    step = _step(seen, now_us=now_us)
    if step is None:
        return 0
    # Patients before months, as everywhere.
    entered = store.applications_in(connection, seen.month, state="entered") if step == "draw" else []
    refusals = _refusals(connection, entered)
    months = store.lock_months(connection, seen.month)
    month = months[seen.month]
    if _step(month, now_us=now_us) != step:
        return 0  # another worker was first
    if step == "draw":
        _draw(connection, vault, month, refusals, now_us=now_us)
    elif step == "lend":
        _lend(connection, month, months, now_us=now_us)
    elif step == "close":
        store.change_month(connection, month.month, state="closed", lends_at_us=None)
        record_month(connection, month.month, "closed", now_us=now_us)
        settle(connection, store.lock_months(connection, month.month), [month.month], now_us=now_us)
    else:
        _end(connection, month, now_us=now_us)
    return 1


def _step(month: Month, *, now_us: int) -> str | None:
    """What is due next for a month."""
    if month.state == "open":
        return "draw" if now_us >= month.window_closes_at_us else None
    if month.state == "drawn":
        if now_us >= month.closes_at_us:
            return "close"
        return "lend" if month.lends_at_us is not None and now_us >= month.lends_at_us else None
    return "end" if month.state == "closed" and now_us >= _over_at_us(month.month) else None


def _over_at_us(month: str) -> int:
    following = add_months(month, 1)
    first = date(int(following[:4]), int(following[5:]), 1)
    return start_of_day_us(first + timedelta(days=_AFTER_BIRTH_DAYS))


def _refusals(connection: Connection, entered: Sequence[Application]) -> dict[str, Refused | None]:
    """Who of those who entered may still not take part, by patient; their records are kept still."""
    people = standings(connection, {(one.patient_id, None) for one in entered})
    refusals: dict[str, Refused | None] = {}
    for one in entered:
        standing = people.get((one.patient_id, None))
        refusals[one.patient_id] = PatientUnknown("patient_id") if standing is None else standing.refusal(assisted=True)
    entry_of = {one.patient_id: one.entry for one in entered}
    for patient_id, others in same_person(connection, entry_of).items():
        # Names are corrected after somebody entered; of one woman's two entries the later in the alphabet goes.
        if any(other in entry_of and entry_of[other] < entry_of[patient_id] for other in others):
            refusals[patient_id] = SamePersonEntered("patient_id")
    return refusals


def _draw(
    connection: Connection, vault: Vault, month: Month, refusals: dict[str, Refused | None], *, now_us: int
) -> None:
    """Seal the entries, draw, publish, give the places and put all others in the drawn order."""
    entered = store.applications_in(connection, month.month, state="entered")
    if not refusals.keys() >= {one.patient_id for one in entered}:
        raise Unavailable("antenatal_draw")  # somebody's entry was written as the window closed
    left_out = {one.entry: refusal.code for one in entered if (refusal := refusals[one.patient_id]) is not None}
    by_entry = {one.entry: one for one in entered if one.entry not in left_out}
    file = _published(connection, vault, month, list(by_entry.values()), left_out, now_us=now_us)
    sha256 = store.keep_draw(connection, month.month, canonical(file))
    _leave_out(connection, [one for one in entered if one.entry in left_out], left_out, now_us=now_us)
    turns = {by_entry[entry].id: turn_of_place(place) for place, entry in enumerate(file["order"], start=1)}
    store.set_turns(connection, turns)
    rules = month.rules()
    lends_at_us = next_lending_us(rules.lending, closes_at_us=month.closes_at_us, now_us=now_us)
    store.change_month(connection, month.month, state="drawn", drawn_at_us=now_us, lends_at_us=lends_at_us)
    for win in file["wins"]:
        application = by_entry[win["id"]]
        grant(connection, application, application.tier, rules, now_us=now_us)
    settle(connection, store.lock_months(connection, month.month), [month.month], now_us=now_us)
    for one in store.applications_in(connection, month.month, state="waiting"):
        record(connection, "antenatal_waiting", one, now_us=now_us)
    told = {"draw_id": month.draw_id, "entries": len(by_entry), "wins": len(file["wins"]), "sha256": sha256}
    record_month(connection, month.month, "drawn", now_us=now_us, **told)


def _published(
    connection: Connection,
    vault: Vault,
    month: Month,
    taking_part: Sequence[Application],
    left_out: dict[str, str],
    *,
    now_us: int,
) -> dict[str, Any]:
    """The draw as it is published, held with the secret that was committed to when the month opened."""
    secret = draw_secret(draw_key(vault), month.draw_id)
    if commitment(month.draw_id, secret) != month.commitment:
        raise Tampered(f"draw {month.draw_id}: the key is not the one that was committed to")
    return draw_file(
        draw_id=month.draw_id,
        kind="antenatal",
        title=f"建档 {month.month}",
        policy=antenatal_body(month.policy),
        policy_scope=KIND,
        policy_version=month.policy_version,
        opened_at=iso(month.opens_at_us),
        closed_at=iso(month.window_closes_at_us),
        sealed_at=iso(now_us),
        targets=_targets(connection, month, taking_part),
        entries=[_entry(one) for one in taking_part],
        left_out=[{"id": entry, "reason": code} for entry, code in left_out.items()],
        commitment=month.commitment,
        receipt_key=None,
        secret=secret,
    )


def _targets(connection: Connection, month: Month, entered: Sequence[Application]) -> list[dict[str, str | int]]:
    seats = {one.tier: one.free for one in store.places_of(connection, month.month)}
    tiers = sorted({*seats, *(one.tier for one in entered)})
    return [{"id": f"{month.month}:{tier}", "seats": seats.get(tier, 0), "label": tier} for tier in tiers]


def _entry(application: Application) -> Entry:
    """An entry asks for a place of its own tier; what is lent is given later, in the same order."""
    return Entry(id=application.entry, people=(application.entry,), wishes=(f"{application.month}:{application.tier}",))


def _leave_out(
    connection: Connection, applications: Sequence[Application], codes: dict[str, str], *, now_us: int
) -> None:
    for one in applications:
        store.change_application(connection, one.id, state="left_out", ended_at_us=now_us)
        detail = {"application_id": one.id, "month": one.month, "code": codes[one.entry]}
        refused = Event(at_us=now_us, kind="refused", channel=one.channel, patient_id=one.patient_id, detail=detail)
        event_log.append(connection, [refused])


def _lend(connection: Connection, month: Month, months: Months, *, now_us: int) -> None:
    """A lending rule begins: what its tier does not use may go to those it names."""
    following = next_lending_us(month.rules().lending, closes_at_us=month.closes_at_us, now_us=now_us)
    store.change_month(connection, month.month, lends_at_us=following)
    given = settle(connection, months, [month.month], now_us=now_us)
    record_month(connection, month.month, "lent", now_us=now_us, places=given)


def _lapse(connection: Connection, *, seen: Application, now_us: int) -> int:
    """A woman did not come in time; her place goes to the next."""
    lock_patients(connection, [seen.patient_id])
    months = store.lock_months(connection, seen.month)
    application = store.find_application(connection, seen.id)
    if (application.month, application.state) != (seen.month, "granted") or (application.confirm_by_us or 0) > now_us:
        return 0  # she came, or left, meanwhile
    store.change_application(connection, seen.id, state="lapsed", place_tier=None, ended_at_us=now_us)
    record(connection, "antenatal_lapsed", application, now_us=now_us)
    settle(connection, months, [application.month], now_us=now_us)
    return 1


def _end(connection: Connection, month: Month, *, now_us: int) -> None:
    """The births of a month are over: nobody waits or holds a place any more."""
    held = len([one for one in store.applications_in(connection, month.month) if one.state in HOLDING])
    antenatal_referrals.end_referrals(connection, month.month, now_us=now_us)
    ended = store.end_month(connection, month.month, now_us=now_us)
    store.change_month(connection, month.month, state="over")
    record_month(connection, month.month, "over", now_us=now_us, held=held, ended=ended)
