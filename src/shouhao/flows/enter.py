"""Enter: a batch of requests becomes entries in draws and on waitlists, with a receipt for each, in one transaction.

Order: what was said to these keys before; the people, locked; sessions and draws, locked; the decision, which is
pure; the writing. The clock is the hospital's own, read once a batch.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from shouhao.booking.entering import Door, DrawNotOpen, Entered, decide_entries, receipt
from shouhao.booking.limits import KIND as LIMITS
from shouhao.booking.model import EntryRequest
from shouhao.booking.release.policy import InForce
from shouhao.booking.store import entries as entry_store
from shouhao.booking.store.rules import limits_of
from shouhao.flows.applicants import look_at
from shouhao.flows.give_back import Caller
from shouhao.flows.once import Keep, done, each_once, no
from shouhao.kernel.clock import from_us
from shouhao.kernel.errors import NotFound, Refused
from shouhao.kernel.events import Event
from shouhao.patients.same_person import same_person
from shouhao.patients.store import lock_patients
from shouhao.store import batch, event_log, policies
from shouhao.store.answers import Answer


def enter(connection: Connection, requests: Sequence[EntryRequest], *, now_us: int) -> list[Answer | Refused]:
    """Decide a batch within a unit of work. A request with a key is answered with what is kept under it."""

    def fresh(asked: Sequence[EntryRequest], keep: Keep) -> list[Answer]:
        outcomes, fresh_batches = _decide(connection, asked, now_us=now_us)
        made = [no(o) if isinstance(o, Refused) else done(receipt(o, now_us=now_us)) for o in outcomes]
        entered = [(r, o) for r, o in zip(asked, outcomes, strict=True) if isinstance(o, Entered)]
        entry_store.write_entries(connection, entered, fresh_batches, now_us=now_us)
        with batch.together(connection):
            keep(made)
            event_log.append(
                connection,
                [e for r, o in zip(asked, outcomes, strict=True) for e in _events(r, o, now_us)],
            )
        return made

    return each_once(connection, requests, fresh, now_us=now_us)


def withdraw(connection: Connection, *, entry_id: str, caller: Caller, now_us: int) -> None:
    """Leave a draw or a waitlist's batch while it is open.

    Entering again gives the same entry, so leaving is no way to another chance.

    Raises:
        NotFound: no such entry of this caller.
        DrawNotOpen: the entries are sealed.
    """
    entry = entry_store.find_entry(connection, entry_id)
    if entry is None or entry.state == "withdrawn" or not _may_touch(caller, entry):
        raise NotFound("entry", "entry_id")
    lock_patients(connection, entry.people)
    draw = entry_store.lock_draws(connection, [entry.draw_id])[entry.draw_id]
    entry = entry_store.find_entry(connection, entry_id)  # it may have become another guardian's meanwhile
    if entry is None or entry.state == "withdrawn" or not _may_touch(caller, entry):
        raise NotFound("entry", "entry_id")
    if draw.state != "open" or now_us >= draw.closes_at_us:
        opens, closes = (from_us(at).strftime("%Y-%m-%d %H:%M:%S") for at in (draw.opens_at_us, draw.closes_at_us))
        raise DrawNotOpen("entry_id", opens_at=opens, closes_at=closes)
    entry_store.withdraw_entry(connection, entry)
    event_log.append(
        connection,
        [
            Event(
                at_us=now_us,
                kind="draw_withdrawn",
                channel=caller.channel,
                account_id=caller.account_id,
                patient_id=person,
                device_id=caller.device_id,
                session_token=caller.sign_in_id,
                ip=caller.ip,
                user_agent=caller.user_agent,
                department_id=draw.department_id,
                staff_id=caller.staff_id,
                detail={"draw_id": draw.id, "entry_id": entry.id},
            )
            for person in entry.people
        ],
    )


def _may_touch(caller: Caller, entry: entry_store.Known) -> bool:
    return caller.staff_id is not None or (caller.account_id is not None and entry.account_id == caller.account_id)


def _decide(
    connection: Connection, asked: Sequence[EntryRequest], *, now_us: int
) -> tuple[list[Door], Mapping[str, InForce]]:
    """What becomes of each, and the batches that open with the first of them."""
    rules = policies.all_effective(connection, now_us=now_us)
    everyone = {person for r in asked for person in r.patient_ids}
    people = look_at(
        connection,
        {(person, r.account_id) for r in asked for person in r.patient_ids},
        {r.sign_in_id for r in asked},
        rules,
    )
    view = entry_store.look(connection, asked, same_person(connection, everyone), now_us=now_us)
    outcomes = decide_entries(
        [(r, {person: people.applicant(r, person) for person in r.patient_ids}) for r in asked],
        view,
        policy=limits_of(rules.get(LIMITS)),
        now_us=now_us,
    )
    return outcomes, view.fresh


def _events(request: EntryRequest, outcome: Door, now_us: int) -> list[Event]:
    """One event a person, so that whoever reads them sees everybody who asked."""
    detail: dict[str, object]
    department_id: str | None
    if isinstance(outcome, Refused):
        department_id, detail = None, {"code": outcome.code, "draw_id": request.draw_id}
    else:
        department_id = outcome.draw.department_id
        detail = {"draw_id": outcome.draw.id, "entry_id": outcome.id, "wishes": list(outcome.wishes)}
    waiting = request.draw_id is None
    return [
        Event(
            at_us=now_us,
            kind="refused" if isinstance(outcome, Refused) else "waitlisted" if waiting else "draw_entered",
            channel=request.channel,
            account_id=request.account_id,
            patient_id=person,
            device_id=request.device_id,
            session_token=request.sign_in_id,
            ip=request.ip,
            user_agent=request.user_agent,
            department_id=department_id,
            session_id=request.session_id,
            staff_id=request.staff_id,
            detail=detail,
        )
        for person in request.patient_ids
    ]
