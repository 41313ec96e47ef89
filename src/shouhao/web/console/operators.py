"""Operators and the health of the data: who works here with which roles, and whether every invariant holds."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.flows.work import broken
from shouhao.staff.model import ROLES, Operator, require
from shouhao.staff.store import create_operator, deactivate_operator, list_operators, rotate_operator_key
from shouhao.web.console.sealed_key import opened, sealed
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, ShortText, Shown
from shouhao.wiring import INVARIANTS

routes = APIRouter(prefix="/api/v1/staff", tags=["operators"])

_WRITE = failures(400, 401, 403, 404, 409, 415, 422)


class OperatorBody(Body):
    """Somebody new, and what they may do."""

    name: ShortText
    roles: Annotated[
        list[ShortText], Field(max_length=20, json_schema_extra={"items": {"type": "string", "enum": list(ROLES)}})
    ]
    doctor_id: Id | None = None


class OperatorShown(Shown):
    """An operator, without their key."""

    operator_id: str
    name: str
    roles: list[str]
    doctor_id: str | None


class OperatorList(Shown):
    """Active operators, in the order in which they were added."""

    operators: list[OperatorShown]


class OperatorKeyShown(OperatorShown):
    """An operator and their key, shown once: send `Authorization: Bearer KEY`."""

    key: str


class KeyShown(Shown):
    """A new key, shown once."""

    operator_id: str
    key: str


class ViolationShown(Shown):
    """An invariant that does not hold, with some of what breaks it."""

    code: str
    zh: str
    en: str
    count: int
    examples: list[str]


class InvariantsShown(Shown):
    """What was checked and what does not hold."""

    checked: int
    violations: list[ViolationShown]


@routes.get("/me", responses=failures(401), summary="当前工作人员 Who is on duty")
def me(operator: OnDuty) -> OperatorShown:
    """本人的角色。 One's own roles."""
    return _shown(operator)


@routes.get("/operators", responses=failures(401, 403), summary="工作人员 Operators")
def operators(operator: OnDuty, system: Here) -> OperatorList:
    """在职的工作人员。 Those who are active."""
    require(operator, "it", "auditor")
    with system.db.read() as connection:
        return OperatorList(operators=[_shown(o) for o in list_operators(connection)])


@routes.post(
    "/operators",
    status_code=201,
    responses=_WRITE,
    response_model=OperatorKeyShown,
    summary="新增工作人员 Add an operator",
)
def create(body: OperatorBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """密钥只显示一次。 The key is shown once."""
    require(operator, "it")

    def act(connection: Connection) -> dict[str, Any]:
        made, key = create_operator(
            connection,
            body.name,
            roles=frozenset(body.roles),
            now_us=write.now_us,
            randomness=system.randomness,
            doctor_id=body.doctor_id,
            staff_id=operator.id,
        )
        return sealed(system.vault, _shown(made).model_dump(mode="json"), key=key)

    return write.answer(act, status=201, show=lambda kept: opened(system.vault, kept))


@routes.post(
    "/operators/{operator_id}/key",
    responses=_WRITE,
    response_model=KeyShown,
    summary="更换密钥 Change an operator's key",
)
def rotate(operator_id: Id, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """旧密钥立即失效。 The old key ends at once."""
    require(operator, "it")

    def act(connection: Connection) -> dict[str, Any]:
        key = rotate_operator_key(
            connection, operator_id, now_us=write.now_us, randomness=system.randomness, staff_id=operator.id
        )
        return sealed(system.vault, {"operator_id": operator_id}, key=key)

    return write.answer(act, show=lambda kept: opened(system.vault, kept))


@routes.delete(
    "/operators/{operator_id}", status_code=204, responses=_WRITE, summary="停用工作人员 Close an operator's access"
)
def deactivate(operator_id: Id, operator: OnDuty, write: StaffWrite) -> Response:
    """其所作记录仍保留。 What was done in that name stays on record."""
    require(operator, "it")

    def act(connection: Connection) -> None:
        deactivate_operator(connection, operator_id, now_us=write.now_us, staff_id=operator.id)

    return write.answer(act, status=204)


@routes.get("/invariants", responses=failures(401, 403), summary="核对数据不变式 Check the invariants of the data")
def invariants(operator: OnDuty, system: Here) -> InvariantsShown:
    """列出不成立的不变式。 What does not hold; an empty list is good."""
    require(operator, "it", "auditor")
    with system.db.read() as connection:
        found = broken(connection, INVARIANTS)
    return InvariantsShown(
        checked=len(INVARIANTS),
        violations=[
            ViolationShown(code=v.code, zh=v.zh, en=v.en, count=v.count, examples=list(v.examples)) for v in found
        ],
    )


def _shown(operator: Operator) -> OperatorShown:
    return OperatorShown(
        operator_id=operator.id, name=operator.name, roles=sorted(operator.roles), doctor_id=operator.doctor_id
    )
