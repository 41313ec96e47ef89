"""Company: what a ring's members do, said of the ring, and of each member what the others do.

Belonging together is no guilt, and at most a lead: what counts is how many of a ring are suspected of the same kind of
thing, against how many are among everybody else. Of a member only what the others do is said, so that nobody's own
reasons come back to them from their company; and since company and sharing alone never suffice for the level strong,
nobody is found strong who has done nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Any

from shouhao.detect.families import family_of
from shouhao.detect.identifiers import IdentifierKind
from shouhao.detect.model import Says, Speaks, Subject, Suspicion, Wanted
from shouhao.detect.odds import binomial_tail, weight_of
from shouhao.detect.rings.cohorts import DEEDS, deed_of
from shouhao.detect.rings.joining import Ring, RingEdge

_COLUMNS: Mapping[IdentifierKind, str] = {
    "device": "device_id",
    "payer": "payer_id",
    "patient": "patient_id",
    "session_token": "session_token",
    "face": "face_hash",
    "frame": "frame_hash",
    "ip": "ip",
}
_KIND_WORDS: Mapping[IdentifierKind, tuple[str, str]] = {
    "device": ("设备", "device"),
    "payer": ("付款人", "payer"),
    "phone": ("手机号", "phone"),
    "patient": ("就诊人", "patient"),
    "session_token": ("登录会话", "sign-in"),
    "face": ("人脸", "face"),
    "frame": ("画面", "frame"),
    "ip": ("网络地址", "address"),
    "prefix": ("网段", "prefix"),
    "hand_over": ("转手", "hand-over"),
    "cohort": ("同一批", "one batch"),
}
_OWNED = frozenset({"device", "payer", "phone"})
_IN_HITS = ("device", "session_token", "ip")
_DEED_SAYS = {
    "complaints": ("被投诉", "complained of"),
    "faces": ("人脸异常", "pictures that are not theirs"),
    "machine": ("操作快于常人", "acting like a machine, or quicker than people do"),
    "addresses": ("更换网络地址", "changing addresses"),
    "trade": ("转手号源", "handing slots over"),
    "customers": ("为陆续新绑的就诊人抢号", "coming for ever new patients"),
    "favours": ("取得可疑加号", "being given extra slots out of pattern"),
    "visits": ("就诊异常", "visits out of the ordinary"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyPolicy:
    """What company may say."""

    family: int = 4  #: accounts that share much: two parents and two of theirs
    shared_alone_from: int = 8  #: twice a family, over several things: worth a look even if nobody has been seen acting
    shared_first: float = 1.0  #: one account more than any family
    shared_per_doubling: float = 1.0
    shared_per_kind: float = 0.5  #: for each further kind of thing that is shared
    shared_most: float = 3.0
    all_named_share: float = 0.5  #: of the members who act, from which on the others are named as members too
    batch_named_share: float = 0.2  #: likewise, for members of one batch to be named; elsewhere one in hundreds acts
    close_tie: float = 2.0  #: a phone of four, two patients of two; one patient, or an address of two, is less
    own_share: float = 0.75  #: of all who use a purse or a phone, from which on it is the acting members' own
    suspected_from: float = 2.0  #: of a family of reasons, for a member to count as suspected
    least_suspected: int = 2
    least_rate: float = 0.002  #: nobody is so rare that one in five hundred is not
    most: float = 6.0  #: of a ring, for one cause
    company_most: float = 4.0  #: of a member, for what the others do
    least_weight: float = 2.0


def company(
    rings: Iterable[Ring],
    said: Iterable[Suspicion | Speaks],
    *,
    everybody: int,
    policy: CompanyPolicy | None = None,
) -> Iterator[Suspicion]:
    """What is to be said of rings and of their members, given what was said of accounts; by ring.

    Args:
        everybody: how many accounts there are in the data.
    """
    policy = policy or CompanyPolicy()
    said = list(said)
    deeds, beyond = _deeds(said, policy), _beyond_family(said)
    counts = {deed: sum(deed in of for of in deeds.values()) for deed in DEEDS}
    for ring in sorted(rings, key=lambda one: one.id):
        mine = [deeds.get(member, {}) for member in ring.members]
        named = _named(ring, mine, policy)
        yield from _acts(ring, mine, named, counts, everybody, policy)
        acting = any(mine)
        structure = max(_structure(ring, policy), _known_sharing(ring, beyond, policy) if acting else 0.0)
        if structure > 0 and (acting or len(ring.members) >= policy.shared_alone_from):
            yield _shared(ring, named, structure, policy)
        for member in ring.members:
            others = sum(bool(deeds.get(other)) for other in ring.members if other != member)
            any_rate = _rate(sum(bool(of) for of in deeds.values()) - others, everybody - len(ring.members) + 1, policy)
            yield from _of_member(ring, member, others, any_rate, structure if acting else 0.0, policy)


def _deeds(said: Iterable[Suspicion | Speaks], policy: CompanyPolicy) -> dict[Subject, dict[str, Suspicion]]:
    """For each account, the strongest reason of each kind of deed."""
    found: dict[Subject, dict[str, Suspicion]] = defaultdict(dict)
    for one in sorted((s for s in said if isinstance(s, Suspicion)), key=lambda s: (-s.weight, s.code, repr(s))):
        deed = deed_of(one)
        if deed is not None and one.weight >= policy.suspected_from:
            found[one.subject].setdefault(deed, one)
    return dict(found)


def _named(ring: Ring, mine: Sequence[Mapping[str, Suspicion]], policy: CompanyPolicy) -> tuple[Subject, ...]:
    """Who is named as a member: whoever acts, and where most act, those who are closely tied to them.

    Scalpers have families, and strangers come behind their addresses: one such tie names nobody. Who came to be in one
    batch with them, by a rule that has asked for chance, is neither, and is named where some act. A purse or a phone of
    more than a family, most of whom act, is theirs, and who uses it is named with them. Where so few act that the ring
    is a lead for its sharing alone, everybody is named.
    """
    acting = frozenset(member for member, of in zip(ring.members, mine, strict=True) if of)
    if len(acting) < policy.least_suspected:
        return ring.members
    if len(acting) < policy.all_named_share * len(ring.members):
        one_batch = {one.edge.member for one in ring.edges if one.edge.kind == "cohort"}
        many = len(acting) >= policy.batch_named_share * len(ring.members)
        return tuple(member for member in ring.members if member in acting or (many and member in one_batch))
    ties, own = _ties(ring, acting), _users_of_their_own(ring, acting, policy)
    return tuple(one for one in ring.members if one in acting or one in own or ties[one] >= policy.close_tie)


def _ties(ring: Ring, acting: Collection[Subject]) -> Mapping[Subject, float]:
    """What each member shares with those who act, as log-odds."""
    theirs = {(one.edge.kind, one.edge.value) for one in ring.edges if one.edge.member in acting}
    ties: dict[Subject, float] = defaultdict(float)
    for one in ring.edges:
        if (one.edge.kind, one.edge.value) in theirs:
            ties[one.edge.member] += one.weight
    return ties


def _users_of_their_own(ring: Ring, acting: Collection[Subject], policy: CompanyPolicy) -> frozenset[Subject]:
    """Who uses a purse or a phone of more than a family, most of whose users act."""
    users: dict[tuple[str, str], list[Subject]] = defaultdict(list)
    known: dict[tuple[str, str], int] = {}
    for one in ring.edges:
        if one.edge.kind in _OWNED:
            users[(one.edge.kind, one.edge.value)].append(one.edge.member)
            known[(one.edge.kind, one.edge.value)] = one.shared_by
    return frozenset(
        member
        for shared, who in users.items()
        if known[shared] > policy.family and sum(one in acting for one in who) >= policy.own_share * known[shared]
        for member in who
    )


def _rate(suspected: int, people: int, policy: CompanyPolicy) -> float:
    """How many of everybody else are suspected."""
    return min(0.5, max(policy.least_rate, (max(0, suspected) + 1) / (max(1, people) + 2)))


def _acts(
    ring: Ring,
    mine: Sequence[Mapping[str, Suspicion]],
    named: tuple[Subject, ...],
    counts: Mapping[str, int],
    everybody: int,
    policy: CompanyPolicy,
) -> Iterator[Suspicion]:
    n = len(ring.members)
    for deed in DEEDS:
        of = [one[deed] for one in mine if deed in one]
        if len(of) < policy.least_suspected:
            continue
        rate = _rate(counts[deed] - len(of), everybody - n, policy)
        weight = weight_of(binomial_tail(n=n, k=len(of), p=rate), most=policy.most)
        if weight < policy.least_weight:
            continue
        zh, en = _DEED_SAYS[deed]
        yield Suspicion(
            subject=Subject(kind="ring", id=ring.id),
            code=f"rings.acts_{deed}",
            says=Says(
                zh=f"{n} 个成员中有 {len(of)} 个涉嫌{zh}，其他账号中约每 {1 / rate:.0f} 个有一个",
                en=f"{len(of)} of {n} members are suspected of {en}; of other accounts about one in {1 / rate:.0f} is",
            ),
            measured=float(len(of)),
            expected=n * rate,
            threshold=float(policy.least_suspected),
            weight=weight,
            first_at_us=min(one.first_at_us for one in of),
            last_at_us=max(one.last_at_us for one in of),
            wanted=tuple(wanted for one in of for wanted in one.wanted),
            members=named,
        )


def _structure(ring: Ring, policy: CompanyPolicy) -> float:
    """What it says by itself that so many share so much; a hub, or a family, says nothing.

    Slots that they hand each other are no sharing: what that says is said in the name of the trade.
    """
    kinds = {one.edge.kind for one in ring.edges} - {"hand_over"}
    n = len({one.edge.member for one in ring.edges if one.edge.kind in kinds})
    if n <= policy.family or ring.over_one:
        return 0.0
    grown = policy.shared_first + policy.shared_per_doubling * log2(n / policy.family)
    return min(policy.shared_most, grown + policy.shared_per_kind * (len(kinds) - 1))


def _beyond_family(said: Iterable[Suspicion | Speaks]) -> dict[Subject, float]:
    """For each account, how much a rule holds what it shares to exceed a family."""
    found: dict[Subject, float] = {}
    for one in said:
        if isinstance(one, Suspicion) and one.subject.kind == "account" and family_of(one.code) == "identity":
            found[one.subject] = max(one.weight, found.get(one.subject, 0.0))
    return found


def _known_sharing(ring: Ring, beyond: Mapping[Subject, float], policy: CompanyPolicy) -> float:
    """What rules say of the sharing of the ring's members, where they say it of most: the weight in the middle."""
    weights = sorted(beyond.get(member, 0.0) for member in ring.members)
    return min(policy.shared_most, weights[(len(weights) - 1) // 2])


def _shared(ring: Ring, named: tuple[Subject, ...], weight: float, policy: CompanyPolicy) -> Suspicion:
    edges = ring.edges
    patients = tuple(Subject(kind="patient", id=one) for one in ring.patients)
    return Suspicion(
        subject=Subject(kind="ring", id=ring.id),
        code="rings.shared",
        says=_shared_says(ring),
        measured=float(len(ring.members)),
        expected=float(policy.family),
        threshold=float(policy.family + 1),
        weight=weight,
        first_at_us=min(one.edge.first_at_us for one in edges),
        last_at_us=max(one.edge.last_at_us for one in edges),
        wanted=tuple(wanted for one in edges for wanted in wanted_of(one)),
        members=(*named, *patients),
    )


def _shared_says(ring: Ring) -> Says:
    things = len({(one.edge.kind, one.edge.value) for one in ring.edges})
    bridges = len({(one.edge.kind, one.edge.value) for one in ring.edges if one.bridge})
    zh, en = zip(*(_KIND_WORDS[kind] for kind in ring.kinds), strict=True)
    return Says(
        zh=f"{len(ring.members)} 个账号共用 {things} 个标识（{'、'.join(zh)}），其中 {bridges} 个是唯一的连接",
        en=f"{len(ring.members)} accounts share {things} identifiers ({', '.join(en)}), "
        f"{bridges} of which alone hold parts together",
    )


def _of_member(
    ring: Ring, member: Subject, others: int, rate: float, structure: float, policy: CompanyPolicy
) -> Iterator[Suspicion]:
    mine = [one for one in ring.edges if one.edge.member == member]
    n = len(ring.members) - 1
    common: dict[str, Any] = {
        "first_at_us": min(one.edge.first_at_us for one in mine),
        "last_at_us": max(one.edge.last_at_us for one in mine),
        "wanted": tuple(wanted for one in mine for wanted in wanted_of(one)),
        "members": (Subject(kind="ring", id=ring.id),),
    }
    weight = weight_of(binomial_tail(n=n, k=others, p=rate), most=policy.company_most)
    if others >= policy.least_suspected and weight >= policy.least_weight:
        told = Suspicion(
            subject=member,
            code="rings.company",
            says=Says(
                zh=f"与其同属一个团伙的 {n} 个账号中有 {others} 个各自涉嫌倒号",
                en=f"Of the {n} accounts it belongs together with, {others} are suspected for deeds of their own",
            ),
            measured=float(others),
            expected=n * rate,
            threshold=float(policy.least_suspected),
            weight=weight,
            **common,
        )
        yield told
        if structure > 0:
            yield replace(
                told,
                code="rings.member",
                says=_shared_says(ring),
                measured=float(len(ring.members)),
                expected=float(policy.family),
                threshold=float(policy.family + 1),
                weight=structure,
            )


def wanted_of(one: RingEdge) -> tuple[Wanted, ...]:
    """Which rows show that the member used the identifier: events, and log lines where they can name it."""
    edge = one.edge
    if edge.event_ids:
        return (Wanted(table="events", event_ids=edge.event_ids),)
    where = {f"{edge.member.kind}_id": edge.member.id}
    if edge.kind in _COLUMNS:
        where[_COLUMNS[edge.kind]] = edge.value
    found = Wanted(table="events", where=where, from_us=edge.first_at_us, until_us=edge.last_at_us)
    return (found, replace(found, table="hits")) if edge.kind in _IN_HITS else (found,)
