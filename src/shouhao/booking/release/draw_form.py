"""Form of a published draw: which fields it has, what each may hold, and the words that stand in it.

Read strictly, because a file comes from outside: what is unknown, misspelt or of another type is refused by the name
of its field. Whether its numbers are right is asked in `draw_file.py`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from shouhao.booking.release.draw import Entry
from shouhao.booking.release.seal import HOSPITAL, Contribution, TrustLevel, beacon_round
from shouhao.kernel.clock import to_us
from shouhao.kernel.errors import InvalidInput

FORMAT: Final = "shouhao-draw"
VERSION: Final = 1

DrawKind = Literal["release", "waitlist", "antenatal"]

#: How the order and the places come about; part of the format, so that a file explains itself.
RULE: Final = {
    "zh": (
        "每份登记按 HMAC-SHA-256（密钥为 seed，内容为登记编号）由小到大排列，相同则按编号。"
        "依次轮到每份登记时，取其志愿中第一个容得下全部人的号源；都容不下则不取，按此顺序等候。登记先后不起作用。"
    ),
    "en": (
        "Entries stand in ascending order of HMAC-SHA-256 (key: seed, message: entry id), ties by id. "
        "In this order each entry gets the first of its wishes that has a place for all its people, or nothing, and "
        "waits in this order. The time of entry plays no part."
    ),
}

#: What a file of each level proves and what it leaves to trust.
TRUST: Final[Mapping[TrustLevel, Mapping[str, str]]] = {
    "sealed": {
        "zh": (
            "种子只由医院一方产生。本文件证明：结果出自这份名单和这个种子。本文件不能证明："
            "持有数据库和密钥的内部人员没有反复改换名单，直到结果合意。"
        ),
        "en": (
            "The hospital alone made the seed. This file proves that the result follows from this list and this seed. "
            "It does not prove that an insider with the database and its key did not try lists until one suited."
        ),
    },
    "witnessed": {
        "zh": (
            "种子由医院和见证方共同产生，各方在截止前承诺，截止后公开。只有医院与全部见证方串通才能选择结果。"
            "见证方在看到其他数值后仍可以不公开，因此应查看是否有承诺而未公开的见证方。"
        ),
        "en": (
            "The hospital and the witnesses made the seed; each committed before the close and revealed after it. Only "
            "the hospital together with every witness could have chosen the result. A witness who has seen the other "
            "values may still keep silent: look for one who committed and did not reveal."
        ),
    },
    "public": {
        "zh": (
            "种子含有公共随机信标在名单封存之后发布的一轮数值，封存时无人知道。"
            "前提：该轮发布之前已有院外的人见过名单根；该轮数值与信标公布的一致，请到信标处核对。"
        ),
        "en": (
            "The seed holds a round of a public beacon that was published after the entries were sealed, so nobody "
            "could know it then. This rests on two things: somebody outside the hospital saw the root before that "
            "round, and the value is the one the beacon published. Compare it there."
        ),
    },
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}[+-][0-9]{2}:[0-9]{2}")
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
#: Control characters, line separators, what turns the direction of text, and halves of characters. Stated as ranges:
#: which characters are printable differs between versions of Unicode, and rare names have the newest ones.
_UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_HASH_BYTES = 32
_SECRET_BYTES = range(16, 129)
_LONGEST_TEXT = 1000
_LONGEST_RULE = 2000  #: a text inside a policy
_LARGEST = 2**53 - 1  #: beyond it, other languages read another number
_DEEPEST = 8
_MOST_WISHES = 20
_MOST_PEOPLE = 20

_TOP = frozenset(
    (
        "format",
        "version",
        "draw",
        "entries",
        "root",
        "secret",
        "contributions",
        "seed",
        "rule",
        "trust",
        "order",
        "wins",
    )
)
_DRAW = frozenset(
    ("id", "kind", "title", "policy", "opened_at", "closed_at", "sealed_at", "targets", "left_out", "commitment")
) | {"receipt_key"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a file of the right form says; nothing of it is checked yet."""

    draw_id: str
    commitment: str
    sealed_at_us: int
    beacon_rules: Mapping[str, Any]  #: the policy's rules of the draw, as far as it has any
    seats: Mapping[str, int]
    left_out: tuple[str, ...]
    entries: tuple[Entry, ...]
    contributions: tuple[Contribution, ...]
    root: bytes
    secret: bytes
    seed: bytes
    order: tuple[str, ...]
    wins: tuple[tuple[str, str], ...]


def published(file: Any) -> Published:
    """Read a file's form.

    Raises:
        InvalidInput: names the field, such as `entries.3.people`.
    """
    _keys(file, _TOP, "file")
    if file["format"] != FORMAT:
        raise InvalidInput("format", zh=f"应为 {FORMAT}", en=f"must be {FORMAT}")
    if type(file["version"]) is not int or file["version"] != VERSION:
        raise InvalidInput("version", zh=f"应为 {VERSION}", en=f"must be {VERSION}")
    draw = file["draw"]
    read_terms(draw)
    rules = draw["policy"]["rules"].get("draw")
    return Published(
        draw_id=draw["id"],
        commitment=draw["commitment"],
        sealed_at_us=_moment_us(draw["sealed_at"], "draw.sealed_at"),
        beacon_rules=rules if isinstance(rules, dict) else {},
        seats={target["id"]: target["seats"] for target in draw["targets"]},
        left_out=tuple(one["id"] for one in draw["left_out"]),
        entries=tuple(_entry(one, f"entries.{n}") for n, one in enumerate(_list(file["entries"], "entries"))),
        contributions=tuple(
            _contribution(one, f"contributions.{n}")
            for n, one in enumerate(_list(file["contributions"], "contributions"))
        ),
        root=_bytes(file["root"], "root"),
        secret=_bytes(file["secret"], "secret", sizes=_SECRET_BYTES),
        seed=_bytes(file["seed"], "seed"),
        order=tuple(_name(one, f"order.{n}") for n, one in enumerate(_list(file["order"], "order"))),
        wins=tuple(_win(one, f"wins.{n}") for n, one in enumerate(_list(file["wins"], "wins"))),
    )


def read_terms(draw: Any) -> None:
    """Check the part of a file that is known when the entries are sealed.

    Raises:
        InvalidInput: names the field, such as `draw.targets.0.seats`.
    """
    _keys(draw, _DRAW, "draw")
    _name(draw["id"], "draw.id")
    if draw["kind"] not in get_args(DrawKind):
        listed = ", ".join(get_args(DrawKind))
        raise InvalidInput("draw.kind", zh=f"应为 {listed} 之一", en=f"must be one of {listed}")
    _text(draw["title"], "draw.title")
    _keys(draw["policy"], frozenset(("rules", "scope", "version")), "draw.policy")
    _text(draw["policy"]["scope"], "draw.policy.scope")
    _whole(draw["policy"]["version"], "draw.policy.version")
    if not isinstance(draw["policy"]["rules"], dict):
        raise _wrong("draw.policy.rules", "应为对象", "must be an object")
    _plain(draw["policy"]["rules"], "draw.policy.rules")
    for name in ("opened_at", "closed_at", "sealed_at"):
        _moment_us(draw[name], f"draw.{name}")
    _bytes(draw["commitment"], "draw.commitment")
    if draw["receipt_key"] is not None:
        _text(draw["receipt_key"], "draw.receipt_key")
    _rows(draw["targets"], "draw.targets", {"id": _name, "seats": _whole, "label": _text})
    _rows(draw["left_out"], "draw.left_out", {"id": _name, "reason": _text})


def rule_round(file: Published) -> int | None:
    """The only round of the beacon that may go into this draw, or None when its policy knows no beacon."""
    after_s, genesis_s, period_s = (
        file.beacon_rules.get(name) for name in ("beacon_after_s", "beacon_genesis_s", "beacon_period_s")
    )
    if type(after_s) is int and type(genesis_s) is int and type(period_s) is int and period_s > 0:
        return beacon_round(sealed_at_us=file.sealed_at_us, after_s=after_s, genesis_s=genesis_s, period_s=period_s)
    return None


def _entry(given: Any, where: str) -> Entry:
    _keys(given, frozenset(("id", "people", "wishes")), where)
    return Entry(
        id=_name(given["id"], f"{where}.id"),
        people=_names(given["people"], f"{where}.people", most=_MOST_PEOPLE),
        wishes=_names(given["wishes"], f"{where}.wishes", most=_MOST_WISHES),
    )


def _contribution(given: Any, where: str) -> Contribution:
    """A witness has a commitment and no round, a beacon the other way round; no witness passes for the hospital."""
    _keys(given, frozenset(("kind", "who", "round", "value", "commitment")), where)
    kind, number, promised = given["kind"], given["round"], given["commitment"]
    if kind == "witness":
        if number is not None:
            raise _wrong(f"{where}.round", "见证方没有轮次", "a witness has no round")
        _bytes(promised, f"{where}.commitment")
    elif kind == "beacon":
        _whole(number, f"{where}.round")
        if promised is not None:
            raise _wrong(f"{where}.commitment", "信标没有承诺", "a beacon has no commitment")
    else:
        raise _wrong(f"{where}.kind", "应为 witness 或 beacon", "must be witness or beacon")
    who = _text(given["who"], f"{where}.who")
    if who == HOSPITAL:
        raise _wrong(f"{where}.who", "医院不能为自己作证", "the hospital cannot be its own witness")
    value = _bytes(given["value"], f"{where}.value", sizes=_SECRET_BYTES)
    return Contribution(kind=kind, who=who, round=number, value=value, commitment=promised)


def _win(given: Any, where: str) -> tuple[str, str]:
    _keys(given, frozenset(("id", "target")), where)
    return _name(given["id"], f"{where}.id"), _name(given["target"], f"{where}.target")


def _rows(given: Any, where: str, columns: Mapping[str, Any]) -> None:
    """Objects with an id, sorted by it, each id once."""
    rows = _list(given, where)
    for n, row in enumerate(rows):
        _keys(row, frozenset(columns), f"{where}.{n}")
        for name, check in columns.items():
            check(row[name], f"{where}.{n}.{name}")
    ids = [row["id"] for row in rows]
    if ids != sorted(set(ids)):
        raise _wrong(where, "须按编号排列且不重复", "must be sorted by id, each id once")


def _names(given: Any, where: str, *, most: int) -> tuple[str, ...]:
    names = tuple(_name(one, where) for one in _list(given, where))
    if not 1 <= len(names) <= most or len(set(names)) < len(names):
        raise _wrong(where, f"须为 1 到 {most} 个互不相同的编号", f"must be 1 to {most} ids, no two the same")
    return names


def _keys(given: Any, known: frozenset[str], where: str) -> None:
    if not isinstance(given, dict):
        raise _wrong(where, "应为对象", "must be an object")
    if given.keys() != known:
        listed = ", ".join(sorted(known))
        raise _wrong(where, f"字段应恰为 {listed}", f"must have exactly the fields {listed}")


def _list(given: Any, where: str) -> Sequence[Any]:
    if not isinstance(given, list):
        raise _wrong(where, "应为数组", "must be an array")
    return given


def _name(given: Any, where: str) -> str:
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        raise _wrong(where, "应为编号", "must be an id: 1 to 64 letters, digits or . _ : -, a letter or digit first")
    return given


def _text(given: Any, where: str, *, most: int = _LONGEST_TEXT) -> str:
    if not isinstance(given, str) or _UNSHOWABLE.search(given) or not 1 <= len(given) <= most:
        raise _wrong(where, f"应为 1 到 {most} 字的文本", f"must be a text of 1 to {most} characters")
    return given


def _whole(given: Any, where: str) -> int:
    if type(given) is not int or not 0 <= given <= _LARGEST:
        raise _wrong(where, "应为非负整数", "must be a whole number, nought or more")
    return given


def _bytes(given: Any, where: str, *, sizes: range = range(_HASH_BYTES, _HASH_BYTES + 1)) -> bytes:
    if not isinstance(given, str) or not _HEX.fullmatch(given) or len(given) // 2 not in sizes:
        least, most = sizes[0], sizes[-1]
        raise _wrong(
            where, f"应为 {least} 到 {most} 字节的小写十六进制", f"must be {least} to {most} bytes, lower-case hex"
        )
    return bytes.fromhex(given)


def _moment_us(given: Any, where: str) -> int:
    if isinstance(given, str) and _MOMENT.fullmatch(given):
        try:
            return to_us(datetime.fromisoformat(given))
        except (ValueError, OverflowError):
            pass
    raise _wrong(where, "应为带微秒和时区的时刻", "must be a moment with microseconds and offset")


def _plain(given: Any, where: str, *, depth: int = 0) -> None:
    """JSON that reads the same everywhere: no fractions, no number that loses digits, not too deep."""
    if isinstance(given, (dict, list)) and depth < _DEEPEST:
        for name in given if isinstance(given, dict) else ():
            _text(name, where)
        for one in given.values() if isinstance(given, dict) else given:
            _plain(one, where, depth=depth + 1)
    elif isinstance(given, str):
        if given:
            _text(given, where, most=_LONGEST_RULE)
    elif given is not None and not isinstance(given, bool) and not (type(given) is int and abs(given) <= _LARGEST):
        raise _wrong(where, "只能含文本、整数、真假、空值", "may hold texts, whole numbers, true, false and null only")


def _wrong(where: str, zh: str, en: str) -> InvalidInput:
    return InvalidInput(where, zh=zh, en=en)
