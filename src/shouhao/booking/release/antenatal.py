"""Antenatal registration (建档): how many births an expected due month takes, and who is given a place when.

A department can deliver so many births a month, so places are counted by due month and risk tier and not by session.
This file is the policy and the arithmetic of places; what a woman's dates must keep to is `booking/antenatal.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal, get_args

from shouhao.booking.release.policy import check_number
from shouhao.kernel.clock import DAY_US, MINUTE_US, SECOND_US, start_of_day_us
from shouhao.kernel.errors import InvalidInput

KIND: Final = "antenatal"  #: in `store.policies`

#: The five colours by which obstetric risk is graded in China; purple is infectious disease, beside the scale.
Tier = Literal["green", "yellow", "orange", "red", "purple"]
TIERS: tuple[Tier, ...] = get_args(Tier)
UNASSESSED: Final[Tier] = "green"  #: a woman's tier until staff have looked

_PERCENT = 100
_YEAR = 12  #: months
_DAY_S = 86_400
_MOST_PLACES = 100_000
_MOST_RULES = 20
_SOME_YEAR = 2027  #: any year does where only the distance of moments counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Lending:
    """Unused places of one tier may go to women of others, late in the registration; never without such a rule."""

    tier: Tier
    to: tuple[Tier, ...]
    days_before_close: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthRules:
    """Everything that rules one due month; kept with the month from the moment it is published."""

    month: str
    places: int
    opens_at_us: int
    apply_window_s: int
    closes_at_us: int
    tiers: Mapping[Tier, int]
    lending: tuple[Lending, ...]
    gestation_weeks_from: int
    gestation_weeks_to: int
    confirm_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AntenatalPolicy:
    """The policy of the hospital. Months are ISO text such as `2027-06`."""

    default_places: int = 0  #: a due month
    places: Mapping[str, int] = field(default_factory=dict)  #: due months with another number
    yearly_places: int = 0  #: births a year; no year's months may exceed it
    publish_months_before: int = 7  #: before the due month
    publish_day: int = 1
    publish_minute: int = 8 * 60
    apply_window_s: int = 3 * _DAY_S  #: applications within it are equal
    close_months_before: int = 3  #: at the start of that month registration closes
    tiers: Mapping[Tier, int] = field(
        default_factory=lambda: {"green": 60, "yellow": 25, "orange": 10, "red": 4, "purple": 1}
    )
    lending: tuple[Lending, ...] = ()
    gestation_weeks_from: int = 5  #: completed weeks at which a woman may apply
    gestation_weeks_to: int = 20
    confirm_days: int = 14  #: within which she comes with her papers

    def places_of(self, month: str) -> int:
        """How many births a due month takes, before anything is carried."""
        return self.places.get(month, self.default_places)

    def places_of_year(self, year: int) -> int:
        """The same of a year."""
        return sum(self.places_of(f"{year:04d}-{number:02d}") for number in range(1, _YEAR + 1))

    def for_month(self, month: str) -> MonthRules:
        """What rules one due month."""
        return MonthRules(
            month=month,
            places=self.places_of(month),
            opens_at_us=_moment(add_months(month, -self.publish_months_before), self.publish_day, self.publish_minute),
            apply_window_s=self.apply_window_s,
            closes_at_us=_moment(add_months(month, -self.close_months_before), 1, 0),
            tiers=self.tiers,
            lending=self.lending,
            gestation_weeks_from=self.gestation_weeks_from,
            gestation_weeks_to=self.gestation_weeks_to,
            confirm_days=self.confirm_days,
        )


def month_of(day: date) -> str:
    """The due month of a due day.

    >>> month_of(date(2027, 6, 30))
    '2027-06'
    """
    return f"{day:%Y-%m}"


def add_months(month: str, count: int) -> str:
    """A month so many months later.

    >>> add_months("2027-01", -1), add_months("2026-11", 3)
    ('2026-12', '2027-02')
    """
    number = int(month[:4]) * _YEAR + int(month[5:]) - 1 + count
    return f"{number // _YEAR:04d}-{number % _YEAR + 1:02d}"


def check_month(field_name: str, month: str) -> str:
    """A month as it is written here.

    Raises:
        InvalidInput: it is not one.
    """
    try:
        date.fromisoformat(f"{month}-01")
    except ValueError:
        month = ""
    if len(month) != len("2027-06") or not "2000-01" <= month <= "2199-12":
        raise InvalidInput(field_name, zh="应为 2027-06 形式的月份", en="must be a month such as 2027-06")
    return month


def months_to_publish(policy: AntenatalPolicy, *, now_us: int, today: date) -> list[MonthRules]:
    """Due months whose publication has come and whose registration would not close within their own entry window."""
    first = month_of(today)
    rules = [policy.for_month(add_months(first, ahead)) for ahead in range(policy.publish_months_before + 2)]
    return [rule for rule in rules if rule.opens_at_us <= now_us < rule.closes_at_us - rule.apply_window_s * SECOND_US]


def split(places: int, tiers: Mapping[Tier, int]) -> dict[Tier, int]:
    """Places by tier: shares rounded down, and what is left to the largest remainders, then in the order of tiers.

    >>> split(10, {"green": 75, "red": 25})
    {'green': 8, 'red': 2}
    """
    shared = {tier: places * tiers.get(tier, 0) // _PERCENT for tier in TIERS}
    left = places - sum(shared.values())
    largest = sorted(TIERS, key=lambda tier: -(places * tiers.get(tier, 0) % _PERCENT))
    for tier in largest[:left]:
        shared[tier] += 1
    return {tier: shared[tier] for tier in TIERS if shared[tier] or tiers.get(tier)}


def lent_now(lending: Sequence[Lending], *, closes_at_us: int, now_us: int) -> dict[Tier, frozenset[Tier]]:
    """To which tiers unused places of a tier may go now."""
    lent: dict[Tier, frozenset[Tier]] = {}
    for rule in lending:
        if now_us >= closes_at_us - rule.days_before_close * DAY_US:
            lent[rule.tier] = lent.get(rule.tier, frozenset()) | frozenset(rule.to)
    return lent


def next_lending_us(lending: Sequence[Lending], *, closes_at_us: int, now_us: int) -> int | None:
    """When the next lending rule begins, or None."""
    moments = [closes_at_us - rule.days_before_close * DAY_US for rule in lending]
    return min((moment for moment in moments if moment > now_us), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A woman in the waiting order of a month."""

    id: str
    tier: Tier
    turn: tuple[int, int, str]  #: smaller is earlier: `booking.antenatal.turn_of`


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A place that a waiting woman is given; `tier` is the place's, which another tier may have lent."""

    id: str
    tier: Tier


def next_for(tier: Tier, waiting: Iterable[Waiting], *, lent_to: frozenset[Tier] = frozenset()) -> Waiting | None:
    """Who is given a free place of a tier: the first of that tier, else the first of those it is lent to, or nobody."""
    people = list(waiting)
    for entitled in (frozenset({tier}), lent_to):
        first = min((one for one in people if one.tier in entitled), key=lambda one: one.turn, default=None)
        if first is not None:
            return first
    return None


def allot(free: Mapping[Tier, int], waiting: Iterable[Waiting], *, lent: Mapping[Tier, frozenset[Tier]]) -> list[Given]:
    """Give free places away until none is left, or nobody waits who is entitled to one.

    Each tier first serves its own; only what stays free then is lent.
    """
    left = {one.id: one for one in waiting}
    given: list[Given] = []
    places = dict(free)
    for lending in ({}, lent):
        for tier in TIERS:
            while places.get(tier, 0) > 0:
                one = next_for(tier, left.values(), lent_to=lending.get(tier, frozenset()))
                if one is None:
                    break
                del left[one.id]
                places[tier] -= 1
                given.append(Given(id=one.id, tier=tier))
    return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What becomes of places that stay unfilled: the next month has them, or they are given up."""

    on: Mapping[Tier, int]
    dropped: Mapping[Tier, int]


def carry(unfilled: Mapping[Tier, int], *, room: int | None = None) -> Carried:
    """Carry unfilled places to the next month, each in its tier.

    Args:
        room: how many the next month may still take, where a year ends between them; the graver tiers go first.
    """
    on: dict[Tier, int] = {}
    dropped: dict[Tier, int] = {}
    for tier in reversed(TIERS):
        places = unfilled.get(tier, 0)
        fits = places if room is None else min(places, max(room, 0))
        if room is not None:
            room -= fits
        if fits:
            on[tier] = fits
        if places - fits:
            dropped[tier] = places - fits
    return Carried(on=on, dropped=dropped)


def antenatal_from(body: Mapping[str, Any]) -> AntenatalPolicy:
    """Read a policy strictly: what is misspelt, out of range or does not add up is refused by the name of its field.

    Raises:
        InvalidInput: names the field, such as `places.months.2027-06`.
    """
    _only(body, _SHAPE, "")
    places, publish = _section(body, "places"), _section(body, "publish")
    weeks = _section(body, "gestation_weeks")
    months = _object(places.get("months", {}), "places.months")
    plain = AntenatalPolicy()
    policy = AntenatalPolicy(
        default_places=_number(places, "places.default", 0, 0, _MOST_PLACES),
        places={
            check_month("places.months", name): check_number(f"places.months.{name}", count, 0, _MOST_PLACES)
            for name, count in months.items()
        },
        yearly_places=_number(places, "places.yearly", 0, 0, _YEAR * _MOST_PLACES),
        publish_months_before=_number(publish, "publish.months_before", plain.publish_months_before, 1, 9),
        publish_day=_number(publish, "publish.day", plain.publish_day, 1, 28),
        publish_minute=_number(publish, "publish.minute", plain.publish_minute, 0, 24 * 60 - 1),
        apply_window_s=_number(body, "apply_window_s", plain.apply_window_s, 60, 60 * _DAY_S),
        close_months_before=_number(body, "close_months_before", plain.close_months_before, 0, 8),
        tiers=_tiers(body.get("tiers", plain.tiers)),
        lending=_lending(body.get("lending", [])),
        gestation_weeks_from=_number(weeks, "gestation_weeks.from", plain.gestation_weeks_from, 0, 40),
        gestation_weeks_to=_number(weeks, "gestation_weeks.to", plain.gestation_weeks_to, 0, 40),
        confirm_days=_number(body, "confirm_days", plain.confirm_days, 1, 90),
    )
    _check_together(policy)
    return policy


def antenatal_body(policy: AntenatalPolicy) -> dict[str, Any]:
    """The whole policy as data, with nothing left to defaults.

    >>> antenatal_from(antenatal_body(AntenatalPolicy())) == AntenatalPolicy()
    True
    """
    return {
        "places": {
            "default": policy.default_places,
            "months": dict(policy.places),
            "yearly": policy.yearly_places,
        },
        "publish": {
            "months_before": policy.publish_months_before,
            "day": policy.publish_day,
            "minute": policy.publish_minute,
        },
        "apply_window_s": policy.apply_window_s,
        "close_months_before": policy.close_months_before,
        "tiers": dict(policy.tiers),
        "lending": [
            {"from": rule.tier, "to": list(rule.to), "days_before_close": rule.days_before_close}
            for rule in policy.lending
        ],
        "gestation_weeks": {"from": policy.gestation_weeks_from, "to": policy.gestation_weeks_to},
        "confirm_days": policy.confirm_days,
    }


_SHAPE: Mapping[str, frozenset[str]] = {
    "places": frozenset({"default", "months", "yearly"}),
    "publish": frozenset({"months_before", "day", "minute"}),
    "apply_window_s": frozenset(),
    "close_months_before": frozenset(),
    "tiers": frozenset(),
    "lending": frozenset(),
    "gestation_weeks": frozenset({"from", "to"}),
    "confirm_days": frozenset(),
}


def _check_together(policy: AntenatalPolicy) -> None:
    # Years that the overrides do not name are all alike, so one that none of them can name stands for them.
    for year in sorted({0, *(int(month[:4]) for month in policy.places)}):
        planned = policy.places_of_year(year)
        if planned > policy.yearly_places:
            which = f"{year}" if year else "12 x default"
            raise InvalidInput(
                "places.yearly",
                zh=f"少于各月之和 {planned}（{which}）",
                en=f"is less than its months together: {planned} ({which})",
            )
    if policy.gestation_weeks_from > policy.gestation_weeks_to:
        raise InvalidInput("gestation_weeks.to", zh="不能小于 from", en="must not be less than from")
    for number in range(1, _YEAR + 1):
        rule = policy.for_month(f"{_SOME_YEAR}-{number:02d}")
        if rule.opens_at_us + rule.apply_window_s * SECOND_US >= rule.closes_at_us:
            raise InvalidInput(
                "close_months_before",
                zh="登记须在申请窗口结束之后截止",
                en="registration must close after the entry window has ended",
            )


def _tiers(given: Any) -> dict[Tier, int]:
    shares = _object(given, "tiers")
    _only(shares, dict.fromkeys(TIERS, frozenset()), "tiers.")
    read: dict[Tier, int] = {
        tier: check_number(f"tiers.{tier}", shares[tier], 0, _PERCENT) for tier in TIERS if tier in shares
    }
    if sum(read.values()) != _PERCENT:
        raise InvalidInput("tiers", zh="各级之和须正好为 100", en="the shares must add up to exactly 100")
    return read


def _lending(given: Any) -> tuple[Lending, ...]:
    if not isinstance(given, list | tuple) or len(given) > _MOST_RULES:
        raise InvalidInput(
            "lending", zh=f"应为数组，最多 {_MOST_RULES} 条", en=f"must be a list of at most {_MOST_RULES}"
        )
    rules = []
    for n, one in enumerate(given):
        where = f"lending[{n}]"
        rule = _object(one, where)
        _only(rule, dict.fromkeys(("from", "to", "days_before_close"), frozenset()), f"{where}.")
        tier = check_tier(f"{where}.from", rule.get("from"))
        to = rule.get("to")
        if not isinstance(to, list | tuple) or not to:
            raise InvalidInput(f"{where}.to", zh="应为至少一级的数组", en="must be a list of at least one tier")
        tiers = tuple(check_tier(f"{where}.to", each) for each in to)
        if tier in tiers or len(set(tiers)) != len(tiers):
            raise InvalidInput(
                f"{where}.to", zh="不能含自身或重复", en="must not hold the lending tier, or a tier twice"
            )
        days = check_number(f"{where}.days_before_close", rule.get("days_before_close"), 0, 366)
        rules.append(Lending(tier=tier, to=tiers, days_before_close=days))
    return tuple(rules)


def check_tier(field_name: str, value: Any) -> Tier:
    """A risk tier by its colour.

    Raises:
        InvalidInput: there is no such tier.
    """
    for tier in TIERS:
        if tier == value:
            return tier
    listed = ", ".join(TIERS)
    raise InvalidInput(field_name, zh=f"应为 {listed} 之一", en=f"must be one of {listed}")


def _section(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = _object(body.get(name, {}), name)
    _only(section, dict.fromkeys(_SHAPE[name], frozenset()), f"{name}.")
    return section


def _object(given: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidInput(where, zh="应为对象", en="must be an object")
    return given


def _number(given: Mapping[str, Any], where: str, default: int, least: int, most: int) -> int:
    return check_number(where, given.get(where.rpartition(".")[2], default), least, most)


def _only(given: Mapping[str, Any], known: Mapping[str, Any], before: str) -> None:
    for name in given:
        if name not in known:
            raise InvalidInput(f"{before}{name}", zh="没有这条规则", en="there is no such rule")


def _moment(month: str, day: int, minute: int) -> int:
    return start_of_day_us(date(int(month[:4]), int(month[5:]), day)) + minute * MINUTE_US
