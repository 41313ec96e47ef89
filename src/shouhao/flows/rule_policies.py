"""Rule policies: the limits and penalties of booking, and the rules of binding, as versions that are added.

Both are flat: a name and a whole number. What each means is said by its room; here stands how a version is checked and
added, whichever of them it is. Who may let it happen is decided in policy_approvals.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection

from shouhao.booking.limits import LimitsPolicy, limits_from
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event
from shouhao.patients.policy import BindingPolicy, binding_from
from shouhao.patients.texts import written_reason
from shouhao.store import event_log, policies

_READ: Final[Mapping[str, Callable[[Mapping[str, Any]], LimitsPolicy | BindingPolicy]]] = {
    "booking_limits": limits_from,
    "binding": binding_from,
}
RULE_KINDS: Final = tuple(_READ)
_MOST_RULES = 100


def whole_rules(kind: str, rules: Mapping[str, Any]) -> dict[str, int]:
    """The rules with nothing left to defaults, so that they say the same for ever.

    Raises:
        InvalidInput: names the rule that is unknown or cannot be meant.
    """
    if len(rules) > _MOST_RULES:
        raise InvalidInput("body", zh="策略项过多", en="has too many rules")
    return asdict(_READ[kind](rules))


def add_rules(
    connection: Connection,
    kind: str,
    rules: Mapping[str, Any],
    *,
    effective_at_us: int,
    staff_id: str,
    reason: str,
    now_us: int,
    approval_id: str | None = None,
) -> int:
    """Add a version of one of `RULE_KINDS` and return its number.

    Args:
        approval_id: who agreed; None where a hospital is being set up.
    Raises:
        InvalidInput: as `whole_rules`, and for a reason that says nothing.
    """
    said, whole = written_reason("reason", reason), whole_rules(kind, rules)
    version = policies.add(
        connection, kind, whole, effective_at_us=effective_at_us, staff_id=staff_id, reason=said, now_us=now_us
    )
    detail: dict[str, Any] = {"kind": kind, "version": version, "body": whole}
    if approval_id is not None:
        detail["approval_id"] = approval_id
    event_log.append(connection, [Event(at_us=now_us, kind="policy_changed", staff_id=staff_id, detail=detail)])
    return version
