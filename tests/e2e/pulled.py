"""What tests of pulled streams stand on: live cameras, people who walk past them, a spool to look into."""

import sys
import time
from pathlib import Path

from shouhao.faces.images import read_picture
from shouhao.flows.clips import ClipKeeper
from shouhao.flows.pull import Puller, PullSettings
from shouhao.kernel.clock import SystemClock
from shouhao.lab.walking import Encoding, encode, procession
from shouhao.store.vault import Vault
from shouhao.watch.cameras import SEALED_STREAM, Camera, Place
from shouhao.watch.shots import read_shots
from shouhao.watch.spool import Spool
from shouhao.watch.spool_reader import SpoolReader
from shouhao.watch.store import cameras as camera_store
from shouhao.watch.store.stills import StillFolder

PACK = "arcface-onnx"
COMMAND = (sys.executable, "-m", "shouhao.pull_process")
SIZE = Encoding(width=1280, height=720, keyframe_every_s=1.0, preset="ultrafast")
CLOCK = SystemClock()


def photographs(faces_dir: Path, count: int):
    """So many people of the development set, with one photograph each."""
    files = sorted(faces_dir.glob("lfw-dev/*/*_0001.jpg"))[:count]
    return [(file.parent.name, read_picture(file.read_bytes())) for file in files]


def passing(people, *, seconds=8.0):
    """What a camera sends while these people walk by."""
    return encode(procession(people), seconds=seconds, encoding=SIZE)


def add_camera(db, vault, camera_id, address, *, group="g"):
    """A live camera with a stream."""
    now_us = CLOCK.now_us()
    number = sum(camera_id.encode())
    with db.write() as connection:
        place = Place(id="hall", building="门诊楼", floor="1F", name="挂号大厅")
        camera_store.put_place(connection, place, staff_id=None, now_us=now_us)
        camera = Camera(
            id=camera_id,
            device_id=f"3101060000132{number:07d}",
            name="大厅东",
            place_id="hall",
            building="",
            floor="",
            place_name="",
            x=0.5,
            y=0.5,
            zone="entrance",
            angle_deg=0,
            source="shots",
            group_id=group,
            sealed_stream=vault.seal(address, purpose=SEALED_STREAM),
        )
        camera_store.put_camera(connection, camera, staff_id=None, now_us=now_us)
        camera_store.declare_view(connection, camera_id, staff_id="op_1", now_us=now_us)
        camera_store.set_state(connection, camera_id, "live", staff_id=None, now_us=now_us)


def still_folder(tmp_path: Path, vault: Vault) -> StillFolder:
    """Where stills lie."""
    return StillFolder(folder=tmp_path / "stills", keys_folder=tmp_path / "keys", sealer=vault.sealer("stills"))


def open_puller(db, vault, spool: Spool, tmp_path: Path, models_dir: Path, **settings) -> Puller:
    """A puller with short times."""
    given = {"silent_s": 3.0, "stall_s": 6.0, "detect_px": 640, **settings}
    return Puller(
        db=db,
        clock=CLOCK,
        vault=vault,
        spool=spool,
        clips=ClipKeeper(db=db, stills=still_folder(tmp_path, vault)),
        command=COMMAND,
        settings=PullSettings(models_dir=str(models_dir), pack=PACK, folder=str(tmp_path / "pull"), **given),
        is_on=lambda _connection, _now_us: True,
    )


def wait_until(true, *, what: str, within_s: float = 60.0):
    """Poll until it is true; its value."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s} s: {what}")


class Spooled:
    """All shots in a spool so far."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self._reader = SpoolReader(folder, vault.sealer("spool"))
        self.arrivals: list = []
        self.shots: list = []

    def more(self):
        """Read on; all shots."""
        for one in self._reader.read():
            if one.arrival is not None:
                self.arrivals.append(one.arrival)
                reading = read_shots(one.arrival)
                assert not reading.not_understood
                self.shots += reading.shots
        return self.shots

    def close(self) -> None:
        """Give it back."""
        self._reader.close()
