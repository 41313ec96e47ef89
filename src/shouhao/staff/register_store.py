"""Register store: rows of the access register, which are only added; warnings; canaries."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, func, insert, literal, select

from shouhao.kernel.ids import new_id
from shouhao.staff.tables import access_register, canaries, look_warnings, operators

if TYPE_CHECKING:
    from shouhao.staff.register import Look, ManyLooks

ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_PART = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def take_turn(connection: Connection, operator_id: str) -> None:
    """Hold the row of this person, so that their looks are counted one after the other."""
    mine = select(operators.c.id).where(operators.c.id == operator_id)
    connection.execute(mine.with_for_update(key_share=True)).all()


def add(connection: Connection, look: "Look", *, canary: bool) -> None:
    """Write a row."""
    connection.execute(
        insert(access_register).values(
            id=look.id,
            at_us=look.at_us,
            operator_id=look.operator_id,
            unit=look.unit,
            data_class=look.data_class,
            what=look.what,
            reason=look.reason,
            authority=look.authority,
            records=look.records,
            canary=canary,
        )
    )


def holds_canary(connection: Connection, what: str) -> bool:
    """Whether an id that stands in this text is a canary's: whole, or after a colon as in `alarm:al_1`."""
    ids = {*ID.findall(what), *_PART.findall(what)}
    if not ids:
        return False
    query = select(literal(1)).where(canaries.c.record_id.in_(sorted(ids))).limit(1)
    return connection.execute(query).first() is not None


def search(
    connection: Connection,
    *,
    operator_id: str | None,
    data_class: str | None,
    what: str | None,
    from_us: int | None,
    until_us: int | None,
    before_id: str | None,
    limit: int,
) -> Sequence[Any]:
    """Rows, newest first."""
    table = access_register
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    if operator_id is not None:
        query = query.where(table.c.operator_id == operator_id)
    if data_class is not None:
        query = query.where(table.c.data_class == data_class)
    if what is not None:
        query = query.where(table.c.what.contains(what, autoescape=True))
    if from_us is not None:
        query = query.where(table.c.at_us >= from_us)
    if until_us is not None:
        query = query.where(table.c.at_us < until_us)
    if before_id is not None:
        query = query.where(table.c.id < before_id)
    return connection.execute(query).all()


def sums(connection: Connection, *, since_us: int, operator_id: str | None) -> Sequence[Any]:
    """Records by person and class since then."""
    table = access_register
    query = (
        select(table.c.operator_id, table.c.data_class, func.sum(table.c.records).label("records"))
        .where(table.c.at_us > since_us)
        .group_by(table.c.operator_id, table.c.data_class)
    )
    if operator_id is not None:
        query = query.where(table.c.operator_id == operator_id)
    return connection.execute(query).all()


def total(connection: Connection, operator_id: str, *, classes: Sequence[str], since_us: int) -> int:
    """Records of these classes that one person looked at since then."""
    table = access_register
    query = select(func.coalesce(func.sum(table.c.records), 0)).where(
        table.c.operator_id == operator_id, table.c.at_us > since_us, table.c.data_class.in_(sorted(classes))
    )
    return int(connection.execute(query).scalar_one())


def last_warned(connection: Connection, operator_id: str, *, counter: str, span: str, since_us: int) -> int:
    """How many records the newest warning in this span told of; nought when there was none."""
    table = look_warnings
    query = (
        select(table.c.records)
        .where(
            table.c.operator_id == operator_id,
            table.c.counter == counter,
            table.c.span == span,
            table.c.at_us > since_us,
        )
        .order_by(table.c.id.desc())
        .limit(1)
    )
    return int(connection.execute(query).scalar() or 0)


def add_warning(connection: Connection, warning: "ManyLooks") -> None:
    """Write a warning."""
    connection.execute(
        insert(look_warnings).values(
            id=new_id("lw"),
            at_us=warning.at_us,
            operator_id=warning.operator_id,
            counter=warning.counter,
            span=warning.span,
            records=warning.records,
            warn_at=warning.warn_at,
        )
    )


def warnings(connection: Connection, *, since_us: int, limit: int) -> Sequence[Any]:
    """Warnings since then, newest first."""
    table = look_warnings
    query = select(table).where(table.c.at_us > since_us).order_by(table.c.id.desc()).limit(limit)
    return connection.execute(query).all()


def mark(connection: Connection, record_id: str, *, operator_id: str, now_us: int) -> bool:
    """Write a canary; False when it is one."""
    query = select(literal(1)).where(canaries.c.record_id == record_id)
    if connection.execute(query).first() is not None:
        return False
    connection.execute(insert(canaries).values(record_id=record_id, marked_by=operator_id, marked_at_us=now_us))
    return True


def unmark(connection: Connection, record_id: str) -> bool:
    """Take a canary away; False when it was none."""
    return connection.execute(delete(canaries).where(canaries.c.record_id == record_id)).rowcount == 1


def canary_ids(connection: Connection) -> Sequence[tuple[str, str, int]]:
    """Every canary: its id, who marked it, when."""
    query = select(canaries.c.record_id, canaries.c.marked_by, canaries.c.marked_at_us)
    return [(row.record_id, row.marked_by, row.marked_at_us) for row in connection.execute(query.order_by("record_id"))]
