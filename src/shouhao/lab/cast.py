"""Cast: who works at the demonstration hospital, each with a key for the story, and a few of them with a login to try.

Nobody's password is known to anybody: logins are one-time, made anew in each run, and set a password and a second
factor at the first sign-in, as everywhere. Who signs in holds several roles so that one person sees most pages; whoever
approves is somebody else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shouhao.flows.respond import check_in
from shouhao.kernel.clock import DAY_US
from shouhao.staff.first_run import first_administrator
from shouhao.staff.model import Operator, Role
from shouhao.staff.sign_in import give_login
from shouhao.staff.store import create_operator
from shouhao.staff.training import record_training
from shouhao.wiring import System

#: Who acts in the story, by the role they act in.
_NAMES: Mapping[Role, tuple[str, str]] = {
    "security": ("王保国", "保卫处"),
    "approver": ("陈立", "院办"),
    "data_protection": ("赵敏", "院办"),
    "monitoring": ("李静", "监控中心"),
    "police_liaison": ("周警官", "警务室"),
    "outpatient_office": ("刘洋", "门诊办公室"),
}


_GUARDS = ("张勇", "孙强")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What is printed once for somebody who wants to look."""

    login: str
    one_time: str
    path: str  #: where they begin
    zh: str
    en: str

    def __repr__(self) -> str:
        """Without the one-time login: this may end in a traceback."""
        return f"Login(login={self.login!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everybody who works here."""

    operators: Mapping[Role, Operator]
    keys: Mapping[Role, str]  #: of the story, never printed
    guards: tuple[tuple[Operator, str], ...]  #: each with a key
    logins: tuple[Login, ...]

    def __repr__(self) -> str:
        """Without keys."""
        return f"Cast(operators={sorted(self.operators)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visitor:
    """Somebody for a new user to sign in as."""

    login: str
    name: str
    roles: frozenset[Role]
    path: str
    zh: str
    en: str


_VISITORS = (
    _Visitor(
        login="demo",
        name="试用值班 Demo",
        roles=frozenset({"monitoring", "security", "outpatient_office", "police_liaison", "window", "reviewer", "it"}),
        path="/wall",
        zh="监控墙、今日放号、检测发现、名单、策略、服务台",
        en="wall, morning, findings, watchlist, policies, desk",
    ),
    _Visitor(
        login="second",
        name="试用复核 Second",
        roles=frozenset({"approver", "data_protection"}),
        path="/approvals",
        zh="审批（第二双眼睛）、留痕",
        en="approvals (the second pair of eyes), access register",
    ),
)


def seed_cast(system: System) -> Cast:
    """Make everybody; each is trained for a day, or would see no face."""
    now_us = system.clock.now_us()
    operators: dict[Role, Operator] = {}
    keys: dict[Role, str] = {}
    logins: list[Login] = []
    with system.db.write() as connection:

        def make(name: str, unit: str, roles: frozenset[Role]) -> tuple[Operator, str]:
            operator, key = create_operator(
                connection, name, roles=roles, unit=unit, now_us=now_us, randomness=system.randomness
            )
            record_training(
                connection,
                operator.id,
                trained_by="演示 demo",
                document="demo",
                until_us=now_us + DAY_US,
                now_us=now_us,
            )
            return operator, key

        def let_in(operator: Operator, login: str, path: str, zh: str, en: str) -> None:
            name, one_time = give_login(connection, operator.id, login, now_us=now_us, randomness=system.randomness)
            logins.append(Login(login=name, one_time=one_time, path=path, zh=zh, en=en))

        for role, (name, unit) in _NAMES.items():
            roles: frozenset[Role] = frozenset({role, "approver"} if role == "data_protection" else {role})
            operators[role], keys[role] = make(name, unit, roles)
        guards = tuple(make(name, "保卫处", frozenset({"guard"})) for name in _GUARDS)
        for one in _VISITORS:
            operator, _ = make(one.name, "试用", one.roles)
            let_in(operator, one.login, one.path, one.zh, one.en)
        let_in(guards[0][0], "guard", "/guard", "保安手机页", "the guard's phone page")
        first = first_administrator(connection, now_us=now_us, randomness=system.randomness)
        if first is not None:
            administers = Login(
                login=first.login, one_time=first.one_time, path="/staff", zh="管理员：人员", en="staff"
            )
            logins.append(administers)
    return Cast(operators=operators, keys=keys, guards=guards, logins=tuple(logins))


def post_guards(system: System, cast: Cast, place_ids: Sequence[str]) -> None:
    """A guard stands at each of these places."""
    with system.db.write() as connection:
        for place_id, (guard, _) in zip(place_ids, cast.guards, strict=True):
            check_in(connection, place_id=place_id, operator=guard, now_us=system.clock.now_us())
