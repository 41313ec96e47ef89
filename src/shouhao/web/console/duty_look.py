"""Looks that come with a duty: at the window, at a photo that waits, at applications to a month.

Whoever stands before the window is the reason, and the role's duty the authority; asking for both in words each time
would teach people to type nonsense. The row of the access register stands before anything is opened all the same.
"""

from collections.abc import Mapping
from typing import Literal

from shouhao.staff.model import Operator
from shouhao.staff.register import DataClass, look
from shouhao.wiring import System

Duty = Literal["window", "photo_review", "antenatal", "care"]
_REASONS: Mapping[Duty, str] = {
    "window": "窗口服务 service at the window",
    "photo_review": "证件照片审核 review of a document's photo",
    "antenatal": "建档申请处理 handling of antenatal applications",
    "care": "优先证明核对 check of care proofs",
}
_AUTHORITY = "岗位职责 duty of the role"


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
        authority=_AUTHORITY,
        records=max(1, records),
        now_us=system.clock.now_us(),
    )
