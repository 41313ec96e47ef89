"""A hospital that watches, to measure on: simulated cameras, a list with real and made-up people, and its processes.

Most entries are random unit vectors in the place of templates: searching costs the same, and nobody is like them.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from sqlalchemy import insert

from bench.servers import postgresql
from shouhao.faces import store as face_store
from shouhao.faces.enrolment import GallerySetup, begin, enrol, seal_template, set_threshold
from shouhao.faces.images import read_picture
from shouhao.faces.model import NoFace, SeveralFaces
from shouhao.faces.packs import load_pack
from shouhao.faces.photographs import people_in as people_folders
from shouhao.faces.pipeline import FaceEngine
from shouhao.faces.tables import TABLES
from shouhao.kernel.clock import DAY_US
from shouhao.lab.cameras.install import camera_ids, device_ids, install, turn_on_for_trial
from shouhao.lab.cameras.people import Person, people_in
from shouhao.settings import Settings
from shouhao.store.migrate import upgrade
from shouhao.watch.store.lists import ListTerms, add_list
from shouhao.watch.store.watchlist_tables import entries
from shouhao.wiring import System, assemble
from shouhao.wiring.faces import face_engines, gallery_setup

CAMERAS = 60
LISTED = 12  #: real people on the list, who walk past
THRESHOLD_COS = 0.4  #: strict enough for this list and traffic; what it misses is told beside the figures
LIST_ID = "bench"
PACK = "arcface-onnx"
_SHOUHAO = Path(sys.executable).with_name("shouhao")
_BEGINS_S = 120.0


@dataclass(slots=True)
class Running:
    """One process of the hospital."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def wait_for(self, words: str) -> None:
        """Wait until it has said so.

        Raises:
            RuntimeError: it ended before, or takes too long.
        """
        until = time.monotonic() + _BEGINS_S
        while not any(words in line for line in list(self.said)):
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the process did not say {words!r}: {self.said[-5:]}")
            time.sleep(0.02)

    def cpu_s(self) -> float:
        """Seconds of processor it has used."""
        told = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        """What it holds in memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()


@dataclass(slots=True, kw_only=True)
class Hospital:
    """What is measured on."""

    system: System
    setup: GallerySetup
    env: dict[str, str]
    people: Sequence[Person]
    password: str
    base: str
    entries: int = 0
    running: list[Running] = field(default_factory=list)

    def start(self, role: str) -> Running:
        """Start one role as a process of its own."""
        process = subprocess.Popen(
            [str(_SHOUHAO), "serve", role],
            env={**os.environ, **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        made = Running(process)
        threading.Thread(target=_listen, args=(process.stdout, made.said), daemon=True).start()
        self.running.append(made)
        made.wait_for("serving" if role != "watch" else "watch_list_opened")
        return made

    def list_up_to(self, count: int) -> None:
        """Fill the list with made-up people until it has so many photographs; a thousand people bear most of them."""
        missing, pack = count - self.entries, next(iter(self.setup.engines))
        people = min(missing, 1_000 if count > 10_000 else missing)
        chance = np.random.default_rng(count)
        now_us = self.system.clock.now_us()
        done = 0
        for n in range(people):
            photos = missing // people + (n < missing % people)
            vectors = chance.standard_normal((photos, self.setup.engines[pack].dims)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            _list_made_up(self.setup, f"made-up {count} {n}", vectors, pack=pack, now_us=now_us)
            done += photos
        self.entries += done

    @property
    def devices(self) -> list[str]:
        """The simulated cameras, as they name themselves."""
        return device_ids(CAMERAS)


def _listen(stream: IO[str] | None, said: list[str]) -> None:
    for line in stream or ():
        said.append(line)
        del said[:-2_000]


def _list_made_up(setup: GallerySetup, subject_id: str, vectors: np.ndarray, *, pack: str, now_us: int) -> None:
    sealer = setup.keys.make(subject_id)
    ids = [f"{subject_id} {n}" for n in range(len(vectors))]
    tables = TABLES["watchlist"]
    with setup.db.write() as connection:
        face_store.add_subject(
            connection, "watchlist", subject_id=subject_id, list_id=LIST_ID, ground_id="bench", now_us=now_us
        )
        connection.execute(
            insert(tables.photos),
            [
                {"id": one, "subject_id": subject_id, "sealed": b"-", "quality": 1.0, "added_at_us": now_us}
                for one in ids
            ],
        )
        sealed = {
            one: seal_template(sealer, vector, photo_id=one, pack=pack)
            for one, vector in zip(ids, vectors, strict=True)
        }
        face_store.add_templates(connection, "watchlist", pack=pack, sealed_by_photo=sealed)


def _list_people(system: System, setup: GallerySetup, people: Sequence[Person]) -> int:
    """Put the listed people of the simulator on the list, as two people would have; how many."""
    now_us = system.clock.now_us()
    begin(setup, pack=next(iter(setup.engines)), now_us=now_us)
    with system.db.write() as connection:
        terms = ListTerms(name="bench", ground="bench", false_alarms_a_day=1.0)
        add_list(connection, LIST_ID, terms, now_us=now_us, staff_id=None)
    set_threshold(
        setup,
        list_id=LIST_ID,
        pack=next(iter(setup.engines)),
        similarity_cos=THRESHOLD_COS,
        derived_from={"bench": True},
        now_us=now_us,
    )
    listed = [person for person in people if person.listed and person.enrolled is not None]
    for person in listed:
        with system.db.write() as connection:
            connection.execute(insert(entries).values(**_entry(person.name, now_us)))
        if person.enrolled is not None:
            enrol(
                setup,
                subject_id=person.name,
                list_id=LIST_ID,
                ground_id="bench",
                photo=person.enrolled.read_bytes(),
                now_us=now_us,
                accepted=frozenset({"small", "blurred", "turned", "cut", "uncertain"}),
            )
    return len(listed)


def _fit_to_list(engine: FaceEngine, photographs: Path) -> list[str]:
    """Some people with several photographs, of which the first shows nobody else: a list would take no other."""
    fit: list[str] = []
    for name, files in people_folders(photographs):
        if len(files) > 3 and len(fit) < LISTED:
            try:
                engine.enrolment_face(read_picture(files[0].read_bytes()))
            except (NoFace, SeveralFaces):
                continue
            fit.append(name)
    return fit


def _entry(entry_id: str, now_us: int) -> dict[str, object]:
    return {
        "id": entry_id,
        "list_id": LIST_ID,
        "state": "approved",
        "source": "own",
        "ground_code": "resale",
        "proposed_by": "bench",
        "proposed_at_us": now_us,
        "approvers": "one,two",
        "approval_id": "bench",
        "listed_at_us": now_us,
        "expires_at_us": now_us + 180 * DAY_US,
        "appeal": "none",
    }


@contextmanager
def hospital(models: Path, photographs: Path) -> Iterator[Hospital]:
    """A hospital on PostgreSQL with cameras and people; its processes end with the block."""
    folder = Path(tempfile.mkdtemp(prefix="shouhao-bench-watch-"))
    with postgresql() as server:
        name = server.new_database()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        given: dict[str, Any] = {
            "data_dir": str(folder),
            "database_url": server.url(name),
            "models": str(models),
            "face_pack": PACK,
            "face_threads": "2",
            "internal_port": str(port),
            "desk_apart": "false",
        }
        upgrade(given["database_url"])
        settings = Settings(**given)
        system = assemble(settings)
        made: Hospital | None = None
        try:
            engines = face_engines(settings)
            pack = load_pack(PACK, models_dir=models).id
            setup = gallery_setup(system, "watchlist", {pack: engines[pack]})
            people = people_in(photographs, seed=1, listed=_fit_to_list(engines[pack], photographs))
            made = Hospital(
                system=system,
                setup=setup,
                env={f"SHOUHAO_{key.upper()}": value for key, value in given.items()},
                people=people,
                password=install(system, CAMERAS),
                base=f"http://127.0.0.1:{port}",
            )
            turn_on_for_trial(system, camera_ids(CAMERAS))
            made.entries = _list_people(system, setup, people)
            yield made
        finally:
            for one in made.running if made is not None else ():
                if one.process.poll() is None:
                    one.kill()
            system.close()
            server.drop(name)
            shutil.rmtree(folder, ignore_errors=True)
