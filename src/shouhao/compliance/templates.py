"""Templates: a record with everything filled in that the system knows, so that nobody copies lists of cameras by hand.

What only people can say is left empty, and an empty text is refused when the record is handed in.
"""

from typing import Any

import msgspec

from shouhao.compliance.facts import Facts, filed_form
from shouhao.compliance.records import MOST_WINDOW_DAYS, Body, NecessityMemo, RecordKind, body_type
from shouhao.kernel.clock import day_of

_DAYS = ("signed_on", "filed_on", "happened_on")


def template(
    kind: RecordKind, *, facts: Facts | None, memo: Body | None, retention_days: int | None, now_us: int
) -> dict[str, Any]:
    """The body of a record, to be completed.

    Args:
        memo: the switch's necessity memo, whose purpose and method an assessment repeats word by word.
    """
    cameras = () if facts is None else facts.cameras
    known: dict[str, Any] = {
        **dict.fromkeys(_DAYS, day_of(now_us).isoformat()),
        "camera_ids": [camera.id for camera in cameras],
        "cameras": [msgspec.to_builtins(filed_form(camera)) for camera in cameras],
        "list_size": 0 if facts is None else facts.list_size,
        "stored_faces": 0 if facts is None else facts.stored_faces,
        "window_days": MOST_WINDOW_DAYS,
        "retention_days": retention_days or 30,
        "rejected": [{"what": "", "why_not": ""}],
        "days": 30,
        "key_target": False,
    }
    if isinstance(memo, NecessityMemo) and kind == "impact_assessment":
        known |= {"purpose": memo.purpose, "method": memo.method}
    return {field.name: known.get(field.name, "") for field in msgspec.structs.fields(body_type(kind))}
