"""What must hold of staff is checked on the data itself, and each check finds what breaks it."""

import pytest
from sqlalchemy import delete, update

from shouhao.staff.approvals import ask, decide
from shouhao.staff.invariants import INVARIANTS
from shouhao.staff.model import Operator
from shouhao.staff.tables import approval_decisions, approvals, operators
from shouhao.store.invariants import check
from staff.staffing import NOW, operator


@pytest.fixture
def approved(db):
    who = operator(db, "administrator")
    other = Operator(id="op_other", name="x", roles=frozenset({"approver"}))
    with db.write() as connection:
        wanted = ask(
            connection, kind="erase", subject="we_1", payload={"a": 1}, reason="到期", operator=who, now_us=NOW
        )
        decide(connection, wanted.id, operator=other, approve=True, reason="同意", now_us=NOW)
    return wanted


def codes(db):
    with db.read() as connection:
        return [violation.code for violation in check(connection, INVARIANTS)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (update(operators).values(roles="administrator,auditor"), "staff.administers_and_audits"),
        (None, "staff.asker_decided"),
        (delete(approval_decisions), "staff.approved_by_too_few"),
        (update(approval_decisions).values(approve=False), "staff.approved_by_too_few"),
        (update(approvals).values(needed=2, state="used"), "staff.approved_by_too_few"),
        (update(approvals).values(payload_sha256="0" * 64), "staff.decided_about_something_else"),
    ],
)
def test_each_break_is_found(db, approved, change, code):
    assert codes(db) == []
    if change is None:
        change = update(approval_decisions).values(operator_id=approved.asked_by)
    with db.write() as connection:
        connection.execute(change)
    assert codes(db) == [code]
