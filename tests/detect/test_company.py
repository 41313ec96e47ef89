"""Company: a ring is as suspicious as its members, and nobody is strong by company alone."""

from detect.test_scoring import reason
from shouhao.detect.model import Says, Speaks, Subject, Suspicion
from shouhao.detect.rings.company import CompanyPolicy, company
from shouhao.detect.rings.joining import Edge, Rings
from shouhao.detect.scoring import findings


def account(name):
    return Subject(kind="account", id=name)


def ring_of(count, *, name="g", kinds=("device", "payer")):
    """Accounts that take turns on phones and share a purse."""
    rings = Rings()
    for n in range(count):
        for kind in kinds:
            value = f"{name}-{kind}{n % 3 if kind == 'device' else ''}"
            rings.add([Edge(member=account(f"{name}{n}"), kind=kind, value=value, first_at_us=n, last_at_us=n + 9)])
    (ring,) = rings.found()
    return ring


def said_of(ring, said, *, everybody=10_000):
    return list(company([ring], said, everybody=everybody))


def deeds(count, *, code="hand_over.gaps", name="g", weight=4.0):
    return [reason(code, weight, subject=account(f"{name}{n}")) for n in range(count)]


def levels(said):
    found = findings(said, detector_versions={}, input_sha256={})
    return {one.subject: one.level for one in found}


def test_a_group_that_does_nothing_is_nobodys_business_and_a_large_one_a_lead():
    assert not said_of(ring_of(7), [])
    (shared,) = said_of(ring_of(12), [])
    assert shared.code == "rings.shared"
    assert set(levels([shared]).values()) == {"lead"}


def test_a_care_home_is_no_lead_for_what_it_shares():
    ring = ring_of(12)
    says = Says(zh="像养老机构", en="like a care home")
    home = Speaks(subject=Subject(kind="ring", id=ring.id), code="speaks_for.care_home", says=says, weight=-4.0)
    assert not levels([*said_of(ring, []), home])


def test_a_ring_most_of_whose_members_hand_slots_over_is_found_strong():
    ring = ring_of(9)
    said = deeds(7)
    told = said_of(ring, said)
    assert {one.code for one in told if one.subject.kind == "ring"} == {"rings.acts_trade", "rings.shared"}
    assert levels([*said, *told])[Subject(kind="ring", id=ring.id)] == "strong"


def test_where_everybody_is_suspected_a_ring_is_nothing_special():
    others = [reason("hand_over.gaps", 4.0, subject=account(f"other{n}")) for n in range(5_000)]
    told = said_of(ring_of(9), [*deeds(4), *others])
    assert not [one for one in told if one.code.startswith("rings.acts")]


def test_nobody_is_strong_who_has_done_nothing():
    ring = ring_of(20)
    said = [*deeds(19), *deeds(19, code="attendance.somebody_else", weight=6.0), *deeds(19, code="bursts.in_an_hour")]
    idle = account("g19")
    told = said_of(ring, said)
    assert {one.code for one in told if one.subject == idle} == {"rings.company", "rings.member"}
    found = levels([*said, *told])
    assert found.get(idle, "lead") == "lead"
    assert found[account("g3")] != "lead"


def test_one_black_sheep_does_not_blacken_the_family():
    told = said_of(ring_of(5), deeds(1))
    assert not [one for one in told if one.code in {"rings.company", "rings.acts_trade"}]


def test_ones_own_deeds_do_not_come_back_through_company():
    ring = ring_of(6)
    told = said_of(ring, deeds(1, weight=6.0))
    assert not [one for one in told if one.subject == account("g0")]


def test_sharing_more_than_a_family_does_is_said_of_those_who_act():
    assert not [one for one in said_of(ring_of(7), []) if one.code == "rings.shared"]
    (shared,) = [one for one in said_of(ring_of(12), deeds(6)) if one.code == "rings.shared"]
    assert shared.weight <= CompanyPolicy().shared_most
    assert {wanted.where.get("payer_id") for wanted in shared.wanted} >= {"g-payer"}


def test_over_one_thing_alone_sharing_says_nothing():
    told = said_of(ring_of(9, kinds=("payer",)), deeds(6))
    assert not [one for one in told if one.code in {"rings.shared", "rings.member"}]


def test_handing_over_to_each_other_is_no_sharing():
    rings = Rings()
    for n in range(9):
        ends = [account(f"g{n}"), account(f"g{(n + 1) % 9}")]
        rings.add([Edge(member=one, kind="hand_over", value=f"g{n}>", event_ids=(f"e{n}",)) for one in ends])
    (ring,) = rings.found()
    assert not [one for one in said_of(ring, deeds(6)) if one.code in {"rings.shared", "rings.member"}]


def test_who_was_once_behind_the_same_address_is_not_named_with_those_who_act():
    rings = Rings()
    rings.add([Edge(member=account(f"g{n}"), kind="hand_over", value="g0>g1", event_ids=("e",)) for n in range(2)])
    rings.add([Edge(member=one, kind="ip", value="carrier") for one in (account("g1"), account("passer-by"))])
    (ring,) = rings.found()
    told = said_of(ring, deeds(2))
    assert {m for one in told if one.code == "rings.acts_trade" for m in one.members} == {account("g0"), account("g1")}


def test_what_a_rule_says_of_the_sharing_counts_where_the_ring_acts_and_only_there():
    ring = ring_of(4, kinds=("payer",))
    rule = deeds(4, code="sign_up_phones.gone_elsewhere", weight=2.8)
    assert not [one for one in said_of(ring, rule) if one.code == "rings.shared"]
    (shared,) = [one for one in said_of(ring, [*rule, *deeds(3)]) if one.code == "rings.shared"]
    assert shared.weight == 2.8


def test_every_claim_leads_to_rows():
    for one in said_of(ring_of(9), deeds(7)):
        assert isinstance(one, Suspicion)
        assert one.wanted
        assert one.first_at_us <= one.last_at_us


def test_where_few_of_a_ring_act_the_others_are_not_named_with_it():
    def named(count):
        told = said_of(ring_of(9), deeds(count))
        return {member.id for one in told if one.code == "rings.acts_trade" for member in one.members}

    assert named(3) == {"g0", "g1", "g2"}
    assert named(6) == {f"g{n}" for n in range(9)}


def test_who_came_in_one_batch_with_those_who_act_is_named_where_one_in_five_does():
    rings = Rings()
    rings.add([Edge(member=account(f"g{n}"), kind="cohort", value="one evening") for n in range(20)])
    rings.add([Edge(member=account(name), kind="device", value="phone") for name in ("g0", "cousin")])
    (ring,) = rings.found()

    def named(acting):
        return {m.id for one in said_of(ring, deeds(acting)) if one.code == "rings.acts_trade" for m in one.members}

    assert named(4) == {"g0", "g1", "g2", "g3"}
    assert named(5) == {f"g{n}" for n in range(20)}


def test_who_pays_by_a_purse_that_is_the_acting_members_own_is_named_with_them():
    rings = Rings()
    for n in range(12):
        rings.add([Edge(member=account(f"g{n}"), kind="payer", value="theirs")])
        rings.add([Edge(member=account(f"g{n}"), kind="device", value="phone") for _ in range(n < 9)])
    (ring,) = rings.found()

    def named(acting):
        return {m.id for one in said_of(ring, deeds(acting)) if one.code == "rings.acts_trade" for m in one.members}

    assert named(9) == {f"g{n}" for n in range(12)}
    assert named(8) == {f"g{n}" for n in range(9)}  # the ninth is on their phone as well


def test_what_is_said_of_a_batch_as_one_makes_no_company():
    assert said_of(ring_of(9), deeds(7))
    together = said_of(ring_of(9), deeds(7, code="fleets.quick_together"))
    assert {one.code for one in together} == {"rings.shared"}
