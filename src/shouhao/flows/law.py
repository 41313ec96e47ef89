"""The law as it stands: what the rooms know is gathered, switches that lapsed go off, two people turn one on.

The duty counts once a minute and keeps what it saw, since the room of the law knows no other room. A switch of which a
need lapsed is off for every asker at that moment; the duty then turns it off for good, says which article, and only
two people turn it on again. Turning off needs one person and no reason but their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection

from shouhao.compliance import store
from shouhao.compliance.facts import FACES_FILED_AT, FACES_WARN_AT, Facts, Gathered, LiveCamera
from shouhao.compliance.filing import FilingForm, filing_form
from shouhao.compliance.model import SWITCHES, Due, Missing, Standing, Switch, SwitchNotReady
from shouhao.compliance.records import Record, RecordKind, check_kind
from shouhao.compliance.switches import NEEDS, Need
from shouhao.compliance.templates import template
from shouhao.faces.store import counts
from shouhao.kernel.errors import InvalidInput
from shouhao.staff.approvals import Approval, ask, use
from shouhao.staff.model import Operator, Role, require
from shouhao.staff.store import list_operators
from shouhao.staff.texts import checked_reason
from shouhao.staff.training import trained_until
from shouhao.store.engine import Database
from shouhao.store.held import hold
from shouhao.watch.cameras import Camera
from shouhao.watch.store.cameras import list_cameras
from shouhao.watch.store.frequent import count_visits
from shouhao.watch.store.watchlist import people_listed

_log = structlog.get_logger()

#: Whoever has one of these looks at faces.
LOOKING: frozenset[Role] = frozenset({"monitoring", "security", "guard", "police_liaison"})
READERS: tuple[Role, ...] = (
    "security",
    "monitoring",
    "police_liaison",
    "data_protection",
    "administrator",
    "auditor",
    "approver",
    "it",
    "outpatient_office",
)
#: Who hands in which record.
HANDS_IN: Mapping[RecordKind, tuple[Role, ...]] = {
    "necessity_memo": ("security",),
    "impact_assessment": ("data_protection",),
    "police_filing": ("security", "police_liaison"),
    "face_filing": ("data_protection",),
    "retention": ("security",),
    "equal_way": ("outpatient_office",),
    "incident": ("data_protection", "security", "it"),
}
TURNS: tuple[Role, ...] = ("security", "data_protection")  #: who asks to turn a switch, and who turns it off

_ZONES = {
    "entrance": "出入口",
    "window": "挂号窗口",
    "pharmacy": "药房",
    "clinic_door": "诊室门外",
    "other": "其他",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedStands:
    """One need of a switch, and how it stands."""

    need: Need
    missing: Missing | None  #: why it is not met; None: it is
    due: Due | None  #: by when it will not be met any more
    record: Record | None  #: the newest that was handed in for it


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchStands:
    """One switch with all its needs."""

    standing: Standing
    needs: tuple[NeedStands, ...]


def law_due(db: Database, *, now_us: int) -> int:
    """Count, and turn off what lapsed; how many switches went off."""
    with db.write() as connection:
        before = store.find_facts(connection)
        facts = refresh(connection, now_us=now_us)
        lapsed = [store.turn_off_lapsed(connection, switch, now_us=now_us) for switch in SWITCHES]
    off = [standing for standing in lapsed if standing is not None]
    for standing in off:
        _log.error(
            "switch_turned_off",
            switch=standing.switch,
            needs=[one.need for one in standing.missing],
            articles=[article.en for one in standing.missing for article in one.articles],
        )
    for edge in (*FACES_WARN_AT, FACES_FILED_AT):
        if (0 if before is None else before.stored_faces) < edge <= facts.stored_faces:
            _log.warning("stored_faces_reached", edge=edge, stored_faces=facts.stored_faces)
    return len(off)


def refresh(connection: Connection, *, now_us: int, retention_ran_at_us: int | None = None) -> Facts:
    """Count everything anew, in the unit of work that changed some of it."""
    hold(connection, "law.facts")
    before = store.find_facts(connection)
    ran = retention_ran_at_us if before is None else retention_ran_at_us or before.retention_ran_at_us
    trained = trained_until(connection)
    looking = [operator.id for operator in list_operators(connection) if operator.roles & LOOKING]
    gathered = Gathered(
        at_us=now_us,
        cameras=tuple(_live(camera) for camera in list_cameras(connection) if camera.state == "live"),
        list_size=people_listed(connection),
        stored_faces=counts(connection, "watchlist")[0] + counts(connection, "consented")[0] + count_visits(connection),
        trained=sum(trained.get(operator_id, 0) > now_us for operator_id in looking),
        looking=len(looking),
        retention_ran_at_us=ran,
    )
    return store.put_facts(connection, gathered)


def note_retention(connection: Connection, *, now_us: int) -> None:
    """Keep that what had served its time was erased."""
    refresh(connection, now_us=now_us, retention_ran_at_us=now_us)


def hand_in(
    connection: Connection,
    kind: str,
    body: Mapping[str, Any],
    *,
    switch: str | None,
    operator: Operator | None,
    now_us: int,
) -> Record:
    """Add a record.

    Args:
        operator: None from the command line of the machine itself.
    Raises:
        RoleMissing: it is not this person's to hand in.
        InvalidInput: the kind, the switch or the body cannot be.
    """
    known = check_switch(switch) if switch is not None else None
    if operator is not None:
        require(operator, *HANDS_IN[check_kind(kind, known)])
    staff_id = None if operator is None else operator.id
    record = store.add_record(connection, kind, body, switch=known, staff_id=staff_id, now_us=now_us)
    refresh(connection, now_us=now_us)
    return record


def record_template(connection: Connection, kind: str, *, switch: str | None, now_us: int) -> dict[str, Any]:
    """A record's body with everything filled in that the system knows.

    Raises:
        InvalidInput: the kind, or what it is told for, cannot be.
    """
    known = None if switch is None else check_switch(switch)
    checked = check_kind(kind, known)
    memo = None if known is None else store.newest_records(connection, known).get("necessity_memo")
    return template(
        checked,
        facts=store.find_facts(connection),
        memo=None if memo is None else memo.body,
        retention_days=store.retention_days(connection),
        now_us=now_us,
    )


def ask_to_turn_on(connection: Connection, switch: str, *, operator: Operator, reason: str, now_us: int) -> Approval:
    """Ask a second person to agree that a switch goes on.

    Raises:
        RoleMissing: it is not this person's to ask.
        SwitchNotReady: something is missing; nobody is asked to agree to what the law does not allow.
    """
    require(operator, *TURNS)
    known = check_switch(switch)
    refresh(connection, now_us=now_us)
    standing = store.standing(connection, known, now_us=now_us)
    if standing.missing:
        raise SwitchNotReady(standing)
    payload: dict[str, object] = {"switch": known, "on": True}
    return ask(
        connection,
        kind="law_switch",
        subject=known,
        payload=payload,
        reason=reason,
        operator=operator,
        now_us=now_us,
    )


def turn_on(
    connection: Connection, switch: str, approval_id: str, *, operator: Operator | None, now_us: int
) -> Standing:
    """Turn a switch on with an approval, which is used up.

    Args:
        operator: None from the command line of the machine itself; the two who agreed stand in the approval.
    Raises:
        RoleMissing: it is not this person's to turn.
        NotApproved, ApprovalEnded: the approval is not there yet, or not any more, or for something else.
        SwitchNotReady: something is missing by now.
    """
    if operator is not None:
        require(operator, *TURNS)
    known = check_switch(switch)
    refresh(connection, now_us=now_us)
    approval = use(connection, approval_id, kind="law_switch", subject=known, now_us=now_us)
    return store.turn_on(
        connection,
        known,
        staff_id=None if operator is None else operator.id,
        approval_id=approval.id,
        why=approval.reason,
        now_us=now_us,
    )


def turn_off(connection: Connection, switch: str, *, operator: Operator | None, reason: str, now_us: int) -> Standing:
    """Turn a switch off at once.

    Raises:
        RoleMissing: it is not this person's to turn.
        InvalidInput: no reason was written.
    """
    if operator is not None:
        require(operator, *TURNS)
    staff_id = None if operator is None else operator.id
    why = checked_reason(reason)
    return store.turn_off(connection, check_switch(switch), staff_id=staff_id, why=why, now_us=now_us)


def law_now(connection: Connection, *, now_us: int) -> list[SwitchStands]:
    """For each switch what is true, what is missing, and who holds it."""
    found = []
    for switch in SWITCHES:
        standing = store.standing(connection, switch, now_us=now_us)
        records = store.newest_records(connection, switch)
        missing = {one.need: one for one in standing.missing}
        due = {one.need: one for one in standing.due}
        needs = tuple(
            NeedStands(
                need=need,
                missing=missing.get(need.code) or missing.get("counted"),
                due=due.get(need.code),
                record=None if need.record is None else records.get(need.record),
            )
            for need in NEEDS[switch]
        )
        found.append(SwitchStands(standing=standing, needs=needs))
    return found


def police_form(connection: Connection, *, unit: str, now_us: int) -> FilingForm:
    """The form for the county's police, of the cameras as they are now."""
    return filing_form(
        [_live(camera) for camera in list_cameras(connection) if camera.state == "live"],
        store.police_filing(connection),
        unit=unit,
        retention_days=store.retention_days(connection),
        now_us=now_us,
    )


def check_switch(switch: str) -> Switch:
    """The switch of this name.

    Raises:
        InvalidInput: there is none.
    """
    for known in SWITCHES:
        if known == switch:
            return known
    listed = ", ".join(SWITCHES)
    raise InvalidInput("switch", zh=f"只能是 {listed}", en=f"one of {listed}")


def _live(camera: Camera) -> LiveCamera:
    place = f"{camera.building} {camera.floor} {camera.place_name} {camera.name}（{_ZONES[camera.zone]}）"
    return LiveCamera(
        id=camera.id,
        place=place,
        kind=camera.kind,
        live_since_us=camera.live_since_us or 0,
        sign_taken_at_us=camera.sign_taken_at_us,
    )
