"""A hospital that watches, for tests of the capture worker: cameras, a list, a spool, and pictures that are colours.

Where a test takes `ColourEngine`, a face is the colour of a picture and nothing in it is a real face; where it takes
models and photographs, everything is the real thing.
"""

import io
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np
from PIL import Image

from faces.enrolling import BLACK, VAULT, ColourEngine, photo, setup_for
from shouhao.faces.model import NoFace, SeveralFaces
from shouhao.faces.watchlist_gallery import WatchlistGallery
from shouhao.flows.capture import CaptureParts, CaptureSettings, CaptureWorker, OpenedList
from shouhao.kernel.clock import DAY_US, ManualClock
from shouhao.watch.model import Arrival
from shouhao.watch.shots import WrittenShot, arrival_of, read_shots
from shouhao.watch.spool import Spool, SpoolLimits
from shouhao.watch.store.lists import ListTerms, add_list
from shouhao.watch.store.stills import StillFolder
from shouhao.watch.store.watchlist import NewEntry, add_entry
from shouhao.watch.watchlist import Entry
from watch.watched import furnish_floor

NOW_US = 1_800_000_000_000_000
DOOR, HALL = "31010100001190000000", "31010100001190000001"
TERMS = ListTerms(name="list", ground="test", false_alarms_a_day=1.0, shadow_band_cos=0.3)
LISTED, OTHER_LISTED, STRANGER, SECOND_STRANGER = (10, 0, 0), (20, 0, 0), (200, 0, 0), (210, 0, 0)


class Looks(ColourEngine):
    """Finds the colour of a picture as its face; a black picture has none."""

    broken = False

    def faces(self, pictures, *, in_turns=False):  # noqa: ARG002 - as an engine's
        if self.broken:
            raise RuntimeError("the net is gone")
        found = []
        for picture in pictures:
            try:
                face = self.enrolment_face(picture)
            except (NoFace, SeveralFaces):
                found.append([])
                continue
            height, width = picture.shape[:2]
            middle = np.array([width / 4, height / 4, width * 3 / 4, height * 3 / 4], np.float32)
            found.append([replace(face, box_xyxy_px=middle)])
        return found


def entry(entry_id, *, list_id="own", state="approved", expires_at_us=NOW_US + 100 * DAY_US):
    return Entry(
        id=entry_id,
        list_id=list_id,
        state=state,
        source="own",
        ground_code="resale",
        proposed_by="op_1",
        proposed_at_us=NOW_US,
        approvers=("op_2", "op_3"),
        listed_at_us=NOW_US,
        review_at_us=None,
        expires_at_us=expires_at_us,
        ended_at_us=None,
        ended_why=None,
        appeal="none",
        issuer_id=None,
        foreign_id=None,
        foreign_digest=None,
        bundle_id=None,
        replaces=None,
    )


def list_entry(connection, one):
    """An approved entry, without the person that would be sealed in it."""
    new = NewEntry(
        entry=one,
        sealed_person=b"-",
        sealed_ground=b"-",
        name_hash="-",
        document_hash=None,
        photos=(),
        documents=(),
        approval_id="ap_1",
    )
    add_entry(connection, new, staff_id="op_1", sealed_reason=None)


@dataclass
class Switch:
    """The law's switch, set by hand."""

    on: bool = True

    def __call__(self, _connection, _now_us):
        return self.on


@dataclass
class Watching:
    """Everything that a worker stands between."""

    db: Any
    folder: Any
    engine: Any = field(default_factory=Looks)
    switch: Switch = field(default_factory=Switch)
    unmatched: Any = None
    threshold: float = 0.7
    clock: Any = field(default_factory=lambda: ManualClock(NOW_US))
    readers: Any = field(default_factory=lambda: {"shots": read_shots})
    settings: CaptureSettings = field(default_factory=CaptureSettings)
    numbers: Any = field(default_factory=count)
    furnished: bool = False  #: by another process
    writer: str = "receiver"

    def __post_init__(self):
        if not self.furnished:
            with self.db.write() as connection:
                furnish_floor(connection, now_us=NOW_US)
                for list_id in ("own", "police"):
                    add_list(connection, list_id, TERMS, now_us=NOW_US, staff_id=None)
        self.setup = setup_for(self.db, self.folder / "face-keys", self.engine, threshold=self.threshold)
        self.gallery = WatchlistGallery(self.setup, lock_required=False, now_us=NOW_US)
        self.stills = StillFolder(
            folder=self.folder / "stills", keys_folder=self.folder / "still-keys", sealer=VAULT.sealer("stills")
        )
        self.spool = self.opened_spool(self.writer)
        self.worker = self.new_worker()

    def opened_spool(self, writer):
        return Spool(
            self.folder / "spool",
            writer,
            sealer=VAULT.sealer("spool"),
            now_us=self.clock.now_us,
            limits=SpoolLimits(free_bytes_min=0, segment_bytes=200_000),
        )

    def new_worker(self):
        parts = CaptureParts(
            db=self.db,
            clock=self.clock,
            spool_folder=self.folder / "spool",
            spool_sealer=VAULT.sealer("spool"),
            readers=self.readers,
            stills=self.stills,
            open_list=lambda: OpenedList(
                gallery=self.gallery,
                engines={self.engine.pack_id: self.engine},
                pack=self.engine.pack_id,
                close=lambda: None,
            ),
            is_on=self.switch,
            unmatched=self.unmatched,
        )
        return CaptureWorker(parts, self.settings)

    def close(self):
        self.worker.close()
        self.spool.close()
        self.gallery.close()

    def list_person(self, entry_id, picture, **changed):
        """Put somebody on the list with a photograph (a colour, or bytes)."""
        data = picture if isinstance(picture, bytes) else photo(picture)
        with self.db.write() as connection:
            list_entry(connection, entry(entry_id, **changed))
        self.gallery.enrol(
            subject_id=entry_id,
            list_id=changed.get("list_id", "own"),
            ground_id="g",
            photo=data,
            now_us=NOW_US,
            accepted=frozenset({"blurred", "small", "turned", "cut", "uncertain"}),
        )

    def shot(self, picture, *, ref=None, track="", scene=None, box=None, at_us=None, quality=0.5):
        data = picture if isinstance(picture, bytes) else photo(picture)
        return WrittenShot(
            ref=ref or f"ref {next(self.numbers)}",
            at_us=self.clock.now_us() if at_us is None else at_us,
            crop=data,
            scene=scene,
            box_xyxy_px=box,
            track=track,
            quality=quality,
        )

    def arrival(self, *shots, device=DOOR, arrived_at_us=None) -> Arrival:
        at_us = self.clock.now_us() if arrived_at_us is None else arrived_at_us
        return arrival_of(list(shots), device_id=device, arrived_at_us=at_us)

    def pushes(self, *pictures, device=DOOR, spool=None, **told):
        """One arrival a picture."""
        for picture in pictures:
            (spool or self.spool).append([self.arrival(self.shot(picture, **told), device=device)])

    def works(self):
        """Work off all that is there, and write it."""
        total = 0
        while did := self.worker.look():
            total += did
        self.clock.advance(seconds=1.5)
        return total + self.worker.look()

    def waits(self, seconds=30.0):
        """Time passes, and passages close."""
        self.clock.advance(seconds=seconds)
        self.worker.look()
        self.clock.advance(seconds=1.5)
        self.worker.look()


def scene(colour, *, size=400):
    """A black place with a coloured face in its middle; the colour's box comes with it."""
    picture = Image.new("RGB", (size, size), BLACK)
    third = size // 3
    picture.paste(colour, (third, third, 2 * third, 2 * third))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue(), (float(third), float(third), float(2 * third), float(2 * third))
