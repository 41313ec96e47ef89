"""Watchlist: who is on it, by what right, for how long, and what may become of an entry. Pure.

A person, not a machine, lists somebody: one asks with a ground and a document, two others approve, and it ends by
itself (PIPL 26 for the ground, 19 for the term). An appeal stops everything at once, before anybody decides about it
(PIPL 50, 47). Faces are enrolled by flows/watchlist.py, SQL stands in store/watchlist.py.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import msgspec
from stdnum.cn import ric
from stdnum.exceptions import ValidationError

from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, Refused

#: proposed: asked for, in no gallery; approved: looked for; suspended: an appeal is open, nobody looks for them;
#: expired and withdrawn: over, person data erased; erased: over on request.
State = Literal["proposed", "approved", "suspended", "expired", "withdrawn", "erased"]
Act = Literal["list", "suspend", "resume", "expire", "withdraw", "erase"]
#: own: the security office's cases; police: a list of the police; hospital: another hospital's list.
EntrySource = Literal["own", "police", "hospital"]
Appeal = Literal["none", "open", "upheld", "rejected"]
#: By what right somebody is listed; stays when everything that names the person is erased.
GroundCode = Literal["resale", "touting", "disorder", "grabbing_tool", "false_identity", "police_notice", "other"]
DocumentKind = Literal["resident_id", "passport", "travel_permit", "residence_permit", "other"]

#: code: what a person is told, Chinese and English.
GROUND_WORDS: Mapping[GroundCode, tuple[str, str]] = MappingProxyType(
    {
        "resale": ("倒卖号源", "reselling appointments"),
        "touting": ("医托揽客", "touting for patients"),
        "disorder": ("扰乱医疗秩序", "disturbing the order of the hospital"),
        "grabbing_tool": ("使用或出售抢号软件", "using or selling grabbing software"),
        "false_identity": ("冒用他人身份挂号", "registering under another's identity"),
        "police_notice": ("公安机关通报", "notice of the police"),
        "other": ("其他（见依据材料）", "other (see the document)"),
    }
)

TERM_DAYS = 180  #: an entry ends then unless two people approve it anew (PIPL 19: the shortest time necessary)
TERM_DAYS_MOST = 366
REVIEW_DAYS = 90
PHOTOS_MOST = 10
DOCUMENTS_MOST = 10
ALIASES_MOST = 5

_MOVES: Mapping[Act, tuple[frozenset[State], State]] = MappingProxyType(
    {
        "list": (frozenset({"proposed"}), "approved"),
        "suspend": (frozenset({"approved"}), "suspended"),
        "resume": (frozenset({"suspended"}), "approved"),
        "expire": (frozenset({"proposed", "approved", "suspended"}), "expired"),
        "withdraw": (frozenset({"proposed", "approved", "suspended"}), "withdrawn"),
        "erase": (frozenset({"proposed", "approved", "suspended", "expired", "withdrawn"}), "erased"),
    }
)
_NAME_MOST = 64
_NUMBER = re.compile(r"[A-Z0-9]{4,30}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who an entry is about, as far as that is known. Sealed wherever it is kept."""

    name: str
    aliases: tuple[str, ...] = ()
    document_kind: DocumentKind | None = None
    document_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, without anything that names the person."""

    id: str  #: the subject in the gallery of faces
    list_id: str
    state: State
    source: EntrySource
    ground_code: GroundCode
    proposed_by: str | None
    proposed_at_us: int
    approvers: tuple[str, ...]  #: none until it is listed
    listed_at_us: int | None
    review_at_us: int | None
    expires_at_us: int
    ended_at_us: int | None
    ended_why: str | None
    appeal: Appeal
    issuer_id: str | None  #: whose bundle it came with
    foreign_id: str | None  #: what the issuer calls it
    foreign_digest: str | None  #: SHA-256 of what the issuer said of it
    bundle_id: str | None
    replaces: str | None  #: an earlier entry about the same person, whose outcomes count here

    def is_live(self, *, now_us: int) -> bool:
        """Whether somebody looks for this person at this moment; a term that is over counts before a duty sees it."""
        return self.state == "approved" and now_us < self.expires_at_us

    @property
    def over(self) -> bool:
        """Whether it has ended, whatever the reason."""
        return self.state in {"expired", "withdrawn", "erased"}


class WrongState(Refused):
    """The entry's state does not allow this."""

    code = "watch.wrong_state"
    zh = "条目当前状态为 {state}，不能执行此操作"
    en = "The entry is {state}; this cannot be done now"


class AlreadyListed(Refused):
    """Somebody with this document is listed or proposed already."""

    code = "watch.already_listed"
    zh = "该证件已有在用条目：{entry_id}"
    en = "There is an entry for this document already: {entry_id}"


def moved(state: State, act: Act) -> State:
    """The state after an act.

    >>> moved("proposed", "list")
    'approved'

    Raises:
        WrongState: an entry in this state does not suffer it.
    """
    before, after = _MOVES[act]
    if state not in before:
        raise WrongState("entry_id", state=state)
    return after


def term_us(*, now_us: int, days: int, review_days: int = REVIEW_DAYS) -> tuple[int, int]:
    """When an entry that begins now is reviewed, and when it ends; a review never comes after the end.

    Raises:
        InvalidInput: longer than anybody may be listed without being approved anew.
    """
    if not 1 <= days <= TERM_DAYS_MOST:
        raise InvalidInput("days", zh=f"应为 1 至 {TERM_DAYS_MOST} 天", en=f"must be 1 to {TERM_DAYS_MOST} days")
    return now_us + min(review_days, days) * DAY_US, now_us + days * DAY_US


def checked_person(
    *,
    name: str,
    aliases: Sequence[str] = (),
    document_kind: str | None = None,
    document_number: str | None = None,
) -> Person:
    """A person in the one form in which they are found again.

    Raises:
        InvalidInput: a name that is none, or a document that breaks the rule of its kind.
    """
    if len(aliases) > ALIASES_MOST:
        raise InvalidInput("aliases", zh=f"最多 {ALIASES_MOST} 个", en=f"{ALIASES_MOST} at most")
    if (document_kind is None) != (document_number is None):
        raise InvalidInput("document_number", zh="证件类型与号码须同时填写", en="kind and number come together")
    for kind in get_args(DocumentKind):
        if kind == document_kind:
            return Person(
                name=_name(name, "name"),
                aliases=tuple(_name(alias, "aliases") for alias in aliases),
                document_kind=kind,
                document_number=_number(kind, document_number or ""),
            )
    if document_kind is not None:
        listed = ", ".join(get_args(DocumentKind))
        raise InvalidInput("document_kind", zh=f"只能是 {listed}", en=f"must be one of {listed}")
    return Person(name=_name(name, "name"), aliases=tuple(_name(alias, "aliases") for alias in aliases))


def name_key(name: str) -> str:
    """What equal names have in common, however they were typed.

    >>> name_key(" Lei  Mou ") == name_key("ｌｅｉ mou")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def masked(name: str) -> str:
    """A name for whoever has given no reason yet: the first character alone.

    >>> masked("雷某某")
    '雷＊＊'
    """
    return name[:1] + "＊" * (min(len(name), 3) - 1)


def packed(person: Person) -> bytes:
    """A person as bytes to be sealed."""
    return msgspec.json.encode(person)


def unpacked(written: bytes) -> Person:
    """The person in opened bytes."""
    return msgspec.json.decode(written, type=Person)


def _name(given: str, field: str) -> str:
    name = " ".join(unicodedata.normalize("NFKC", given).split())
    if not name or len(name) > _NAME_MOST or not name.isprintable():
        raise InvalidInput(field, zh=f"须为 1 到 {_NAME_MOST} 个可见字符", en=f"1 to {_NAME_MOST} printable characters")
    return name


def _number(kind: DocumentKind, given: str) -> str:
    number = unicodedata.normalize("NFKC", given).upper().replace(" ", "").replace("-", "")
    if kind == "resident_id":
        try:
            return str(ric.validate(number))
        except ValidationError:
            raise InvalidInput("document_number", zh="不是有效的居民身份证号码", en="no valid ID number") from None
    if not _NUMBER.fullmatch(number):
        raise InvalidInput("document_number", zh="须为 4 到 30 位字母数字", en="4 to 30 letters and digits")
    return number
