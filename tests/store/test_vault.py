"""The vault opens what it sealed, for the purpose it was sealed for, and nothing else."""

import base64
import os
import stat
import threading

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st

from shouhao.kernel.errors import Tampered
from shouhao.store.vault import Vault, read_master_key

MASTER = bytes(range(32))
VAULTS = {profile: Vault(MASTER, profile) for profile in ("intl", "sm")}
OTHER = {profile: Vault(bytes(32), profile) for profile in ("intl", "sm")}
NONCE, TAG = 12, 16
PROPERTY = settings(max_examples=80, deadline=None, database=None)
profiles = st.sampled_from(["intl", "sm"])


def raw(sealed):
    return base64.urlsafe_b64decode(sealed.split(".", 2)[2])


def packed(profile, content, number="1"):
    return f"{profile}.{number}.{base64.urlsafe_b64encode(content).decode()}"


def does_not_open(vault, sealed, purpose="name"):
    with pytest.raises(Tampered):
        vault.open(sealed, purpose=purpose)


@PROPERTY
@given(profiles, st.text(), st.text())
def test_what_was_sealed_opens(profile, plain, purpose):
    purpose = purpose.encode("utf-8", "replace").decode()
    plain = plain.encode("utf-8", "replace").decode()
    sealed = VAULTS[profile].seal(plain, purpose=purpose)
    assert sealed.isascii()
    for vault in VAULTS.values():  # whatever new texts are sealed with
        assert vault.open(sealed, purpose=purpose) == plain


@PROPERTY
@given(profiles, st.sampled_from(["nonce", "body", "tag"]), st.integers(0, 10_000), st.integers(1, 255))
def test_no_byte_can_be_changed(profile, region, at, change):
    content = bytearray(raw(VAULTS[profile].seal("张三 110105198506010015", purpose="name")))
    first, last = {
        "nonce": (0, NONCE),
        "body": (NONCE, len(content) - TAG),
        "tag": (len(content) - TAG, len(content)),
    }[region]
    content[first + at % (last - first)] ^= change
    does_not_open(VAULTS[profile], packed(profile, bytes(content)))


@PROPERTY
@given(profiles, st.integers(0, 10_000), st.characters(min_codepoint=33, max_codepoint=126))
def test_no_character_of_the_text_can_be_changed(profile, at, character):
    sealed = VAULTS[profile].seal("张三", purpose="name")
    at %= len(sealed)
    if sealed[at] != character:
        does_not_open(VAULTS[profile], sealed[:at] + character + sealed[at + 1 :])


@PROPERTY
@given(profiles, st.integers(0, 10_000), st.sampled_from(["", " ", "\n", "=", "A", "!"]))
def test_nothing_can_be_put_in_or_left_out(profile, at, more):
    sealed = VAULTS[profile].seal("张三", purpose="name")
    at %= len(sealed)
    changed = sealed[:at] + more + sealed[at + (not more) :]
    does_not_open(VAULTS[profile], changed)


@pytest.mark.parametrize("profile", ["intl", "sm"])
def test_a_sealed_text_opens_for_its_own_purpose_key_and_profile_alone(profile):
    vault = VAULTS[profile]
    sealed = vault.seal("13800138000", purpose="phone")
    does_not_open(vault, sealed, purpose="name")
    does_not_open(OTHER[profile], sealed, purpose="phone")
    other = "sm" if profile == "intl" else "intl"
    does_not_open(vault, packed(other, raw(sealed)), purpose="phone")
    does_not_open(vault, packed("none", raw(sealed)), purpose="phone")
    does_not_open(vault, packed(profile, raw(sealed), number="2"), purpose="phone")
    assert vault.open(sealed, purpose="phone") == "13800138000"


@pytest.mark.parametrize(
    "text", ["", ".", "..", "intl.1", "intl.1.", "intl.1.AAAA", "sm.1.", "sm.1.AAAA", "张", "intl.1.é"]
)
def test_a_text_that_was_never_sealed_does_not_open(text):
    for vault in VAULTS.values():
        does_not_open(vault, text)


@pytest.mark.parametrize("profile", ["intl", "sm"])
def test_the_same_text_never_looks_the_same_twice(profile):
    sealed = {VAULTS[profile].seal("张三", purpose="name") for _ in range(200)}
    assert len(sealed) == len({raw(one)[:NONCE] for one in sealed}) == 200
    assert all(one.startswith(f"{profile}.1.") for one in sealed)


@PROPERTY
@given(profiles, st.text(), st.text())
def test_a_hash_finds_an_equal_text_of_the_same_purpose_again(profile, one, other):
    one, other = (text.encode("utf-8", "replace").decode() for text in (one, other))
    vault = VAULTS[profile]
    assert (vault.hash(one, purpose="phone") == vault.hash(other, purpose="phone")) == (one == other)
    assert vault.hash(one, purpose="phone") != vault.hash(one, purpose="name")
    assert vault.hash(one, purpose="phone") != OTHER[profile].hash(one, purpose="phone")


def test_keys_of_different_purposes_are_different():
    vault = VAULTS["intl"]
    keys = [vault.derive(purpose, 32) for purpose in ("seal.intl", "seal.sm", "hash.intl", "hash.sm", "sign-in")]
    assert len(set(keys)) == 5
    assert Vault(MASTER).derive("sign-in", 32) == keys[4]
    assert vault.derive("sign-in", 32) != OTHER["intl"].derive("sign-in", 32)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_master_key_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match="32"):
        Vault(b"k" * size)


def test_sealing_with_sm4_gives_the_published_vector():
    """Source: RFC 8998, appendix A.1."""
    vault = Vault(MASTER, "sm")
    vault._sm4 = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    nonce = bytes.fromhex("00001234567800000000ABCD")
    purpose = bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
    plain = bytes.fromhex("AA" * 8 + "BB" * 8 + "CC" * 8 + "DD" * 8 + "EE" * 8 + "FF" * 8 + "EE" * 8 + "AA" * 8)
    sealed = bytes.fromhex(
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
        "83DE3541E4C2B58177E065A9BF7B62EC"
    )
    assert vault._encrypt(nonce, plain, purpose) == sealed
    assert vault._decrypt("sm", nonce, sealed, purpose) == plain


def sm3(content):
    digest = hashes.Hash(hashes.SM3())
    digest.update(content)
    return digest.finalize()


def test_hashing_with_sm3_stands_on_the_published_vectors():
    """Source: GB/T 32905-2016, appendix A; RFC 2104 for the keyed form, worked out here from its definition."""
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3(b"abcd" * 16).hex() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    vault = VAULTS["sm"]
    key = vault.derive("hash.sm", 32).ljust(64, b"\0")
    inner = sm3(bytes(b ^ 0x36 for b in key) + b"phone\x0013800138000")
    assert vault.hash("13800138000", purpose="phone") == sm3(bytes(b ^ 0x5C for b in key) + inner).hex()


# The master key's file


def test_a_master_key_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "deep" / "master.key"
    key = read_master_key(path, create=True)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_master_key(path, create=True) == read_master_key(path, create=False) == key
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]


def test_the_modes_of_a_new_key_do_not_depend_on_the_umask(tmp_path):
    before = os.umask(0)
    try:
        read_master_key(tmp_path / "master.key", create=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "master.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644, 0o601, 0o777])
def test_a_key_that_others_can_read_is_refused(tmp_path, mode):
    path = tmp_path / "master.key"
    read_master_key(path, create=True)
    path.chmod(mode)
    with pytest.raises(PermissionError):
        read_master_key(path, create=True)


def test_production_makes_no_key(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_master_key(tmp_path / "master.key", create=False)
    assert list(tmp_path.iterdir()) == []


def test_many_who_start_at_once_share_one_whole_key(tmp_path):
    for turn in range(20):
        path = tmp_path / f"{turn}.key"
        started, keys = threading.Barrier(8), []

        def start(path=path, started=started, keys=keys):
            started.wait()
            keys.append(read_master_key(path, create=True))

        threads = [threading.Thread(target=start) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(keys) == 8
        assert len(set(keys)) == 1
        assert len(keys[0]) == 32
