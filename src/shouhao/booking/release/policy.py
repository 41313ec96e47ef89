"""Release policy: how the slots of a session reach patients, as a hospital sets it for a doctor, department or kind.

A policy is versioned data under one kind a scope, such as `release:doctor:D001`. The narrowest scope wins: doctor,
then department, then session kind, then everything. A window keeps the policy it was opened with.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, get_args

from shouhao.booking.schedule import KINDS, check_id
from shouhao.kernel.errors import InvalidInput

PREFIX: Final = "release:"  #: of the kinds in `store.policies`
EVERYWHERE: Final = "release:everywhere"
INHERIT: Final[Mapping[str, str]] = {"kind": "inherit"}  #: body of a version that leaves its scope to the wider ones

ReleaseKind = Literal["first_come", "draw", "mixed"]
RELEASE_KINDS: tuple[ReleaseKind, ...] = get_args(ReleaseKind)
Part = Literal["draw", "public", "window", "phone", "referral"]
PARTS: tuple[Part, ...] = get_args(Part)

_PERCENT = 100
_SHARE = re.compile(r"[0-9]{1,3}%")
_DAY_S = 86_400
_DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRules:
    """How a draw is held."""

    entry_window_s: int = 120  #: how long before the release entries are taken
    wishes_max: int = 3  #: ranked wishes of one entry
    people_max: int = 4  #: people of one entry: siblings, a couple, a parent with children
    confirm_s: int = 1800  #: how long winners have to confirm and pay
    witnesses: int = 0  #: how many second parties commit before the close and reveal after it
    beacon: str = ""  #: name of a public randomness beacon; empty: none
    beacon_period_s: int = 30  #: seconds between two rounds
    beacon_genesis_s: int = 1_595_431_050  #: Unix time of round 1; the default is drand's default chain
    beacon_after_s: int = 10  #: a round counts when it is published at least this long after the entries were sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitlistRules:
    """Who gets what is returned."""

    open: bool = True  #: whether there is a waitlist at all
    batch_s: int = 1800  #: those who join within this time are put in order together, by draw
    people_max: int = 4  #: people who wait together, all or nothing
    waits_max: int = 5  #: waitlists on which one person may stand at once
    offer_s: int = 1800  #: how long an offer stands
    offer_near_s: int = 600  #: the same near the session
    near_before_s: int = 4 * 3600  #: what near is
    quiet_from_min: int = 22 * 60  #: minute of the day from which an offer's time does not run
    quiet_to_min: int = 7 * 60  #: minute of the day at which it runs on
    closes_before_s: int = 1800  #: before the session: from then on nobody is waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRules:
    """Where a returned slot goes when nobody waits."""

    rest_least_s: int = 3600  #: it is public again at an unpredictable moment, not before this time ...
    rest_most_s: int = 7200  #: ... and not after this one
    care_pool: bool = True  #: same-day returns are for people of 65 and older, disabled or pregnant
    care_until_s: int = 3600  #: before the session: what the care pool left goes to the window


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The size of a part: so many slots, or so many in a hundred."""

    count: int | None = None
    percent: int | None = None

    def written(self) -> int | str:
        """As in a policy's body.

        >>> Share(percent=25).written(), Share(count=2).written()
        ('25%', 2)
        """
        return f"{self.percent}%" if self.count is None else self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedRules:
    """Which part of a session goes which way, and when what a part did not use joins the others."""

    parts: Mapping[Part, Share] = field(default_factory=dict)  #: what is left is the public part
    merge_before_s: Mapping[Part, int] = field(
        default_factory=lambda: {"window": 3600, "phone": _DAY_S, "referral": 2 * _DAY_S}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePolicy:
    """Everything about how one session's slots reach patients."""

    kind: ReleaseKind = "first_come"
    draw: DrawRules = DrawRules()
    waitlist: WaitlistRules = WaitlistRules()
    returns: ReturnRules = ReturnRules()
    mixed: MixedRules = MixedRules()

    def draws(self) -> bool:
        """Whether any slot of a session goes by draw."""
        return self.kind == "draw" or (self.kind == "mixed" and "draw" in self.mixed.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """A policy with the scope and version it comes from."""

    policy: ReleasePolicy
    scope: str  #: kind in `store.policies`
    version: int  #: 0: the built-in default


#: The least and the most each number may be.
_LIMITS: Mapping[str, tuple[int, int]] = {
    "draw.entry_window_s": (10, 14 * _DAY_S),
    "draw.wishes_max": (1, 20),
    "draw.people_max": (1, 10),
    "draw.confirm_s": (60, 7 * _DAY_S),
    "draw.witnesses": (0, 5),
    "draw.beacon_period_s": (1, 7 * _DAY_S),
    "draw.beacon_genesis_s": (0, 4_000_000_000),
    "draw.beacon_after_s": (1, _DAY_S),
    "waitlist.batch_s": (10, 2 * _DAY_S),
    "waitlist.people_max": (1, 10),
    "waitlist.waits_max": (1, 100),
    "waitlist.offer_s": (60, 2 * _DAY_S),
    "waitlist.offer_near_s": (60, _DAY_S),
    "waitlist.near_before_s": (0, 7 * _DAY_S),
    "waitlist.quiet_from_min": (0, _DAY_MIN - 1),
    "waitlist.quiet_to_min": (0, _DAY_MIN - 1),
    "waitlist.closes_before_s": (0, 7 * _DAY_S),
    "returns.rest_least_s": (60, _DAY_S),
    "returns.rest_most_s": (660, 2 * _DAY_S),
    "returns.care_until_s": (0, _DAY_S),
}
_BEACON_LONGEST = 40
_REST_SPAN_S = 600


def release_from(body: Mapping[str, Any]) -> ReleasePolicy:
    """Read a policy strictly: what is misspelt, out of range or does not add up is refused by the name of its field.

    Raises:
        InvalidInput: names the field, such as `draw.wishes_max`.
    """
    known = {f.name for f in fields(ReleasePolicy)}
    _only(body, known, "")
    kind = body.get("kind", "first_come")
    if kind not in RELEASE_KINDS:
        listed = ", ".join(RELEASE_KINDS)
        raise InvalidInput("kind", zh=f"应为 {listed} 之一", en=f"must be one of {listed}")
    policy = ReleasePolicy(
        kind=kind,
        draw=_rules(DrawRules, body.get("draw", {}), "draw"),
        waitlist=_rules(WaitlistRules, body.get("waitlist", {}), "waitlist"),
        returns=_rules(ReturnRules, body.get("returns", {}), "returns"),
        mixed=_mixed(body.get("mixed", {})),
    )
    _check_together(policy)
    return policy


def release_body(policy: ReleasePolicy) -> dict[str, Any]:
    """The whole policy as data, with nothing left to defaults.

    >>> release_from(release_body(ReleasePolicy())) == ReleasePolicy()
    True
    """
    plain = {
        name: {f.name: getattr(getattr(policy, name), f.name) for f in fields(getattr(policy, name))}
        for name in ("draw", "waitlist", "returns")
    }
    mixed = {
        "parts": {part: share.written() for part, share in policy.mixed.parts.items()},
        "merge_before_s": dict(policy.mixed.merge_before_s),
    }
    return {"kind": policy.kind, **plain, "mixed": mixed}


def inherits(body: Mapping[str, Any]) -> bool:
    """Whether a version says that its scope has no policy of its own any more.

    >>> inherits(INHERIT), inherits({"kind": "draw"})
    (True, False)
    """
    return body.get("kind") == INHERIT["kind"]


def check_scope(scope: str) -> str:
    """A scope as it stands behind `release:`: `everywhere`, `kind:expert`, `department:OBS` or `doctor:D001`.

    Raises:
        InvalidInput: it is none of these.
    """
    what, _, which = scope.partition(":")
    if scope == "everywhere" or (what == "kind" and which in KINDS):
        return scope
    if what in {"department", "doctor"}:
        check_id("scope", which)
        return scope
    raise InvalidInput(
        "scope",
        zh="应为 everywhere、kind:类别、department:科室 或 doctor:医生",
        en="must be everywhere, kind:KIND, department:ID or doctor:ID",
    )


def scopes_of(*, department_id: str, doctor_id: str | None, kind: str) -> list[str]:
    """The policy kinds that could rule a session, the narrowest first.

    >>> scopes_of(department_id="OBS", doctor_id=None, kind="expert")
    ['release:department:OBS', 'release:kind:expert', 'release:everywhere']
    """
    doctor = [] if doctor_id is None else [f"{PREFIX}doctor:{doctor_id}"]
    return [*doctor, f"{PREFIX}department:{department_id}", f"{PREFIX}kind:{kind}", EVERYWHERE]


def in_force(kept: Mapping[str, InForce], *, department_id: str, doctor_id: str | None, kind: str) -> InForce:
    """The policy that rules a session.

    Args:
        kept: the versions in force, by scope as in `scopes_of`.
    """
    for scope in scopes_of(department_id=department_id, doctor_id=doctor_id, kind=kind):
        if scope in kept:
            return kept[scope]
    return DEFAULT


DEFAULT: Final = InForce(policy=ReleasePolicy(), scope=EVERYWHERE, version=0)


def _rules(shape: type[Any], given: Any, section: str) -> Any:
    if not isinstance(given, Mapping):
        raise InvalidInput(section, zh="应为对象", en="must be an object")
    defaults = {f.name: f.default for f in fields(shape)}
    _only(given, set(defaults), f"{section}.")
    for name, value in given.items():
        where = f"{section}.{name}"
        default = defaults[name]
        if isinstance(default, bool):
            if not isinstance(value, bool):
                raise InvalidInput(where, zh="应为 true 或 false", en="must be true or false")
        elif isinstance(default, str):
            if not isinstance(value, str) or len(value) > _BEACON_LONGEST or not value.isprintable():
                raise InvalidInput(where, zh="应为短文本", en="must be a short text")
        else:
            check_number(where, value, *_LIMITS[where])
    return shape(**given)


def check_number(field_name: str, value: Any, least: int, most: int) -> int:
    """A whole number in its range.

    Raises:
        InvalidInput: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(
            field_name, zh=f"应为 {least} 至 {most} 的整数", en=f"must be a whole number from {least} to {most}"
        )
    return value


def _mixed(given: Any) -> MixedRules:
    if not isinstance(given, Mapping):
        raise InvalidInput("mixed", zh="应为对象", en="must be an object")
    _only(given, {"parts", "merge_before_s"}, "mixed.")
    parts, merge = given.get("parts", {}), given.get("merge_before_s", {})
    for name, value in (("parts", parts), ("merge_before_s", merge)):
        if not isinstance(value, Mapping):
            raise InvalidInput(f"mixed.{name}", zh="应为对象", en="must be an object")
    _only(parts, set(PARTS) - {"public"}, "mixed.parts.")
    _only(merge, {"window", "phone", "referral"}, "mixed.merge_before_s.")
    for name, value in merge.items():
        check_number(f"mixed.merge_before_s.{name}", value, 0, 30 * _DAY_S)
    shares: dict[Part, Share] = {part: _share(part, parts[part]) for part in PARTS if part in parts}
    if sum(share.percent or 0 for share in shares.values()) > _PERCENT:
        raise InvalidInput("mixed.parts", zh="各部分之和超过 100%", en="the parts exceed the session: more than 100%")
    return MixedRules(parts=shares, merge_before_s={**MixedRules().merge_before_s, **merge})


def _share(part: str, value: Any) -> Share:
    where = f"mixed.parts.{part}"
    if isinstance(value, str) and _SHARE.fullmatch(value):
        return Share(percent=check_number(where, int(value[:-1]), 1, _PERCENT))
    if isinstance(value, str):
        raise InvalidInput(
            where, zh="应为号数，或如 25% 的比例", en="must be a number of slots, or a share such as 25%"
        )
    return Share(count=check_number(where, value, 1, 2000))


def _check_together(policy: ReleasePolicy) -> None:
    if policy.returns.rest_most_s - policy.returns.rest_least_s < _REST_SPAN_S:  # less would be a moment to wait for
        raise InvalidInput(
            "returns.rest_most_s",
            zh=f"须比 rest_least_s 至少多 {_REST_SPAN_S} 秒",
            en=f"must be at least {_REST_SPAN_S} s more than rest_least_s",
        )
    if policy.kind == "mixed" and not policy.mixed.parts:
        raise InvalidInput("mixed.parts", zh="混合放号至少要有一个部分", en="a mixed release needs at least one part")


def _only(given: Mapping[str, Any], known: Collection[str], before: str) -> None:
    for name in given:
        if name not in known:
            raise InvalidInput(f"{before}{name}", zh="没有这条规则", en="there is no such rule")
