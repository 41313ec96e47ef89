"""Policy: how many people an account may act for, how fast, and who needs a guardian, as a hospital sets it.

The body of a policy of kind `binding` is JSON; what it leaves out keeps the default below.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US
from shouhao.kernel.errors import InvalidInput

KIND = "binding"  #: in `store.policies`

ADULT_YEARS = 18  #: Civil Code Art. 17: a minor is under 18; a guardian is never one
MOST_GUARDIANS = 10  #: no policy may allow more; an invariant relies on it


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingPolicy:
    """The rules for binding patients to accounts."""

    max_patients_per_account: int = 5  #: live bindings; a couple, a child and two elders
    bindings_without_cooling: int = 3  #: how many an account makes at once; unbound ones count, or churn would be free
    binding_cooling_s: int = DAY_US // SECOND_US  #: after those, the wait since the latest binding
    hot_binding_age_s: int = 72 * HOUR_US // SECOND_US  #: how old a binding must be before it books hot sessions
    #: Under this age a guardian is needed. 18 is the Civil Code's line (Art. 17); that one of 16 who lives by their
    #: own work counts as an adult (Art. 18) nobody can see from a form, so a hospital that wants 16 or 14 sets it.
    guardian_required_under_years: int = ADULT_YEARS
    max_guardians_per_child: int = 2  #: Civil Code Art. 27: the parents
    max_children_per_guardian: int = 5
    newborn_under_years: int = 1  #: how long a household register page stands for a child without an ID card
    max_owner_corrections: int = 3  #: corrections by the account before verification; else names could be guessed


#: The most each rule may say; the least is 0, or 1 where 0 would close the door for everybody.
_LIMITS: Mapping[str, tuple[int, int]] = {
    "max_patients_per_account": (1, 100),
    "bindings_without_cooling": (1, 100),
    "binding_cooling_s": (0, 365 * 86_400),
    "hot_binding_age_s": (0, 365 * 86_400),
    "guardian_required_under_years": (0, ADULT_YEARS),
    "max_guardians_per_child": (1, MOST_GUARDIANS),
    "max_children_per_guardian": (1, 100),
    "newborn_under_years": (0, 6),
    "max_owner_corrections": (0, 100),
}


def binding_from(body: Mapping[str, Any]) -> BindingPolicy:
    """Read a policy strictly: a misspelt rule is an error, not a rule that silently does not hold.

    Raises:
        InvalidInput: an unknown rule, or a value that is not a whole number in its range.
    """
    known = {rule.name for rule in fields(BindingPolicy)}
    for name, value in body.items():
        if name not in known:
            raise InvalidInput(name, zh="没有这条规则", en="there is no such rule")
        least, most = _LIMITS[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InvalidInput(
                name, zh=f"应为 {least} 至 {most} 的整数", en=f"must be a whole number from {least} to {most}"
            )
    return BindingPolicy(**body)
