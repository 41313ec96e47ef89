"""Draws and entries as pages read them: a few queries however many are shown; nobody's entry to anybody else."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, tuple_

from shouhao.booking.draw_tables import draw_contributions, draw_entries, draw_files, draw_members, draws, waits
from shouhao.booking.store.draws import Draw, Given, Target, count_entries, find_draws, targets_of
from shouhao.booking.store.entries import Known, known_entry
from shouhao.booking.tables import bookings

TOOK_PART = ("entered", "won", "lost")  #: states of the entries that are sealed in


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSeen:
    """A draw with everything that is public about it."""

    draw: Draw
    targets: tuple[Target, ...]
    entries: int
    given: tuple[Given, ...]
    file_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawPage:
    """Some draws, the earliest to close first; `after` asks for those that follow."""

    draws: tuple[DrawSeen, ...]
    after: tuple[int, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WonBooking:
    """What was given to a person of an entry that won."""

    id: str
    patient_id: str
    state: str
    hold_expires_at_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryWait:
    """A place on a waitlist that an entry led to."""

    id: str
    session_id: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySeen:
    """An entry with what became of it."""

    entry: Known
    draw: Draw
    entries: int  #: how many stand in the draw
    won: tuple[WonBooking, ...]
    waits: tuple[EntryWait, ...]


def draw_page(
    connection: Connection,
    *,
    department_id: str | None,
    kind: str,
    since_us: int,
    after: tuple[int, str] | None,
    limit: int,
) -> DrawPage:
    """Draws that close at that moment or later.

    Args:
        after: `DrawPage.after` of the page before.
    """
    page = select(draws.c.id, draws.c.closes_at_us).where(draws.c.kind == kind, draws.c.closes_at_us >= since_us)
    if department_id is not None:
        page = page.where(draws.c.department_id == department_id)
    if after is not None:
        page = page.where(tuple_(draws.c.closes_at_us, draws.c.id) > tuple_(*after))
    found = connection.execute(page.order_by(draws.c.closes_at_us, draws.c.id).limit(limit + 1)).all()
    shown = [row.id for row in found[:limit]]
    last = found[limit - 1] if len(found) > limit else None
    seen = see_draws(connection, shown)
    return DrawPage(
        draws=tuple(seen[draw_id] for draw_id in shown), after=None if last is None else (last.closes_at_us, last.id)
    )


def see_draws(connection: Connection, ids: Collection[str]) -> dict[str, DrawSeen]:
    """These draws, those that exist."""
    found = find_draws(connection, ids)
    if not found:
        return {}
    targets, counts = targets_of(connection, found), count_entries(connection, found)
    given = _contributions(connection, found)
    digests = select(draw_files.c.draw_id, draw_files.c.sha256).where(draw_files.c.draw_id.in_(list(found)))
    files = {row.draw_id: row.sha256 for row in connection.execute(digests)}
    return {
        draw_id: DrawSeen(
            draw=draw,
            targets=tuple(targets.get(draw_id, ())),
            entries=counts.get(draw_id, 0),
            given=tuple(given.get(draw_id, ())),
            file_sha256=files.get(draw_id),
        )
        for draw_id, draw in found.items()
    }


def entries_of_people(connection: Connection, patient_ids: Sequence[str], *, limit: int) -> list[EntrySeen]:
    """The entries in which these people stand, newest first, with what became of each."""
    mine = select(draw_members.c.entry_id).where(draw_members.c.patient_id.in_(patient_ids))
    rows = connection.execute(
        select(draw_entries)
        .where(draw_entries.c.id.in_(mine))
        .order_by(draw_entries.c.entered_at_us.desc(), draw_entries.c.id)
        .limit(limit)
    )
    known = [known_entry(row) for row in rows]
    drawn = find_draws(connection, {e.draw_id for e in known})
    counts = count_entries(connection, {e.draw_id for e in known if e.place is not None})
    won = _won(connection, [e for e in known if e.state == "won"], drawn)
    waiting = _waits(connection, [e.id for e in known])
    return [
        EntrySeen(
            entry=e,
            draw=drawn[e.draw_id],
            entries=counts.get(e.draw_id, 0),
            won=tuple(won.get(e.id, ())),
            waits=tuple(waiting.get(e.id, ())),
        )
        for e in known
    ]


def _won(connection: Connection, entries: Sequence[Known], drawn: Mapping[str, Draw]) -> dict[str, list[WonBooking]]:
    """The booking of each person of these entries: the first one after the draw that was not offered to a waiter."""
    if not entries:
        return {}
    people = {person for e in entries for person in e.people}
    rows = connection.execute(
        select(bookings)
        .where(
            bookings.c.patient_id.in_(people),
            bookings.c.session_id.in_({e.session_id for e in entries}),
            bookings.c.wait_id.is_(None),
        )
        .order_by(bookings.c.created_at_us.desc(), bookings.c.id)
    ).all()
    found: dict[str, list[WonBooking]] = {}
    for e in entries:
        if e.left_out is not None:
            continue
        made_at_us = drawn[e.draw_id].made_at_us or 0
        first = {
            row.patient_id: WonBooking(
                id=row.id, patient_id=row.patient_id, state=row.state, hold_expires_at_us=row.hold_expires_at_us
            )
            for row in rows
            if row.patient_id in e.people and row.session_id == e.session_id and row.created_at_us >= made_at_us
        }
        found[e.id] = [first[person] for person in e.people if person in first]
    return found


def _waits(connection: Connection, entry_ids: Sequence[str]) -> dict[str, list[EntryWait]]:
    found: dict[str, list[EntryWait]] = defaultdict(list)
    if entry_ids:
        rows = connection.execute(
            select(waits.c.id, waits.c.entry_id, waits.c.session_id, waits.c.state)
            .where(waits.c.entry_id.in_(entry_ids))
            .order_by(waits.c.session_id)
        )
        for row in rows:
            found[row.entry_id].append(EntryWait(id=row.id, session_id=row.session_id, state=row.state))
    return found


def _contributions(connection: Connection, draw_ids: Iterable[str]) -> dict[str, list[Given]]:
    """What was committed to and given, by draw; as `draws.contributions_of` for one."""
    query = select(draw_contributions).where(draw_contributions.c.draw_id.in_(list(draw_ids)))
    found: dict[str, list[Given]] = defaultdict(list)
    for row in connection.execute(query.order_by(draw_contributions.c.kind, draw_contributions.c.who)):
        given = row.given_at_us is not None
        found[row.draw_id].append(
            Given(
                kind=row.kind,
                who=row.who,
                commitment=row.commitment,
                value=row.value,
                given=given,
                staff_id=row.staff_id,
            )
        )
    return found
