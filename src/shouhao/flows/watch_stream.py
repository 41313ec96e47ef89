"""Watch a stream: from the pictures of one camera to the best shots of who passed it.

Faces are found, followed, judged and cut out; nobody is recognised here, and nothing is written. A picture leaves this
file only as a shot that was chosen, and all others are gone with the next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from shouhao.faces.model import Detection, Pixels, Quality
from shouhao.faces.quality import CAPTURE, problems_of
from shouhao.watch.best_shots import BestShots, Candidate, Chosen, ShotRules
from shouhao.watch.shots import WrittenShot
from shouhao.watch.tracks import Tracker, TrackRules
from shouhao.watch.video import Frame

_MARGIN = 0.6  #: of the face's longer side, around it: a detector needs hair and chin to find it again
_CROP_QUALITY, _SCENE_QUALITY = 92, 80  #: of JPEG
_SCENE_PX = 1280  #: longer side


class FindsInFrames(Protocol):
    """A detector of frames, as far as this needs it."""

    def find(self, picture: Pixels) -> Detection:
        """The faces of a picture."""
        ...

    def look(self, picture: Pixels, found: Detection, faces: Sequence[int]) -> list[Quality]:
        """How good some of them are."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cut:
    """What is kept of a picture for one face in it."""

    crop: bytes  #: JPEG
    scene: "LazyScene"
    box_xyxy_px: tuple[float, float, float, float]  #: in the scene as it is encoded


@dataclass(slots=True, eq=False)
class LazyScene:
    """The picture of the place: encoded once for all faces in it, and small enough to be held."""

    pixels: Pixels | None
    jpeg: bytes | None = None
    scale: float = field(init=False)

    def __post_init__(self) -> None:
        height, width = (0, 0) if self.pixels is None else self.pixels.shape[:2]
        self.scale = min(1.0, _SCENE_PX / max(height, width, 1))

    def encoded(self) -> bytes:
        """JPEG; the pixels are let go of."""
        if self.jpeg is None and self.pixels is not None:
            small = self.pixels
            if self.scale < 1:
                size = (round(small.shape[1] * self.scale), round(small.shape[0] * self.scale))
                small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA), np.uint8)
            self.jpeg, self.pixels = _jpeg(small, _SCENE_QUALITY), None
        return self.jpeg or b""


class StreamWatch:
    """One camera's tracks and best shots."""

    def __init__(
        self,
        camera_id: str,
        faces: FindsInFrames,
        *,
        run: str,
        tracks: TrackRules | None = None,
        shots: ShotRules | None = None,
    ) -> None:
        """Begin with nobody.

        Args:
            run: names this run of the process, for the refs of its shots.
        """
        self._faces, self._prefix = faces, f"{camera_id}-{run}"
        self._tracker, self._best = Tracker(tracks), BestShots[Cut](self._prefix, shots)
        self.faces_seen = 0
        self.sent = 0

    def look(self, frame: Frame) -> list[WrittenShot]:
        """Take in one picture; the shots that are to be sent now."""
        found = self._faces.find(frame.pixels)
        self.faces_seen += len(found)
        tracked = self._tracker.update(found.boxes_xyxy_px.astype(np.float64), found.scores.tolist(), at_us=frame.at_us)
        worth = [
            n for n, track in enumerate(tracked.numbers) if track > 0 and not self._best.settled(track, frame.at_us)
        ]
        qualities = dict(zip(worth, self._faces.look(frame.pixels, found, worth), strict=True))
        scene = LazyScene(frame.pixels)
        chosen: list[Chosen[Cut]] = []
        for n, quality in qualities.items():
            chosen += self._take(tracked.numbers[n], found.boxes_xyxy_px[n], quality, frame, scene)
        for track in tracked.numbers:
            if track > 0:
                chosen += self._best.due(track, at_us=frame.at_us)
        for track in tracked.ended:
            chosen += self._best.end(track)
        scene.pixels = None
        return self._written(chosen)

    def end(self) -> list[WrittenShot]:
        """The stream broke: what is still held."""
        return self._written([one for track in self._tracker.end() for one in self._best.end(track)])

    def _take(
        self, track: int, box: NDArray[np.float32], quality: Quality, frame: Frame, scene: LazyScene
    ) -> list[Chosen[Cut]]:
        if problems_of(quality, CAPTURE) or not self._best.wants(track, quality=quality.score):
            return []
        scene.encoded()  # of each picture that anything is kept of; its pixels are six megabytes
        cut = Cut(
            crop=_jpeg(cut_around(frame.pixels, box), _CROP_QUALITY),
            scene=scene,
            box_xyxy_px=_four(box.astype(float) * scene.scale),
        )
        return self._best.take(track, Candidate(picture=cut, quality=quality.score, at_us=frame.at_us))

    def _written(self, chosen: Iterable[Chosen[Cut]]) -> list[WrittenShot]:
        written = []
        for one in chosen:
            self.sent += 1
            cut = one.shot.picture
            written.append(
                WrittenShot(
                    ref=f"{one.track}-{one.number}",
                    at_us=one.shot.at_us,
                    crop=cut.crop,
                    scene=cut.scene.encoded(),
                    box_xyxy_px=cut.box_xyxy_px,
                    track=one.track,
                    quality=round(min(1.0, max(0.0, one.shot.quality)), 4),
                )
            )
        return written


def cut_around(picture: Pixels, box: NDArray[np.float32]) -> Pixels:
    """The part of a picture around a face, as far as the picture reaches."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box.astype(float)
    margin = _MARGIN * max(right - left, bottom - top)
    x0, x1 = (round(min(max(x, 0), width)) for x in (left - margin, right + margin))
    y0, y1 = (round(min(max(y, 0), height)) for y in (top - margin, bottom + margin))
    return picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def _four(box: NDArray[np.float64]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (round(float(side), 1) for side in box)
    return left, top, right, bottom


def _jpeg(pixels: Pixels, quality: int) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
