"""The watch's values: what arrives from a camera, one face in it, and a person of the list who was seen.

They are what its parts hand on, in this order: a receiver makes an `Arrival` and the spool keeps it; a reader of its
protocol takes `Shot`s out of it; the shots of one passage are fused and held against the list; a match is a `Sighting`,
from which an alarm is raised. Cameras stand in cameras.py, the list in watchlist.py, alarms in alarm.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

#: How a capture came: pushed by a camera (gat1400, isapi), told by one (onvif), or taken from pictures (shots: best
#: shots that our own process cut out of a stream or a file).
Source = Literal["gat1400", "isapi", "onvif", "shots"]

#: entrance: doors of buildings; window: registration; clinic_door: before a consulting room.
ZoneKind = Literal["entrance", "window", "pharmacy", "clinic_door", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What one camera sent at once, as it came: nothing in it has been believed yet."""

    source: Source
    device_id: str  #: as the device names itself; proven where its protocol proves it, see `proven`
    proven: bool  #: the device showed that it knows its password
    path: str = ""  #: of the request, without a query
    content_type: str = ""
    body: bytes
    arrived_at_us: int  #: by our clock


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shot:
    """One face in one picture of one camera, before it is looked at."""

    ref: str  #: the device's own id of it; the same ref from the same camera is the same shot
    shot_at_us: int | None  #: by the device's clock, which may be wrong; None: it did not say, or not so that it can be
    crop: bytes | None  #: picture of the face, encoded as it came
    scene: bytes | None  #: picture of the place
    box_xyxy_px: tuple[float, float, float, float] | None = None  #: of the face in the scene
    track: str | None = None  #: the device's own id of the passage, where it has one
    quality: float | None = None  #: 0 to 1, by the device; a hint
    said: Mapping[str, str | float] = field(
        default_factory=dict
    )  #: hints of the device (its own match), never believed


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUnderstood:
    """A part of an arrival that could not be read."""

    where: str  #: e.g. FaceListObject.FaceObject[3].SubImageList
    why_zh: str
    why_en: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What a reader found in an arrival: the good part is kept, the rest is named."""

    shots: Sequence[Shot] = ()
    not_understood: Sequence[NotUnderstood] = ()


class Reader(Protocol):
    """Takes shots out of arrivals of its protocol. Pure; never raises for what a camera sent."""

    def __call__(self, arrival: Arrival) -> Reading:
        """The shots, in the order in which they stand."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Somebody of the watchlist, seen by one camera in one passage: what an alarm is raised from, never proof.

    A later sighting of the same passage has the same `passage_id`, and more frames.
    """

    passage_id: str
    camera_id: str
    place_id: str  #: where the camera hangs: one alarm per person and place
    entry_id: str  #: of the watchlist
    list_id: str
    photo_id: str  #: the most alike of the entry's photographs
    seen_at_us: int  #: of the best shot, by the device's clock corrected by its measured offset
    arrived_at_us: int  #: of the shot that completed the match
    similarity_cos: float
    threshold_cos: float
    quality: float  #: of the best shot, 0 to 1
    frames: int  #: fused
    pack: str  #: model of the embeddings
    crop_id: str | None  #: still of the best shot, frozen with its SHA-256
    scene_id: str | None  #: still of the scene
    late: bool = False  #: it arrived so late that nobody is there any more
