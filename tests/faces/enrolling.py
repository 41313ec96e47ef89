"""A gallery's parts for tests: an engine that sees colours in place of faces, and photographs to enrol."""

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from shouhao.faces.enrolment import GallerySetup, begin, set_threshold
from shouhao.faces.keys import KeyFolder
from shouhao.faces.model import Face, NoFace, Probe, Quality, SeveralFaces
from shouhao.store.vault import Vault

NOW_US = 1_800_000_000_000_000
MASTER = b"f" * 32
VAULT = Vault(MASTER)
DIMS = 64
BLACK, WHITE, GREY = (0, 0, 0), (255, 255, 255), (128, 128, 128)


def photo(colour, *, size=64):
    """PNG bytes of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(file, "PNG")
    return file.getvalue()


def direction(*seed):
    """A unit vector that belongs to these words."""
    digest = hashlib.sha256(repr(seed).encode()).digest()
    vector = np.random.default_rng(int.from_bytes(digest[:8], "big")).standard_normal(DIMS)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass
class ColourEngine:
    """A face is a colour: those of one red are one person, green and blue make the photographs of a person differ."""

    pack_id: str = "colour@1"
    blind_to: tuple[int, int, int] | None = None
    dims: int = DIMS
    looked: int = 0

    def enrolment_face(self, picture):
        self.looked += 1
        blue, green, red = (int(v) for v in picture[0, 0])
        if (red, green, blue) in {BLACK, self.blind_to}:
            raise NoFace("photo")
        if (red, green, blue) == WHITE:
            raise SeveralFaces("photo", count=2)
        return Face(
            box_xyxy_px=np.zeros(4, np.float32),
            landmarks_px=np.zeros((5, 2), np.float32),
            quality=Quality(
                score=0.9,
                eye_distance_px=30,
                sharpness=100,
                yaw_deg=0,
                pitch_deg=0,
                roll_deg=0,
                inside=1,
                detector_score=0.9,
                problems=("blurred",) if (red, green, blue) == GREY else (),
            ),
            embedding=self.embedding((red, green, blue)),
            pack=self.pack_id,
        )

    def embedding(self, colour):
        red, green, blue = colour
        vector = direction(self.pack_id, red) + 0.3 * direction(self.pack_id, red, green, blue)
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    def probe(self, colour, purpose="watchlist"):
        return Probe(purpose=purpose, embedding=self.embedding(colour), pack=self.pack_id, quality=0.9)


class Agreed:
    """Patients who agreed to these uses; `lasts` says how often the answer is yes before they withdraw."""

    def __init__(self):
        self.uses = {"face_check", "face_leave_out"}
        self.lasts = None

    def standing(self, patient_id, use):
        if self.lasts is not None:
            self.lasts -= 1
        withdrawn = self.lasts is not None and self.lasts < 0
        return None if withdrawn or use not in self.uses else f"co_{patient_id}"


def setup_for(db, folder, *engines, purpose="watchlist", lists=("own", "police"), threshold=0.7, vault=VAULT):
    """A gallery that works with the first engine, with a threshold for each list and pack."""
    engines = engines or (ColourEngine(),)
    setup = GallerySetup(
        db=db, keys=KeyFolder(folder, vault, purpose), engines={engine.pack_id: engine for engine in engines}
    )
    begin(setup, pack=engines[0].pack_id, now_us=NOW_US)
    for engine in engines:
        for list_id in lists:
            set_threshold(
                setup,
                list_id=list_id,
                pack=engine.pack_id,
                similarity_cos=threshold,
                derived_from={"false_alarms_a_day": 1},
                now_us=NOW_US,
            )
    return setup
