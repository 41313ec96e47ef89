"""Bundles and their issuers: who may send lists, what came, and what became of it. Each change writes its event."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from shouhao.kernel.errors import NotFound, Refused, Unavailable
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.store.held import hold
from shouhao.watch.store.watchlist_tables import bundles, exports, issuers

#: received: signature holds, faces not looked at yet; checked: people may decide; accepted: being listed or listed.
BundleState = Literal["received", "checked", "accepted", "listed", "refused", "recalled", "over"]
IssuerSource = Literal["police", "hospital"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Somebody whose lists are read here."""

    id: str  #: fingerprint of the key
    name: str
    source: IssuerSource
    public_key: bytes
    active: bool
    highest_number: int
    registered_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBundle:
    """A bundle that came."""

    id: str
    issuer_id: str
    list_id: str
    number: int
    sha256: str  #: of the manifest
    state: BundleState
    report: str | None  #: JSON (`bundle_diff.packed`)
    report_sha256: str | None
    received_by: str | None
    received_at_us: int
    issued_at_us: int
    expires_at_us: int
    decided_at_us: int | None
    approval_id: str | None


class Replayed(Refused):
    """An issuer's numbers only grow; this is an older list, or one of the same number that says something else."""

    code = "watch.bundle_replayed"
    zh = "名单包序号 {number} 不大于已收到的 {highest}，拒收旧包"
    en = "Bundle number {number} is not above {highest}, which was received; an older list is not taken"


def add_issuer(connection: Connection, issuer: Issuer, *, approval_id: str, staff_id: str) -> None:
    """Register an issuer, or open one again that was closed; its numbers go on from where they were."""
    hold(connection, f"watch.issuer:{issuer.id}")
    values = {"name": issuer.name, "source": issuer.source, "active": True, "approval_id": approval_id}
    if not connection.execute(update(issuers).where(issuers.c.id == issuer.id).values(**values)).rowcount:
        row = {"id": issuer.id, "public_key": issuer.public_key.hex(), "highest_number": 0}
        connection.execute(insert(issuers).values(**row, **values, registered_at_us=issuer.registered_at_us))
    tell(connection, "issuer_registered", now_us=issuer.registered_at_us, staff_id=staff_id, issuer_id=issuer.id)


def close_issuer(connection: Connection, issuer_id: str, *, staff_id: str, now_us: int) -> None:
    """Take no more lists of an issuer. What came before stands until it ends.

    Raises:
        NotFound: there is no such issuer.
    """
    if not connection.execute(update(issuers).where(issuers.c.id == issuer_id).values(active=False)).rowcount:
        raise NotFound("issuer", "issuer_id")
    tell(connection, "issuer_closed", now_us=now_us, staff_id=staff_id, issuer_id=issuer_id)


def find_issuer(connection: Connection, issuer_id: str) -> Issuer | None:
    """An issuer, closed or not."""
    row = connection.execute(select(issuers).where(issuers.c.id == issuer_id)).mappings().one_or_none()
    return None if row is None else _issuer(row)


def all_issuers(connection: Connection) -> list[Issuer]:
    """Every issuer, in the order in which they were registered."""
    rows = connection.execute(select(issuers).order_by(issuers.c.registered_at_us, issuers.c.id)).mappings()
    return [_issuer(row) for row in rows]


def take_number(connection: Connection, issuer_id: str, number: int) -> None:
    """Remember the highest number of an issuer, with its row locked.

    Raises:
        Replayed: it is not above those that came before.
    """
    query = select(issuers.c.highest_number).where(issuers.c.id == issuer_id).with_for_update()
    highest = connection.execute(query).scalar_one()
    if number <= highest:
        raise Replayed("number", number=number, highest=highest)
    connection.execute(update(issuers).where(issuers.c.id == issuer_id).values(highest_number=number))


def add_bundle(connection: Connection, one: StoredBundle) -> None:
    """Write down that a bundle came."""
    values = {name: getattr(one, name) for name in StoredBundle.__dataclass_fields__}
    connection.execute(insert(bundles).values(**values))
    told = {"issuer_id": one.issuer_id, "number": one.number, "sha256": one.sha256, "list_id": one.list_id}
    _told_of(connection, one.id, "received", now_us=one.received_at_us, staff_id=one.received_by, **told)


def find_bundle(connection: Connection, bundle_id: str) -> StoredBundle:
    """A bundle.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(select(bundles).where(bundles.c.id == bundle_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("bundle", "bundle_id")
    return _bundle(row)


def take_turn(connection: Connection, bundle_id: str) -> BundleState:
    """Hold a bundle's row until the unit of work ends, so that of two workers one is second; its state.

    Raises:
        NotFound: there is none.
    """
    query = select(bundles.c.state).where(bundles.c.id == bundle_id).with_for_update()
    state: BundleState | None = connection.scalar(query)
    if state is None:
        raise NotFound("bundle", "bundle_id")
    return state


def same_bundle(connection: Connection, issuer_id: str, number: int) -> StoredBundle | None:
    """The bundle of this number that came before."""
    query = select(bundles).where(bundles.c.issuer_id == issuer_id, bundles.c.number == number)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _bundle(row)


def all_bundles(connection: Connection, *, limit: int = 100) -> list[StoredBundle]:
    """Bundles, the newest first."""
    query = select(bundles).order_by(bundles.c.received_at_us.desc(), bundles.c.id.desc()).limit(limit)
    return [_bundle(row) for row in connection.execute(query).mappings()]


def in_state(connection: Connection, *states: BundleState) -> Sequence[str]:
    """Bundles in one of these states, oldest first."""
    query = select(bundles.c.id).where(bundles.c.state.in_(states)).order_by(bundles.c.received_at_us, bundles.c.id)
    return connection.scalars(query).all()


def change_bundle(
    connection: Connection,
    bundle_id: str,
    state: BundleState,
    *,
    after: Sequence[BundleState],
    now_us: int,
    staff_id: str | None,
    **values: object,
) -> bool:
    """Bring a bundle to its next state; False where it is in none that this may come after."""
    mine = update(bundles).where(bundles.c.id == bundle_id, bundles.c.state.in_(after))
    if not connection.execute(mine.values(state=state, **values)).rowcount:
        return False
    told = {name: value for name, value in values.items() if name in {"report_sha256", "approval_id"}}
    _told_of(connection, bundle_id, state, now_us=now_us, staff_id=staff_id, **told)
    return True


def to_end(connection: Connection, *, now_us: int) -> Sequence[str]:
    """Bundles whose own term is over."""
    under_way = ("received", "checked", "accepted", "listed")
    query = select(bundles.c.id).where(bundles.c.state.in_(under_way), bundles.c.expires_at_us <= now_us)
    return connection.scalars(query).all()


def add_export(
    connection: Connection,
    *,
    list_id: str,
    approval_id: str,
    staff_id: str,
    entries: int,
    recipient: str,
    now_us: int,
) -> int:
    """Take the next number of our own lists.

    Raises:
        Unavailable: another export takes it at this moment.
    """
    number = (connection.scalar(select(func.max(exports.c.number))) or 0) + 1
    row = {"number": number, "list_id": list_id, "approval_id": approval_id, "staff_id": staff_id}
    try:
        connection.execute(insert(exports).values(**row, entries=entries, recipient=recipient, at_us=now_us))
    except IntegrityError as error:
        raise Unavailable("number of exports") from error
    tell(connection, "exported", now_us=now_us, staff_id=staff_id, list_id=list_id, number=number, entries=entries)
    return number


def note_export(connection: Connection, number: int, sha256: str) -> None:
    """What exactly was handed over."""
    connection.execute(update(exports).where(exports.c.number == number).values(sha256=sha256))


def tell(connection: Connection, act: str, *, now_us: int, staff_id: str | None, **detail: object) -> None:
    """Write down what happened to bundles."""
    told = {"act": act, **detail}
    event_log.append(connection, [Event(at_us=now_us, kind="watch_bundle_changed", staff_id=staff_id, detail=told)])


def _told_of(
    connection: Connection, bundle_id: str, act: str, *, now_us: int, staff_id: str | None, **detail: object
) -> None:
    tell(connection, act, now_us=now_us, staff_id=staff_id, bundle_id=bundle_id, **detail)


def _issuer(row: RowMapping) -> Issuer:
    return Issuer(
        id=row["id"],
        name=row["name"],
        source=row["source"],
        public_key=bytes.fromhex(row["public_key"]),
        active=row["active"],
        highest_number=row["highest_number"],
        registered_at_us=row["registered_at_us"],
    )


def _bundle(row: RowMapping) -> StoredBundle:
    return StoredBundle(**{name: row[name] for name in StoredBundle.__dataclass_fields__})
