"""Staff: operators, their roles, and the one question that guards every act: does this operator have this role?

Everything starts from deny: an operator has the roles that were given by name and no others; no role holds another.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from shouhao.kernel.errors import InvalidInput, Refused

#: window: serves at a counter; reviewer: decides photo reviews; outpatient_office: plans and policies;
#: approver: the second pair of eyes; it: channels and their keys; auditor: reads and changes nothing;
#: witness: a second party outside the hospital that gives its part to the seed of draws; security: the security office
#: and its watchlist; monitoring: watches alarms; guard: answers their own dispatches; police_liaison: hands over;
#: data_protection: answers for personal data; administrator: operators, their roles, logins and training.
Role = Literal[
    "window",
    "reviewer",
    "outpatient_office",
    "approver",
    "it",
    "auditor",
    "witness",
    "security",
    "monitoring",
    "guard",
    "police_liaison",
    "data_protection",
    "administrator",
]
ROLES: tuple[Role, ...] = get_args(Role)
ALONE: frozenset[Role] = frozenset({"witness"})  #: whoever has one of these has no other and is no doctor
#: Nobody has both: who gives access does not judge how it was used (GB/T 22239: three separate powers).
APART: tuple[frozenset[Role], ...] = (frozenset({"administrator", "auditor"}),)

_NAME_MAX = 64
_UNIT_MAX = 64
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A person who works with the system."""

    id: str
    name: str
    roles: frozenset[Role]
    doctor_id: str | None = None  #: set when the operator is a doctor
    unit: str | None = None  #: 部门, as the access register names it


class StaffRefused(Refused):
    """No active operator has this key."""

    code = "staff.refused"
    zh = "工作人员密钥无效"
    en = "The staff key is not valid"


class RoleMissing(Refused):
    """The operator does not have the role that this act needs."""

    code = "staff.role_missing"
    zh = "此操作需要角色：{role}"
    en = "This needs the role: {role}"


class LastAdministrator(Refused):
    """Nobody would be left who can give access."""

    code = "staff.last_administrator"
    zh = "不能停用或撤销最后一位管理员"
    en = "The last administrator stays"


def require(operator: Operator, *roles: Role) -> None:
    """Let the act go on when the operator has one of these roles.

    Raises:
        RoleMissing: the operator has none of them, or none was named.
    """
    if operator.roles.isdisjoint(roles):
        raise RoleMissing(role="|".join(roles))


def check_roles(roles: Iterable[str], *, doctor: bool = False) -> frozenset[Role]:
    """The roles, when each of them exists and there is one at least.

    Args:
        doctor: whether they are a doctor's.
    Raises:
        InvalidInput: there is none, one that does not exist, or two that one person may not have. A witness who
            also works for the hospital witnesses nothing; who administers does not audit.
    """
    given = set(roles)
    known: frozenset[Role] = frozenset(role for role in ROLES if role in given)
    if not given or len(known) != len(given):
        listed = ", ".join(ROLES)
        raise InvalidInput("roles", zh=f"至少一个，且只能是 {listed}", en=f"one at least, each of {listed}")
    if not known.isdisjoint(ALONE) and (len(known) > 1 or doctor):
        listed = ", ".join(sorted(ALONE))
        raise InvalidInput(
            "roles", zh=f"{listed} 不能兼任其他角色，也不能是医生", en=f"{listed} stands alone, and for no doctor"
        )
    for pair in APART:
        if pair <= known:
            listed = ", ".join(sorted(pair))
            raise InvalidInput("roles", zh=f"{listed} 不能由同一人担任", en=f"nobody has {listed} together")
    return known


def check_name(name: str) -> str:
    """The operator's name without space around it.

    Raises:
        InvalidInput: it is empty, too long or not printable.
    """
    name = name.strip()
    if not name or len(name) > _NAME_MAX or not name.isprintable():
        raise InvalidInput("name", zh=f"须为 1 到 {_NAME_MAX} 个可见字符", en=f"1 to {_NAME_MAX} printable characters")
    return name


def check_unit(unit: str | None) -> str | None:
    """The unit without space around it; nothing is None.

    Raises:
        InvalidInput: it is too long or not printable.
    """
    unit = (unit or "").strip()
    if len(unit) > _UNIT_MAX or not unit.isprintable():
        raise InvalidInput("unit", zh=f"最多 {_UNIT_MAX} 个可见字符", en=f"at most {_UNIT_MAX} printable characters")
    return unit or None


def check_login(login: str) -> str:
    """The login name as it is kept: lower case, so that one name is one person.

    Raises:
        InvalidInput: it is not 2 to 32 of a-z, 0-9, dot, dash and underscore.
    """
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise InvalidInput(
            "login",
            zh="须为 2 到 32 个字符：小写字母、数字、点、横线、下划线，以字母或数字开头",
            en="2 to 32 of a-z, 0-9, dot, dash and underscore, a letter or digit first",
        )
    return login


def key_hash(key: str) -> str:
    """What is stored of a random key; it has 256 bits, so a plain hash cannot be searched."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
