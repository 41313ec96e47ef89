"""Antenatal registration (建档): a woman applies to her due month, is assessed, comes with her papers, or withdraws.

Locks: the patient, then the months from the earliest one concerned; an application changes only under its month.
Within an entry window nothing but the entry is written, and those who enter do not wait for each other.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import Connection

from shouhao.booking.antenatal import (
    HOLDING,
    LIVE,
    AlreadyRegistered,
    AntenatalClosed,
    AntenatalNotOpen,
    Application,
    ApplicationUnknown,
    ConfirmTooLate,
    Pregnancy,
    ReferralSent,
    WindowOpen,
    WrongApplicationState,
    check_gestation,
    check_woman,
    day_end_us,
    entry_of,
    expected_due_day,
    turn_within_day,
)
from shouhao.booking.entering import SamePersonEntered
from shouhao.booking.release.antenatal import KIND, UNASSESSED, AntenatalPolicy, antenatal_from, check_tier, month_of
from shouhao.booking.store import antenatal as store
from shouhao.booking.store import antenatal_referrals
from shouhao.booking.store.antenatal import Month
from shouhao.flows.antenatal_places import record, settle
from shouhao.flows.give_back import Caller
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import NotFound, Unavailable
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.patients.same_person import same_person
from shouhao.patients.standing import PatientUnknown, standings
from shouhao.patients.store import find_live_binding, find_patient, lock_patients
from shouhao.patients.texts import written_reason
from shouhao.store import event_log, policies
from shouhao.store.vault import Vault


def draw_key(vault: Vault) -> bytes:
    """The key that entries and orders are made with."""
    return vault.derive("draw-seeds", 32)


def apply(
    connection: Connection, *, vault: Vault, patient_id: str, stated: Pregnancy, caller: Caller, now_us: int
) -> Application:
    """Apply to the due month that the dates give: an entry in its window, afterwards a place or a turn.

    Raises:
        Refused: the patient is not this caller's, not verified, or cannot be pregnant.
        InvalidInput: a date that cannot be, or a week in which no applications are taken.
        AntenatalNotOpen: the month is not published.
        AntenatalClosed: its registration is over.
        AlreadyRegistered: the woman has a live application.
        SamePersonEntered: she has one under another document.
        Unavailable: the month's draw is being made; try again.
    """
    today = day_of(now_us)
    twins = _check_entitled(connection, patient_id, caller, today=today)
    due = expected_due_day(stated, today=today)
    month, months = _open_month(connection, month_of(due), now_us=now_us)
    check_gestation(stated, due, rules=month.rules(), today=today)
    other = store.live_application(connection, patient_id)
    if other is not None:
        raise AlreadyRegistered("patient_id", month=other.month)
    if any(store.live_application(connection, twin) is not None for twin in twins):
        raise SamePersonEntered("patient_id")
    application = Application(
        id=new_id("an"),
        patient_id=patient_id,
        account_id=caller.account_id,
        channel=caller.channel,
        month=month.month,
        lmp_day=None if stated.lmp_day is None else stated.lmp_day.isoformat(),
        due_day=due.isoformat(),
        due_source=stated.source,
        tier=UNASSESSED,
        place_tier=None,
        entered_at_us=now_us,
        granted_at_us=None,
        confirm_by_us=None,
        confirmed_at_us=None,
        ended_at_us=0,
        **_standing_in(vault, month, patient_id, now_us=now_us),
    )
    store.add_application(connection, application)
    record(connection, "antenatal_applied", application, now_us=now_us, caller=caller)
    return _settled(connection, application, months, now_us=now_us)


def withdraw(
    connection: Connection, *, application_id: str, caller: Caller, reason: str = "", now_us: int
) -> Application:
    """Take an application back; the place goes to the next at once.

    Args:
        reason: staff give one.
    Raises:
        ApplicationUnknown: none of this caller's.
        WrongApplicationState: it has ended.
        ReferralSent: a partner hospital has it.
    """
    said = "" if caller.staff_id is None else written_reason("reason", reason)
    application, months = locked(connection, application_id, caller)
    if application.state not in LIVE:
        raise WrongApplicationState("application_id", state=application.state)
    if application.state == "referred":
        end_consent(connection, application, caller, now_us=now_us)
    store.change_application(connection, application_id, state="withdrawn", place_tier=None, ended_at_us=now_us)
    _note(connection, application, "withdrawal", caller, old=application.state, new="withdrawn", reason=said, at=now_us)
    record(connection, "antenatal_withdrawn", application, now_us=now_us, caller=caller, was=application.state)
    settle(connection, months, [application.month], now_us=now_us)
    return store.find_application(connection, application_id)


def confirm_papers(
    connection: Connection, *, application_id: str, reason: str, caller: Caller, now_us: int
) -> Application:
    """Staff have seen the woman and her papers; the place is hers.

    Raises:
        ApplicationUnknown: there is none.
        WrongApplicationState: she holds no place, or is confirmed already.
        ConfirmTooLate: the time to come is over.
    """
    said = written_reason("reason", reason)
    application, _ = locked(connection, application_id, caller)
    if application.state != "granted":
        raise WrongApplicationState("application_id", state=application.state)
    if now_us >= (application.confirm_by_us or 0):
        raise ConfirmTooLate("application_id")
    store.change_application(connection, application_id, state="confirmed", confirmed_at_us=now_us, confirm_by_us=None)
    _note(connection, application, "papers", caller, old="granted", new="confirmed", reason=said, at=now_us)
    record(connection, "antenatal_confirmed", application, now_us=now_us, caller=caller)
    return store.find_application(connection, application_id)


def assess(
    connection: Connection, *, application_id: str, tier: str, reason: str, caller: Caller, now_us: int
) -> Application:
    """Staff set the risk tier. Who holds a place changes to one of the new tier, or waits first in its order.

    Raises:
        InvalidInput: no such tier, or no reason.
        ApplicationUnknown: there is none.
        WrongApplicationState: it has ended, or she agreed to be referred with the tier as it is.
    """
    said, now_tier = written_reason("reason", reason), check_tier("tier", tier)
    application, months = locked(connection, application_id, caller)
    if application.state not in LIVE - {"referred"}:
        raise WrongApplicationState("application_id", state=application.state)
    _note(connection, application, "tier", caller, old=application.tier, new=now_tier, reason=said, at=now_us)
    moved = replace(application, tier=now_tier)
    record(connection, "antenatal_assessed", moved, now_us=now_us, caller=caller, was=application.tier)
    if now_tier == application.tier:
        return application
    values: dict[str, Any] = {"tier": now_tier}
    if application.state in HOLDING and application.place_tier != now_tier:
        # The order of waiting is drawn; who loses a place to the assessment goes before it, or staff would harm her.
        values |= {"state": "waiting", "place_tier": None, "confirm_by_us": None, "ahead": True}
    store.change_application(connection, application_id, **values)
    return _settled(connection, store.find_application(connection, application_id), months, now_us=now_us)


def correct_due_day(
    connection: Connection,
    *,
    vault: Vault,
    application_id: str,
    stated: Pregnancy,
    reason: str,
    caller: Caller,
    now_us: int,
) -> Application:
    """Staff correct the dates. In another month she has a place if there is one, or waits there like one who applies.

    Raises:
        InvalidInput: a date that cannot be, or no reason.
        ApplicationUnknown: there is none.
        WrongApplicationState: it has ended, or she agreed to be referred with the date as it is.
        AntenatalNotOpen: the month that follows is not published yet.
        AntenatalClosed: it is over.
        Unavailable: that month's draw is being made; try again.
    """
    said = written_reason("reason", reason)
    due = expected_due_day(stated, today=day_of(now_us))
    target = month_of(due)
    application, months = locked(connection, application_id, caller, also=target)
    if application.state not in LIVE - {"referred"}:
        raise WrongApplicationState("application_id", state=application.state)
    values: dict[str, Any] = {
        "lmp_day": None if stated.lmp_day is None else stated.lmp_day.isoformat(),
        "due_day": due.isoformat(),
        "due_source": stated.source,
    }
    if target != application.month:
        month = months.get(target)
        if month is None:
            raise AntenatalNotOpen("due_day", month=target)
        if month.state == "over":
            raise AntenatalClosed("due_day", month=target)
        if month.state == "open" and now_us >= month.window_closes_at_us:
            raise Unavailable("antenatal_draw")
        values |= {"month": target, "place_tier": None, "confirm_by_us": None}
        values |= _standing_in(vault, month, application.patient_id, now_us=now_us)
    store.change_application(connection, application_id, **values)
    old, new = f"{application.due_day} {application.state}", due.isoformat()
    _note(connection, application, "due_day", caller, old=old, new=new, reason=said, at=now_us)
    moved = store.find_application(connection, application_id)
    record(connection, "antenatal_corrected", moved, now_us=now_us, caller=caller, was=application.month)
    if target == application.month:
        return moved
    settle(connection, months, [application.month], now_us=now_us)
    return _settled(connection, moved, months, now_us=now_us)


def add_policy(
    connection: Connection,
    body: Mapping[str, Any],
    *,
    effective_at_us: int,
    reason: str,
    staff_id: str,
    now_us: int,
    approval_id: str | None = None,
) -> int:
    """Add a version of the policy; published months keep the one they have.

    Args:
        approval_id: who agreed; None where a hospital is being set up.
    Raises:
        InvalidInput, WindowOpen: as `check_policy`, and for a reason that says nothing.
    """
    check_policy(connection, body)
    said = written_reason("reason", reason)
    version = policies.add(
        connection, KIND, body, effective_at_us=effective_at_us, staff_id=staff_id, reason=said, now_us=now_us
    )
    detail = {"kind": KIND, "version": version, "body": dict(body)}
    if approval_id is not None:
        detail["approval_id"] = approval_id
    event_log.append(connection, [Event(at_us=now_us, kind="policy_changed", staff_id=staff_id, detail=detail)])
    return version


def check_policy(connection: Connection, body: Mapping[str, Any]) -> AntenatalPolicy:
    """The policy that a body says, if it may be added as things are now.

    Raises:
        InvalidInput: names the rule that cannot be meant.
        WindowOpen: it would say something else about a month whose entry window is open.
    """
    policy = antenatal_from(body)
    for month in store.published_months(connection, states=("open",)):
        # Kept apart anyway; but a page would then show a rule that does not hold for those who apply just now.
        if policy.for_month(month.month) != month.rules():
            raise WindowOpen("body", month=month.month)
    return policy


def locked(
    connection: Connection, application_id: str, caller: Caller, *, also: str | None = None
) -> tuple[Application, dict[str, Month]]:
    """An application of this caller that nobody else changes, with the months from its own on.

    Args:
        also: another month that is concerned.
    Raises:
        ApplicationUnknown: there is none, or its woman is not bound to this account.
        Unavailable: it was moved to another month just now; try again.
    """
    found = store.find_application(connection, application_id)
    lock_patients(connection, [found.patient_id])
    if caller.staff_id is None and not _acts_for(connection, caller.account_id, found.patient_id):
        raise ApplicationUnknown("application_id")
    months = store.lock_months(connection, min(found.month, also or found.month))
    application = store.find_application(connection, application_id)
    if application.month != found.month:
        raise Unavailable("antenatal_month")
    return application, months


def end_consent(connection: Connection, application: Application, caller: Caller, *, now_us: int) -> None:
    """She no longer agrees to be referred; the partner's place is open again.

    Raises:
        ReferralSent: it was sent already.
        WrongApplicationState: there is no consent.
    """
    referral = antenatal_referrals.live_referral(connection, application.id)
    if referral is None:
        raise WrongApplicationState("application_id", state=application.state)
    if referral.state != "consented":
        raise ReferralSent("application_id")
    offer = antenatal_referrals.lock_offer(connection, referral.offer_id)
    antenatal_referrals.change_offer(connection, offer.id, taken=offer.taken - 1)
    antenatal_referrals.change_referral(connection, referral.id, state="withdrawn", ended_at_us=now_us)
    detail = {"referral_id": referral.id, "partner_id": referral.partner_id, "state": "withdrawn"}
    record(connection, "antenatal_referred", application, now_us=now_us, caller=caller, **detail)


def _check_entitled(connection: Connection, patient_id: str, caller: Caller, *, today: date) -> set[str]:
    """Whether this person may apply this way; ids under which she may be known too. All are kept still."""
    twins = same_person(connection, [patient_id]).get(patient_id, set())
    lock_patients(connection, {patient_id, *twins})
    assisted = caller.staff_id is not None
    pair = (patient_id, None if assisted else caller.account_id)
    standing = standings(connection, [pair]).get(pair)
    patient = find_patient(connection, patient_id)
    if standing is None or patient is None:
        raise NotFound("patient", "patient_id") if assisted else PatientUnknown("patient_id")
    refusal = standing.refusal(assisted=assisted)
    if refusal is not None:
        raise refusal
    check_woman(sex=patient.sex, birth_day=patient.birth_day, today=today)
    return twins


def _open_month(connection: Connection, name: str, *, now_us: int) -> tuple[Month, dict[str, Month]]:
    """The month, kept still: shared within its entry window, otherwise locked with those after it."""
    month = store.find_month(connection, name)
    if month is None:
        raise AntenatalNotOpen("due_day", month=name)
    months: dict[str, Month] = {}
    if month.state == "open":
        month = store.share_month(connection, name)
    else:
        months = store.lock_months(connection, name)
        month = months[name]
    if month is None or (month.state == "open") != (not months):
        raise Unavailable("antenatal_month")  # its state changed between the two looks
    if month.state == "open" and now_us >= month.window_closes_at_us:
        raise Unavailable("antenatal_draw")
    if month.state in {"closed", "over"} or now_us >= month.closes_at_us:
        raise AntenatalClosed("due_day", month=name)
    return month, months


def _standing_in(vault: Vault, month: Month, patient_id: str, *, now_us: int) -> dict[str, Any]:
    """Where a woman stands who comes to a month now: in its draw, or behind it with those of her day."""
    key = draw_key(vault)
    entry = entry_of(key, draw_id=month.draw_id, patient_id=patient_id)
    if month.state == "open":
        batch_at_us, turn = month.window_closes_at_us, ""
    else:
        batch_at_us = day_end_us(now_us)
        turn = turn_within_day(key, draw_id=month.draw_id, day_end_us=batch_at_us, entry=entry)
    state = "entered" if month.state == "open" else "waiting"
    return {"entry": entry, "state": state, "batch_at_us": batch_at_us, "turn": turn, "ahead": False}


def _settled(connection: Connection, application: Application, months: dict[str, Month], *, now_us: int) -> Application:
    """The application after what is free was given away; that it waits is written down."""
    if application.state == "entered":
        return application
    settle(connection, months, [application.month], now_us=now_us)
    after = store.find_application(connection, application.id)
    if after.state == "waiting":
        record(connection, "antenatal_waiting", after, now_us=now_us)
    return after


def _note(
    connection: Connection,
    application: Application,
    what: str,
    caller: Caller,
    *,
    old: str | None,
    new: str | None,
    reason: str,
    at: int,
) -> None:
    """Keep what staff changed; what a woman does herself is in the events."""
    if caller.staff_id is not None:
        staff_id = caller.staff_id
        store.add_change(
            connection, application.id, what=what, old=old, new=new, reason=reason, staff_id=staff_id, now_us=at
        )


def _acts_for(connection: Connection, account_id: str | None, patient_id: str) -> bool:
    return account_id is not None and find_live_binding(connection, account_id, patient_id) is not None
