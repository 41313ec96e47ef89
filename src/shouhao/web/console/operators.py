"""Operators and the health of the data: who works here with which roles, and whether every invariant holds.

The administrator gives access and takes it; whoever audits sees it. Nobody does both.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.flows.work import broken
from shouhao.kernel.errors import NotFound
from shouhao.staff.logins_store import all_logins
from shouhao.staff.model import ROLES, Operator, require
from shouhao.staff.sign_in import give_login
from shouhao.staff.store import (
    change_roles,
    create_operator,
    deactivate_operator,
    find_operator,
    list_operators,
    rotate_operator_key,
)
from shouhao.staff.training import record_training, trained_until, trainings_of
from shouhao.web.console.sealed_key import opened, sealed
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, Moment, ShortText, Shown
from shouhao.wiring import INVARIANTS

routes = APIRouter(prefix="/api/v1/staff", tags=["operators"])

_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
_Roles = Annotated[
    list[ShortText], Field(max_length=20, json_schema_extra={"items": {"type": "string", "enum": list(ROLES)}})
]


class OperatorBody(Body):
    """Somebody new, and what they may do; with a login they are a person who signs in, else a machine with a key."""

    name: ShortText
    roles: _Roles
    doctor_id: Id | None = None
    unit: ShortText | None = None
    login: ShortText | None = None


class RolesBody(Body):
    """All roles that they have from now on."""

    roles: _Roles
    unit: ShortText | None = None


class LoginBody(Body):
    """The login, where there is none yet."""

    login: ShortText | None = None


class TrainingBody(Body):
    """Who trained them, what proves it, and until when it is good."""

    trained_by: ShortText
    document: ShortText
    until: Moment


class OperatorShown(Shown):
    """An operator, without their key."""

    operator_id: str
    name: str
    roles: list[str]
    doctor_id: str | None
    unit: str | None = None


class OperatorListed(OperatorShown):
    """An operator with what an administrator looks after."""

    login: str | None
    set_up: bool
    trained_until: Instant | None


class OperatorList(Shown):
    """Active operators, in the order in which they were added."""

    operators: list[OperatorListed]


class OperatorKeyShown(OperatorShown):
    """An operator and their key, or the one-time login of a person, shown once."""

    key: str
    login: str | None = None


class KeyShown(Shown):
    """A new key, shown once: send `Authorization: Bearer KEY`."""

    operator_id: str
    key: str


class LoginShown(Shown):
    """A one-time login, shown once: good for a day and one sign-in."""

    operator_id: str
    login: str
    key: str


class TrainingShown(Shown):
    """One record of training."""

    training_id: str
    trained_by: str
    document: str
    until: Instant
    recorded_at: Instant
    recorded_by: str | None


class TrainingList(Shown):
    """Records, newest first; the newest one counts."""

    operator_id: str
    trainings: list[TrainingShown]


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


@routes.get("/me", responses=failures(401, 403), summary="当前工作人员 Who is on duty")
def me(operator: OnDuty) -> OperatorShown:
    """本人的角色。 One's own roles."""
    return shown_operator(operator)


@routes.get("/operators", responses=failures(401, 403), summary="工作人员 Operators")
def operators(operator: OnDuty, system: Here) -> OperatorList:
    """在职的工作人员。 Those who are active."""
    require(operator, "administrator", "auditor", "data_protection")
    with system.db.read() as connection:
        found, logins, until = list_operators(connection), all_logins(connection), trained_until(connection)
    return OperatorList(operators=[_listed(one, logins.get(one.id), until.get(one.id)) for one in found])


@routes.post(
    "/operators",
    status_code=201,
    responses=_WRITE,
    response_model=OperatorKeyShown,
    summary="新增工作人员 Add an operator",
)
def create(body: OperatorBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """密钥只显示一次；填写登录名则为一次性口令。 The key is shown once; with a login it is a one-time login."""
    require(operator, "administrator")

    def act(connection: Connection) -> dict[str, Any]:
        made, key = create_operator(
            connection,
            body.name,
            roles=frozenset(body.roles),
            now_us=write.now_us,
            randomness=system.randomness,
            doctor_id=body.doctor_id,
            unit=body.unit,
            staff_id=operator.id,
        )
        login = None
        if body.login is not None:
            login, key = give_login(
                connection,
                made.id,
                body.login,
                now_us=write.now_us,
                randomness=system.randomness,
                staff_id=operator.id,
            )
        shown = {**shown_operator(made).model_dump(mode="json"), "login": login}
        return sealed(system.vault, shown, key=key)

    return write.answer(act, status=201, show=lambda kept: opened(system.vault, kept))


@routes.post(
    "/operators/{operator_id}/key",
    responses=_WRITE,
    response_model=KeyShown,
    summary="更换密钥 Change an operator's key",
)
def rotate(operator_id: Id, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """旧密钥立即失效。 The old key ends at once."""
    require(operator, "administrator")

    def act(connection: Connection) -> dict[str, Any]:
        key = rotate_operator_key(
            connection, operator_id, now_us=write.now_us, randomness=system.randomness, staff_id=operator.id
        )
        return sealed(system.vault, {"operator_id": operator_id}, key=key)

    return write.answer(act, show=lambda kept: opened(system.vault, kept))


@routes.post(
    "/operators/{operator_id}/login",
    responses=_WRITE,
    response_model=LoginShown,
    summary="发放或重置登录 Give a login, or reset it",
)
def login(operator_id: Id, body: LoginBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """一次性口令 24 小时内有效；原密码、动态口令与登录立即失效。 Good for a day; what was there ends at once."""
    require(operator, "administrator")

    def act(connection: Connection) -> dict[str, Any]:
        if find_operator(connection, operator_id) is None:
            raise NotFound("operator")
        name, one_time = give_login(
            connection,
            operator_id,
            body.login,
            now_us=write.now_us,
            randomness=system.randomness,
            staff_id=operator.id,
        )
        return sealed(system.vault, {"operator_id": operator_id, "login": name}, key=one_time)

    return write.answer(act, show=lambda kept: opened(system.vault, kept))


@routes.put(
    "/operators/{operator_id}/roles",
    responses=_WRITE,
    response_model=OperatorShown,
    summary="更改角色 Change an operator's roles",
)
def roles(operator_id: Id, body: RolesBody, operator: OnDuty, write: StaffWrite) -> Response:
    """其登录随即结束，须重新登录。 Their sessions end; they sign in anew."""
    require(operator, "administrator")

    def act(connection: Connection) -> dict[str, Any]:
        changed = change_roles(
            connection,
            operator_id,
            roles=frozenset(body.roles),
            unit=body.unit,
            now_us=write.now_us,
            staff_id=operator.id,
        )
        return shown_operator(changed).model_dump(mode="json")

    return write.answer(act)


@routes.delete(
    "/operators/{operator_id}", status_code=204, responses=_WRITE, summary="停用工作人员 Close an operator's access"
)
def deactivate(operator_id: Id, operator: OnDuty, write: StaffWrite) -> Response:
    """其所作记录仍保留。 What was done in that name stays on record."""
    require(operator, "administrator")

    def act(connection: Connection) -> None:
        deactivate_operator(connection, operator_id, now_us=write.now_us, staff_id=operator.id)

    return write.answer(act, status=204)


@routes.get(
    "/operators/{operator_id}/trainings", responses=failures(401, 403, 404, 422), summary="培训记录 Records of training"
)
def trainings(operator_id: Id, operator: OnDuty, system: Here) -> TrainingList:
    """以最新一条为准。 The newest one counts."""
    if operator.id != operator_id:
        require(operator, "administrator", "auditor", "data_protection")
    with system.db.read() as connection:
        if find_operator(connection, operator_id) is None:
            raise NotFound("operator")
        found = trainings_of(connection, operator_id)
    return TrainingList(
        operator_id=operator_id,
        trainings=[
            TrainingShown(
                training_id=one.id,
                trained_by=one.trained_by,
                document=one.document,
                until=one.until_us,
                recorded_at=one.recorded_at_us,
                recorded_by=one.recorded_by,
            )
            for one in found
        ],
    )


@routes.post(
    "/operators/{operator_id}/trainings",
    status_code=201,
    responses=_WRITE,
    response_model=TrainingShown,
    summary="登记培训 Write down a training",
)
def train(operator_id: Id, body: TrainingBody, operator: OnDuty, write: StaffWrite) -> Response:
    """没有有效培训者不能查看人脸与轨迹；不能登记本人的。 Without one no face is shown; nobody writes down their own."""
    require(operator, "administrator", "data_protection")

    def act(connection: Connection) -> dict[str, Any]:
        made = record_training(
            connection,
            operator_id,
            trained_by=body.trained_by,
            document=body.document,
            until_us=body.until,
            now_us=write.now_us,
            staff_id=operator.id,
        )
        return TrainingShown(
            training_id=made.id,
            trained_by=made.trained_by,
            document=made.document,
            until=made.until_us,
            recorded_at=made.recorded_at_us,
            recorded_by=made.recorded_by,
        ).model_dump(mode="json")

    return write.answer(act, status=201)


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


def shown_operator(operator: Operator) -> OperatorShown:
    """An operator as everybody may see one."""
    return OperatorShown(
        operator_id=operator.id,
        name=operator.name,
        roles=sorted(operator.roles),
        doctor_id=operator.doctor_id,
        unit=operator.unit,
    )


def _listed(operator: Operator, login: Any, until_us: int | None) -> OperatorListed:
    return OperatorListed(
        operator_id=operator.id,
        name=operator.name,
        roles=sorted(operator.roles),
        doctor_id=operator.doctor_id,
        unit=operator.unit,
        login=None if login is None else login.login,
        set_up=login is not None and login.password_hash is not None and login.factor_sealed is not None,
        trained_until=until_us,
    )
