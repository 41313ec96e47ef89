"""Tips (举报): what a patient or passer-by tells of a scalper, how it moves on, and how many are taken.

Nobody has to say who they are. Whoever tells gets a reference number, which is a name, and a look-up code, which is a
secret and is shown once: with both they can see what came of it and add to it. A tip is a pointer and never proof; a
person decides what becomes of it. Pure: no storing, no clock; storing is in tips_store.py, the story in flows/tips.py.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final, Literal, get_args

from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.kernel.randomness import Randomness

TipState = Literal["new", "looked_at", "passed_on", "linked", "no_use"]
TIP_STATES: Final[tuple[TipState, ...]] = get_args(TipState)
#: What stands in a tip's history: its states, and what leaves the state as it is.
TipAct = Literal["told", "added", "looked_at", "passed_on", "linked", "no_use", "note"]
LinkKind = Literal["finding", "alarm"]

#: Where a tip may go from where it is. Whoever opens a new one has looked at it; only a flood is laid aside unread.
NEXT: Final[Mapping[TipState, tuple[TipState, ...]]] = {
    "new": ("no_use",),
    "looked_at": ("passed_on", "linked", "no_use"),
    "passed_on": ("linked", "no_use"),
    "linked": ("passed_on", "linked", "no_use"),
    "no_use": ("looked_at",),
}

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  #: Crockford's: nothing that is read as something else
_MISREAD: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_REFERENCE_LENGTH, _CODE_LENGTH, _GROUP = 8, 12, 4
_UNSEEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
WHAT_LENGTH: Final = (5, 2000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What somebody told, in their words; all but `what` may be empty."""

    what: str
    where: str = field(default="", metadata={"longest": 200})
    when: str = field(default="", metadata={"longest": 100})
    about: str = field(default="", metadata={"longest": 100})  #: which doctor or clinic
    offered: str = field(default="", metadata={"longest": 200})
    price: str = field(default="", metadata={"longest": 60})
    wechat: str = field(default="", metadata={"longest": 100})
    phone: str = field(default="", metadata={"longest": 60})
    platform: str = field(default="", metadata={"longest": 100})
    link: str = field(default="", metadata={"longest": 500})
    teller: str = field(default="", metadata={"longest": 100})  #: how to reach whoever tells, if they wish it

    def __repr__(self) -> str:
        """Nothing of it: this may end in a traceback."""
        return "Told(...)"

    def filled(self) -> tuple[str, ...]:
        """Which fields hold something: what may be shown of a tip before it is opened."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Whom of the hospital a tip is about, by id, where that is known."""

    department_id: str | None = None
    doctor_id: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """What is known of a tip without opening it."""

    id: str
    reference: str
    state: TipState
    version: int  #: steps so far; whoever moves it says which one they saw
    unread: int  #: additions since somebody opened it
    about: About
    link_kind: LinkKind | None
    link_id: str | None
    filled: tuple[str, ...]
    told_at_us: int
    changed_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TipStep:
    """One line of a tip's history."""

    version: int
    act: TipAct
    state: TipState
    at_us: int
    staff_id: str | None
    link_kind: LinkKind | None
    link_id: str | None
    words: str  #: an addition, a note to the teller, or why; empty where nothing was said or it is not opened


@dataclass(frozen=True, slots=True, kw_only=True)
class TipLimits:
    """How many tips are taken, without knowing from whom."""

    an_hour: int = 120
    waiting_most: int = 2000  #: that nobody has opened
    an_address_hour: int = 30  #: a whole waiting room may share one address
    a_browser_hour: int = 5
    tries_address_hour: int = 10  #: at look-up codes
    pictures_address_hour: int = 60
    pictures_a_tip: int = 4
    picture_bytes_most: int = 1 << 30  #: of all tips together
    additions_a_tip: int = 10
    call: str | None = None  #: the security office's phone


class TipsTooOften(Refused):
    """This address, or this browser, told many tips a moment ago."""

    code = "cases.tips_too_often"
    zh = "这里刚刚提交了多条举报，请在 {minutes} 分钟后再试{call_zh}。有危险请拨打 110"
    en = "Several tips came from here just now: try again in {minutes} minutes{call_en}. In danger call 110"

    def __init__(self, *, wait_s: int, call: str | None) -> None:
        super().__init__(retry_after_s=wait_s, minutes=-(-wait_s // 60), **_call(call))


class TipsFull(Refused):
    """More tips came than anybody can read."""

    code = "cases.tips_full"
    zh = "收到的举报太多，暂时收不下，请稍后再试{call_zh}。有危险请拨打 110"
    en = "More tips came than can be taken: please try again later{call_en}. In danger call 110"

    def __init__(self, *, wait_s: int, call: str | None) -> None:
        super().__init__(retry_after_s=wait_s, **_call(call))


class TipPicturesFull(Refused):
    """There is no room for more pictures; words are taken all the same."""

    code = "cases.tip_pictures_full"
    zh = "暂时收不下更多图片，文字仍可提交"
    en = "No more pictures can be taken at the moment; words can"


class TooManyTipPictures(Refused):
    """A tip has as many pictures as it may."""

    code = "cases.too_many_tip_pictures"
    zh = "一条举报最多 {most} 张图片"
    en = "A tip has at most {most} pictures"


class TooManyAdditions(Refused):
    """A tip was added to as often as it may be."""

    code = "cases.too_many_additions"
    zh = "一条举报最多补充 {most} 次；有新情况请另行举报"
    en = "A tip is added to {most} times at most; tell a new one"


class TipUnknown(Refused):
    """No tip has this number and this code together; which of them is wrong is not told."""

    code = "cases.tip_unknown"
    zh = "编号或查询码不对，或举报已过保存期"
    en = "The number or the code is not right, or the tip is past its time"


class TipCodeTries(Refused):
    """Too many wrong codes came from this address."""

    code = "cases.tip_code_tries"
    zh = "查询次数过多，请在 {minutes} 分钟后再试"
    en = "Too many tries: wait {minutes} minutes"

    def __init__(self, *, wait_s: int) -> None:
        super().__init__(retry_after_s=wait_s, minutes=-(-wait_s // 60))


class TipChanged(Refused):
    """Somebody else was first; what was seen is no longer how it stands."""

    code = "cases.tip_changed"
    zh = "这条举报刚被他人处理或有新的补充，请刷新后再看"
    en = "Somebody dealt with this tip, or it was added to: look at it again"


class TipStepNotOpen(Refused):
    """A tip does not go there from where it is."""

    code = "cases.tip_step_not_open"
    zh = "当前状态（{state}）不能改为 {asked}"
    en = "From {state} a tip does not go to {asked}"


def read_told(given: Mapping[str, str]) -> Told:
    """What was told, mended: space around it and what cannot be seen are gone.

    Raises:
        InvalidInput: nothing was told, or a field is too long.
    """
    shortest, longest = WHAT_LENGTH
    what = seen_text(given.get("what", ""))
    if not shortest <= len(what) <= longest:
        raise InvalidInput(
            "what", zh=f"请写 {shortest} 到 {longest} 个字", en=f"please write {shortest} to {longest} characters"
        )
    rest: dict[str, str] = {}
    for one in fields(Told):
        if one.name == "what":
            continue
        text = " ".join(seen_text(given.get(one.name, "")).split())
        most: int = one.metadata["longest"]
        if len(text) > most:
            raise InvalidInput(one.name, zh=f"最多 {most} 个字", en=f"at most {most} characters")
        rest[one.name] = text
    return Told(what=what, **rest)


def read_words(text: str, *, name: str, most: int = 2000) -> str:
    """An addition or a note, mended likewise.

    Raises:
        InvalidInput: it says nothing, or too much.
    """
    words = seen_text(text)
    if not 1 <= len(words) <= most:
        raise InvalidInput(name, zh=f"须为 1 到 {most} 个字", en=f"1 to {most} characters")
    return words


def seen_text(text: str) -> str:
    r"""The text without anything that cannot be seen; what turns the direction of writing would lie to its reader.

    >>> seen_text(" 黄牛\u202e\x07\r\n300 元 ")
    '黄牛\n300 元'
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in lines if c == "\n" or unicodedata.category(c) not in _UNSEEN).strip()


def new_reference(randomness: Randomness) -> str:
    """A number for a tip: 40 bits, so that it is seldom taken already."""
    return _drawn(randomness, _REFERENCE_LENGTH)


def new_code(randomness: Randomness) -> str:
    """A look-up code: 60 bits, which nobody guesses at ten tries an hour."""
    return _drawn(randomness, _CODE_LENGTH)


def in_groups(text: str) -> str:
    """A number or a code as people copy it.

    >>> in_groups("7K3M9Q2T")
    '7K3M-9Q2T'
    """
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def canonical(typed: str) -> str:
    """A number or a code as it was given, however it was typed.

    >>> canonical(" 7k3m-9q2o ")
    '7K3M9Q20'
    """
    return unicodedata.normalize("NFKC", typed).upper().translate(_MISREAD).strip()[:64]


def check_step(tip: Tip, asked: TipState, *, version: int) -> None:
    """Let a step pass that leads on from what was seen.

    Raises:
        TipChanged: it was another state of things that was seen.
        TipStepNotOpen: it does not lead there.
    """
    if version != tip.version:
        raise TipChanged("version")
    if asked not in NEXT[tip.state]:
        raise TipStepNotOpen("state", state=tip.state, asked=asked)


def _drawn(randomness: Randomness, length: int) -> str:
    return "".join(_ALPHABET[randomness.below(len(_ALPHABET))] for _ in range(length))


def _call(phone: str | None) -> dict[str, str]:
    if phone is None:
        return {"call_zh": "", "call_en": ""}
    return {"call_zh": f"，或拨打保卫处电话 {phone}", "call_en": f", or call the security office: {phone}"}
