"""Methods: accounts that sell in one and the same unusual way, and that nothing else links; a lead to read together.

Whoever investigates puts cases of one method side by side before anybody knows that they are one (crime linkage). Here
it is asked of those alone whom no stronger tie has put into a ring of some size: pairs that hand over to each other and
never to a third, accounts that have nothing in common but their trade. It says what it is: that they work in one way,
and that there may be several gangs among them. So it is a lead for all, adds nothing to what is said of any member, and
is left out where so many work in that way that it tells nobody apart.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shouhao.detect.model import Says, Speaks, Subject, Suspicion
from shouhao.detect.rings.joining import Ring

SAME_METHOD = "rings.same_method"
#: What a reason says of how somebody works, the more telling first: of several, the first holds.
_METHODS: Mapping[str, tuple[str, str, str]] = {
    "sign_up_phones.gone_elsewhere": ("codes", "在少数设备上注册后转移", "made on few phones and gone from them"),
    "customers.let_go": ("passing", "绑定买家、抢号、解绑", "binding a customer, trying for them, letting them go"),
    "swapped_patients.another_person": ("edited", "预约后改成另一人", "editing the booked patient into somebody else"),
    "swapped_patients.edited": ("edited", "预约后改成另一人", "editing the booked patient into somebody else"),
    "hand_over.gaps": ("handed", "退号后由指定账号接手", "handing slots to accounts that are ready for them"),
    "hand_over.pair": ("handed", "退号后由指定账号接手", "handing slots to accounts that are ready for them"),
    "hand_over.prepared": ("handed", "退号后由指定账号接手", "handing slots to accounts that are ready for them"),
    "customers.one_after_another": ("orders", "每次放号前绑定新的就诊人", "binding somebody new before each release"),
}
_ORDER = {code: n for n, code in enumerate(_METHODS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPolicy:
    """When accounts that work alike are told together."""

    counts_from: float = 2.0  #: weight of a reason, for its account to be held to work in that way
    least: int = 5  #: accounts
    most: int = 60  #: with more, several gangs work in that way
    most_share: float = 0.03  #: of all accounts, likewise
    structured: int = 5  #: members of a ring that stands by its own ties
    weight: float = 1.0  #: just a lead: of groups that work alike, one in forty is a gang at least


def same_method(
    rings: Iterable[Ring], said: Iterable[Suspicion | Speaks], *, everybody: int, policy: MethodPolicy | None = None
) -> Iterator[Suspicion]:
    """Groups of accounts by their method, by method.

    Args:
        everybody: how many accounts there are.
    """
    policy = policy or MethodPolicy()
    reasons = _reasons(said, policy)
    unit_of = _units(rings, reasons, policy)
    units: dict[Subject, list[Subject]] = defaultdict(list)
    for member, root in sorted(unit_of.items(), key=lambda item: _key(item[0])):
        units[root].append(member)
    groups: dict[str, list[Subject]] = defaultdict(list)
    for members in units.values():
        method = _method_of(members, reasons)
        if method is not None:
            groups[method] += members
    for method, members in sorted(groups.items()):
        if policy.least <= len(members) <= min(policy.most, policy.most_share * everybody):
            yield _told(method, sorted(members, key=_key), reasons, policy)


def _reasons(said: Iterable[Suspicion | Speaks], policy: MethodPolicy) -> dict[Subject, list[Suspicion]]:
    """What is said of how each account works."""
    found: dict[Subject, list[Suspicion]] = defaultdict(list)
    for one in said:
        if not isinstance(one, Suspicion) or one.subject.kind != "account":
            continue
        if one.code in _METHODS and one.weight >= policy.counts_from:
            found[one.subject].append(one)
    return found


def _units(
    rings: Iterable[Ring], reasons: Mapping[Subject, Sequence[Suspicion]], policy: MethodPolicy
) -> dict[Subject, Subject]:
    """Who is one already, by one of them: small rings, and those who hand over to each other; whole rings left out."""
    parent = {account: account for account in reasons}
    settled: set[Subject] = set()
    for ring in rings:
        if len(ring.members) >= policy.structured:
            settled.update(ring.members)
        else:
            _join(parent, ring.members)
    for account, of in reasons.items():
        for one in of:
            _join(parent, [account, *(member for member in one.members if member in reasons)])
    return {member: _root(parent, member) for member in parent if member not in settled and member.kind == "account"}


def _method_of(members: Iterable[Subject], reasons: Mapping[Subject, Sequence[Suspicion]]) -> str | None:
    """How most of them work; of several ways, the most telling."""
    ways: Counter[str] = Counter()
    for member in members:
        codes = sorted((one.code for one in reasons.get(member, ())), key=_ORDER.__getitem__)
        if codes:
            ways[_METHODS[codes[0]][0]] += 1
    rank = {_METHODS[code][0]: n for code, n in reversed(_ORDER.items())}
    return min(ways, key=lambda way: (-ways[way], rank[way]), default=None)


def _told(
    method: str, members: Sequence[Subject], reasons: Mapping[Subject, Sequence[Suspicion]], policy: MethodPolicy
) -> Suspicion:
    of = [one for member in members for one in reasons.get(member, ()) if _METHODS[one.code][0] == method]
    zh, en = next((zh, en) for name, zh, en in _METHODS.values() if name == method)
    digest = hashlib.sha256("\n".join(one.id for one in members).encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return Suspicion(
        subject=Subject(kind="ring", id=f"method-{digest}"),
        code=SAME_METHOD,
        says=Says(
            zh=f"{len(members)} 个账号手法相同（{zh}），除此之外看不出彼此有关；可能是一伙，也可能是几伙",
            en=f"{len(members)} accounts work in one way ({en}); nothing else shows that they know each other, and "
            f"there may be several gangs among them",
        ),
        measured=float(len(members)),
        expected=0.0,
        threshold=float(policy.least),
        weight=policy.weight,
        first_at_us=min(one.first_at_us for one in of),
        last_at_us=max(one.last_at_us for one in of),
        wanted=tuple(wanted for one in of for wanted in one.wanted),
        members=tuple(members),
    )


def _join(parent: dict[Subject, Subject], members: Sequence[Subject]) -> None:
    roots = sorted({_root(parent, member) for member in members}, key=_key)
    for root in roots[1:]:
        parent[root] = roots[0]


def _root(parent: dict[Subject, Subject], one: Subject) -> Subject:
    while parent.setdefault(one, one) != one:
        one = parent[one]
    return one


def _key(subject: Subject) -> tuple[str, str]:
    return subject.kind, subject.id
