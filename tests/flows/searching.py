"""What tests of searches in recordings stand on: people recorded who walk by, a hospital that may, two who agree."""

import tempfile
from functools import lru_cache
from pathlib import Path

from faces.enrolling import VAULT, setup_for
from lawful import go_live, make_lawful, operator
from shouhao.faces.frames import open_frame_faces
from shouhao.faces.images import read_picture
from shouhao.faces.packs import load_pack
from shouhao.faces.pipeline import open_engine
from shouhao.flows.search_recordings import ask_for_search
from shouhao.flows.search_run import SearchDesk
from shouhao.kernel.clock import MINUTE_US, ManualClock
from shouhao.lab.walking import Encoding, procession, write_recording
from shouhao.protocols.video import StreamSettings
from shouhao.protocols.video_files import FileSource
from shouhao.staff.approvals import decide
from shouhao.watch.store.stills import StillFolder
from shouhao.watch.video import Span

NOW_US = 1_772_413_200_000_000  # 2026-03-02 09:00 at the hospital
BEGAN_US = NOW_US - 30 * MINUTE_US
SPAN = Span(from_us=NOW_US - 60 * MINUTE_US, until_us=NOW_US)
SIZE = Encoding(width=1280, height=720, preset="ultrafast")
LIKE = 0.42
#: One who is searched for, on two photographs, and who else walks by.
WANTED, OTHERS = "Alejandro_Toledo", ("Abel_Pacheco", "Adam_Sandler", "Ali_Khamenei")


def photograph(faces_dir: Path, who: str, number: int) -> bytes:
    return (faces_dir / "lfw-dev" / who / f"{who}_{number:04d}.jpg").read_bytes()


def walkers(faces_dir: Path, *people: str, number: int = 1):
    return procession([(who, read_picture(photograph(faces_dir, who, number))) for who in people])


def record(file: Path, people, *, seconds: float = 8.0, kind: str = "mp4", encoding: Encoding = SIZE):
    """A recording of these people; who was where."""
    with file.open("wb") as out:
        return write_recording(out, people, seconds=seconds, encoding=encoding, kind=kind)


@lru_cache(maxsize=1)
def recorded(faces_dir: Path, *people: str) -> bytes:
    """A recording of six seconds, as files hold it; to record it anew takes two seconds of a processor."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recorded.mp4"
        record(file, walkers(faces_dir, *people), seconds=6)
        return file.read_bytes()


class Bench:
    """Engines that are opened once for all tests of a file."""

    def __init__(self, models_dir: Path) -> None:
        pack = load_pack("arcface-onnx", models_dir=models_dir)
        self.engine = open_engine(pack, models_dir=models_dir, threads=1)
        self.frames = open_frame_faces(pack, models_dir=models_dir, longest_px=640)

    def desk(self, db, folder: Path) -> SearchDesk:
        """A hospital's desk."""
        return SearchDesk(
            db=db,
            clock=ManualClock(NOW_US),
            stills=StillFolder(
                folder=folder / "stills", keys_folder=folder / "still-keys", sealer=VAULT.sealer("stills")
            ),
            gallery=setup_for(db, folder / "face-keys", self.engine, threshold=LIKE),
            engine=self.engine,
            frames=self.frames,
            open_recording=lambda path, began_us, span: FileSource(
                path, settings=StreamSettings(frames_a_s=4), began_us=began_us, span=span
            ),
        )


def lawful_hospital(db):
    """A hospital whose switch is on: somebody who searches, and somebody who agrees."""
    go_live(db, "CAM1", now_us=NOW_US)
    make_lawful(db, "watchlist", "recordings_search", now_us=NOW_US)
    searcher = operator(db, "security", now_us=NOW_US, trained=True)
    return searcher, operator(db, "data_protection", now_us=NOW_US)


def agreed(desk, wanted, searcher, second) -> str:
    """A search that a second person agreed to."""
    asked = ask_for_search(desk, wanted, reason="协查号贩子", operator=searcher)
    with desk.db.write() as connection:
        decide(connection, asked.id, operator=second, approve=True, reason="已核对", now_us=NOW_US)
    return asked.id
