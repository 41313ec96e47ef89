"""Operators: known by a key, and allowed nothing that was not given by name."""

import pytest
from sqlalchemy import select

from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.kernel.randomness import SystemRandomness
from shouhao.staff.model import ROLES, Operator, RoleMissing, StaffRefused, require
from shouhao.staff.store import (
    authenticate,
    create_operator,
    deactivate_operator,
    list_operators,
    rotate_operator_key,
)
from shouhao.staff.tables import operators
from shouhao.store import event_log
from shouhao.store.engine import Database

NOW = 1_760_000_000_000_000
CHANCE = SystemRandomness()


def added(db: Database, *roles: str, doctor_id: str | None = None) -> tuple[Operator, str]:
    with db.write() as connection:
        return create_operator(
            connection, " 王芳 ", roles=frozenset(roles), doctor_id=doctor_id, now_us=NOW, randomness=CHANCE
        )


def test_an_operator_is_known_by_the_key(db):
    doctor, key = added(db, "window", "reviewer", doctor_id="dr_1")
    _, other_key = added(db, "it")
    with db.read() as connection:
        known = authenticate(connection, key)
        other = authenticate(connection, other_key)
    assert known == doctor
    assert (known.name, known.roles, known.doctor_id) == ("王芳", {"window", "reviewer"}, "dr_1")
    assert other.roles == {"it"}


@pytest.mark.parametrize("key", ["", "x", "密钥", "\ud800", "A" * 43])
def test_nobody_is_known_by_another_key(db, key):
    added(db, "it")
    with pytest.raises(StaffRefused), db.read() as connection:
        authenticate(connection, key)


def test_neither_the_key_nor_the_name_reaches_the_events(db):
    _, key = added(db, "it")
    with db.read() as connection:
        row = str(connection.execute(select(operators)).one())
        rows = [row for chunk in event_log.read(connection) for row in chunk]
    assert key not in row
    assert key not in str(rows)
    assert "王芳" not in str(rows)


@pytest.mark.parametrize("roles", [[], ["root"], ["it", "root"], ["IT"], ["it,auditor"]])
def test_a_role_that_does_not_exist_is_not_given(db, roles):
    with pytest.raises(InvalidInput):
        added(db, *roles)
    with db.read() as connection:
        assert list_operators(connection) == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb"])
def test_a_name_that_cannot_be_is_refused(sqlite_db, name):
    with pytest.raises(InvalidInput), sqlite_db.write() as connection:
        create_operator(connection, name, roles=frozenset({"it"}), now_us=NOW, randomness=CHANCE)


def test_each_role_opens_itself_and_nothing_else():
    for held in ROLES:
        operator = Operator(id="op_1", name="x", roles=frozenset({held}))
        for asked in ROLES:
            if asked == held:
                require(operator, asked)
            else:
                with pytest.raises(RoleMissing):
                    require(operator, asked)


def test_one_of_several_roles_is_enough_and_none_named_is_never_enough():
    operator = Operator(id="op_1", name="x", roles=frozenset({"auditor"}))
    require(operator, "window", "auditor")
    with pytest.raises(RoleMissing):
        require(operator)
    with pytest.raises(RoleMissing) as refusal:
        require(operator, "approver", "it")
    assert refusal.value.says("zh") == "此操作需要角色：approver|it"


def test_a_deactivated_operator_is_shut_out(db):
    operator, key = added(db, "it")
    with db.write() as connection:
        deactivate_operator(connection, operator.id, now_us=NOW, staff_id="op_boss")
    with pytest.raises(StaffRefused), db.read() as connection:
        authenticate(connection, key)
    with pytest.raises(NotFound), db.write() as connection:
        rotate_operator_key(connection, operator.id, now_us=NOW, randomness=CHANCE)


def test_a_rotated_key_ends_at_once(db):
    operator, old = added(db, "it")
    with db.write() as connection:
        new = rotate_operator_key(connection, operator.id, now_us=NOW, randomness=CHANCE)
        assert authenticate(connection, new) == operator
        with pytest.raises(StaffRefused):
            authenticate(connection, old)


def test_each_change_of_staff_has_its_event(db):
    operator, _ = added(db, "it", "auditor")
    with db.write() as connection:
        rotate_operator_key(connection, operator.id, now_us=NOW, randomness=CHANCE, staff_id="op_2")
        deactivate_operator(connection, operator.id, now_us=NOW, staff_id="op_2")
    with db.read() as connection:
        rows = [row for chunk in event_log.read(connection) for row in chunk]
    assert [(r["kind"], r["detail"]["change"], r["staff_id"]) for r in rows] == [
        ("staff_changed", "created", None),
        ("staff_changed", "key_rotated", "op_2"),
        ("staff_changed", "deactivated", "op_2"),
    ]
    assert rows[0]["detail"] == {"operator_id": operator.id, "change": "created", "roles": ["auditor", "it"]}
