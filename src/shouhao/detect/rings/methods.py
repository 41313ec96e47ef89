"""Methods: accounts that sell in one and the same unusual way, and that nothing else links; a lead to read together.

Whoever investigates puts cases of one method side by side before anybody knows that they are one (crime linkage). Here
it is asked of those alone whom no stronger tie has put into a ring of some size: pairs that hand over to each other and
never to a third, accounts that have nothing in common but their trade, and rings by slots alone (hand-overs, a purse),
in which those who had none cannot be. Where they fall apart by the days on which they work, by haste and by hours, they
are told by crew (crews.py). It says what it is: that they work in one way, and that there may be several gangs among
them. So it is a lead for all, adds nothing to what is said of any member, and is left out where so many work in that
way that it tells nobody apart.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shouhao.detect.model import Says, Speaks, Subject, Suspicion
from shouhao.detect.rings.crews import Worked, crews
from shouhao.detect.rings.joining import HAND_OVERS, Ring

SAME_METHOD = "rings.same_method"
#: What a reason says of how somebody works, the more telling first: of several, the first holds.
_METHODS: Mapping[str, tuple[str, str, str]] = {
    "sign_up_phones.gone_elsewhere": ("codes", "在少数设备上注册后转移", "made on few phones and gone from them"),
    "customers.let_go": ("passing", "绑定买家、抢号、解绑", "binding a customer, trying for them, letting them go"),
    "swapped_patients.another_person": ("edited", "预约后改成另一人", "editing the booked patient into somebody else"),
    "swapped_patients.edited": ("edited", "预约后改成另一人", "editing the booked patient into somebody else"),
    "hand_over.by_the_clock": ("clock", "在约定时刻退号交给买家", "giving slots back at agreed times"),
    "hand_over.gaps": ("handed", "退号后由指定账号接手", "handing slots to accounts that are ready for them"),
    "hand_over.pair": ("handed", "退号后由指定账号接手", "handing slots to accounts that are ready for them"),
    "hand_over.prepared": ("handed", "退号后由指定账号接手", "handing slots to accounts that are ready for them"),
    "customers.one_after_another": ("orders", "每次放号前绑定新的就诊人", "binding somebody new before each release"),
}
#: Whether the accounts of a method have been parted by when they work: what else is known of them.
_APART = {
    False: ("除此之外看不出彼此有关", "nothing else shows that they know each other"),
    True: (
        "且出没的日子、转手的快慢与时段相近，有别于同一手法的其他账号",
        "unlike others who work so they keep the same days, haste and hours",
    ),
}
_BY_SLOTS = frozenset({"hand_over", "payer"})
_ORDER = {code: n for n, code in enumerate(_METHODS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPolicy:
    """When accounts that work alike are told together."""

    counts_from: float = 2.0  #: weight of a reason, for its account to be held to work in that way
    least: int = 5  #: accounts
    most: int = 60  #: with more, several gangs work in that way
    most_parted: int = 300  #: of one method; with more, days and hours tell nobody apart
    most_share: float = 0.03  #: of all accounts, likewise
    structured: int = 5  #: members of a ring that stands by its own ties
    weight: float = 1.0  #: just a lead: of groups that work alike, one in forty is a gang at least


def same_method(
    rings: Iterable[Ring],
    said: Iterable[Suspicion | Speaks],
    *,
    everybody: int,
    worked: Mapping[str, Worked] | None = None,
    crowd: Mapping[int, int] | None = None,
    policy: MethodPolicy | None = None,
) -> Iterator[Suspicion]:
    """Groups of accounts by their method, by method and crew.

    Args:
        everybody: how many accounts there are.
        worked: when accounts worked; of whom it is not known, that tells nothing.
        crowd: how many accounts were at releases, by day.
    """
    policy = policy or MethodPolicy()
    rings, said = list(rings), list(said)
    reasons = _reasons(said, policy)
    whole = {ring.members for ring in rings}
    for method, units in sorted(_by_method(rings, reasons, policy).items()):
        parts = _crews(units, worked or {}, crowd or {}, policy)
        for members in parts:
            few = policy.least <= len(members) <= min(policy.most, policy.most_share * everybody)
            if few and members not in whole:
                yield _told(method, members, reasons, policy, parted=len(parts) > 1)


def works_alike(
    rings: Iterable[Ring], said: Iterable[Suspicion | Speaks], policy: MethodPolicy | None = None
) -> frozenset[str]:
    """Accounts of whom it has to be known when they worked, to part them by crew."""
    policy = policy or MethodPolicy()
    groups = _by_method(list(rings), _reasons(said, policy), policy)
    return frozenset(member.id for units in groups.values() for unit in units for member in unit)


def _by_method(
    rings: Sequence[Ring], reasons: Mapping[Subject, Sequence[Suspicion]], policy: MethodPolicy
) -> dict[str, list[tuple[Subject, ...]]]:
    """Who is one already, by how most of them work."""
    units: dict[Subject, list[Subject]] = defaultdict(list)
    for member, root in sorted(_units(rings, reasons, policy).items(), key=lambda item: _key(item[0])):
        units[root].append(member)
    groups: dict[str, list[tuple[Subject, ...]]] = defaultdict(list)
    for members in units.values():
        method = _method_of(members, reasons)
        if method is not None:
            groups[method].append(tuple(members))
    return groups


def _crews(
    units: Sequence[tuple[Subject, ...]],
    worked: Mapping[str, Worked],
    crowd: Mapping[int, int],
    policy: MethodPolicy,
) -> list[tuple[Subject, ...]]:
    """The members of each crew, in order of the first of them."""
    nothing = Worked(days=frozenset())
    parts: dict[int, list[Subject]] = defaultdict(list)
    if sum(len(unit) for unit in units) <= policy.most_parted:
        habits = [[worked.get(member.id, nothing) for member in unit] for unit in units]
        for label, unit in zip(crews(habits, crowd=crowd), units, strict=True):
            parts[label] += unit
    return sorted((tuple(sorted(of, key=_key)) for of in parts.values()), key=lambda of: _key(of[0]))


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
        if len(ring.members) >= policy.structured and not _shows_winners_alone(ring):
            settled.update(ring.members)
        else:
            _join(parent, ring.members)
    for account, of in reasons.items():
        for one in of:
            partners = one.code in HAND_OVERS
            _join(parent, [account, *(member for member in one.members if partners or member in reasons)])
    return {member: _root(parent, member) for member in parent if member not in settled and member.kind == "account"}


def _shows_winners_alone(ring: Ring) -> bool:
    """Whether it hangs together by slots that were had alone, so that those who had none cannot be in it."""
    ties = {one.edge.value.partition(" ")[0] if one.edge.kind == "cohort" else one.edge.kind for one in ring.edges}
    return bool(ties) and _BY_SLOTS.issuperset(ties)


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
    method: str,
    members: Sequence[Subject],
    reasons: Mapping[Subject, Sequence[Suspicion]],
    policy: MethodPolicy,
    *,
    parted: bool,
) -> Suspicion:
    of = [one for member in members for one in reasons.get(member, ()) if _METHODS[one.code][0] == method]
    zh, en = next((zh, en) for name, zh, en in _METHODS.values() if name == method)
    digest = hashlib.sha256("\n".join(one.id for one in members).encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return Suspicion(
        subject=Subject(kind="ring", id=f"method-{digest}"),
        code=SAME_METHOD,
        says=Says(
            zh=f"{len(members)} 个账号手法相同（{zh}），{_APART[parted][0]}；可能是一伙，也可能是几伙",
            en=f"{len(members)} accounts work in one way ({en}); {_APART[parted][1]}, and there may be several gangs "
            f"among them",
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
