"""Close pairs: people of the list who look so alike that one may be taken for the other, and photographs of staff.

The machine finds them; what a pair is, a person says. Nobody is taken off or put on a list by it.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, or_, select, update

from shouhao.kernel.errors import InvalidInput, NotFound, Refused
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.store import event_log
from shouhao.watch.store.watchlist_tables import close_pairs, entries, staff_photos

#: same_person: one person under two entries; different_people: twins, relatives, or by chance; wrong_photo: the
#: photograph shows somebody else; staff_listed: the member of staff is the listed person.
Decision = Literal["same_person", "different_people", "wrong_photo", "staff_listed"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePair:
    """Two people of whom one may be taken for the other."""

    id: str
    entry_id: str
    other_entry_id: str | None
    operator_id: str | None  #: when the other is a member of staff
    pack: str
    similarity_cos: float
    asked_cos: float
    found_at_us: int
    decision: Decision | None = None
    decided_by: str | None = None


class PairDecided(Refused):
    """Somebody has said what this pair is."""

    code = "watch.pair_decided"
    zh = "该对比结果已有结论：{decision}"
    en = "This pair was decided: {decision}"


def add_pair(connection: Connection, pair: ClosePair) -> bool:
    """Mark a pair for a person; False where it is marked, or was decided, already.

    Both entries are held, so that of two workers who find the same pair one is second.
    """
    held = entries.c.id.in_(one for one in (pair.entry_id, pair.other_entry_id) if one is not None)
    connection.execute(select(entries.c.id).where(held).order_by(entries.c.id).with_for_update(key_share=True)).all()
    mine = or_(
        (close_pairs.c.entry_id == pair.entry_id) & _other(pair.other_entry_id, pair.operator_id),
        (close_pairs.c.entry_id == pair.other_entry_id) & (close_pairs.c.other_entry_id == pair.entry_id),
    )
    if connection.execute(select(close_pairs.c.id).where(mine).limit(1)).first() is not None:
        return False
    given = {name: getattr(pair, name) for name in ClosePair.__dataclass_fields__}
    connection.execute(insert(close_pairs).values(**given))
    told = {"act": "too_close", "pair_id": pair.id, "entry_id": pair.entry_id, "with_staff": bool(pair.operator_id)}
    event_log.append(connection, [Event(at_us=pair.found_at_us, kind="watch_entry_changed", detail=told)])
    return True


def open_pairs(connection: Connection, *, limit: int = 200) -> list[ClosePair]:
    """Pairs that wait for a person, the most alike first."""
    query = select(close_pairs).where(close_pairs.c.decision.is_(None))
    query = query.order_by(close_pairs.c.similarity_cos.desc(), close_pairs.c.id).limit(limit)
    return [_pair(row) for row in connection.execute(query).mappings()]


def pairs_of(connection: Connection, entry_id: str) -> list[ClosePair]:
    """Every pair that an entry is in."""
    query = select(close_pairs).where(or_(close_pairs.c.entry_id == entry_id, close_pairs.c.other_entry_id == entry_id))
    return [_pair(row) for row in connection.execute(query.order_by(close_pairs.c.id)).mappings()]


def decide_pair(connection: Connection, pair_id: str, decision: str, *, staff_id: str, now_us: int) -> ClosePair:
    """Say what a pair is.

    Raises:
        NotFound: there is no such pair.
        PairDecided: somebody has said it before.
        InvalidInput: it can be no such thing.
    """
    query = select(close_pairs).where(close_pairs.c.id == pair_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound("pair", "pair_id")
    if row["decision"] is not None:
        raise PairDecided(decision=row["decision"])
    if decision not in DECISIONS:
        listed = ", ".join(DECISIONS)
        raise InvalidInput("decision", zh=f"只能是 {listed}", en=f"must be one of {listed}")
    values = {"decision": decision, "decided_by": staff_id, "decided_at_us": now_us}
    connection.execute(update(close_pairs).where(close_pairs.c.id == pair_id).values(**values))
    told = {"act": "pair_decided", "pair_id": pair_id, "entry_id": row["entry_id"], "decision": decision}
    happened = Event(at_us=now_us, kind="watch_entry_changed", staff_id=staff_id, detail=told)
    event_log.append(connection, [happened])
    after = connection.execute(select(close_pairs).where(close_pairs.c.id == pair_id)).mappings().one()
    return _pair(after)


def forget_pairs(connection: Connection, entry_id: str) -> None:
    """An entry has ended: who looked like it is nobody's business any more."""
    mine = or_(close_pairs.c.entry_id == entry_id, close_pairs.c.other_entry_id == entry_id)
    connection.execute(delete(close_pairs).where(mine))


def add_staff_photo(connection: Connection, operator_id: str, sealed: bytes, *, photo_id: str, now_us: int) -> None:
    """A photograph that a member of staff gave freely, so that the list can be held against it."""
    row = {"id": photo_id, "operator_id": operator_id, "sealed": sealed, "given_at_us": now_us}
    connection.execute(insert(staff_photos).values(**row))
    told = {"act": "staff_photo_given"}
    happened = Event(at_us=now_us, kind="watch_list_changed", staff_id=operator_id, detail=told)
    event_log.append(connection, [happened])


def withdraw_staff_photos(connection: Connection, operator_id: str, *, now_us: int) -> int:
    """Delete what a member of staff gave; how many. A pair that was found stays until a person has looked at it."""
    gone = connection.execute(delete(staff_photos).where(staff_photos.c.operator_id == operator_id)).rowcount
    if gone:
        told = {"act": "staff_photos_withdrawn", "photos": gone}
        happened = Event(at_us=now_us, kind="watch_list_changed", staff_id=operator_id, detail=told)
        event_log.append(connection, [happened])
    return gone


def staff_photos_given(connection: Connection) -> list[tuple[str, str, bytes]]:
    """Photograph, operator and sealed bytes of every one."""
    rows = connection.execute(select(staff_photos).order_by(staff_photos.c.id))
    return [(row.id, row.operator_id, row.sealed) for row in rows]


def new_pair_id() -> str:
    """An id for a pair."""
    return new_id("wp")


def _other(entry_id: str | None, operator_id: str | None) -> ColumnElement[bool]:
    if operator_id is not None:
        return close_pairs.c.operator_id == operator_id
    return close_pairs.c.other_entry_id == entry_id


def _pair(row: RowMapping) -> ClosePair:
    return ClosePair(**{name: row[name] for name in ClosePair.__dataclass_fields__})
