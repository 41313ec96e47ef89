"""Consents: somebody gives or withdraws one, for themself or for a child, and what rests on it ends in the same act.

Nothing else depends on a consent having been given: whoever gives none books, waits and is seen like everybody else.
Locks: the account, then the patient.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from shouhao.faces.store import begin_erasing
from shouhao.flows.give_back import Caller
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.patients import store
from shouhao.patients.consent_texts import SCOPES, Kind, text_in_force
from shouhao.patients.consents import (
    ConsentAct,
    Person,
    all_stand,
    check_age,
    check_giver,
    check_rests,
    check_subject,
    check_text,
    check_withdrawable,
    ends_with,
    known_kind,
    stands,
)
from shouhao.patients.consents_store import add_act, agreed_among, latest_acts
from shouhao.patients.standing import PatientUnknown
from shouhao.patients.texts import written_reason
from shouhao.store import event_log


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One consent, as somebody asks to give or withdraw it; nothing checked yet."""

    kind: str
    patient_id: str | None = None  #: None for what is asked of the account
    text_version: str = ""  #: of the words that were shown; needed to give
    language: str = "zh"
    note: str = ""  #: staff write one: which paper was signed, or what was said


def give(connection: Connection, asked: Asked, *, caller: Caller, now_us: int) -> ConsentAct:
    """Agree to the words in force; doing it twice is one consent.

    Raises:
        InvalidInput: no such kind, other words than those in force, or no patient where one is asked for.
        PatientUnknown: not bound to this account.
        ConsentNotYours: it is another adult's to give, or another guardian's.
        ConsentNotAsked: a guardian's consent of who is old enough.
        ConsentFirst: what it rests on does not stand.
    """
    kind = known_kind(asked.kind)
    check_subject(kind, asked.patient_id)
    check_text(kind, asked.text_version)
    today = day_of(now_us)
    subject_id, person = _locked(connection, asked.patient_id, caller)
    latest = latest_acts(connection, [subject_id]).get(subject_id, {})
    if person is not None:
        if caller.staff_id is None:
            check_giver(kind, person, today=today)
        else:
            check_age(kind, person.birth_day, today=today)
        check_rests(kind, latest, birth_day=person.birth_day, today=today)
    born = None if person is None else person.birth_day
    before = latest.get(kind)
    if before is not None and stands(before, birth_day=born, today=today):
        return before
    text = text_in_force(kind)
    act = ConsentAct(
        id=new_id("co"),
        subject_id=subject_id,
        kind=kind,
        turn=1 if before is None else before.turn + 1,
        act="given",
        text_version=text.version,
        text_sha256=text.sha256,
        language=asked.language,
        account_id=caller.account_id,
        staff_id=caller.staff_id,
        channel=caller.channel,
        note=None if caller.staff_id is None else written_reason("note", asked.note),
        at_us=now_us,
    )
    _write(connection, act, caller)
    return act


def withdraw(connection: Connection, asked: Asked, *, caller: Caller, now_us: int) -> list[ConsentAct]:
    """Take a consent back, and all that rests on it; what it allowed ends in this unit of work.

    Whoever acts for a patient may withdraw, since nobody is harmed by it. Returns what was withdrawn: nothing where
    nothing was given. Photographs of a face that may not be checked any more are marked for erasure, and are read by
    nobody from now on; the worker destroys their key (flows/face_consents.py).

    Raises:
        InvalidInput: no such kind, or no patient where one is asked for.
        PatientUnknown: not bound to this account.
    """
    kind = known_kind(asked.kind)
    check_withdrawable(kind)
    check_subject(kind, asked.patient_id)
    subject_id, _ = _locked(connection, asked.patient_id, caller)
    latest = latest_acts(connection, [subject_id]).get(subject_id, {})
    said = None if caller.staff_id is None else written_reason("note", asked.note)
    ended = []
    for one in (kind, *ends_with(kind)):
        before = latest.get(one)
        if before is None or before.act != "given":
            continue
        act = ConsentAct(
            id=new_id("co"),
            subject_id=subject_id,
            kind=one,
            turn=before.turn + 1,
            act="withdrawn",
            text_version=before.text_version,
            text_sha256=before.text_sha256,
            language=asked.language,
            account_id=caller.account_id,
            staff_id=caller.staff_id,
            channel=caller.channel,
            note=said if one == kind else f"with {kind}",
            at_us=now_us,
        )
        _write(connection, act, caller)
        if one == "face_check":
            begin_erasing(connection, "consented", subject_id, now_us=now_us)
        ended.append(act)
    return ended


def standing_consent(connection: Connection, kind: Kind, patient_id: str, *, now_us: int) -> ConsentAct | None:
    """A patient's consent that counts now, with all it rests on; None: it may not be done."""
    patient = store.find_patient(connection, patient_id)
    latest = latest_acts(connection, [patient_id]).get(patient_id, {})
    if patient is None or not all_stand(latest, kind, birth_day=patient.birth_day, today=day_of(now_us)):
        return None
    return latest[kind]


def may_be_told(connection: Connection, account_ids: Iterable[str]) -> set[str]:
    """Which of these accounts agreed to messages to their phone."""
    return agreed_among(connection, account_ids, "messages", text_version=text_in_force("messages").version)


def _locked(connection: Connection, patient_id: str | None, caller: Caller) -> tuple[str, Person | None]:
    """The subject, which nobody else changes until the unit of work ends, and who it is where it is a patient."""
    if caller.staff_id is not None:
        patient = None if patient_id is None else store.lock_patients(connection, [patient_id]).get(patient_id)
        if patient is None:
            raise NotFound("patient", "patient_id")
        return patient.id, Person(birth_day=patient.birth_day, own=False, guarded=False)
    if caller.account_id is None or store.lock_account(connection, caller.account_id) is None:
        raise PatientUnknown("patient_id")
    if patient_id is None:
        return caller.account_id, None
    people = people_of(connection, caller.account_id)
    if patient_id not in people or patient_id not in store.lock_patients(connection, [patient_id]):
        raise PatientUnknown("patient_id")
    return patient_id, people[patient_id]


def people_of(connection: Connection, account_id: str) -> dict[str, Person]:
    """The patients of an account, as far as consents ask."""
    live = [one for one in store.bindings_of_account(connection, account_id) if one.unbound_at_us is None]
    own = {one.patient_id for one in live if one.relation == "self"}
    ids = [one.patient_id for one in live]
    guarded = {bond.child_id for bond in store.guardianships_of(connection, ids) if bond.guardian_id in own}
    found = {one: store.find_patient(connection, one) for one in ids}
    return {
        one: Person(birth_day=patient.birth_day, own=one in own, guarded=one in guarded)
        for one, patient in found.items()
        if patient is not None
    }


def _write(connection: Connection, act: ConsentAct, caller: Caller) -> None:
    add_act(connection, act)
    of_patient = SCOPES[act.kind] == "patient"
    happened = Event(
        at_us=act.at_us,
        kind="consent_given" if act.act == "given" else "consent_withdrawn",
        channel=act.channel,
        account_id=act.account_id,
        patient_id=act.subject_id if of_patient else None,
        device_id=caller.device_id,
        session_token=caller.sign_in_id,
        ip=caller.ip,
        user_agent=caller.user_agent,
        staff_id=act.staff_id,
        detail={
            "consent_id": act.id,
            "kind": act.kind,
            "text_version": act.text_version,
            "text_sha256": act.text_sha256,
        },
    )
    event_log.append(connection, [happened])
