"""Stills are frozen with their hash, sealed under a key of their own, and gone when that key is."""

import hashlib
import os

import pytest
from sqlalchemy import select

from racing import meanwhile
from shouhao.kernel.clock import HOUR_US
from shouhao.kernel.errors import NotFound, Tampered
from shouhao.store.event_log import events
from shouhao.store.vault import Vault
from shouhao.watch.store.stills import (
    StillFolder,
    erase_still,
    find_still,
    forget_unfrozen,
    freeze,
    open_still,
    stills_before,
)

NOW_US = 1_800_000_000_000_000
PICTURE = b"\xff\xd8\xff a picture of somebody on the list" * 50


@pytest.fixture
def stills(tmp_path):
    return StillFolder(
        folder=tmp_path / "stills", keys_folder=tmp_path / "keys", sealer=Vault(b"v" * 32).sealer("stills")
    )


def frozen(db, stills, data=PICTURE, *, now_us=NOW_US):
    with db.write() as connection:
        return freeze(connection, stills, data, kind="crop", camera_id="c1", taken_at_us=now_us - 5, now_us=now_us)


def opened(db, stills, still_id):
    with db.read() as connection:
        return open_still(connection, stills, still_id)


def files(stills):
    return [path for folder in (stills.folder, stills.keys_folder) for path in folder.rglob("*") if path.is_file()]


def test_what_is_frozen_comes_back_and_its_hash_stands_in_row_and_event(db, stills):
    still_id = frozen(db, stills)
    assert opened(db, stills, still_id) == PICTURE
    with db.read() as connection:
        still = find_still(connection, still_id)
        (event,) = connection.execute(select(events).where(events.c.kind == "still_frozen")).mappings()
    assert still.sha256 == hashlib.sha256(PICTURE).hexdigest()
    assert still.sha256 in event["detail"]


def test_it_lies_sealed_and_its_owner_alone_may_read_it(db, stills):
    frozen(db, stills)
    assert len(files(stills)) == 2
    for path in files(stills):
        assert PICTURE[:20] not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("part", ["folder", "keys_folder"])
def test_a_still_or_a_key_that_was_changed_does_not_open(db, stills, part):
    still_id = frozen(db, stills)
    (path,) = [path for path in getattr(stills, part).rglob("*") if path.is_file()]
    written = bytearray(path.read_bytes())
    written[-1] ^= 1
    path.write_bytes(written)
    with pytest.raises(Tampered):
        opened(db, stills, still_id)


def test_one_still_put_in_anothers_place_does_not_open(db, stills):
    one, other = frozen(db, stills), frozen(db, stills, PICTURE + b"2")
    sealed = {path.stem: path for path in stills.folder.rglob("*.sealed")}
    sealed[one].write_bytes(sealed[other].read_bytes())
    with pytest.raises(Tampered):
        opened(db, stills, one)


def test_erasing_leaves_the_hash_and_nothing_to_open_and_may_be_repeated(db, stills):
    still_id = frozen(db, stills)
    for _ in range(2):
        with db.write() as connection:
            erase_still(connection, stills, still_id, now_us=NOW_US + 9)
    assert files(stills) == []
    with pytest.raises(NotFound):
        opened(db, stills, still_id)
    with db.read() as connection:
        still = find_still(connection, still_id)
        told = connection.execute(select(events).where(events.c.kind == "still_frozen")).all()
    assert (still.erased_at_us, still.sha256) == (NOW_US + 9, hashlib.sha256(PICTURE).hexdigest())
    assert len(told) == 2


def test_two_workers_that_erase_one_still_at_once_say_so_once(postgresql_db, stills):
    db, still_id = postgresql_db, frozen(postgresql_db, stills)

    def erase(connection):
        erase_still(connection, stills, still_id, now_us=NOW_US)

    def erase_too():
        with db.write() as connection:
            erase(connection)

    meanwhile(db, erase, erase_too)
    with db.read() as connection:
        assert len(connection.execute(select(events)).all()) == 2  # frozen, erased


def test_a_still_that_does_not_exist_cannot_be_erased(db, stills):
    with pytest.raises(NotFound), db.write() as connection:
        erase_still(connection, stills, "st_none", now_us=NOW_US)


def test_those_that_are_old_are_told_the_oldest_first(db, stills):
    ids = [frozen(db, stills, now_us=NOW_US + n) for n in range(3)]
    with db.read() as connection:
        assert [one.id for one in stills_before(connection, NOW_US + 2)] == ids[:2]


def test_what_a_unit_of_work_left_that_did_not_end_is_erased_and_the_rest_stands(db, stills):
    kept = frozen(db, stills)
    with db.write() as connection:
        freeze(connection, stills, PICTURE, kind="scene", camera_id="c1", taken_at_us=NOW_US, now_us=NOW_US)
        connection.rollback()
    assert len(files(stills)) == 4
    for path in files(stills):
        os.utime(path, ns=(NOW_US * 1000, NOW_US * 1000))
    with db.read() as connection:
        assert forget_unfrozen(connection, stills, now_us=NOW_US + HOUR_US // 2) == 0  # it may be on its way
        assert forget_unfrozen(connection, stills, now_us=NOW_US + 2 * HOUR_US) == 1
    assert opened(db, stills, kept) == PICTURE
    assert len(files(stills)) == 2
