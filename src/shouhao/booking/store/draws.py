"""Draws in the database, from the opening of a window to the published file. The caller holds sessions and draw."""

import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, text, update

from shouhao.booking.draw_tables import draw_contributions, draw_entries, draw_files, draw_targets, draws
from shouhao.booking.release.policy import InForce
from shouhao.booking.release.seal import Contribution
from shouhao.booking.store.entries import Known, known_entry
from shouhao.booking.store.release_policies import policy_of_text
from shouhao.booking.tables import departments, doctors, sessions, slots
from shouhao.kernel.ids import new_id
from shouhao.store import batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A draw as it stands; what is secret is not among it."""

    id: str
    kind: str  #: release, waitlist
    department_id: str
    state: str  #: open, sealed, made
    opens_at_us: int
    closes_at_us: int
    salt: str
    ruled_by: InForce
    commitment: str | None
    root: str | None
    terms: Mapping[str, Any] | None
    sealed_at_us: int | None
    beacon_round: int | None
    made_at_us: int | None
    fallen_back: str | None
    hot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A session of a draw, with what is said of it in public."""

    session_id: str
    seats: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What somebody outside gives to a draw's seed."""

    kind: str
    who: str
    commitment: str | None
    value: str | None
    given: bool  #: it counts: revealed by the witness, or a beacon's value that a second person confirmed
    staff_id: str | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an entry."""

    id: str
    state: str
    left_out: str | None = None
    place: int | None = None
    session_id: str | None = None


def find_draw(connection: Connection, draw_id: str) -> Draw | None:
    """A draw by its id."""
    row = connection.execute(select(draws).where(draws.c.id == draw_id)).one_or_none()
    return None if row is None else _draw(row)


def lock_draw(connection: Connection, draw_id: str) -> Draw | None:
    """A draw as it stands now and until the unit of work ends."""
    row = connection.execute(select(draws).where(draws.c.id == draw_id).with_for_update(key_share=True)).one_or_none()
    return None if row is None else _draw(row)


def list_draws(
    connection: Connection, *, department_id: str | None, kind: str, since_us: int, limit: int
) -> list[Draw]:
    """Draws that close after that moment, the next to close first."""
    query = select(draws).where(draws.c.kind == kind, draws.c.closes_at_us >= since_us)
    if department_id is not None:
        query = query.where(draws.c.department_id == department_id)
    return [_draw(row) for row in connection.execute(query.order_by(draws.c.closes_at_us, draws.c.id).limit(limit))]


def find_draws(connection: Connection, ids: Iterable[str]) -> dict[str, Draw]:
    """Draws by their ids."""
    return {row.id: _draw(row) for row in connection.execute(select(draws).where(draws.c.id.in_(list(ids))))}


def without_commitment(connection: Connection, *, limit: int) -> list[str]:
    """Open draws whose commitment is not published yet."""
    query = select(draws.c.id).where(draws.c.state == "open", draws.c.commitment.is_(None))
    return list(connection.execute(query.order_by(draws.c.closes_at_us).limit(limit)).scalars())


def publish_commitment(connection: Connection, draw_id: str, commitment: str) -> None:
    """Publish it, once."""
    connection.execute(
        update(draws).where(draws.c.id == draw_id, draws.c.commitment.is_(None)).values(commitment=commitment)
    )


def to_seal(connection: Connection, *, now_us: int, limit: int) -> list[str]:
    """Draws whose window is over, the earliest first."""
    query = select(draws.c.id).where(draws.c.state == "open", draws.c.closes_at_us <= now_us)
    return list(connection.execute(query.order_by(draws.c.closes_at_us, draws.c.id).limit(limit)).scalars())


def to_make(connection: Connection, *, limit: int) -> list[str]:
    """Sealed draws, the earliest first."""
    query = select(draws.c.id).where(draws.c.state == "sealed")
    return list(connection.execute(query.order_by(draws.c.closes_at_us, draws.c.id).limit(limit)).scalars())


def next_close_us(connection: Connection) -> int | None:
    """When the next window is over."""
    return connection.execute(select(func.min(draws.c.closes_at_us)).where(draws.c.state == "open")).scalar()


def open_in_scope(connection: Connection, scope: str) -> list[Draw]:
    """Draws of a scope that take entries or are not made yet."""
    query = select(draws).where(
        draws.c.scope == scope, draws.c.kind == "release", draws.c.state.in_(["open", "sealed"])
    )
    return [_draw(row) for row in connection.execute(query)]


def targets_of(connection: Connection, draw_ids: Iterable[str]) -> dict[str, list[Target]]:
    """The sessions of these draws, each with a label in words."""
    rows = connection.execute(
        select(
            draw_targets.c.draw_id,
            draw_targets.c.session_id,
            draw_targets.c.seats,
            sessions.c.day,
            sessions.c.half,
            departments.c.name_zh,
            doctors.c.name_zh.label("doctor_zh"),
        )
        .join(sessions, sessions.c.id == draw_targets.c.session_id)
        .join(departments, departments.c.id == sessions.c.department_id)
        .outerjoin(doctors, doctors.c.id == sessions.c.doctor_id)
        .where(draw_targets.c.draw_id.in_(list(draw_ids)))
        .order_by(draw_targets.c.session_id)
    )
    found: dict[str, list[Target]] = {}
    for row in rows:
        label = " ".join(part for part in (row.name_zh, row.doctor_zh, row.day, row.half) if part)
        found.setdefault(row.draw_id, []).append(Target(session_id=row.session_id, seats=row.seats, label=label))
    return found


def entries_of_draw(connection: Connection, draw_id: str, *states: str) -> list[Known]:
    """The entries of a draw in these states, by id."""
    query = select(draw_entries).where(draw_entries.c.draw_id == draw_id, draw_entries.c.state.in_(states))
    return [known_entry(row) for row in connection.execute(query.order_by(draw_entries.c.id))]


def count_entries(connection: Connection, draw_ids: Iterable[str]) -> dict[str, int]:
    """How many entries each draw has; withdrawn ones are not counted."""
    rows = connection.execute(
        select(draw_entries.c.draw_id, func.count())
        .where(draw_entries.c.draw_id.in_(list(draw_ids)), draw_entries.c.state != "withdrawn")
        .group_by(draw_entries.c.draw_id)
    )
    return {row[0]: row[1] for row in rows}


def seal(
    connection: Connection,
    draw_id: str,
    *,
    root: str,
    terms: Mapping[str, Any],
    commitment: str,
    beacon_round: int | None,
    now_us: int,
) -> None:
    """Nobody enters any more; what was sealed is published as one hash."""
    connection.execute(
        update(draws)
        .where(draws.c.id == draw_id)
        .values(
            state="sealed",
            root=root,
            terms=msgspec.json.encode(terms).decode(),
            commitment=commitment,
            beacon_round=beacon_round,
            sealed_at_us=now_us,
        )
    )


def mark_made(connection: Connection, draw_id: str, *, now_us: int) -> None:
    """The draw is made."""
    connection.execute(update(draws).where(draws.c.id == draw_id).values(state="made", made_at_us=now_us))


def publish_file(connection: Connection, draw_id: str, file: bytes) -> None:
    """Publish what a draw came to."""
    digest = hashlib.sha256(file).hexdigest()
    packed = gzip.compress(file, compresslevel=6, mtime=0)
    connection.execute(insert(draw_files).values(draw_id=draw_id, sha256=digest, body_gz=packed))


def file_of(connection: Connection, draw_id: str) -> tuple[bytes, str] | None:
    """The published file, packed with gzip, and the SHA-256 of what is in it."""
    row = connection.execute(select(draw_files).where(draw_files.c.draw_id == draw_id)).one_or_none()
    return None if row is None else (bytes(row.body_gz), row.sha256)


def set_results(connection: Connection, results: Sequence[Result]) -> None:
    """Write what became of entries."""
    for piece in batch.pieces(results):
        batch.run(connection, _sql(connection.dialect.name).results, {"rows": batch.encode(piece)})


def fall_back(connection: Connection, draw_id: str, why: str) -> None:
    """A person decided that a draw goes on without what was promised."""
    connection.execute(update(draws).where(draws.c.id == draw_id).values(fallen_back=why))


def contributions_of(connection: Connection, draw_id: str) -> list[Given]:
    """What was committed to and given, by kind and name."""
    query = select(draw_contributions).where(draw_contributions.c.draw_id == draw_id)
    return [
        Given(
            kind=row.kind,
            who=row.who,
            commitment=row.commitment,
            value=row.value,
            given=row.given_at_us is not None,
            staff_id=row.staff_id,
        )
        for row in connection.execute(query.order_by(draw_contributions.c.kind, draw_contributions.c.who))
    ]


def commit_witness(connection: Connection, draw_id: str, *, who: str, commitment: str, now_us: int) -> None:
    """A second party fixed a value that nobody knows."""
    connection.execute(
        insert(draw_contributions).values(
            id=new_id("ct"),
            draw_id=draw_id,
            kind="witness",
            who=who,
            commitment=commitment,
            committed_at_us=now_us,
            staff_id=who,
        )
    )


def reveal_witness(connection: Connection, draw_id: str, *, who: str, value: str, now_us: int) -> None:
    """The second party says which value it was."""
    connection.execute(
        update(draw_contributions)
        .where(
            draw_contributions.c.draw_id == draw_id,
            draw_contributions.c.kind == "witness",
            draw_contributions.c.who == who,
        )
        .values(value=value, given_at_us=now_us)
    )


def enter_beacon(
    connection: Connection, draw_id: str, *, who: str, value: str, staff_id: str | None, given_at_us: int | None
) -> None:
    """A beacon's value, as fetched, or as a first person read it."""
    connection.execute(
        insert(draw_contributions).values(
            id=new_id("ct"),
            draw_id=draw_id,
            kind="beacon",
            who=who,
            value=value,
            given_at_us=given_at_us,
            staff_id=staff_id,
        )
    )


def confirm_beacon(connection: Connection, draw_id: str, *, who: str, now_us: int) -> None:
    """A second person read the same value."""
    connection.execute(
        update(draw_contributions)
        .where(
            draw_contributions.c.draw_id == draw_id,
            draw_contributions.c.kind == "beacon",
            draw_contributions.c.who == who,
        )
        .values(given_at_us=now_us)
    )


def drop_beacon(connection: Connection, draw_id: str, *, who: str) -> None:
    """Two people read different values: both look again."""
    connection.execute(
        draw_contributions.delete().where(
            draw_contributions.c.draw_id == draw_id,
            draw_contributions.c.kind == "beacon",
            draw_contributions.c.who == who,
            draw_contributions.c.given_at_us.is_(None),
        )
    )


def as_contribution(given: Given, draw: Draw) -> Contribution:
    """What counts for the seed."""
    beacon = given.kind == "beacon"
    return Contribution(
        kind="beacon" if beacon else "witness",
        who=given.who,
        round=draw.beacon_round if beacon else None,
        value=bytes.fromhex(given.value or ""),
        commitment=given.commitment,
    )


def draw_slots(connection: Connection, session_ids: Sequence[str]) -> dict[str, list[str]]:
    """Ids of the slots that a draw allots, by session, in the order of their numbers."""
    rows = connection.execute(
        select(slots.c.session_id, slots.c.id)
        .where(
            slots.c.session_id.in_(list(session_ids)),
            ~slots.c.extra,
            (slots.c.state == "planned") | (slots.c.reserved_for == "draw"),
        )
        .order_by(slots.c.session_id, slots.c.number)
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.session_id, []).append(row.id)
    return found


def _draw(row: Any) -> Draw:
    return Draw(
        id=row.id,
        kind=row.kind,
        department_id=row.department_id,
        state=row.state,
        opens_at_us=row.opens_at_us,
        closes_at_us=row.closes_at_us,
        salt=row.salt,
        ruled_by=policy_of_text(row.policy),
        commitment=row.commitment,
        root=row.root,
        terms=None if row.terms is None else msgspec.json.decode(row.terms),
        sealed_at_us=row.sealed_at_us,
        beacon_round=row.beacon_round,
        made_at_us=row.made_at_us,
        fallen_back=row.fallen_back,
        hot=row.hot,
    )


class _Statements:
    """The statements of batches, worded once for one kind of database."""

    def __init__(self, dialect: str) -> None:
        rows = batch.records(
            dialect,
            "rows",
            {"id": "text", "state": "text", "left_out": "text", "place": "bigint", "session_id": "text"},
            "r",
        )
        self.results = text(
            f"""
            UPDATE draw_entries SET state = r.state, left_out = r.left_out, place = r.place, session_id = r.session_id
            FROM {rows} WHERE draw_entries.id = r.id
            """
        )


@lru_cache(maxsize=2)
def _sql(dialect: str) -> _Statements:
    return _Statements(dialect)
