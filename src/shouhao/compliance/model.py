"""Compliance: the law's words as values: articles, switches, what each needs, and how a switch stands.

A switch is on when somebody turned it on with a second person's approval and everything that it needs is true now.
What is needed is listed in switches.py, what people hand in is in records.py, what the system counts in facts.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from shouhao.kernel.errors import Refused

#: watchlist: comparing passers-by with the list; recordings_search: searching recordings by a photograph;
#: frequent_visitors: counting, without identity, who comes too often.
Switch = Literal["watchlist", "recordings_search", "frequent_visitors"]
SWITCHES: tuple[Switch, ...] = get_args(Switch)

NeedCode = Literal[
    "necessity_memo",
    "impact_assessment",
    "signs",
    "police_filing",
    "face_filing",
    "retention",
    "training",
    "equal_way",
    "counted",
]

SWITCH_NAMES: dict[Switch, tuple[str, str]] = {
    "watchlist": ("布控比对", "the watchlist"),
    "recordings_search": ("录像检索", "searching recordings"),
    "frequent_visitors": ("高频来访计数", "counting frequent visitors"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """Where it stands in the law."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that a switch needs and that is not true now."""

    need: NeedCode
    zh: str
    en: str
    articles: tuple[Article, ...]
    holder: str  #: role of those who can bring it


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Something that is true now, and will not be when nobody acts."""

    need: NeedCode
    zh: str
    en: str
    at_us: int | None  #: when it ends; None: it is not known
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a switch stands at a moment."""

    switch: Switch
    on: bool  #: it was turned on, and everything that it needs is true
    missing: tuple[Missing, ...]
    due: tuple[Due, ...] = ()
    turned_on: bool = False  #: by people; it stays so until it is turned off, which it also does by itself
    since_us: int | None = None  #: when it was last turned on or off
    why: str = ""  #: it was turned on or off


class SwitchOff(Refused):
    """The function is off: the law's conditions are not met, or nobody turned it on."""

    code = "law.switch_off"
    zh = "“{name_zh}”未启用：{why_zh}"
    en = "{name_en} is off: {why_en}"

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        name_zh, name_en = SWITCH_NAMES[standing.switch]
        why_zh, why_en = why_off(standing.missing)
        super().__init__(switch=standing.switch, name_zh=name_zh, name_en=name_en, why_zh=why_zh, why_en=why_en)


class SwitchNotReady(Refused):
    """Something that the law needs is missing, so that nobody can turn it on."""

    code = "law.switch_not_ready"
    zh = "“{name_zh}”尚不能启用：{why_zh}"
    en = "{name_en} cannot be turned on yet: {why_en}"

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        name_zh, name_en = SWITCH_NAMES[standing.switch]
        why_zh, why_en = why_off(standing.missing)
        super().__init__(switch=standing.switch, name_zh=name_zh, name_en=name_en, why_zh=why_zh, why_en=why_en)


def why_off(missing: Sequence[Missing]) -> tuple[str, str]:
    """Why, with the articles, in both languages."""
    if not missing:
        return "没有经双人批准启用", "nobody turned it on with a second person's approval"
    zh = "；".join(f"{one.zh}（{'、'.join(a.zh for a in one.articles)}）" for one in missing)
    en = "; ".join(f"{one.en} ({', '.join(a.en for a in one.articles)})" for one in missing)
    return zh, en
