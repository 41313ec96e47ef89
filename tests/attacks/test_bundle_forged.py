"""Attack: a list that nobody issued, an older one, or one for another recipient. Nothing of it moves any state."""

import io
import json
import zipfile

import pytest

from faces.enrolling import photo
from flows.exchanging import Exchanging
from shouhao.watch.bundle import BadSignature, BundleRefused, IssuerUnknown
from shouhao.watch.bundle_seal import NotOpened, seal_with_passphrase
from shouhao.watch.store.bundles import Replayed
from watch.made_bundle import KEY, OTHER_KEY, bundle, given, manifest_of, signed, zipped

A, B = photo((10, 1, 1)), photo((20, 1, 1))


@pytest.fixture
def exchanging(db, tmp_path):
    return Exchanging(db, tmp_path)


def unmoved(exchanging, data, refusal, **more):
    before = exchanging.state()
    with pytest.raises(refusal):
        exchanging.receive(data, **more)
    assert exchanging.state() == before
    assert exchanging.files() == []


def test_a_list_of_an_unknown_issuer_is_refused(exchanging):
    unmoved(exchanging, bundle([given("E1", A)], A, key=OTHER_KEY), IssuerUnknown)


def test_a_list_that_names_a_known_key_and_is_signed_by_another_is_refused(exchanging):
    written = json.dumps(manifest_of([given("E1", A)])).encode()
    unmoved(
        exchanging, zipped([("manifest.json", written), ("manifest.sig", signed(written, OTHER_KEY))]), BadSignature
    )


def test_a_signature_of_something_else_is_refused(exchanging):
    written = json.dumps(manifest_of([given("E1", A)])).encode()
    for signature in (KEY.sign(written), b"", b"\0" * 64, signed(b"{}")):
        unmoved(exchanging, zipped([("manifest.json", written), ("manifest.sig", signature)]), BadSignature)


def test_a_changed_word_breaks_the_signature(exchanging):
    whole = bundle([given("E1", A)], A)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()]
    changed = [(name, data.replace(b"police_notice", b"resale       ")) for name, data in files]
    unmoved(exchanging, zipped(changed), (BadSignature, BundleRefused))


def test_an_older_list_is_refused_after_a_newer_one(exchanging):
    exchanging.receive(bundle([given("E1", A)], A, number=5))
    before = exchanging.state()
    for number in (4, 5):
        with pytest.raises(Replayed):
            exchanging.receive(bundle([given("E2", B)], B, number=number))
    assert exchanging.state() == before


def test_the_same_file_twice_is_one_bundle(exchanging):
    data = bundle([given("E1", A)], A, number=5)
    first = exchanging.receive(data)
    again = exchanging.receive(data)
    assert (first.new, again.new, again.bundle_id) == (True, False, first.bundle_id)
    assert len(exchanging.files()) == 1


def test_a_list_that_is_over_or_from_the_future_is_refused(exchanging):
    unmoved(exchanging, bundle([given("E1", A)], A, expires_at="2026-03-01T00:00:00+08:00"), BundleRefused)
    unmoved(exchanging, bundle([given("E1", A)], A, issued_at="2027-03-01T00:00:00+08:00"), BundleRefused)


def test_a_closed_issuer_is_unknown(exchanging):
    exchanging.close_issuer()
    unmoved(exchanging, bundle([given("E1", A)], A), IssuerUnknown)


def test_what_is_sealed_to_somebody_else_stays_sealed(exchanging):
    sealed = seal_with_passphrase(bundle([given("E1", A)], A), "correct horse battery")
    unmoved(exchanging, sealed, NotOpened, passphrase="another passphrase")


def test_a_file_changed_on_the_disk_after_it_came_is_not_used(exchanging):
    received = exchanging.receive(bundle([given("E1", A)], A))
    (path,) = exchanging.files()
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(Exception, match="sealed"):
        exchanging.check(received.bundle_id)
