"""Staff store: operators and their keys. A key is random, shown once, and stored as a hash."""

import base64
from typing import Any

from sqlalchemy import Connection, insert, select, update

from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.kernel.randomness import Randomness
from shouhao.staff.model import Operator, StaffRefused, check_name, check_roles, key_hash
from shouhao.staff.tables import operators
from shouhao.store import event_log

_KEY_BYTES = 32
_SHOWN = (operators.c.id, operators.c.name, operators.c.roles, operators.c.doctor_id)


def create_operator(
    connection: Connection,
    name: str,
    *,
    roles: frozenset[str],
    now_us: int,
    randomness: Randomness,
    doctor_id: str | None = None,
    staff_id: str | None = None,
) -> tuple[Operator, str]:
    """Add an operator; returns it with its key, which is not stored and cannot be shown again.

    `doctor_id` is set when the operator is a doctor; `staff_id` is who adds, None for the first, who is added from
    the command line.

    Raises:
        InvalidInput: a name or a role that cannot be.
    """
    given = check_roles(roles, doctor=doctor_id is not None)
    operator = Operator(id=new_id("op"), name=check_name(name), roles=given, doctor_id=doctor_id)
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
    """
    _change(connection, operator_id, {"active": False})
    _append(connection, operator_id, "deactivated", now_us=now_us, staff_id=staff_id)


def list_operators(connection: Connection) -> list[Operator]:
    """Active operators, in the order in which they were added."""
    rows = connection.execute(select(*_SHOWN).where(operators.c.active).order_by(operators.c.id))
    return [_operator(row) for row in rows]


def _change(connection: Connection, operator_id: str, values: dict[str, Any]) -> None:
    changed = update(operators).where(operators.c.id == operator_id, operators.c.active).values(**values)
    if connection.execute(changed).rowcount != 1:
        raise NotFound("operator")


def _operator(row: Any) -> Operator:
    return Operator(id=row.id, name=row.name, roles=check_roles(row.roles.split(",")), doctor_id=row.doctor_id)


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
