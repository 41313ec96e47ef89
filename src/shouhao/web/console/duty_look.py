"""Looks that come with a duty: at the window, at a photo that waits, at applications to a month.

Whoever stands before the window is the reason, and the role's duty the authority; asking for both in words each time
would teach people to type nonsense. The row of the access register stands before anything is opened all the same.
"""

from collections.abc import Mapping
from typing import Literal

from sqlalchemy import Connection

from shouhao.kernel.events import Event
from shouhao.patients.model import WINDOW
from shouhao.staff.model import Operator
from shouhao.staff.register import DataClass, look
from shouhao.store import event_log
from shouhao.wiring import System

Duty = Literal["window", "photo_review", "antenatal", "care", "extra_slot"]
_REASONS: Mapping[Duty, str] = {
    "window": "窗口服务 service at the window",
    "photo_review": "证件照片审核 review of a document's photo",
    "antenatal": "建档申请处理 handling of antenatal applications",
    "care": "优先证明核对 check of care proofs",
    "extra_slot": "加号就诊人核对 check of whom an extra slot is for",
}
AUTHORITY = "岗位职责 duty of the role"  #: on which one looks at what one's work brings


def look_on_duty(
    system: System, operator: Operator, duty: Duty, *, data_class: DataClass, what: str, records: int = 1
) -> None:
    """Write the row of a look that belongs to a duty; outside any unit of work."""
    look(
        system.db,
        operator,
        data_class=data_class,
        what=what,
        reason=_REASONS[duty],
        authority=AUTHORITY,
        records=max(1, records),
        now_us=system.clock.now_us(),
    )


def record_look(connection: Connection, patient_id: str | None, *, staff_id: str, what: str, now_us: int) -> None:
    """The `viewed` event of a look at a patient, in the unit of work that reads."""
    look_event = Event(
        at_us=now_us, kind="viewed", channel=WINDOW, patient_id=patient_id, staff_id=staff_id, detail={"what": what}
    )
    event_log.append(connection, [look_event])
