"""Bytes that were sealed open under their key and for their context, whole and unchanged, and in no other case."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouhao.kernel.errors import Tampered
from shouhao.store.vault import Vault, opened_size

MASTER = bytes(range(32))
VAULTS = {profile: Vault(MASTER, profile) for profile in ("intl", "sm")}
SEALERS = {profile: vault.sealer("faces") for profile, vault in VAULTS.items()}
PROPERTY = settings(max_examples=60, deadline=None, database=None)
profiles = st.sampled_from(["intl", "sm"])


@PROPERTY
@given(profiles, st.binary(max_size=300), st.binary(max_size=20))
def test_what_was_sealed_opens_whichever_profile_is_in_force(profile, plain, context):
    sealed = SEALERS[profile].seal(plain, context=context)
    assert opened_size(sealed) == len(plain)
    for sealer in SEALERS.values():
        assert sealer.open(sealed, context=context) == plain


@PROPERTY
@given(profiles, st.binary(max_size=60), st.data())
def test_no_byte_can_be_changed(profile, plain, data):
    sealed = bytearray(SEALERS[profile].seal(plain, context=b"photo"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Tampered):
        SEALERS[profile].open(bytes(sealed), context=b"photo")


@pytest.mark.parametrize("profile", ["intl", "sm"])
def test_nothing_is_opened_of_what_was_cut_short(profile):
    sealed = SEALERS[profile].seal(b"a photograph", context=b"photo")
    for length in range(len(sealed)):
        with pytest.raises(Tampered):
            SEALERS[profile].open(sealed[:length], context=b"photo")


@pytest.mark.parametrize("profile", ["intl", "sm"])
def test_neither_another_context_nor_another_purpose_opens_it(profile):
    sealed = SEALERS[profile].seal(b"a photograph", context=b"photo 1")
    with pytest.raises(Tampered):
        SEALERS[profile].open(sealed, context=b"photo 2")
    with pytest.raises(Tampered):
        VAULTS[profile].sealer("names").open(sealed, context=b"photo 1")


@pytest.mark.parametrize("profile", ["intl", "sm"])
def test_it_opens_into_memory_of_the_caller_s_choosing(profile):
    sealed = SEALERS[profile].seal(b"a photograph", context=b"photo")
    place = bytearray(20)
    SEALERS[profile].open_into(sealed, memoryview(place)[4:16], context=b"photo")
    assert bytes(place) == bytes(4) + b"a photograph" + bytes(4)
    with pytest.raises(Tampered):  # a place of another size
        SEALERS[profile].open_into(sealed, memoryview(place)[4:15], context=b"photo")
