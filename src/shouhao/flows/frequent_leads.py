"""Leads of who comes too often: two people open one, each look is registered first, and a person decides what it is.

A lead says that somebody without a name was before the windows on many days. It puts nobody on a list: whoever should
be listed is listed as anybody else, on a ground of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from shouhao.compliance.store import require_on
from shouhao.kernel.errors import Refused
from shouhao.staff.approvals import Approval, ask, use
from shouhao.staff.model import Operator, Role, require
from shouhao.staff.register import look
from shouhao.staff.watermark import watermarked
from shouhao.store.engine import Database
from shouhao.watch.store import frequent as store
from shouhao.watch.store.frequent import Lead, WindowKeys

OPENERS: tuple[Role, ...] = ("security",)  #: who asks to open a lead, opens it, and says what it is
OPENABLE: frozenset[store.LeadState] = frozenset({"waiting", "opened"})


class LeadNotOpen(Refused):
    """The lead was not opened by two people, or is over."""

    code = "watch.lead_not_open"
    zh = "该线索尚未由两人打开，或已结束"
    en = "Two people have not opened this lead, or it is over"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOn:
    """One visit of a lead."""

    day: int  #: ordinal of the hospital's day
    at_us: int
    camera_id: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedLead:
    """What two people may see of a lead."""

    lead: Lead
    visits: Sequence[SeenOn]
    pictures: Mapping[int, bytes]  #: by day, each with a visible mark of who looks


def leads_waiting(connection: Connection) -> list[Lead]:
    """Leads that were checked and wait, and those that two people opened; a number of days and nothing else."""
    return store.list_leads(connection, "waiting", "opened")


def ask_to_open(connection: Connection, lead_id: str, *, operator: Operator, reason: str, now_us: int) -> Approval:
    """Ask a second person to open a lead together.

    Raises:
        RoleMissing: it is not this person's to ask.
        SwitchOff: nobody is counted any more.
        NotFound: there is no such lead that waits.
    """
    require(operator, *OPENERS)
    require_on(connection, "frequent_visitors", now_us=now_us)
    lead = store.find_lead(connection, lead_id)
    if lead.state not in OPENABLE:
        raise LeadNotOpen
    payload: dict[str, object] = {"lead_id": lead.id, "days": lead.days}
    return ask(
        connection,
        kind="frequent_lead",
        subject=lead.id,
        payload=payload,
        reason=reason,
        operator=operator,
        now_us=now_us,
    )


def open_lead(
    db: Database,
    keys: WindowKeys,
    lead_id: str,
    approval_id: str,
    *,
    operator: Operator,
    reason: str,
    now_us: int,
) -> OpenedLead:
    """Open a lead with a second person's approval, which is used up; the look is registered before anything is read.

    Raises:
        RoleMissing: it is not this person's to open.
        NotTrained: this person may look at no face.
        SwitchOff: nobody is counted any more.
        NotApproved, ApprovalEnded: the approval is not there yet, or not any more, or for something else.
        NotFound: there is no such lead, or its day is over.
    """
    require(operator, *OPENERS)
    with db.read() as connection:
        require_on(connection, "frequent_visitors", now_us=now_us)
        lead = store.find_lead(connection, lead_id)
    if lead.state not in OPENABLE:
        raise LeadNotOpen
    seen = look(
        db,
        operator,
        data_class="face",
        what=f"frequent lead {lead_id}",
        reason=reason,
        authority=f"approval {approval_id}",
        now_us=now_us,
    )
    with db.write() as connection:
        approval = use(connection, approval_id, kind="frequent_lead", subject=lead_id, now_us=now_us)
        opened = store.set_lead(
            connection,
            lead_id,
            "opened",
            after=OPENABLE,
            now_us=now_us,
            staff_id=operator.id,
            approval_id=approval.id,
        )
        if not opened:  # somebody has just said that it is nothing
            raise LeadNotOpen
    with db.read() as connection:
        ids = store.visits_of_lead(connection, keys, lead_id)
        found = store.find_visits(connection, keys, ids)
        stills = store.stills_of_lead(connection, keys, lead_id)
        lead = store.find_lead(connection, lead_id)
    text = f"{operator.id} {seen}"
    return OpenedLead(
        lead=lead,
        visits=[SeenOn(day=visit.day, at_us=one.at_us, camera_id=one.camera_id) for visit, one in found],
        pictures={day: watermarked(picture, text=text) for day, picture in stills.items()},
    )


def dismiss_lead(connection: Connection, lead_id: str, *, operator: Operator, now_us: int) -> None:
    """Say that a lead is nothing: its pictures go at once, its visits with their days.

    Raises:
        RoleMissing: it is not this person's to say.
        NotFound: there is no such lead.
        LeadNotOpen: nobody has looked at it, or it is over.
    """
    require(operator, *OPENERS)
    if not store.set_lead(connection, lead_id, "dismissed", after={"opened"}, now_us=now_us, staff_id=operator.id):
        raise LeadNotOpen
