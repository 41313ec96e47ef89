"""Keep captures: what came of the arrivals is written in one unit of work, with how far they were read.

Only here does anything of a capture reach the disk: pictures of people whom the list named, their sightings and
alarms; counts without faces; and what was not understood. An entry that is not live raises nothing and freezes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from shouhao.faces.model import Hit
from shouhao.kernel.clock import day_of
from shouhao.watch.cameras import Camera
from shouhao.watch.model import Sighting
from shouhao.watch.passages import Passage
from shouhao.watch.spool_format import Place
from shouhao.watch.spool_reader import Position
from shouhao.watch.store import captures
from shouhao.watch.store.alarms import raise_or_extend
from shouhao.watch.store.captures import Counts, Trouble
from shouhao.watch.store.stills import StillFolder, StillKind, freeze
from shouhao.watch.store.watchlist import is_live

_PICTURES: tuple[StillKind, ...] = ("crop", "scene")


@dataclass(slots=True, kw_only=True, eq=False)
class Owned:
    """What the worker knows of an open passage."""

    starts: dict[str, Place] = field(default_factory=dict)  #: by writer, where its first shot stands
    names: dict[str, str] = field(default_factory=dict)  #: by entry, the id of its sighting
    frozen: tuple[bytes, str | None, str | None] | None = None  #: shot, stills of face and place


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ToRaise:
    """A passage that is like somebody on the list, as it stood when that was found."""

    passage: Passage
    owned: Owned
    camera: Camera
    hit: Hit
    pack: str
    frames: int
    quality: float
    shot_key: bytes  #: of the best shot
    crop: bytes | None
    scene: bytes | None
    seen_at_us: int
    arrived_at_us: int
    late: bool


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What has to be written."""

    raises: dict[tuple[str, str], ToRaise] = field(default_factory=dict)  #: by passage and entry
    traffic: dict[tuple[str, str], Counts] = field(default_factory=dict)  #: by camera and day
    shadow: dict[tuple[str, str, str], int] = field(default_factory=dict)  #: by list, camera and day
    troubles: list[Trouble] = field(default_factory=list)
    closed: list[Passage] = field(default_factory=list)  #: to be told of and forgotten when all is written

    def counts(self, camera_id: str, at_us: int) -> Counts:
        """The counts of a camera on the day of this instant."""
        return self.traffic.setdefault((camera_id, day_of(at_us).isoformat()), Counts())

    def near(self, list_id: str, camera_id: str, at_us: int) -> None:
        """Count a passage that came close to a list's threshold."""
        key = (list_id, camera_id, day_of(at_us).isoformat())
        self.shadow[key] = self.shadow.get(key, 0) + 1


@dataclass(slots=True, kw_only=True)
class Kept:
    """What is true once the unit of work has ended."""

    alarms: list[tuple[str, bool]] = field(default_factory=list)  #: id, and whether it is new
    frozen: dict[int, tuple[Owned, tuple[bytes, str | None, str | None]]] = field(default_factory=dict)
    not_live: list[tuple[Passage, str]] = field(default_factory=list)  #: with the entry that may not alarm any more

    def settle(self) -> None:
        """Tell the passages."""
        for owned, stills in self.frozen.values():
            owned.frozen = stills
        for passage, entry_id in self.not_live:
            passage.matched.pop(entry_id, None)


def keep(
    connection: Connection,
    gathered: Gathered,
    stills: StillFolder,
    *,
    reached: Mapping[str, Position],
    swept_to_us: int,
    now_us: int,
) -> Kept:
    """Write all of it; nothing in memory changes before the unit of work has ended."""
    kept = Kept()
    for one in gathered.raises.values():
        if not is_live(connection, one.hit.subject_id, now_us=now_us):
            kept.not_live.append((one.passage, one.hit.subject_id))
            continue
        crop_id, scene_id = _stills_of(connection, stills, one, kept, now_us=now_us)
        raised = raise_or_extend(connection, _sighting(one, crop_id, scene_id), now_us=now_us)
        kept.alarms.append((raised.alarm_id, raised.new))
    captures.count_traffic(connection, gathered.traffic)
    captures.count_shadow(connection, gathered.shadow)
    captures.note_troubles(connection, gathered.troubles, now_us=now_us)
    captures.put_positions(connection, reached, swept_to_us=swept_to_us)
    return kept


def _stills_of(
    connection: Connection, stills: StillFolder, one: ToRaise, kept: Kept, *, now_us: int
) -> tuple[str | None, str | None]:
    """The frozen pictures of the best shot: those that are there already, or new ones."""
    _, known = kept.frozen.get(id(one.owned), (one.owned, one.owned.frozen))
    if known is None or known[0] != one.shot_key:
        ids = [_freeze(connection, stills, one, kind, now_us=now_us) for kind in _PICTURES]
        known = (one.shot_key, ids[0], ids[1])
        kept.frozen[id(one.owned)] = (one.owned, known)
    return known[1], known[2]


def _freeze(connection: Connection, stills: StillFolder, one: ToRaise, kind: StillKind, *, now_us: int) -> str | None:
    data = one.crop if kind == "crop" else one.scene
    if data is None:
        return None
    return freeze(
        connection, stills, data, kind=kind, camera_id=one.camera.id, taken_at_us=one.seen_at_us, now_us=now_us
    )


def _sighting(one: ToRaise, crop_id: str | None, scene_id: str | None) -> Sighting:
    return Sighting(
        passage_id=one.owned.names[one.hit.subject_id],
        camera_id=one.camera.id,
        place_id=one.camera.place_id,
        entry_id=one.hit.subject_id,
        list_id=one.hit.list_id,
        photo_id=one.hit.photo_id,
        seen_at_us=one.seen_at_us,
        arrived_at_us=one.arrived_at_us,
        similarity_cos=one.hit.similarity_cos,
        threshold_cos=one.hit.threshold_cos,
        quality=one.quality,
        frames=one.frames,
        pack=one.pack,
        crop_id=crop_id,
        scene_id=scene_id,
        late=one.late,
    )
