"""The published draw: sealed as other logs are, repeated from its bytes alone, and honest about whom to trust."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from published_draw import (
    DRAW,
    ENTRIES,
    EVERYBODY,
    SEALED_US,
    SECRET,
    beacon,
    file_of,
    known,
    singles,
    witness,
)
from shouhao.booking.release.draw import DuplicateEntry, Entry
from shouhao.booking.release.draw_file import canonical, draw_terms, read, sealed_leaves, sealed_root, verify
from shouhao.booking.release.draw_form import RULE, TRUST
from shouhao.booking.release.seal import (
    Contribution,
    beacon_round,
    commitment,
    final_seed,
    inclusion_proof,
    leaf,
    merkle_root,
    trust_of,
    verify_inclusion,
)
from shouhao.kernel.clock import SECOND_US, iso
from shouhao.kernel.errors import InvalidInput, Tampered

#: Leaves and roots of the test vectors that come with RFC 6962's reference implementation.
LEAVES = [
    bytes.fromhex(one)
    for one in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {  # of leaf m in the tree of the first n leaves
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}


def failed(file):
    return {check.code for check in verify(file) if not check.holds}


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_published_vectors(size):
    assert merkle_root(LEAVES[:size]).hex() == ROOTS[size - 1]


def test_no_leaves_have_the_root_of_nothing():
    assert merkle_root([]) == hashlib.sha256(b"").digest()


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_proofs_are_those_of_the_published_vectors(index, size):
    assert [one.hex() for one in inclusion_proof(LEAVES[:size], index)] == PATHS[index, size]


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=70), st.data())
def test_every_leaf_has_a_proof_that_fits_it_alone(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, proof = merkle_root(leaves), inclusion_proof(leaves, index)
    asked = {"index": index, "size": len(leaves), "proof": proof, "root": root}
    assert verify_inclusion(leaves[index], **asked)
    assert not verify_inclusion(leaves[index] + b"x", **asked)
    assert not verify_inclusion(leaves[index], **asked | {"proof": [*proof, root]})
    assert not verify_inclusion(leaves[index], **asked | {"root": bytes(32)})
    assert not verify_inclusion(leaves[index], **asked | {"index": len(leaves)})
    if proof:
        assert not verify_inclusion(leaves[index], **asked | {"proof": proof[:-1]})


def test_a_node_does_not_pass_for_a_leaf():
    left, right = (hashlib.sha256(b"\0" + one).digest() for one in (b"a", b"b"))
    assert merkle_root([left + right]) != merkle_root([b"a", b"b"])


def test_there_is_no_proof_of_what_is_not_there():
    for index in (-1, 2):
        with pytest.raises(IndexError):
            inclusion_proof([b"a", b"b"], index)


def test_a_commitment_binds_draw_and_person_and_no_length_is_ambiguous():
    texts = [("dr_1", "w"), ("dr_2", "w"), ("dr_1", "x"), ("dr_1w", ""), ("dr_", "1w")]
    assert len({commitment(draw_id, SECRET, who=who) for draw_id, who in texts}) == len(texts)
    assert commitment(DRAW, SECRET) != commitment(DRAW, SECRET + b"\0")


def test_every_part_moves_the_seed_and_the_order_of_parts_does_not():
    base = {"draw_id": DRAW, "root": bytes(32), "secret": SECRET, "contributions": EVERYBODY}
    others = [
        {"draw_id": "dr_2"},
        {"root": b"\1" * 32},
        {"secret": b"x" * 32},
        {"contributions": EVERYBODY[:2]},
        {"contributions": (*EVERYBODY[:2], beacon(b"c" * 32))},
        {"contributions": (*EVERYBODY[:2], beacon(number=7))},
        {"contributions": (witness("Notary"), *EVERYBODY[1:])},
    ]
    assert len({final_seed(**base | other) for other in ({}, *others)}) == len(others) + 1
    assert final_seed(**base | {"contributions": EVERYBODY[::-1]}) == final_seed(**base)


@pytest.mark.parametrize(
    ("after_us", "number"), [(-5 * SECOND_US, 1), (0, 1), (1, 2), (30 * SECOND_US, 2), (30 * SECOND_US + 1, 3)]
)
def test_the_round_is_the_first_one_late_enough(after_us, number):
    genesis_s = 1_595_431_050
    sealed_at_us = (genesis_s - 10) * SECOND_US + after_us
    assert beacon_round(sealed_at_us=sealed_at_us, after_s=10, genesis_s=genesis_s, period_s=30) == number


@given(st.integers(0, 4 * 10**15), st.integers(1, 3600), st.integers(0, 4 * 10**9), st.integers(1, 3600))
def test_no_earlier_round_would_do(sealed_at_us, after_s, genesis_s, period_s):
    number = beacon_round(sealed_at_us=sealed_at_us, after_s=after_s, genesis_s=genesis_s, period_s=period_s)
    published_s = genesis_s + (number - 1) * period_s
    assert published_s * SECOND_US >= sealed_at_us + after_s * SECOND_US
    assert number == 1 or (published_s - period_s) * SECOND_US < sealed_at_us + after_s * SECOND_US


def test_trust_is_read_from_who_took_part():
    late = Contribution(kind="witness", who="late", value=SECRET)
    assert [trust_of(given) for given in ((), (late,), EVERYBODY[:1], EVERYBODY)] == [
        "sealed",
        "sealed",
        "witnessed",
        "public",
    ]


@pytest.mark.parametrize("contributions", [(), EVERYBODY[:1], EVERYBODY[:2], EVERYBODY], ids=["0", "1", "2", "3"])
def test_a_published_draw_verifies_from_its_bytes_alone(contributions):
    raw = canonical(file_of(contributions=contributions))
    assert failed(read(raw)) == set()
    assert canonical(read(raw)) == raw


@pytest.mark.parametrize("kind", ["waitlist", "antenatal"])
def test_a_draw_without_seats_has_an_order_and_no_winner(kind):
    file = file_of(kind=kind, targets=[{"id": "S1", "seats": 0, "label": "x"}, {"id": "S2", "seats": 0, "label": "y"}])
    assert (file["wins"], len(file["order"])) == ([], len(ENTRIES))
    assert failed(file) == set()


def test_nobody_entered_and_the_file_says_so():
    file = file_of(entries=[])
    assert (file["order"], failed(file)) == ([], set())


@given(st.permutations(ENTRIES), st.permutations(EVERYBODY))
def test_the_file_is_the_same_byte_for_byte_in_whatever_order_it_was_given(entries, contributions):
    assert canonical(file_of(entries=entries, contributions=contributions)) == canonical(
        file_of(contributions=EVERYBODY)
    )


def test_what_is_published_is_known_when_the_entries_are_sealed():
    given = known()
    entries = given.pop("entries")
    root = sealed_root(draw_terms(**given), entries)
    assert file_of(root=root, contributions=EVERYBODY)["root"] == root.hex()
    more = [{"id": "S1", "seats": 3, "label": "\u4e0a\u5348"}, {"id": "S2", "seats": 3, "label": "\u4e0b\u5348"}]
    for changed in ({"entries": singles(9)}, {"targets": more}, {"left_out": []}, {"sealed_at": iso(SEALED_US + 1)}):
        with pytest.raises(Tampered):
            file_of(root=root, **changed)


def test_an_entry_is_proved_to_be_in_the_sealed_list():
    given = known()
    entries = given.pop("entries")
    terms = draw_terms(**given)
    leaves = sealed_leaves(terms, entries)
    mine = leaves.index(leaf(ENTRIES[4]))
    asked = {"index": mine, "size": len(leaves), "root": sealed_root(terms, entries)}
    assert mine == 5
    assert verify_inclusion(leaf(ENTRIES[4]), proof=inclusion_proof(leaves, mine), **asked)
    assert not verify_inclusion(leaf(ENTRIES[3]), proof=inclusion_proof(leaves, mine), **asked)


@pytest.mark.parametrize("level", ["sealed", "witnessed", "public"])
def test_the_file_says_in_both_languages_whom_to_trust(level):
    file = file_of(contributions={"sealed": (), "witnessed": EVERYBODY[:2], "public": EVERYBODY}[level])
    assert file["trust"] == {"level": level, **TRUST[level]}
    assert file["rule"] == RULE


@pytest.mark.parametrize(
    ("stated", "made_by"), [("public", EVERYBODY[:2]), ("witnessed", ()), ("public", ()), ("sealed", EVERYBODY)]
)
def test_a_file_that_claims_another_trust_than_it_has_is_refused(stated, made_by):
    file = file_of(contributions=made_by)
    assert failed(file | {"trust": {"level": stated, **TRUST[stated]}}) == {"words"}


def test_no_time_of_entry_and_no_person_stands_in_a_file():
    file = file_of(contributions=EVERYBODY)
    assert {key for entry in file["entries"] for key in entry} == {"id", "people", "wishes"}
    text = canonical(file).decode()
    for word in ("account", "patient", "device", "entered_at"):
        assert word not in text


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"entries": [*ENTRIES, Entry(id="de_900", people=("t1",), wishes=("S1",))]}, DuplicateEntry),
        ({"entries": [*ENTRIES, Entry(id="de_900", people=("t900",), wishes=("S9",))]}, InvalidInput),
        ({"entries": [Entry(id="de_900", people=(), wishes=("S1",))]}, InvalidInput),
        ({"entries": [Entry(id="de_900", people=("t1",), wishes=())]}, InvalidInput),
        ({"entries": [Entry(id="de_900", people=("t1",), wishes=("S1", "S1"))]}, InvalidInput),
        ({"entries": [Entry(id="de_777", people=("t1",), wishes=("S1",))]}, InvalidInput),
        ({"secret": b"x" * 32}, Tampered),
        ({"secret": b"short", "commitment": commitment(DRAW, b"short")}, InvalidInput),
        ({"contributions": (witness("a", draw_id="dr_2"),)}, Tampered),
        ({"contributions": (witness("a", b"1" * 32), witness("a", b"2" * 32))}, Tampered),
        ({"contributions": (witness("hospital"),)}, InvalidInput),
        ({"contributions": (witness("a", b"2"),)}, InvalidInput),
        ({"contributions": (Contribution(kind="witness", who="a", value=SECRET),)}, InvalidInput),
        ({"contributions": (beacon(number=beacon().round + 1),)}, InvalidInput),
        ({"contributions": (beacon(),), "policy": {}}, InvalidInput),
        ({"kind": "lottery"}, InvalidInput),
        ({"title": "line\nbreak"}, InvalidInput),
        ({"policy": {"share": 0.5}}, InvalidInput),
        ({"sealed_at": "2026-03-09 08:00"}, InvalidInput),
        ({"targets": [{"id": "S1", "seats": -1, "label": "x"}]}, InvalidInput),
        ({"targets": [{"id": "S1", "seats": 1, "label": "x"}] * 2}, InvalidInput),
        ({"left_out": [{"id": "de_777"}]}, InvalidInput),
        ({"commitment": "zz"}, InvalidInput),
    ],
)
def test_what_would_not_verify_is_not_published(changed, why):
    with pytest.raises(why):
        file_of(**changed)


@pytest.mark.parametrize("title", ["\u5f20\u3000\u4e09", "\U00031350", "\ue000", "a\u00a0b", "x" * 1000])
def test_rare_characters_of_names_do_not_stop_a_draw(title):
    assert failed(read(canonical(file_of(title=title)))) == set()


@pytest.mark.parametrize("title", ["", "a\nb", "\x1b[31m", "\u202eabc", "\ud800", "x" * 1001])
def test_what_could_fool_a_reader_of_the_file_is_refused(title):
    with pytest.raises(InvalidInput) as caught:
        file_of(title=title)
    assert caught.value.field == "draw.title"


def test_a_refusal_names_the_field():
    with pytest.raises(InvalidInput) as caught:
        file_of(targets=[{"id": "S1", "seats": "2", "label": "x"}])
    assert caught.value.field == "draw.targets.0.seats"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"a":NaN}',
        b'{"a":1.5}',
        b'{"a":' + b"9" * 5_000 + b"}",
        b'{"a":"\\ud800"}',
        b'{"a":1,"a":1}',
        b'{"a": 1}',
        b'{"b":1,"a":1}',
    ],
)
def test_what_is_no_draw_file_is_refused_by_name(raw):
    with pytest.raises(InvalidInput) as caught:
        read(raw)
    assert caught.value.field == "file"


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    (),
    *((name,) for name in file_of()),
    *(("draw", name) for name in file_of()["draw"]),
    ("draw", "policy", "rules"),
    ("draw", "policy", "rules", "draw"),
    ("draw", "policy", "rules", "draw", "beacon_period_s"),
    ("draw", "targets", 0),
    ("draw", "targets", 0, "seats"),
    ("draw", "left_out", 0, "id"),
    ("entries", 0),
    ("entries", 0, "people"),
    ("entries", 0, "wishes", 0),
    ("contributions", 0, "who"),
    ("contributions", 2, "round"),
    ("trust", "level"),
    ("order", 0),
    ("wins", 0, "target"),
]


@given(st.sampled_from(PLACES), nested)
def test_a_file_with_anything_anywhere_is_judged_and_never_a_crash(place, thing):
    file = json.loads(canonical(file_of(contributions=EVERYBODY)))
    if not place:
        assert failed(thing)
        return
    where = file
    for key in place[:-1]:
        where = where[key]
    before, where[place[-1]] = where[place[-1]], thing
    assert bool(failed(file)) == (type(before) is not type(thing) or before != thing)
