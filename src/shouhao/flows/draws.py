"""Draws, from the opening of the window to the winners' offers and the losers' places on the waitlist.

Open: the window's sessions and policy are fixed, the hospital's commitment is published. Seal: nobody enters any more,
the list becomes one published hash. Contribute: whoever was promised a part in the seed gives it (contribute.py). Make:
the order follows from all of it, the file is published, winners are offered their slots. Each step is one unit of work
that a restart neither loses nor repeats.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from shouhao.booking.draw_keys import DrawKeys
from shouhao.booking.entering import ticket
from shouhao.booking.model import ASSISTED_CHANNELS
from shouhao.booking.release.draw import Entry
from shouhao.booking.release.draw_file import canonical, draw_file, draw_terms, sealed_root
from shouhao.booking.release.mixed import parts_that_fit
from shouhao.booking.release.policy import InForce, release_body
from shouhao.booking.release.seal import beacon_round
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store import draws as draw_store
from shouhao.booking.store import entries as entry_store
from shouhao.booking.store import release as release_store
from shouhao.booking.store.draws import Draw, Given, Result
from shouhao.booking.store.entries import Known
from shouhao.booking.store.release import Planned
from shouhao.booking.store.release_policies import policies_in_force
from shouhao.flows.allot import AlreadyMade, allot_slots, order_waitlist
from shouhao.flows.release import record_released, ruling
from shouhao.kernel.clock import SECOND_US, iso
from shouhao.kernel.errors import Refused, Tampered
from shouhao.kernel.events import Event
from shouhao.patients.same_person import same_person
from shouhao.patients.standing import standings
from shouhao.store import event_log
from shouhao.store.engine import Database

_Ruled = tuple[Planned, InForce]
_log = structlog.get_logger()


def open_windows(db: Database, keys: DrawKeys, *, now_us: int, limit: int = 500) -> int:
    """Open the entry window of every session that goes by draw and whose time has come; how many sessions.

    Sessions of one department that are released at one time under one policy are one draw, so that a person may name
    several of them as wishes. A window that should have opened while nothing ran opens late and stays open as long.
    """
    with db.read() as connection:
        kept = policies_in_force(connection, now_us=now_us)
        longest_s = max((by.policy.draw.entry_window_s for by in kept.values() if by.policy.draws()), default=None)
        if longest_s is None:
            return 0
        planned = release_store.due_sessions(connection, before_us=now_us + longest_s * SECOND_US, limit=limit)
        groups = _together(_due(kept, planned, now_us=now_us))
    return sum(_open(db, keys, [s.id for s, _ in group], now_us=now_us) for group in groups)


def publish_commitments(db: Database, keys: DrawKeys, *, limit: int = 200) -> int:
    """Publish the commitments of batches that opened at the desk, which has no key; how many."""
    with db.read() as connection:
        missing = draw_store.without_commitment(connection, limit=limit)
    if missing:
        with db.write() as connection:
            for draw_id in missing:
                draw_store.publish_commitment(connection, draw_id, keys.commitment(draw_id))
    return len(missing)


def seal_due(db: Database, keys: DrawKeys, *, now_us: int, limit: int = 50) -> int:
    """Seal every draw whose window is over; how many."""
    with db.read() as connection:
        due = draw_store.to_seal(connection, now_us=now_us, limit=limit)
    return sum(_each(draw_id, lambda one: _seal(db, keys, one, now_us=now_us)) for draw_id in due)


def make_due(db: Database, keys: DrawKeys, *, now_us: int, limit: int = 50) -> int:
    """Make every sealed draw that has what was promised to it; how many."""
    with db.read() as connection:
        due = draw_store.to_make(connection, limit=limit)
    return sum(_each(draw_id, lambda one: _make(db, keys, one, now_us=now_us)) for draw_id in due)


def missing(draw: Draw, given: Sequence[Given]) -> list[str]:
    """What this draw still waits for, in the words of its policy; nothing once a person let it go on without."""
    if draw.fallen_back is not None:
        return []
    rules = draw.ruled_by.policy.draw
    witnesses = [g for g in given if g.kind == "witness"]
    waits = [f"witness:{g.who}" for g in witnesses if not g.given]
    waits += ["witness"] * max(0, rules.witnesses - len(witnesses))
    if rules.beacon and not any(g.kind == "beacon" and g.given for g in given):
        waits.append(f"beacon:{rules.beacon}")
    return waits


def _each(draw_id: str, act: Callable[[str], int]) -> int:
    """One draw that is not what was sealed, or cannot be published, must not hold up the others."""
    try:
        return act(draw_id)
    except (Tampered, Refused) as error:
        _log.error("draw_stopped", draw_id=draw_id, error=type(error).__name__, what=str(error))
        return 0


def _together(due: Sequence[_Ruled]) -> list[list[_Ruled]]:
    """What is one draw each."""
    groups: dict[tuple[str, str, int], list[_Ruled]] = defaultdict(list)
    for session, by in due:
        groups[session.department_id, by.scope, session.release_at_us].append((session, by))
    return [group for _, group in sorted(groups.items())]


def _due(kept: dict[str, InForce], planned: Iterable[Planned], *, now_us: int) -> list[_Ruled]:
    found = []
    for session in planned:
        by = ruling(kept, session)
        opens_at_us = session.release_at_us - by.policy.draw.entry_window_s * SECOND_US
        if by.policy.draws() and opens_at_us <= now_us:
            found.append((session, by))
    return found


def _open(db: Database, keys: DrawKeys, session_ids: Sequence[str], *, now_us: int) -> int:
    with db.write() as connection:
        desk_store.lock_sessions(connection, session_ids)
        planned = release_store.still_planned(connection, session_ids)
        # Grouped again: a plan or a policy may have changed since it was looked at.
        due = _together(_due(policies_in_force(connection, now_us=now_us), planned, now_us=now_us))
        for group in due:
            _open_draw(connection, keys, [session for session, _ in group], group[0][1], now_us=now_us)
        return sum(map(len, due))


def _open_draw(
    connection: Connection, keys: DrawKeys, sessions: Sequence[Planned], by: InForce, *, now_us: int
) -> None:
    window_us = by.policy.draw.entry_window_s * SECOND_US
    release_at_us = sessions[0].release_at_us
    late = release_at_us <= now_us
    opens_at_us = now_us if late else min(now_us, release_at_us - window_us)
    ids = [session.id for session in sessions]
    slots = release_store.planned_slots(connection, ids)
    draw_id = entry_store.new_draw(
        connection,
        kind="release",
        department_id=sessions[0].department_id,
        ruled_by=by,
        opens_at_us=opens_at_us,
        closes_at_us=now_us + window_us if late else release_at_us,
        seats={one: parts_that_fit(by.policy, len(slots.get(one, ()))).get("draw", 0) for one in ids},
        hot=any(session.hot for session in sessions),
    )
    draw_store.publish_commitment(connection, draw_id, keys.commitment(draw_id))
    release_store.name_draw(connection, ids, draw_id)
    detail = {"draw_id": draw_id, "sessions": ids, "scope": by.scope, "version": by.version}
    _record(connection, "draw_opened", sessions[0].department_id, detail, now_us)


def _seal(db: Database, keys: DrawKeys, draw_id: str, *, now_us: int) -> int:
    with db.write() as connection:
        targets = draw_store.targets_of(connection, [draw_id]).get(draw_id, [])
        desk_store.lock_sessions(connection, [t.session_id for t in targets])
        draw = draw_store.lock_draw(connection, draw_id)
        if draw is None or draw.state != "open":
            return 0  # another worker sealed it
        known = draw_store.entries_of_draw(connection, draw_id, "entered")
        left_out = _left_out(connection, known)
        draw_store.set_results(
            connection, [Result(id=i, state="left_out", left_out=why) for i, why in left_out.items()]
        )
        commitment = keys.commitment(draw_id)
        if draw.commitment is not None and draw.commitment != commitment:
            raise Tampered(f"draw {draw_id}: the commitment is not this key's")
        rules = draw.ruled_by.policy.draw
        terms = draw_terms(
            draw_id=draw_id,
            kind="waitlist" if draw.kind == "waitlist" else "release",
            title=_title(draw, [t.label for t in targets]),
            policy=release_body(draw.ruled_by.policy),
            policy_scope=draw.ruled_by.scope,
            policy_version=draw.ruled_by.version,
            opened_at=iso(draw.opens_at_us),
            closed_at=iso(draw.closes_at_us),
            sealed_at=iso(now_us),
            targets=[{"id": t.session_id, "seats": t.seats, "label": t.label} for t in targets],
            left_out=[{"id": entry_id, "reason": why} for entry_id, why in left_out.items()],
            commitment=commitment,
            receipt_key=keys.public_hex,
        )
        root = sealed_root(terms, [published_entry(draw, e) for e in known if e.id not in left_out])
        draw_store.seal(
            connection,
            draw_id,
            root=root.hex(),
            terms=terms,
            commitment=commitment,
            beacon_round=beacon_round(
                sealed_at_us=now_us,
                after_s=rules.beacon_after_s,
                genesis_s=rules.beacon_genesis_s,
                period_s=rules.beacon_period_s,
            )
            if rules.beacon and draw.kind == "release"
            else None,
            now_us=now_us,
        )
        if draw.kind == "release":
            _open_other_parts(connection, draw, now_us=now_us)
        detail = {"draw_id": draw_id, "root": root.hex(), "entries": len(known), "left_out": len(left_out)}
        _record(connection, "draw_sealed", draw.department_id, detail, now_us)
        return 1


def _left_out(connection: Connection, known: Sequence[Known]) -> dict[str, str]:
    """Entries whose people may not take part after all, by what was done to their records since they entered."""
    people = standings(connection, {(p, e.account_id) for e in known for p in e.people}, lock="none")
    found = _same_people(connection, known)
    for entry in known:
        for person in entry.people:
            standing = people.get((person, entry.account_id))
            assisted = entry.account_id is None and entry.channel in ASSISTED_CHANNELS
            refusal = None if standing is None else standing.refusal(assisted=assisted)
            if standing is None or refusal is not None:
                found[entry.id] = "patients.not_bound" if refusal is None else refusal.code
    return found


def _same_people(connection: Connection, known: Sequence[Known]) -> dict[str, str]:
    """One of two entries in which one person stands under two documents; they may have come at the same moment."""
    stands_in = {person: entry.id for entry in known for person in entry.people}
    found: dict[str, str] = {}
    for person, others in same_person(connection, stands_in).items():
        for other in others:
            if other in stands_in and stands_in[other] != stands_in[person]:
                found[max(stands_in[person], stands_in[other])] = "booking.same_person_entered"
    return found


def published_entry(draw: Draw, entry: Known) -> Entry:
    """An entry as it is sealed and published: tickets instead of people, and nothing of when it came."""
    return Entry(id=entry.id, people=tuple(ticket(draw.salt, person) for person in entry.people), wishes=entry.wishes)


def _open_other_parts(connection: Connection, draw: Draw, *, now_us: int) -> None:
    """A mixed session opens its other parts at its release time; one that goes by draw alone opens with the draw."""
    if draw.ruled_by.policy.kind != "mixed":
        return
    planned = release_store.of_draw(connection, draw.id)
    public = release_store.open_sessions(
        connection, {s.id: (s.starts_at_us, draw.ruled_by) for s in planned}, now_us=now_us
    )
    for session in planned:
        record_released(connection, session, draw.ruled_by, public=public[session.id], now_us=now_us)


@dataclass(frozen=True, slots=True)
class _Made:
    """What a draw comes to."""

    file: bytes
    order: Sequence[str]
    wins: Mapping[str, str]  #: entry id -> session id
    entries: Mapping[str, Known]


def _make(db: Database, keys: DrawKeys, draw_id: str, *, now_us: int) -> int:
    with db.read() as connection:
        draw = draw_store.find_draw(connection, draw_id)
        given = draw_store.contributions_of(connection, draw_id)
        if draw is None or draw.state != "sealed":
            return 0
        waiting = draw.kind == "waitlist"
        if not waiting and missing(draw, given):
            return 0
        entries = draw_store.entries_of_draw(connection, draw_id, "entered")
    made = _draw(keys, draw, [g for g in given if g.given and not waiting], entries)
    try:
        with db.write() as connection:
            if waiting:
                offers = order_waitlist(connection, draw_id, made.order, made.entries, now_us=now_us)
            else:
                offers = allot_slots(connection, draw_id, made.order, made.wins, made.entries, now_us=now_us)
            draw_store.publish_file(connection, draw_id, made.file)
            detail = {"draw_id": draw_id, "entries": len(entries), "won": len(made.wins), "offers": len(offers)}
            _record(connection, "draw_made", draw.department_id, detail, now_us)
    except AlreadyMade:
        return 0
    return 1


def _draw(keys: DrawKeys, draw: Draw, given: Sequence[Given], entries: Sequence[Known]) -> _Made:
    """Compute the draw from what was sealed; outside any unit of work, for it may take a while."""
    terms = dict(draw.terms or {})
    policy = terms["policy"]
    file = draw_file(
        entries=[published_entry(draw, e) for e in entries],
        secret=keys.secret(draw.id),
        contributions=[draw_store.as_contribution(g, draw) for g in given],
        root=bytes.fromhex(draw.root or ""),
        draw_id=terms["id"],
        kind=terms["kind"],
        title=terms["title"],
        policy=policy["rules"],
        policy_scope=policy["scope"],
        policy_version=policy["version"],
        opened_at=terms["opened_at"],
        closed_at=terms["closed_at"],
        sealed_at=terms["sealed_at"],
        targets=terms["targets"],
        left_out=terms["left_out"],
        commitment=terms["commitment"],
        receipt_key=terms["receipt_key"],
    )
    return _Made(
        file=canonical(file),
        order=file["order"],
        wins={win["id"]: win["target"] for win in file["wins"]},
        entries={e.id: e for e in entries},
    )


def _title(draw: Draw, labels: Sequence[str]) -> str:
    shown = "；".join(labels[:3]) + ("……" if len(labels) > 3 else "")  # noqa: PLR2004 - enough to recognise it
    return f"{'候补排序' if draw.kind == 'waitlist' else '放号抽签'} {shown}".strip()


def _record(connection: Connection, kind: str, department_id: str, detail: Mapping[str, object], now_us: int) -> None:
    happened = Event(at_us=now_us, kind=kind, department_id=department_id, detail=detail)  # type: ignore[arg-type]
    event_log.append(connection, [happened])
