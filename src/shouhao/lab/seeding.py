"""Seeding: made-up people become accounts and verified patients through the same flows as real ones.

Three things are not as in life and are told in the report: the bindings are dated back, so that they are old enough for
hot sessions, sign-ins are issued with the system's own key instead of four thousand codes to phones, and windows,
batches and offers are shortened to seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from shouhao.booking.release.policy import EVERYWHERE, release_from
from shouhao.flows.import_schedule import ImportReport, import_plan
from shouhao.flows.register import PersonGiven, account_of_phone, register_patient
from shouhao.flows.release import release_due
from shouhao.flows.verify import record_verdict, start_verification
from shouhao.gate.channels import create_channel
from shouhao.gate.sign_ins import new_sign_in
from shouhao.kernel.clock import DAY_US, day_of, years_between
from shouhao.kernel.ids import new_id
from shouhao.kernel.randomness import SystemRandomness
from shouhao.lab.hospital import Person, demonstration_hospital, people
from shouhao.patients.authority import verified_by
from shouhao.patients.policy import ADULT_YEARS, BindingPolicy
from shouhao.patients.store import binding_policy
from shouhao.store import policies
from shouhao.wiring import System

CHANNELS = ("app", "web", "kiosk", "window")
RUSH_CHANNEL, WALK_CHANNEL = "app", "web"
DRAWN = "release:kind:expert"  #: scope of what goes by draw
BATCH_S, OFFER_S = 10, 60  #: of the demo's waitlists; in life both are half an hour
WINDOW_S = 10  #: in which a draw takes entries; in life two minutes and more

_BOUND_DAYS_AGO = 30
_OLDEST_YEARS = 90
_CHUNK = 250
_ACCOUNTS_A_GANG_PERSON = 4
_SPARE = 2.2  # of all ages, this many more than adults are wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A signed-in account and the patient it acts for."""

    patient_id: str
    account_id: str
    token: str

    def __repr__(self) -> str:
        """Without the token: this may end in a traceback."""
        return f"Visitor(patient_id={self.patient_id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Everybody who was seeded."""

    visitors: tuple[Visitor, ...]
    gang: tuple[Visitor, ...]  #: several accounts for each person
    newcomer: Person  #: not registered yet: walks the whole public path


def seed_schedule(system: System, *, seed: int) -> ImportReport:
    """Import the demonstration hospital, and open what is due by now, each session at its own hour."""
    now_us = system.clock.now_us()
    plan = demonstration_hospital(seed=seed, now_us=now_us)
    with system.db.write() as connection:
        report = import_plan(connection, plan, staff_id=None, source="calendar", now_us=now_us)
    for due_us in sorted({s.release_at_us for s in plan.sessions if s.release_at_us <= now_us}):
        while release_due(system.db, now_us=due_us):
            pass
    return report


def seed_first_come(system: System) -> None:
    """First come, first served everywhere: what was released before this morning is open to whoever asks."""
    _seed_policy(system, EVERYWHERE, {"kind": "first_come"})


def seed_draw(system: System) -> None:
    """From now on the experts' slots, which more people want than there are, go by draw."""
    rules = {"entry_window_s": WINDOW_S, "wishes_max": 3, "confirm_s": OFFER_S}
    _seed_policy(system, DRAWN, {"kind": "draw", "draw": rules})


def _seed_policy(system: System, scope: str, body: dict[str, Any]) -> None:
    """With a waitlist whose batches and offers are short enough to be seen within a demo, day and night."""
    now_us = system.clock.now_us()
    waitlist = {
        "batch_s": BATCH_S,
        "offer_s": OFFER_S,
        "offer_near_s": OFFER_S,
        "quiet_from_min": 0,
        "quiet_to_min": 0,
    }
    whole = {**body, "waitlist": waitlist}
    release_from(whole)
    with system.db.write() as connection:
        policies.add(connection, scope, whole, effective_at_us=now_us, staff_id=None, reason="demo", now_us=now_us)


def seed_channels(system: System) -> dict[str, str]:
    """Open the channels; the header value `NAME.KEY` of each."""
    now_us = system.clock.now_us()
    with system.db.write() as connection:
        return {
            name: f"{name}.{create_channel(connection, name, now_us=now_us, randomness=SystemRandomness())}"
            for name in CHANNELS
        }


def seed_people(
    system: System, *, count: int, gang_accounts: int, seed: int, progress: Callable[[int], None] = lambda _: None
) -> Crowd:
    """Register and verify that many adults, each with an account of their own, and a gang of fewer people.

    Args:
        gang_accounts: four of them act for the same person.
        progress: told how many accounts were made since the last time.
    """
    gang_persons = -(-gang_accounts // _ACCOUNTS_A_GANG_PERSON)
    adults = _adults(count + gang_persons + gang_accounts + 1, seed=seed, today=day_of(system.clock.now_us()))
    newcomer, *rest = adults
    ordinary, behind, phones = rest[:count], rest[count : count + gang_persons], rest[count + gang_persons :]
    gang = [(behind[n // _ACCOUNTS_A_GANG_PERSON], phones[n].mobile) for n in range(gang_accounts)]
    return Crowd(
        visitors=_enter(system, [(p, p.mobile) for p in ordinary], relation="self", progress=progress),
        gang=_enter(system, gang, relation="other", progress=progress),
        newcomer=newcomer,
    )


def _adults(count: int, *, seed: int, today: date) -> list[Person]:
    found = [
        person
        for person in people(round(count * _SPARE) + 50, seed)
        if ADULT_YEARS < years_between(person.birth_day, today) <= _OLDEST_YEARS  # of age when bound, too
    ]
    if len(found) < count:
        raise ValueError(f"only {len(found)} adults among the made-up people, {count} are needed")
    return found[:count]


def _enter(
    system: System, pairs: Sequence[tuple[Person, str]], *, relation: str, progress: Callable[[int], None]
) -> tuple[Visitor, ...]:
    bound_us = system.clock.now_us() - _BOUND_DAYS_AGO * DAY_US
    visitors: list[Visitor] = []
    for start in range(0, len(pairs), _CHUNK):
        chunk = pairs[start : start + _CHUNK]
        with system.db.write() as connection:
            policy = binding_policy(connection, now_us=bound_us)
            visitors += [
                _enter_one(connection, system, person, phone, relation=relation, policy=policy, now_us=bound_us)
                for person, phone in chunk
            ]
        progress(len(chunk))
    return tuple(visitors)


def _enter_one(
    connection: Connection,
    system: System,
    person: Person,
    phone: str,
    *,
    relation: str,
    policy: BindingPolicy,
    now_us: int,
) -> Visitor:
    vault, channel = system.vault, RUSH_CHANNEL
    account = account_of_phone(connection, vault=vault, phone=phone, channel=channel, now_us=now_us)
    registered = register_patient(
        connection,
        vault=vault,
        account_id=account.id,
        channel=channel,
        person=PersonGiven(
            name=person.name, document_kind="resident_id", document_number=person.id_number, phone=person.mobile
        ),
        relation=relation,
        policy=policy,
        now_us=now_us,
    )
    asked, _ = start_verification(connection, vault=vault, patient_id=registered.patient_id)
    if asked is not None:  # asked inside the unit of work: the embedded authority only looks at the form
        verdict = system.authority.verify(asked.question)
        record_verdict(connection, asked=asked, by=verified_by(system.authority), verdict=verdict, now_us=now_us)
    sign_in = new_sign_in(
        account.id,
        channel=channel,
        device_id=new_id("dv"),
        settings=system.settings.sign_in(),
        now_us=system.clock.now_us(),
    )
    return Visitor(patient_id=registered.patient_id, account_id=account.id, token=system.sign_in_key.issue(sign_in))
