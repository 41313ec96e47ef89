"""Attack: a bundle whose envelope is the weapon: bombs, paths, doubled names, broken archives. Nothing is written."""

import io
import random
import resource
import zipfile
import zlib

import pytest

from shouhao.kernel.errors import Refused
from shouhao.watch.bundle import BundleRefused, read_bundle
from watch.made_bundle import KEY, bundle, given, key_of, manifest_of, sha256, signed, zipped

A = b"photograph"
WHOLE = bundle([given("E1", A)], A)


def refused(data):
    with pytest.raises(BundleRefused) as said:
        read_bundle(data, key_of=key_of)
    return said.value.data["place"]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/cron.d/x",
        "/etc/passwd",
        "photos/../../x",
        "photos\\..\\x",
        "C:/x",
        "photos/" + "A" * 64,
        "photos/" + "a" * 63,
        "photos/" + "a" * 64 + "/",
        "photos/" + "a" * 64 + ".jpg",
        "MANIFEST.JSON",
        "照片/x",
        "",
    ],
)
def test_a_name_that_is_none_of_ours_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(bundle([given("E1", A)], A, more=[(name, b"x")])).startswith(("file", "manifest"))
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_stands_there_twice_is_refused():
    assert refused(zipped_twice()) == "manifest.json"


def zipped_twice():
    written = b"{}"
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("manifest.json", written)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("manifest.json", written)
    return place.getvalue()


@pytest.mark.parametrize(
    ("size", "place"),
    [(33 * 1024 * 1024, "manifest.json"), (11 * 1024 * 1024, "photos/" + "a" * 64)],
)
def test_a_file_that_unpacks_to_more_than_it_may_is_not_unpacked(size, place):
    bomb = zipped([(place, b"\0" * size)], how=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(bomb) == place
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_many_files_that_together_are_too_large_are_not_unpacked():
    one = b"\0" * (9 * 1024 * 1024)
    names = [f"photos/{n:064x}" for n in range(32)]
    assert refused(zipped([(name, one) for name in names], how=zipfile.ZIP_DEFLATED)).startswith("photos/")


def test_a_file_that_lies_about_its_size_gives_no_more_than_it_said():
    data = zipped([("manifest.json", b"\0" * 1_000_000)], how=zipfile.ZIP_DEFLATED)
    said, real = (1000).to_bytes(4, "little"), (1_000_000).to_bytes(4, "little")
    assert data.count(real) == 2
    assert refused(data.replace(real, said)) == "manifest.json"


def test_a_directory_that_claims_the_machine_is_not_read():
    end = bytearray(WHOLE)
    end[-10:-6] = (0xFFFFFFF0).to_bytes(4, "little")
    assert refused(bytes(end)) == "file"
    assert refused(WHOLE[:-22] + b"PK\x06\x07" + b"\0" * 16 + WHOLE[-22:]) == "file"


def test_overlapping_files_are_held_to_the_sum_of_what_they_say():
    """The bomb of many names over one piece of data: each is counted in full before anything is opened."""
    body = zlib.compress(b"\0" * (9 * 1024 * 1024))[2:-4]
    names = [f"photos/{n:064x}".encode() for n in range(40)]
    crc, size = zlib.crc32(b"\0" * (9 * 1024 * 1024)), 9 * 1024 * 1024
    local = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0" + crc.to_bytes(4, "little")
    local += (
        len(body).to_bytes(4, "little") + size.to_bytes(4, "little") + len(names[0]).to_bytes(2, "little") + b"\0\0"
    )
    data = local + names[0] + body
    directory = b""
    for name in names:
        directory += b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0" + crc.to_bytes(4, "little")
        directory += len(body).to_bytes(4, "little") + size.to_bytes(4, "little")
        directory += len(name).to_bytes(2, "little") + b"\0" * 12 + b"\0" * 4 + name
    end = b"PK\x05\x06\0\0\0\0" + len(names).to_bytes(2, "little") * 2
    end += len(directory).to_bytes(4, "little") + len(data).to_bytes(4, "little") + b"\0\0"
    assert refused(data + directory + end).startswith("photos/")


def test_an_encrypted_or_oddly_packed_file_is_refused():
    assert refused(zipped([("manifest.json", b"{}")], how=zipfile.ZIP_LZMA)) == "manifest.json"
    data = bytearray(zipped([("manifest.json", b"{}")]))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    assert refused(bytes(data)) == "manifest.json"


@pytest.mark.parametrize("written", [b"[" * 100_000, b'{"entries":' * 50_000, b'{"format": "\xff"}', b"", b"null"])
def test_deep_or_broken_json_is_refused_and_not_followed(written):
    data = zipped([("manifest.json", written), ("manifest.sig", signed(written, KEY))])
    assert refused(data).startswith("manifest.json")


def test_whatever_is_done_to_the_bytes_it_is_a_refusal():
    chance = random.Random(6)  # noqa: S311 - to break files with
    for _ in range(400):
        broken = bytearray(WHOLE)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        with_end = bytes(broken[: chance.randrange(len(broken) + 1)] if chance.random() < 0.3 else broken)
        try:
            found = read_bundle(with_end, key_of=key_of)
            for entry in found.entries:
                for name in entry.photos:
                    assert found.photo(name) == A
        except Refused:
            continue


def test_a_photograph_that_is_not_what_the_manifest_names_is_refused():
    written = manifest_of([given("E1", A)])
    assert written["entries"][0]["photos"] == [sha256(A)]
    data = bundle([given("E1", A)], more=[(f"photos/{sha256(A)}", b"somebody else")])
    found = read_bundle(data, key_of=key_of)
    with pytest.raises(BundleRefused):
        found.photo(sha256(A))
