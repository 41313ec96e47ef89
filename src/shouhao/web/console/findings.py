"""Findings over HTTP: what detectors found, masked for whoever reads, whole on record, and judged by people."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from shouhao.detect.model import Level, SubjectKind
from shouhao.detect.store.findings import State, Wanted
from shouhao.flows.finding_judging import DUTY, judge, look
from shouhao.flows.finding_listing import MOST, finding_masked, findings_of_run
from shouhao.web.console.finding_shapes import (
    FindingDetailShown,
    FindingList,
    FindingWhole,
    JudgedAnswer,
    JudgementBody,
    LookBody,
)
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Id

routes = APIRouter(prefix="/api/v1/staff", tags=["findings"])

_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
Code = Annotated[str, Query(pattern=r"^[a-z0-9_]{1,40}\.[a-z0-9_]{1,60}$")]
Cursor = Annotated[str, Query(pattern=r"^-?[0-9]{1,9}_[A-Za-z0-9_.:-]{1,64}$")]


@routes.get("/findings", responses=failures(401, 403, 404, 422), summary="检测发现 Findings of a run")
def findings(
    operator: OnDuty,
    system: Here,
    *,
    run_id: Annotated[Id | None, Query()] = None,
    level: Annotated[Level | None, Query()] = None,
    kind: Annotated[SubjectKind | None, Query()] = None,
    state: Annotated[State | None, Query()] = None,
    reason: Code | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    after: Cursor | None = None,
) -> FindingList:
    """一次分析的发现，分数高者在前，编号遮蔽；默认最近一晚。 Of the newest night unless one is named; ids masked."""
    with system.db.read() as connection:
        found = findings_of_run(
            connection,
            system.vault,
            operator,
            run_id=run_id,
            wanted=Wanted(level=level, kind=kind, state=state, reason=reason),
            after=after,
            most=limit,
        )
    return FindingList.model_validate(found)


@routes.get("/findings/{finding_id}", responses=failures(401, 403, 404, 422), summary="一条检测发现 One finding")
def finding(
    finding_id: Id, operator: OnDuty, system: Here, run_id: Annotated[Id | None, Query()] = None
) -> FindingDetailShown:
    """理由、有利情况、团伙、节奏与历次判断；编号遮蔽，不含原始行。 All that is known, ids masked, no raw line."""
    with system.db.read() as connection:
        found = finding_masked(connection, system.vault, operator, finding_id, run_id=run_id)
    return FindingDetailShown.model_validate(found)


@routes.post("/findings/{finding_id}/looks", responses=_WRITE, summary="查看完整编号与原始行（留痕） Look, on record")
def looked(
    finding_id: Id,
    body: LookBody,
    operator: OnDuty,
    system: Here,
    run_id: Annotated[Id | None, Query()] = None,
) -> FindingWhole:
    """先留痕后显示；每次查看各留一条，因此没有幂等键。 On record first; each look is one, so there is no key."""
    found = look(
        system.db,
        system.vault,
        operator,
        finding_id,
        run_id=run_id,
        reason=body.reason,
        authority=DUTY if body.authority is None else body.authority,
        now_us=system.clock.now_us(),
    )
    return FindingWhole.model_validate(found)


@routes.post(
    "/findings/{finding_id}/judgements", response_model=JudgedAnswer, responses=_WRITE, summary="作出判断 Judge"
)
def judged(finding_id: Id, body: JudgementBody, operator: OnDuty, system: Here, write: StaffWrite) -> Response:
    """属实、排除或继续观察；由人判断，可改判。 Upheld, dismissed or watched; a later judgement may change it."""

    def act(connection: Connection) -> dict[str, Any]:
        state = judge(
            connection,
            system.vault,
            operator,
            finding_id,
            judgement=body.judgement,
            reason=body.reason,
            now_us=write.now_us,
        )
        return {"state": state}

    return write.answer(act)
