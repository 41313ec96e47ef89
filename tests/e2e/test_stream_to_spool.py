"""From a real RTSP server to the spool: who walked by is there and recognisable, whatever hangs or dies between."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from e2e.pulled import (
    CLOCK,
    PACK,
    Spooled,
    add_camera,
    open_puller,
    passing,
    photographs,
    still_folder,
    wait_until,
)
from shouhao.faces.images import read_picture
from shouhao.faces.packs import load_pack
from shouhao.faces.pipeline import open_engine
from shouhao.kernel.clock import SECOND_US
from shouhao.lab.streams import StreamServer
from shouhao.store.vault import Vault
from shouhao.watch.model import Sighting
from shouhao.watch.spool import Spool
from shouhao.watch.store.alarms import raise_or_extend
from shouhao.watch.store.cameras import list_health
from shouhao.watch.store.clips import clips_of
from shouhao.watch.store.stills import find_still, open_still

VAULT = Vault(bytes(range(32)))


@pytest.fixture(scope="module")
def people(faces_dir):
    return photographs(faces_dir, 3)


@pytest.fixture(scope="module")
def units(people):
    return passing(people)[0]


@pytest.fixture
def server(units):
    with StreamServer({"east": units, "west": units}, credentials=("admin", "pass word")) as running:
        yield running


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path / "spool", "pull-g", sealer=VAULT.sealer("spool"), now_us=CLOCK.now_us) as opened:
        yield opened


@pytest.fixture
def spooled(tmp_path, spool):
    reading = Spooled(tmp_path / "spool", VAULT)
    yield reading
    reading.close()


class Running:
    """A puller at work on a thread."""

    def __init__(self, puller) -> None:
        self.puller, self._stop = puller, threading.Event()
        self._thread = threading.Thread(target=puller.run, args=(self._stop,))
        self._thread.start()

    def pids(self):
        return [group.line.pid for group in self.puller._groups.values() if group.line is not None]

    def stop(self):
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def pulling(sqlite_db, spool, tmp_path, models_dir, server):
    """Pulls two cameras of one group; what is given replaces their addresses."""
    running = []

    def start(addresses=None, **settings):
        for name, address in (addresses or {n: server.address(n) for n in ("east", "west")}).items():
            add_camera(sqlite_db, VAULT, name, address.replace("pass word", "pass%20word"))
        running.append(Running(open_puller(sqlite_db, VAULT, spool, tmp_path, models_dir, **settings)))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def plays(server):
    return sum(counts.plays for counts in server.counts.values())


def test_everybody_who_walks_by_reaches_the_spool_recognisable(pulling, spooled, server, people, models_dir, tmp_path):
    pulling()
    wait_until(lambda: len({shot.track for shot in spooled.more()}) >= 8, what="four people on each of two cameras")
    shots = list(spooled.shots)
    assert {arrival.source for arrival in spooled.arrivals} == {"shots"}
    assert len({shot.ref for shot in shots}) == len(shots)
    assert all(abs(shot.shot_at_us - CLOCK.now_us()) < 60 * SECOND_US for shot in shots)
    engine = open_engine(load_pack(PACK, models_dir=models_dir), models_dir=models_dir, threads=1)
    known = np.stack([engine.probe(photo, "watchlist").embedding for _, photo in people])
    likely = [known @ engine.probe(read_picture(shot.crop), "watchlist").embedding for shot in shots]
    assert {int(np.argmax(one)) for one in likely} == {0, 1, 2}
    assert all(one.max() > 0.45 for one in likely)
    assert all(read_picture(shot.scene).shape == (720, 1280, 3) for shot in shots)
    lie_open = [file for file in tmp_path.rglob("*") if file.is_file() and b"JFIF" in file.read_bytes()]
    assert lie_open == []


def test_a_process_that_is_killed_is_started_again(pulling, spooled):
    running = pulling()
    wait_until(spooled.more, what="the first shot")
    (before,) = wait_until(running.pids, what="a process")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: running.pids() not in ([], [before]), what="another process")
    had = len(spooled.more())
    wait_until(lambda: len(spooled.more()) > had, what="more shots")
    assert len({shot.ref for shot in spooled.shots}) == len(spooled.shots)


def test_a_process_that_hangs_is_killed_and_started_again(pulling, spooled):
    running = pulling()
    wait_until(spooled.more, what="the first shot")
    (before,) = wait_until(running.pids, what="a process")
    os.kill(before, signal.SIGSTOP)
    began_s = time.monotonic()
    wait_until(lambda: running.pids() not in ([], [before]), what="another process")
    assert 4 < time.monotonic() - began_s < 25
    assert is_gone(before)
    had = len(spooled.more())
    wait_until(lambda: len(spooled.more()) > had, what="more shots")


def test_a_stream_that_stalls_is_opened_again_and_takes_no_other_with_it(pulling, spooled, server):
    server.faults["east"].stall_after_s = 3.0
    running = pulling()
    wait_until(lambda: server.counts["east"].plays >= 2, what="east played again")
    assert server.counts["west"].plays == 1
    server.faults["east"].stall_after_s = None
    had = sum(shot.ref.startswith("east") for shot in spooled.more())
    wait_until(lambda: sum(shot.ref.startswith("east") for shot in spooled.more()) > had, what="shots of east again")
    assert len(running.pids()) == 1


def test_cameras_that_hang_up_are_pulled_again(pulling, spooled, server):
    pulling()
    wait_until(spooled.more, what="the first shot")
    server.hang_up()
    wait_until(lambda: plays(server) >= 4, what="both played again")


def test_no_stream_is_pulled_while_the_law_s_switch_is_off(pulling, spooled, server):
    running = pulling()
    wait_until(spooled.more, what="the first shot")
    (pid,) = running.pids()
    running.puller.is_on = lambda _connection, _now_us: False
    wait_until(lambda: running.pids() == [] and is_gone(pid), what="no process")
    running.puller.is_on = lambda _connection, _now_us: True
    wait_until(running.pids, what="a process again")


def test_what_is_heard_of_a_stream_is_its_camera_s_health(pulling, sqlite_db):
    pulling()

    def streamed():
        with sqlite_db.read() as connection:
            return [one.camera_id for one in list_health(connection) if one.streamed_at_us]

    assert wait_until(streamed, what="health") == ["east", "west"]


def test_an_alarm_s_clip_is_frozen_from_before_to_after(pulling, spooled, sqlite_db, tmp_path):
    pulling()
    shot = wait_until(lambda: [one for one in spooled.more() if one.ref.startswith("east")], what="a shot")[-1]
    now_us = CLOCK.now_us()
    sighting = Sighting(
        passage_id="ps_1",
        camera_id="east",
        place_id="hall",
        entry_id="we_1",
        list_id="own",
        photo_id="ph_1",
        seen_at_us=shot.shot_at_us,
        arrived_at_us=now_us,
        similarity_cos=0.7,
        threshold_cos=0.5,
        quality=0.9,
        frames=1,
        pack="x",
        crop_id=None,
        scene_id=None,
    )
    with sqlite_db.write() as connection:
        raised = raise_or_extend(connection, sighting, now_us=now_us)

    def kept():
        with sqlite_db.read() as connection:
            return clips_of(connection, raised.alarm_id)

    (clip,) = wait_until(kept, what="a clip", within_s=40)
    assert clip.camera_id == "east"
    assert clip.to_us - shot.shot_at_us == pytest.approx(10 * SECOND_US, abs=0.5 * SECOND_US)
    with sqlite_db.read() as connection:
        still = find_still(connection, clip.still_id)
        mp4 = open_still(connection, still_folder(tmp_path, VAULT), clip.still_id)
    assert still.kind == "clip"
    assert b"ftyp" in mp4[:16]


def test_a_process_that_pulls_is_given_no_key_of_ours(pulling, monkeypatch, tmp_path):
    monkeypatch.setenv("SHOUHAO_MASTER_KEY_FILE", str(tmp_path / "master.key"))
    monkeypatch.setenv("SHOUHAO_DATABASE_URL", "postgresql+psycopg://secret")
    (pid,) = wait_until(pulling().pids, what="a process")
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"SHOUHAO" not in environment
    assert b"secret" not in environment
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    assert b"rtsp" not in command


def test_a_camera_whose_address_was_changed_by_hand_is_not_pulled(pulling, sqlite_db, server):
    other = Vault(bytes(32))
    add_camera(sqlite_db, other, "south", server.address("east"), group="h")
    running = pulling()
    wait_until(running.pids, what="a process")
    assert set(running.puller._groups) == {"group:g"}


def test_a_camera_that_makes_its_reader_hang_is_pulled_alone_and_hinders_nobody(pulling, spooled, server):
    """Its server takes the connection and says nothing; the reader's own patience is longer than the watchdog's."""
    server.faults["east"].hang = True
    running = pulling(silent_s=60.0, stall_s=5.0)
    wait_until(lambda: len(running.pids()) == 2, what="two processes")
    assert set(running.puller._groups) == {"group:g", "alone:east"}
    had = len(spooled.more())
    west = next(group.line.pid for name, group in running.puller._groups.items() if name == "group:g")
    wait_until(lambda: len(spooled.more()) > had + 3, what="shots of west")
    assert {shot.ref.split("-")[0] for shot in spooled.shots} == {"west"}
    assert west in running.pids()
