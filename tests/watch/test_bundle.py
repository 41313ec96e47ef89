"""A bundle says who issued it and what is in it; what is broken in one entry is named, the rest is shown as a whole."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flows.listing import NOW_US
from shouhao.kernel.errors import InvalidInput
from shouhao.watch.bundle import (
    FORMAT,
    BundleRefused,
    EntryGiven,
    IssuerGiven,
    ListGiven,
    Manifest,
    read_bundle,
    write_bundle,
)
from shouhao.watch.bundle_diff import difference_of, packed, unpacked
from shouhao.watch.bundle_seal import (
    NotOpened,
    SealNeedsPassphrase,
    is_sealed,
    seal_to_key,
    seal_with_passphrase,
    unseal,
)
from shouhao.watch.watchlist import Entry
from watch.made_bundle import ISSUER_ID, KEY, PUBLIC, bundle, given, key_of, manifest_of, sha256

A, B = b"photograph a", b"photograph b"


def read(data):
    return read_bundle(data, key_of=key_of)


def ours(foreign_id, *, digest="-", state="approved", entry_id=None):
    return Entry(
        id=entry_id or f"we_{foreign_id}",
        list_id="own",
        state=state,
        source="police",
        ground_code="police_notice",
        proposed_by="op_1",
        proposed_at_us=1,
        approvers=("op_2", "op_3"),
        listed_at_us=1,
        review_at_us=2,
        expires_at_us=3,
        ended_at_us=None,
        ended_why=None,
        appeal="none",
        issuer_id=ISSUER_ID,
        foreign_id=foreign_id,
        foreign_digest=digest,
        bundle_id="wb_1",
        replaces=None,
    )


def differs(read_one, here=(), *, ended_here=(), usable=None):
    usable = {one.id for one in read_one.entries} if usable is None else usable
    return difference_of(read_one, here, ended_here=ended_here, usable=usable, refused=(), now_us=NOW_US)


def test_a_whole_bundle_is_read_as_it_was_written():
    found = read(bundle([given("E1", A, B)], A, B))
    (entry,) = found.entries
    assert (found.issuer_id, found.number, found.problems) == (ISSUER_ID, 1, ())
    assert (entry.id, entry.person.name, entry.ground_code) == ("E1", "某E1", "police_notice")
    assert [found.photo(one) for one in entry.photos] == [A, B]
    assert entry.expires_at_us == found.expires_at_us  # an entry never outlives its bundle


def test_what_is_written_here_is_read_here_and_the_same_content_gives_the_same_bytes():
    manifest = Manifest(
        format=FORMAT,
        issuer=IssuerGiven(name="本院", key=PUBLIC.hex()),
        number=3,
        issued_at="2026-03-01T08:00:00+08:00",
        expires_at="2026-06-01T08:00:00+08:00",
        list=ListGiven(name="名单", ground="依据"),
        entries=(
            EntryGiven(
                id="we_1",
                name="雷某",
                ground_code="resale",
                ground="倒卖",
                listed_at="2026-03-01T08:00:00+08:00",
                expires_at="2026-05-01T08:00:00+08:00",
                photos=(sha256(A),),
                documents=(sha256(B),),
            ),
        ),
    )
    written = write_bundle(manifest, photos={sha256(A): A}, documents={sha256(B): B}, key=KEY)
    assert write_bundle(manifest, photos={sha256(A): A}, documents={sha256(B): B}, key=KEY) == written
    found = read(written)
    assert (found.number, found.photo(sha256(A)), found.document(sha256(B))) == (3, A, B)


@pytest.mark.parametrize(
    ("entries", "places"),
    [
        ([given("E1", A), given("E1", B)], ["entries[0].id", "entries[1].id"]),
        ([given("E1", A), given("E2")], ["entries[1].photos"]),
        ([given("E1", A), given("E2", b"not there")], ["entries[1].photos[0]"]),
        ([given("E1", A), given("E2", B, documents=[sha256(b"x")])], ["entries[1].documents[0]"]),
        ([given("E1", A), given("E2", B, name="\u202e")], ["entries[1].name"]),
        (
            [given("E1", A), given("E2", B, document={"kind": "resident_id", "number": "1"})],
            ["entries[1].document_number"],
        ),
        ([given("E1", A), given("E2", B, document={"kind": "card", "number": "1"})], ["entries[1].document_kind"]),
        ([given("E1", A), given("E2", B, expires_at="2026-12-31T00:00:00")], ["entries[1].expires_at"]),
        ([given("E1", A), given("E2", B, expires_at="99999-12-31T00:00:00+08:00")], ["entries[1].expires_at"]),
    ],
)
def test_what_is_wrong_in_one_entry_is_named_with_its_place(entries, places):
    found = read(bundle(entries, A, B))
    assert [problem.place for problem in found.problems] == places
    broken = {place.partition("]")[0] for place in places}
    assert [f"entries[{n}" for n in range(2) if f"entries[{n}" not in broken] == [
        one.place.rstrip("]") for one in found.entries
    ]


def test_who_is_listed_and_revoked_at_once_is_not_listed():
    found = read(bundle([given("E1", A)], A, revoked=[{"id": "E1", "reason": "撤案"}]))
    assert (found.entries, found.revoked) == ((), ("E1",))
    assert found.problems[0].code == "revoked"


@pytest.mark.parametrize(
    "changed",
    [
        {"format": "shouhao.watch-bundle/2"},
        {"number": 0},
        {"number": 2**60},
        {"issued_at": "yesterday, or the day before"},
        {"expires_at": "2026-11-01T00:00:00"},
        {"surprise": 1},
        {"entries": [given("E1", A, ground_code="dislike")]},
        {"entries": [given("../E1", A)]},
        {"entries": [{**given("E1", A), "photos": ["../../etc/passwd"]}]},
        {"entries": [given("E1", *[bytes([n]) for n in range(11)])]},
    ],
)
def test_a_manifest_that_breaks_its_form_is_refused_with_the_place(changed):
    with pytest.raises(BundleRefused) as refused:
        read(bundle(changed.pop("entries", [given("E1", A)]), A, **changed))
    assert refused.value.data["place"].startswith("manifest.json")


def test_a_difference_says_who_is_new_changed_the_same_and_gone():
    found = read(bundle([given("E1", A), given("E2", B), given("E3", A, name="新")], A, B))
    digests = {one.id: one.digest for one in found.entries}
    here = [ours("E1", digest=digests["E1"]), ours("E2", digest="earlier"), ours("E9")]
    difference = differs(found, here)
    assert (difference.same, difference.changed, difference.new, difference.gone) == (
        ("E1",),
        ("E2",),
        ("E3",),
        ("we_E9",),
    )
    assert difference.taken == {"E2", "E3"}
    written, digest = packed(difference)
    assert unpacked(written) == difference
    assert packed(unpacked(written)) == (written, digest)


def test_an_entry_that_is_broken_in_this_bundle_is_not_gone():
    found = read(bundle([given("E1", A), given("E2")], A))
    assert differs(found, [ours("E2")]).gone == ()


def test_a_bundle_gets_around_no_appeal_and_brings_back_nobody_whom_people_ended():
    found = read(bundle([given("E1", A), given("E2", B)], A, B))
    difference = differs(found, [ours("E1", state="suspended")], ended_here={"E2"})
    assert difference.taken == frozenset()
    assert [(one.place, one.code) for one in difference.refused] == [
        ("entries[0].id", "appeal_open"),
        ("entries[1].id", "ended_here"),
    ]


def test_a_term_that_is_over_lists_nobody():
    found = read(bundle([given("E1", A, expires_at="2026-01-01T00:00:00+08:00")], A))
    difference = differs(found)
    assert (difference.taken, difference.refused[0].code) == (frozenset(), "over")


def test_a_sealed_bundle_opens_for_its_recipient_alone():
    ours_key, theirs = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    sealed = seal_to_key(A, ours_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    assert is_sealed(sealed)
    assert A not in sealed
    assert unseal(sealed, key=ours_key) == A
    for key in (theirs, None):
        with pytest.raises(NotOpened):
            unseal(sealed, key=key)
    with pytest.raises(InvalidInput):
        seal_to_key(A, b"\0" * 32)


def test_a_passphrase_opens_what_it_sealed_and_nothing_else():
    sealed = seal_with_passphrase(A, "correct horse battery")
    assert unseal(sealed, passphrase="correct horse battery") == A
    with pytest.raises(NotOpened):
        unseal(sealed, passphrase="correct horse batterz")
    with pytest.raises(SealNeedsPassphrase):
        unseal(sealed)
    with pytest.raises(InvalidInput):
        seal_with_passphrase(A, "short")
    for place in (18, 20, 40, len(sealed) - 1):
        with pytest.raises(NotOpened):
            unseal(
                sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :], passphrase="correct horse battery"
            )
    for length in range(17, 60):
        with pytest.raises((NotOpened, SealNeedsPassphrase)):
            unseal(sealed[:length], passphrase="correct horse battery")


def test_what_is_not_sealed_comes_back_as_it_is():
    assert unseal(A) == A


def test_the_manifest_is_of_the_documented_shape():
    assert set(manifest_of([])) == {
        "format",
        "issuer",
        "number",
        "issued_at",
        "expires_at",
        "list",
        "entries",
        "revoked",
        "revokes_all",
    }
