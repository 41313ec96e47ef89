"""Staff store: operators, their roles and their keys. A key is random, shown once, and stored as a hash.

A key is for machines and scripts; people sign in (sign_in.py). Somebody keeps the administrator's role, always.
"""

import base64
from typing import Any

from sqlalchemy import Connection, insert, select, update

from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.kernel.randomness import Randomness
from shouhao.staff import sessions
from shouhao.staff.model import LastAdministrator, Operator, StaffRefused, check_name, check_roles, check_unit, key_hash
from shouhao.staff.tables import operators
from shouhao.store import event_log

_KEY_BYTES = 32
_SHOWN = (operators.c.id, operators.c.name, operators.c.roles, operators.c.doctor_id, operators.c.unit)


def create_operator(
    connection: Connection,
    name: str,
    *,
    roles: frozenset[str],
    now_us: int,
    randomness: Randomness,
    doctor_id: str | None = None,
    unit: str | None = None,
    staff_id: str | None = None,
) -> tuple[Operator, str]:
    """Add an operator; returns it with its key, which is not stored and cannot be shown again.

    `doctor_id` is set when the operator is a doctor; `staff_id` is who adds, None for the first, who is added from
    the command line.

    Raises:
        InvalidInput: a name or a role that cannot be.
    """
    given = check_roles(roles, doctor=doctor_id is not None)
    operator = Operator(id=new_id("op"), name=check_name(name), roles=given, doctor_id=doctor_id, unit=check_unit(unit))
    key = _new_key(randomness)
    connection.execute(
        insert(operators).values(
            id=operator.id,
            name=operator.name,
            roles=",".join(sorted(operator.roles)),
            doctor_id=doctor_id,
            key_hash=key_hash(key),
            active=True,
            created_at_us=now_us,
            unit=operator.unit,
        )
    )
    detail = {"roles": sorted(operator.roles)}
    _append(connection, operator.id, "created", now_us=now_us, staff_id=staff_id, detail=detail)
    return operator, key


def authenticate(connection: Connection, key: str) -> Operator:
    """The active operator who has this key.

    The key is found by its hash: what a comparison could tell by its time is about a hash nobody can steer.

    Raises:
        StaffRefused: nobody active has it.
    """
    row = connection.execute(
        select(*_SHOWN).where(operators.c.key_hash == key_hash(key), operators.c.active)
    ).one_or_none()
    if row is None:
        raise StaffRefused
    return _operator(row)


def rotate_operator_key(
    connection: Connection, operator_id: str, *, now_us: int, randomness: Randomness, staff_id: str | None = None
) -> str:
    """Give an operator a new key and return it; the old one ends at once.

    Raises:
        NotFound: there is no active operator of this id.
    """
    key = _new_key(randomness)
    _change(connection, operator_id, {"key_hash": key_hash(key)})
    _append(connection, operator_id, "key_rotated", now_us=now_us, staff_id=staff_id)
    return key


def deactivate_operator(connection: Connection, operator_id: str, *, now_us: int, staff_id: str | None = None) -> None:
    """Close an operator's access for good; what was done in that name stays on record.

    Raises:
        NotFound: there is no active operator of this id.
        LastAdministrator: nobody else would be administrator.
    """
    if _administrators(connection, lock=True) == [operator_id]:
        raise LastAdministrator
    _change(connection, operator_id, {"active": False})
    sessions.end_all(connection, operator_id, why="deactivated", now_us=now_us)
    _append(connection, operator_id, "deactivated", now_us=now_us, staff_id=staff_id)


def change_roles(
    connection: Connection,
    operator_id: str,
    *,
    roles: frozenset[str],
    unit: str | None,
    now_us: int,
    staff_id: str | None = None,
) -> Operator:
    """Give an operator other roles, and say which unit they belong to now; they sign in anew.

    Raises:
        NotFound: there is no active operator of this id.
        InvalidInput: a role that does not exist, or two that one person may not have.
        LastAdministrator: nobody else would be administrator.
    """
    administrators = _administrators(connection, lock=True)
    row = connection.execute(select(*_SHOWN).where(operators.c.id == operator_id, operators.c.active)).one_or_none()
    if row is None:
        raise NotFound("operator")
    given = check_roles(roles, doctor=row.doctor_id is not None)
    if "administrator" not in given and administrators == [operator_id]:
        raise LastAdministrator
    told = {"roles": sorted(given), "before": sorted(row.roles.split(","))}
    values = {"roles": ",".join(sorted(given)), "unit": check_unit(unit)}
    _change(connection, operator_id, values)
    sessions.end_all(connection, operator_id, why="roles_changed", now_us=now_us)
    _append(connection, operator_id, "roles_changed", now_us=now_us, staff_id=staff_id, detail=told)
    return Operator(id=row.id, name=row.name, roles=given, doctor_id=row.doctor_id, unit=values["unit"])


def list_operators(connection: Connection) -> list[Operator]:
    """Active operators, in the order in which they were added."""
    rows = connection.execute(select(*_SHOWN).where(operators.c.active).order_by(operators.c.id))
    return [_operator(row) for row in rows]


def find_operator(connection: Connection, operator_id: str) -> Operator | None:
    """An active operator, or None."""
    query = select(*_SHOWN).where(operators.c.id == operator_id, operators.c.active)
    row = connection.execute(query).one_or_none()
    return None if row is None else _operator(row)


def has_administrator(connection: Connection) -> bool:
    """Whether anybody active is administrator."""
    return bool(_administrators(connection))


def names_of(connection: Connection) -> dict[str, str]:
    """The name of every operator there is or was, for those who may see them."""
    rows = connection.execute(select(operators.c.id, operators.c.name))
    return {row.id: row.name for row in rows}


def _administrators(connection: Connection, *, lock: bool = False) -> list[str]:
    """Who they are; locked together, so that of two who close each other's access at once the second hears no.

    Whoever signs in meanwhile, and holds their own session, is not waited for.
    """
    query = select(operators.c.id, operators.c.roles).where(operators.c.active).order_by(operators.c.id)
    rows = connection.execute(query.with_for_update(key_share=True) if lock else query)
    return [row.id for row in rows if "administrator" in row.roles.split(",")]


def _change(connection: Connection, operator_id: str, values: dict[str, Any]) -> None:
    changed = update(operators).where(operators.c.id == operator_id, operators.c.active).values(**values)
    if connection.execute(changed).rowcount != 1:
        raise NotFound("operator")


def _operator(row: Any) -> Operator:
    return Operator(
        id=row.id, name=row.name, roles=check_roles(row.roles.split(",")), doctor_id=row.doctor_id, unit=row.unit
    )


def _new_key(randomness: Randomness) -> str:
    return base64.urlsafe_b64encode(randomness.token(_KEY_BYTES)).rstrip(b"=").decode()


def _append(
    connection: Connection,
    operator_id: str,
    change: str,
    *,
    now_us: int,
    staff_id: str | None,
    detail: dict[str, Any] | None = None,
) -> None:
    told = {"operator_id": operator_id, "change": change, **(detail or {})}
    event_log.append(connection, [Event(at_us=now_us, kind="staff_changed", staff_id=staff_id, detail=told)])
