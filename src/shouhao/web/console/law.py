"""The law's switches for staff: what is true, what is missing and who holds it; records; the police's form."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.compliance.facts import Facts
from shouhao.compliance.filing import form_text
from shouhao.compliance.model import SWITCH_NAMES, Article, Standing
from shouhao.compliance.records import KEPT_US, Record
from shouhao.compliance.store import all_records, find_facts
from shouhao.flows.law import (
    READERS,
    NeedStands,
    SwitchStands,
    ask_to_turn_on,
    hand_in,
    law_now,
    police_form,
    record_template,
    turn_off,
    turn_on,
)
from shouhao.staff.model import require
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["law"])

_WRITE = failures(400, 401, 403, 404, 409, 415, 422)

Name = Annotated[str, Path(pattern=r"^[a-z_]{1,64}$")]
SwitchName = Annotated[str, Field(pattern=r"^[a-z_]{1,64}$")]


class WordsShown(Shown):
    """The same in both languages."""

    zh: str
    en: str


class RecordShown(Shown):
    """A record as it was handed in."""

    id: str
    kind: str
    switch: str | None
    body: dict[str, Any]
    staff_id: str | None
    at: Instant
    kept_until_at_least: Instant


class DueShown(WordsShown):
    """By when it will not be true any more."""

    at: Instant | None


class NeedShown(WordsShown):
    """One thing that the law asks for."""

    code: str
    met: bool
    missing: WordsShown | None
    due: DueShown | None
    articles: list[WordsShown]
    holder: str
    record_kind: str | None
    record: RecordShown | None


class SwitchShown(WordsShown):
    """One switch: on when people turned it on and every need is met."""

    switch: str
    on: bool
    turned_on: bool
    since: Instant | None
    why: str
    needs: list[NeedShown]


class CountedShown(Shown):
    """What the system counted."""

    at: Instant
    cameras: int
    list_size: int
    stored_faces: int
    trained: int
    looking: int
    unfiled_since: Instant | None
    faces_over_since: Instant | None
    retention_ran_at: Instant | None


class LawShown(Shown):
    """All switches."""

    switches: list[SwitchShown]
    counted: CountedShown | None


class RecordList(Shown):
    """Every record, the newest first."""

    records: list[RecordShown]


class RecordBody(Body):
    """A record's body, as its kind has it (docs/concepts/law.md); a switch where it is told for one."""

    switch: SwitchName | None = None
    body: dict[str, Any]


class TemplateShown(Shown):
    """A record's body to complete."""

    kind: str
    switch: str | None
    body: dict[str, Any]


class ReasonBody(Body):
    """Why."""

    reason: LongText


class ApprovalBody(Body):
    """The approval of a second person."""

    approval_id: Id


class RecordKept(Shown):
    """The record that was added."""

    id: str


class Asked(Shown):
    """The approval that now waits for a second person."""

    approval_id: str


class Turned(Shown):
    """How the switch stands now."""

    switch: str
    on: bool


class FiledCameraShown(Shown):
    """A camera as the police are told of it."""

    id: str
    place: str
    kind: str


class FilingShown(Shown):
    """The form, and what changed since the last filing; `text` is for printing."""

    unit: str
    cameras: list[FiledCameraShown]
    retention_days: int | None
    added: list[FiledCameraShown]
    removed: list[FiledCameraShown]
    changed: list[FiledCameraShown]
    text: str


@routes.get("/law", responses=failures(401, 403), summary="法律开关 The law's switches")
def law(operator: OnDuty, system: Here) -> LawShown:
    """每个开关：哪些为真、缺什么、在谁手里。 For each switch what is true, what is missing, who holds it."""
    require(operator, *READERS)
    with system.db.read() as connection:
        found = law_now(connection, now_us=system.clock.now_us())
        facts = find_facts(connection)
    return LawShown(switches=[_switch(one) for one in found], counted=None if facts is None else _counted(facts))


@routes.get("/law/records", responses=failures(401, 403), summary="合规记录 Records")
def records(operator: OnDuty, system: Here) -> RecordList:
    """至少保存三年；系统不删除。 Kept for three years at least; nothing deletes one."""
    require(operator, *READERS)
    with system.db.read() as connection:
        return RecordList(records=[_record(one) for one in all_records(connection)])


@routes.get(
    "/law/records/{kind}/template",
    responses=failures(401, 403, 422),
    summary="记录模板 A record to complete",
)
def record_to_complete(
    kind: Name, operator: OnDuty, system: Here, switch: Annotated[str | None, Query(pattern=r"^[a-z_]{1,64}$")] = None
) -> TemplateShown:
    """系统已知的已填好，其余由人写。 All that the system knows is filled in; the rest is for people."""
    require(operator, *READERS)
    with system.db.read() as connection:
        body = record_template(connection, kind, switch=switch, now_us=system.clock.now_us())
    return TemplateShown(kind=kind, switch=switch, body=body)


@routes.post(
    "/law/records/{kind}",
    status_code=201,
    responses=_WRITE,
    response_model=RecordKept,
    summary="提交记录 Hand in a record",
)
def add_record(kind: Name, body: RecordBody, operator: OnDuty, write: StaffWrite) -> Response:
    """新的代替旧的，旧的不改不删。 The newest counts; none is changed or deleted."""

    def act(connection: Connection) -> dict[str, Any]:
        record = hand_in(connection, kind, body.body, switch=body.switch, operator=operator, now_us=write.now_us)
        return {"id": record.id}

    return write.answer(act, status=201)


@routes.post(
    "/law/switches/{switch}/request",
    status_code=201,
    responses=_WRITE,
    response_model=Asked,
    summary="申请启用 Ask to turn on",
)
def request(switch: Name, body: ReasonBody, operator: OnDuty, write: StaffWrite) -> Response:
    """条件齐备才能申请，另一人批准。 Only when nothing is missing; somebody else approves."""

    def act(connection: Connection) -> dict[str, Any]:
        approval = ask_to_turn_on(connection, switch, operator=operator, reason=body.reason, now_us=write.now_us)
        return {"approval_id": approval.id}

    return write.answer(act, status=201)


@routes.post("/law/switches/{switch}/on", responses=_WRITE, response_model=Turned, summary="启用 Turn on")
def on(switch: Name, body: ApprovalBody, operator: OnDuty, write: StaffWrite) -> Response:
    """凭已批准的申请，一次有效。 With an approval, which is used up."""

    def act(connection: Connection) -> dict[str, Any]:
        return _turned(turn_on(connection, switch, body.approval_id, operator=operator, now_us=write.now_us))

    return write.answer(act)


@routes.post("/law/switches/{switch}/off", responses=_WRITE, response_model=Turned, summary="停用 Turn off")
def off(switch: Name, body: ReasonBody, operator: OnDuty, write: StaffWrite) -> Response:
    """一人即可，立即生效。 One person may, at once."""

    def act(connection: Connection) -> dict[str, Any]:
        return _turned(turn_off(connection, switch, operator=operator, reason=body.reason, now_us=write.now_us))

    return write.answer(act)


@routes.get("/law/filing", responses=failures(401, 403), summary="公安备案表 The form for the police")
def filing(operator: OnDuty, system: Here) -> FilingShown:
    """由登记簿生成，并列出与上次备案的不同。 Made from the register, with what changed since."""
    require(operator, *READERS)
    with system.db.read() as connection:
        form = police_form(connection, unit=system.settings.hospital_name_zh, now_us=system.clock.now_us())

    def shown(cameras: Any) -> list[FiledCameraShown]:
        return [FiledCameraShown(id=one.id, place=one.place, kind=one.kind) for one in cameras]

    return FilingShown(
        unit=form.unit,
        cameras=shown(form.cameras),
        retention_days=form.retention_days,
        added=shown(form.change.added),
        removed=shown(form.change.removed),
        changed=shown(form.change.changed),
        text=form_text(form),
    )


def _turned(standing: Standing) -> dict[str, Any]:
    return {"switch": standing.switch, "on": standing.on}


def _switch(stands: SwitchStands) -> SwitchShown:
    standing = stands.standing
    zh, en = SWITCH_NAMES[standing.switch]
    return SwitchShown(
        switch=standing.switch,
        zh=zh,
        en=en,
        on=standing.on,
        turned_on=standing.turned_on,
        since=standing.since_us,
        why=standing.why,
        needs=[_need(one) for one in stands.needs],
    )


def _need(stands: NeedStands) -> NeedShown:
    need, missing, due = stands.need, stands.missing, stands.due
    return NeedShown(
        code=need.code,
        zh=need.zh,
        en=need.en,
        met=missing is None,
        missing=None if missing is None else WordsShown(zh=missing.zh, en=missing.en),
        due=None if due is None else DueShown(zh=due.zh, en=due.en, at=due.at_us),
        articles=[_article(article) for article in need.articles],
        holder=need.holder,
        record_kind=need.record,
        record=None if stands.record is None else _record(stands.record),
    )


def _article(article: Article) -> WordsShown:
    return WordsShown(zh=article.zh, en=article.en)


def _record(record: Record) -> RecordShown:
    return RecordShown(
        id=record.id,
        kind=record.kind,
        switch=record.switch,
        body=msgspec.to_builtins(record.body),
        staff_id=record.staff_id,
        at=record.at_us,
        kept_until_at_least=record.at_us + KEPT_US,
    )


def _counted(facts: Facts) -> CountedShown:
    return CountedShown(
        at=facts.at_us,
        cameras=len(facts.cameras),
        list_size=facts.list_size,
        stored_faces=facts.stored_faces,
        trained=facts.trained,
        looking=facts.looking,
        unfiled_since=facts.unfiled_since_us,
        faces_over_since=facts.faces_over_since_us,
        retention_ran_at=facts.retention_ran_at_us,
    )
