"""Rings: hubs join nobody, order does not matter, and night by night gives what all at once gives."""

from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.detector_checks import told
from detect.examples.hand_over import passed_on
from detect.people import honest_week
from detect.tables import tables
from detect.test_scoring import reason
from shouhao.detect.model import Subject
from shouhao.detect.rings.cohorts import cohort_edges, suspects_edges
from shouhao.detect.rings.graphml import write_graphml
from shouhao.detect.rings.joining import (
    Edge,
    RingPolicy,
    Rings,
    edges_in,
    edges_of,
    hand_over_edges,
    patients_of,
    with_patients,
)
from shouhao.detect.rules.hand_over import HandOver

POLICY = RingPolicy()
KINDS = ("device", "payer", "face", "ip", "patient")


def edge(account, kind, value, n=1):
    return Edge(member=Subject(kind="account", id=account), kind=kind, value=value, n=n, first_at_us=n, last_at_us=n)


def found(edges):
    rings = Rings()
    rings.add(edges)
    return rings.found()


def accounts_of(ring):
    return {member.id for member in ring.members}


def gang(count=9, devices=3):
    """Accounts that take turns on a few phones and are paid for by one purse."""
    edges = [edge(f"g{n}", "device", f"phone{n % devices}") for n in range(count)]
    edges += [edge(f"g{n}", "device", f"phone{(n + 1) % devices}") for n in range(0, count, 4)]
    return edges + [edge(f"g{n}", "payer", "purse") for n in range(count)]


def read(path):
    return ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own file


graphs = st.lists(
    st.builds(
        edge,
        st.sampled_from([f"a{n}" for n in range(14)]),
        st.sampled_from(KINDS),
        st.sampled_from([f"v{n}" for n in range(6)]),
        st.integers(1, 3),
    ),
    max_size=60,
)


def test_a_gang_on_a_few_phones_with_one_purse_is_one_ring():
    (ring,) = found(gang())
    assert accounts_of(ring) == {f"g{n}" for n in range(9)}
    assert ring.kinds == ("device", "payer")
    assert not ring.over_one


def test_those_for_whom_a_gang_booked_are_not_of_it():
    """A customer has an account and a patient for whom the gang has booked once; one was served by two of them."""
    booked_for = [edge(f"g{n}", "patient", f"customer{n}") for n in range(9)]
    own = [edge(f"customer{n}", "patient", f"customer{n}") for n in range(9)]
    (ring,) = found([*gang(), *booked_for, *own, edge("g0", "patient", "customer5")])
    assert accounts_of(ring) == {f"g{n}" for n in range(9)}


def test_two_gangs_that_served_one_patient_stay_two():
    other = [replace(one, member=replace(one.member, id=f"h{one.member.id}"), value=f"h{one.value}") for one in gang()]
    served = [edge("g0", "patient", "p"), edge("hg0", "patient", "p")]
    assert {len(ring.members) for ring in found([*gang(), *other, *served])} == {9}


def test_who_passes_patients_around_belongs_together():
    edges = [edge(f"g{n}", "patient", f"p{n + k}") for n in range(6) for k in range(4)]
    (ring,) = found(edges)
    assert accounts_of(ring) == {f"g{n}" for n in range(6)}


def test_phones_that_share_nothing_but_a_wide_purse_still_come_together():
    edges = [edge(f"g{n}", "device", f"phone{n // 8}") for n in range(31)]
    edges += [edge(f"g{n}", "payer", "purse") for n in range(31)]
    (ring,) = found(edges)
    assert len(ring.members) == 31


def test_what_alone_holds_two_parts_together_is_a_bridge():
    edges = [
        edge(f"{side}{n}", kind, f"{side}-{kind}") for side in "lr" for n in range(3) for kind in ("device", "payer")
    ]
    (ring,) = found([*edges, edge("l0", "face", "seen twice"), edge("r0", "face", "seen twice")])
    assert accounts_of(ring) == {"l0", "l1", "l2", "r0", "r1", "r2"}
    assert {one.edge.value for one in ring.edges if one.bridge} == {"seen twice"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_hub_alone_makes_no_ring(kind):
    everybody = POLICY.hub_from[kind] + 1
    assert not found([edge(f"a{n}", kind, "hub") for n in range(everybody)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_hub_is_no_bridge_between_two_rings(kind):
    rings_alone = [edge(f"l{n}", "face", "left") for n in range(4)] + [edge(f"r{n}", "face", "right") for n in range(4)]
    crowd = POLICY.hub_from[kind]
    hub = [edge(name, kind, "hub") for name in (*(f"{s}{n}" for s in "lr" for n in range(4)), *map(str, range(crowd)))]
    assert {ring.id for ring in found([*rings_alone, *hub])} == {ring.id for ring in found(rings_alone)}


@settings(max_examples=150)
@given(graphs, st.randoms(use_true_random=False))
def test_the_order_of_edges_does_not_matter(edges, chance):
    shuffled = list(edges)
    chance.shuffle(shuffled)
    assert found(shuffled) == found(edges)


@settings(max_examples=150)
@given(graphs, st.lists(st.integers(0, 60), max_size=4))
def test_night_by_night_gives_what_all_at_once_gives(edges, cuts):
    rings = Rings()
    places = [0, *sorted(min(cut, len(edges)) for cut in cuts), len(edges)]
    for start, end in pairwise(places):
        rings.add(edges[start:end])
        rings.found()
    assert rings.found() == found(edges)


@given(graphs)
def test_taking_away_an_identifier_never_adds_somebody_to_the_ring_of_another(edges):
    """Without a hub, whoever belongs together did so before."""
    hub = [edge(f"a{n}", "ip", "hub") for n in range(14)]
    with_hub, without = found([*edges, *hub]), found(edges)
    assert {ring.id for ring in with_hub} == {ring.id for ring in without}


@given(graphs)
def test_everybody_is_in_one_ring_at_most_and_every_edge_is_of_a_member(edges):
    rings = found(edges)
    members = [member for ring in rings for member in ring.members]
    assert len(members) == len(set(members))
    for ring in rings:
        assert len(ring.members) >= POLICY.least_accounts
        assert {one.edge.member for one in ring.edges} == set(ring.members)


def test_what_more_people_share_weighs_less():
    weights = []
    for count in (3, 5, 9):
        (ring,) = found([edge(f"a{n}", "face", "f") for n in range(count)])
        weights.append(ring.edges[0].weight)
    assert weights == sorted(weights, reverse=True)


def test_who_hands_over_again_and_again_belongs_together_and_a_buyer_does_not():
    rows = honest_week().plus(passed_on(5))
    edges = hand_over_edges(told(HandOver(), tables(events=rows.events)))
    assert {one.member.id for one in edges} == {"left", "right"}
    assert all(len(one.event_ids) == 10 for one in edges)


def test_an_honest_week_has_families_and_no_large_ring():
    week = honest_week()
    over = tables(events=week.events)
    rings = found(edges_of(edges_in(over).to_pyarrow()))
    assert all(len(ring.members) <= 5 for ring in rings)


def test_patients_are_those_for_whom_members_book():
    rows = honest_week().plus(passed_on(3))
    over = tables(events=rows.events)
    ring = found([edge(name, "face", "f") for name in ("left", "right", "nobody")])
    (named,) = with_patients(ring, patients_of(over, ring).to_pyarrow())
    assert set(named.patients) == {f"{side}-name{n}" for side in ("left", "right") for n in range(3)}


def test_graphml_is_xml_whatever_the_ids_are(tmp_path):
    odd = ["<&>\"'", "\x00\x1f", "\ud800", "付款人", "tab\tand\nline"]
    edges = [edge(name, "payer", 'p&"<') for name in odd] + [edge(name, "face", "f") for name in odd]
    write_graphml(found(edges), tmp_path / "rings.graphml")
    root = read(tmp_path / "rings.graphml")
    space = "{http://graphml.graphdrawing.org/xmlns}"
    nodes = {node.get("id") for node in root.iter(f"{space}node")}
    lines = list(root.iter(f"{space}edge"))
    assert len(nodes) == len(odd) + 2
    assert len(lines) == 2 * len(odd)
    assert all({line.get("source"), line.get("target")} <= nodes for line in lines)


def test_no_rings_are_an_empty_graph(tmp_path):
    write_graphml((), tmp_path / "rings.graphml")
    assert read(tmp_path / "rings.graphml").tag.endswith("graphml")


def of_suspects(kind, value, members, users):
    """Links as they are counted: each member's, with how many use the same."""
    return [
        {
            "member_kind": "account",
            "member": member,
            "kind": kind,
            "value": value,
            "n": 3,
            "first_at_us": 0,
            "last_at_us": 9,
            "users": users,
        }
        for member in members
    ]


def test_suspects_alone_on_one_line_belong_together_and_those_behind_a_gateway_do_not():
    farm, strangers = [f"farm{n}" for n in range(9)], [f"suspect{n}" for n in range(9)]
    links = of_suspects("ip", "line", farm, 10) + of_suspects("ip", "gateway", strangers, 900)
    edges = suspects_edges(links, suspects=frozenset([*farm, *strangers]), everybody=10_000)
    assert {edge.member.id for edge in edges} == set(farm)
    (ring,) = found(edges)
    assert len(ring.members) == len(farm)


def test_two_gangs_that_hire_from_one_network_stay_two():
    gangs = [f"{name}{n}" for name in "ab" for n in range(6)]
    assert not suspects_edges(
        of_suspects("prefix", "198.51.100.0/24", gangs, 12), suspects=frozenset(gangs), everybody=9_000
    )


def test_whom_a_rule_has_found_together_is_one_ring_however_many_they_are():
    made = [Subject(kind="account", id=f"a{n}") for n in range(40)]
    said = [replace(reason("fleets.created_in_series", 4.0, subject=one), cohort="night") for one in made]
    (ring,) = found(cohort_edges(said))
    assert len(ring.members) == 40
    assert ring.over_one


def test_a_purse_of_many_is_still_one_thing_where_two_of_them_share_a_line():
    edges = [edge(f"a{n}", "payer", "insurer") for n in range(60)]
    edges += [edge(f"a{n}", "ip", "home") for n in range(2)]
    (ring,) = found(edges)
    assert ring.over_one
