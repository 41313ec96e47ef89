"""Accounts of one method are told together, as a lead, and nothing is said of any of them."""

from collections.abc import Iterable

import pytest

from shouhao.detect.model import Says, Subject, Suspicion, Wanted
from shouhao.detect.rings.crews import Worked
from shouhao.detect.rings.joining import Edge, Ring, RingEdge
from shouhao.detect.rings.methods import SAME_METHOD, same_method, works_alike
from shouhao.detect.scoring import findings

EVERYBODY = 1_000


def account(number: int) -> Subject:
    """One of them."""
    return Subject(kind="account", id=f"a{number:02d}")


def works(number: int, code: str, *others: int, weight: float = 3.0) -> Suspicion:
    """What a rule has said of how an account works, and with whom."""
    return Suspicion(
        subject=account(number),
        code=code,
        says=Says(zh="手法", en="a way"),
        measured=1.0,
        expected=0.0,
        threshold=1.0,
        weight=weight,
        first_at_us=number,
        last_at_us=number + 1,
        wanted=(Wanted(table="events", event_ids=(f"e{number}",)),),
        members=tuple(account(other) for other in others),
    )


def pairs(count: int) -> list[Suspicion]:
    """Two who hand over to each other and never to a third, so many times."""
    of = [works(n, "hand_over.pair", n ^ 1) for n in range(2 * count)]
    return [*of, works(90, "customers.one_after_another")]


def told(said: Iterable[Suspicion], *rings: Ring) -> list[Suspicion]:
    """What comes out."""
    return list(same_method(rings, list(said), everybody=EVERYBODY))


def test_pairs_that_never_meet_a_third_are_told_together() -> None:
    (found,) = told(pairs(3))
    assert found.code == SAME_METHOD
    assert found.members == tuple(account(n) for n in range(6))
    assert {event for wanted in found.wanted for event in wanted.event_ids} == {f"e{n}" for n in range(6)}


def test_nothing_is_said_of_any_member_and_the_group_is_no_more_than_a_lead() -> None:
    found = told(pairs(10))
    assert {one.subject.kind for one in found} == {"ring"}
    (finding,) = findings(found, detector_versions={}, input_sha256={})
    assert finding.level == "lead"


def test_who_stands_in_a_ring_of_its_own_is_left_to_it() -> None:
    ring = Ring(id="ring-1", members=tuple(account(n) for n in range(6)), edges=())
    assert not told(pairs(3), ring)
    small = Ring(id="ring-2", members=tuple(account(n) for n in range(3)), edges=())
    assert len(told(pairs(3), small)[0].members) == 6


@pytest.mark.parametrize("count", [2, 16])
def test_too_few_say_nothing_and_of_too_many_several_gangs_work_so(count: int) -> None:
    assert not told(pairs(count))  # 32 are more than three in a hundred


def test_the_more_telling_way_of_working_holds_and_weak_reasons_do_not_count() -> None:
    said = [works(n, "customers.one_after_another") for n in range(5)]
    said += [works(n, "customers.let_go") for n in range(5)]
    said += [works(n, "customers.one_after_another") for n in range(10, 16)]
    said += [works(n, "customers.one_after_another", weight=1.0) for n in range(20, 26)]
    assert [one.members for one in told(said)] == [
        tuple(account(n) for n in range(10, 16)),
        tuple(account(n) for n in range(5)),
    ]


def test_who_is_ready_for_a_slot_is_of_the_pair_whether_or_not_anything_is_said_of_them() -> None:
    said = [works(n, "hand_over.prepared", n + 50) for n in range(3)]
    (found,) = told(said)
    assert found.members == tuple(account(n) for n in (0, 1, 2, 50, 51, 52))
    assert not told([works(n, "swapped_patients.edited", n + 50) for n in range(3)])


def ring_by(*ties: tuple[str, str]) -> Ring:
    """A ring of the first six, by kinds and values of what they share."""
    members = tuple(account(n) for n in range(6))
    edges = [
        RingEdge(edge=Edge(member=one, kind=kind, value=value), shared_by=2, weight=4.0, bridge=False)  # type: ignore[arg-type]
        for one in members
        for kind, value in ties
    ]
    return Ring(id="ring-1", members=members, edges=tuple(edges))


def test_a_ring_that_shows_only_who_had_a_slot_is_laid_beside_those_who_had_none() -> None:
    said = pairs(6)
    by_slots = ring_by(("hand_over", "a>b"), ("payer", "purse"), ("cohort", "payer purse"))
    assert told(said, by_slots)[0].members == tuple(account(n) for n in range(12))
    for tie in (("device", "phone"), ("cohort", "series ip 192.0.2.1")):
        assert told(said, ring_by(("hand_over", "a>b"), tie))[0].members == tuple(account(n) for n in range(6, 12))
    assert not told(pairs(3), by_slots)  # it is told as a ring already


def test_crews_of_one_method_that_keep_other_days_are_told_apart() -> None:
    said = [works(n, "swapped_patients.edited") for n in range(24)]
    on = [frozenset(range(8)), frozenset({0, 3, 5, 6})]
    worked = {account(n).id: Worked(days=on[n % 2] - {n % 5}) for n in range(24)}
    found = list(same_method([], said, everybody=EVERYBODY, worked=worked, crowd=dict.fromkeys(range(8), 500)))
    assert [one.members for one in found] == [tuple(account(n) for n in range(k, 24, 2)) for k in (0, 1)]
    assert all("keep the same days" in one.says.en for one in found)
    assert works_alike([], said) == {account(n).id for n in range(24)}


def test_the_order_in_which_it_was_said_changes_nothing() -> None:
    assert told(pairs(4)) == told(list(reversed(pairs(4))))
