"""Finding judging: a look at whole ids and raw lines, on record before anything is read; and what a person judges.

The machine points; whether it is scalping a person says, and may say otherwise later. Every judgement stays.
"""

from sqlalchemy import Connection

from shouhao.detect.store.findings import lock_findings, set_state
from shouhao.detect.store.judgements import Judged, Judgement, add_judgement
from shouhao.flows.finding_listing import READERS, detail_of, find
from shouhao.flows.finding_views import FindingDetail
from shouhao.kernel.events import Event
from shouhao.staff import register
from shouhao.staff.model import Operator, Role, require
from shouhao.staff.texts import checked_reason
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.vault import Vault

JUDGES: tuple[Role, ...] = ("security", "outpatient_office")
DUTY = "岗位职责 duty of the role"  #: the authority where nobody names another


def look(
    db: Database,
    vault: Vault,
    operator: Operator,
    finding_id: str,
    *,
    run_id: str | None = None,
    reason: str,
    authority: str = DUTY,
    now_us: int,
) -> FindingDetail:
    """A finding with nothing masked, and its raw lines; the register has its row before they are read.

    As many records are counted as people and things are named.

    Raises:
        RoleMissing: another role.
        NotFound: there is none of this id.
        InvalidInput: no reason, or no authority.
        Tampered: what is sealed is not what was sealed.
    """
    require(operator, *READERS)
    with db.read() as connection:
        row = find(connection, finding_id, run_id=run_id)
    register.look(
        db,
        operator,
        data_class="other",
        what=f"finding:{row.finding_id} run:{row.run_id}",
        reason=reason,
        authority=authority,
        records=1 + row.members,
        now_us=now_us,
    )
    with db.read() as connection:
        return detail_of(connection, vault, find(connection, finding_id, run_id=row.run_id), whole=True)


def judge(
    connection: Connection,
    vault: Vault,
    operator: Operator,
    finding_id: str,
    *,
    judgement: Judgement,
    reason: str,
    now_us: int,
) -> Judgement:
    """Say what a finding is; a later judgement takes the place of this one.

    Raises:
        RoleMissing: it is not this person's to judge.
        NotFound: there is none of this id.
        InvalidInput: no reason.
    """
    require(operator, *JUDGES)
    row = find(connection, finding_id)
    judged = Judged(
        finding_id=row.finding_id,
        judgement=judgement,
        operator_id=operator.id,
        reason=checked_reason(reason),
        at_us=now_us,
    )
    lock_findings(connection, [row.finding_id])
    set_state(connection, row.finding_id, judgement)
    add_judgement(connection, vault, judged)
    told = {"finding_id": row.finding_id, "run_id": row.run_id, "level": row.level, "was": row.state}
    told |= {"judgement": judgement}
    event_log.append(connection, [Event(at_us=now_us, kind="finding_judged", staff_id=operator.id, detail=told)])
    return judgement
