"""Each enrolled person has a key of their own, apart from the database, for one purpose, and it can be erased."""

import stat
import threading

import pytest

from faces.enrolling import MASTER, VAULT
from shouhao.faces.keys import KeyFolder
from shouhao.kernel.errors import Tampered
from shouhao.store.vault import Vault


@pytest.fixture
def keys(tmp_path):
    return KeyFolder(tmp_path, VAULT, "watchlist")


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("profile", ["intl", "sm"])
def test_what_a_person_s_key_sealed_opens_with_it_again(tmp_path, profile):
    keys = KeyFolder(tmp_path, Vault(MASTER, profile), "watchlist")
    sealed = keys.make("we_1").seal(b"a photograph", context=b"photo")
    assert b"a photograph" not in sealed
    assert keys.find("we_1").open(sealed, context=b"photo") == b"a photograph"
    again = KeyFolder(tmp_path, Vault(MASTER, "intl"), "watchlist")  # the profile may change later
    assert again.make("we_1").open(sealed, context=b"photo") == b"a photograph"


def test_two_people_have_two_keys(keys):
    sealed = keys.make("we_1").seal(b"a photograph", context=b"photo")
    with pytest.raises(Tampered):
        keys.make("we_2").open(sealed, context=b"photo")


def test_what_was_sealed_for_one_place_does_not_open_in_another(keys):
    sealed = keys.make("we_1").seal(b"a photograph", context=b"photo 1")
    with pytest.raises(Tampered):
        keys.find("we_1").open(sealed, context=b"photo 2")


def test_a_key_lies_in_the_folder_for_its_owner_alone(keys, tmp_path):
    keys.make("we_1")
    (file,) = files(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "we_1" not in str(file)


def test_an_erased_key_is_gone_and_stays_gone(keys, tmp_path):
    sealed = keys.make("we_1").seal(b"a photograph", context=b"photo")
    keys.erase("we_1")
    keys.erase("we_1")
    assert keys.find("we_1") is None
    assert files(tmp_path) == []
    with pytest.raises(Tampered):  # the same person, enrolled anew, does not bring the old photograph back
        keys.make("we_1").open(sealed, context=b"photo")


def test_the_key_of_one_purpose_is_none_of_the_other(keys, tmp_path):
    keys.make("pt_1")
    other = KeyFolder(tmp_path, VAULT, "consented")
    assert other.find("pt_1") is None
    (file,) = files(tmp_path)
    moved = tmp_path / "consented" / file.parent.name / file.name
    moved.parent.mkdir(parents=True)
    moved.write_bytes(file.read_bytes())
    with pytest.raises(Tampered):
        other.find("pt_1")


def test_a_key_put_in_another_person_s_place_does_not_open(keys, tmp_path):
    keys.make("we_1")
    (first,) = files(tmp_path)
    keys.make("we_2")
    (second,) = set(files(tmp_path)) - {first}
    second.write_bytes(first.read_bytes())
    with pytest.raises(Tampered):
        keys.find("we_2")


def test_a_key_opens_with_the_hospital_s_master_key_alone(keys, tmp_path):
    keys.make("we_1")
    with pytest.raises(Tampered):
        KeyFolder(tmp_path, Vault(bytes(32)), "watchlist").find("we_1")


def test_two_who_enrol_one_person_at_once_agree_on_one_key(keys):
    sealers, ready = [], threading.Barrier(8)

    def make():
        ready.wait()
        sealers.append(keys.make("we_1"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealed = sealers[0].seal(b"a photograph", context=b"photo")
    assert {sealer.open(sealed, context=b"photo") for sealer in sealers} == {b"a photograph"}
