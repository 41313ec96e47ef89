"""Search run: a search of recordings under way, from its first file to its last.

Pictures are read, faces followed and each passage compared as a whole; all that is found is in memory until the end,
and then written at once or not at all. Who may search, and for whom, is decided in search_recordings.py.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from shouhao.faces.enrolment import GallerySetup
from shouhao.faces.images import read_picture
from shouhao.faces.model import Face, Pixels, Probe, Purpose
from shouhao.faces.passages import FRAMES_AT_MOST, probe_of
from shouhao.faces.photographs import main_face
from shouhao.flows.watch_stream import FindsInFrames, StreamWatch
from shouhao.kernel.clock import Clock
from shouhao.kernel.errors import Refused
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.watch.shots import WrittenShot
from shouhao.watch.store import recordings as store
from shouhao.watch.store.stills import StillFolder, freeze
from shouhao.watch.video import Began, Frame, Span, VideoBroken

HITS_AT_MOST = 500
PURPOSE: Purpose = "watchlist"
_ONE_SHARE = 0.5  #: of the threshold: likeness from which two shots of one track show one person
_OVER_S = 90.0  #: after its last shot, a passage has no other


class Recording(Protocol):
    """One file, opened; see protocols/video_files.py."""

    began: Began | None  #: once that is read
    duration_s: float
    position_s: float
    corrupt: int

    def frames(self) -> Iterator[Frame]:
        """Its pictures, and then `VideoBroken`."""
        ...

    def close(self) -> None:
        """Stop at the next picture."""
        ...


class Embeds(Protocol):
    """An engine, as far as this needs it."""

    pack_id: str

    def faces(self, pictures: Sequence[Pixels]) -> list[list[Face]]:
        """The faces of each picture."""
        ...

    def probe(self, pictures: Pixels | Sequence[Pixels], purpose: Purpose) -> Probe:
        """What one photograph asks about."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDesk:
    """What searching works with."""

    db: Database
    clock: Clock
    stills: StillFolder
    gallery: GallerySetup  #: of the watchlist
    engine: Embeds
    frames: FindsInFrames
    open_recording: Callable[[Path, int | None, Span], Recording]  #: file, when it began if that is given, span


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is searched for, in what: this is what somebody agrees to."""

    photo: bytes | None = field(default=None, repr=False)
    entry_id: str | None = None
    recordings: tuple[Path, ...]
    began_us: int | None = None  #: of the first recording, where its name and its own clock do not tell
    camera_id: str | None = None
    span: Span
    threshold_cos: float | None = None  #: None: that of the entry's list, or the strictest of all lists

    @property
    def subject(self) -> str:
        """As the approval names it."""
        if self.entry_id is not None:
            return f"entry:{self.entry_id}"
        return f"photo:{hashlib.sha256(self.photo or b'').hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a search is."""

    file: int  #: from 1
    files: int
    position_s: float
    duration_s: float
    faces: int
    hits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to."""

    search_id: str
    state: store.SearchState
    files: tuple[store.SearchedFile, ...]
    hits: tuple[store.RecordedHit, ...]
    searched_s: float
    pictures: int
    faces: int

    @property
    def whole(self) -> bool:
        """Every file could be read to its end."""
        return all(one.stopped in {"ended", "outside"} for one in self.files)


class TooManyHits(Refused):
    """So many hits are no leads."""

    code = "watch.search_too_many_hits"
    zh = "命中超过 {most} 条，说明阈值过低：未保存任何结果，请以更高阈值重新申请"
    en = "More than {most} hits: the threshold is too low. Nothing was kept; ask again with a higher one"


@dataclass(slots=True, kw_only=True, eq=False)
class _Seen:
    """The shots of one passage so far, the best first."""

    faces: list[tuple[Face, WrittenShot]] = field(default_factory=list)
    best: WrittenShot | None = None  #: of those that are alike
    frames: int = 0  #: that are
    position_s: float = 0.0
    similarity_cos: float = -1.0


@dataclass(slots=True, kw_only=True, eq=False)
class _Hit:
    """A hit that is not written yet."""

    file_number: int
    seen: _Seen


class _Stopped(Exception):  # noqa: N818 - no error: somebody changed their mind
    """The search was broken off."""


@dataclass(slots=True, kw_only=True, eq=False)
class SearchRun:
    """One search under way. All that it finds is in memory until its end."""

    desk: SearchDesk
    wanted: Wanted
    search: store.Search
    vectors: NDArray[np.float32]  #: (n, dims) of the face that is searched for
    place_id: str | None
    pictures: int = 0
    faces: int = 0
    searched_s: float = 0.0
    hits: list[_Hit] = field(default_factory=list)
    files: list[store.SearchedFile] = field(default_factory=list)

    def to_its_end(self, on_progress: Callable[[Progress], None], stopped: Callable[[], bool]) -> Found:
        """Read all files, and write what was found."""
        try:
            for number, path in enumerate(self.wanted.recordings, 1):
                self._read(number, path, on_progress, stopped)
        except _Stopped:
            self._over("aborted")
            return self._found("aborted", ())
        except BaseException:
            self._over("failed")
            raise
        finally:
            self.vectors.fill(0)
        kept = self._keep()
        return self._found("done", kept)

    def _read(
        self, number: int, path: Path, on_progress: Callable[[Progress], None], stopped: Callable[[], bool]
    ) -> None:
        recording = self.desk.open_recording(path, self.wanted.began_us if number == 1 else None, self.wanted.span)
        watch = StreamWatch(f"file{number}", self.desk.frames, run=self.search.id)
        passages: dict[str, _Seen] = {}
        broken = VideoBroken("ended")
        try:
            for frame in recording.frames():
                if stopped():
                    raise _Stopped
                self.pictures += 1
                self._compare(watch.look(frame), frame.position_s, passages)
                self._leave(number, passages, older_than_s=frame.position_s - _OVER_S)
                on_progress(self._progress(number, recording))
        except VideoBroken as why:
            broken = why
        finally:
            recording.close()
        self._compare(watch.end(), recording.position_s, passages)
        self._leave(number, passages, older_than_s=float("inf"))
        self.searched_s += recording.position_s
        self.files.append(_searched(number, path, recording, broken))

    def _compare(self, shots: Sequence[WrittenShot], position_s: float, passages: dict[str, _Seen]) -> None:
        """Hold new shots against the face, each passage by all its shots together."""
        if not shots:
            return
        pictures = [read_picture(shot.crop) for shot in shots]
        for shot, picture, found in zip(shots, pictures, self.desk.engine.faces(pictures), strict=True):
            face = main_face(found, width=picture.shape[1], height=picture.shape[0])
            picture.fill(0)
            if face is None:
                continue
            self.faces += 1
            seen = passages.setdefault(shot.track, _Seen())
            ranked = sorted([*seen.faces, (face, shot)], key=lambda one: -one[0].quality.score)
            seen.faces, seen.position_s = ranked[:FRAMES_AT_MOST], position_s
            self._judge(seen)

    def _judge(self, seen: _Seen) -> None:
        """How like a passage is. Two people whom a track took for one are told apart: neither hides the other."""
        seen.similarity_cos = -1.0
        for group in _alike([face for face, _ in seen.faces], at_least_cos=_ONE_SHARE * self.search.threshold_cos):
            fused = probe_of([seen.faces[n][0] for n in group], PURPOSE).embedding
            similarity_cos = float((self.vectors @ fused).max())
            fused.fill(0)
            if similarity_cos > seen.similarity_cos:
                seen.similarity_cos, seen.best, seen.frames = similarity_cos, seen.faces[group[0]][1], len(group)

    def _leave(self, number: int, passages: dict[str, _Seen], *, older_than_s: float) -> None:
        """Let go of passages that are over; those that are alike enough are hits."""
        for track in [track for track, seen in passages.items() if seen.position_s < older_than_s]:
            seen = passages.pop(track)
            for face, _ in seen.faces:
                face.embedding.fill(0)
            seen.faces.clear()
            if seen.similarity_cos >= self.search.threshold_cos and seen.best is not None:
                self.hits.append(_Hit(file_number=number, seen=seen))
                if len(self.hits) > HITS_AT_MOST:
                    raise TooManyHits(most=HITS_AT_MOST)

    def _keep(self) -> tuple[store.RecordedHit, ...]:
        """Freeze and write all hits, in one unit of work."""
        now_us = self.desk.clock.now_us()
        with self.desk.db.write() as connection:
            kept = tuple(self._frozen(connection, hit, now_us=now_us) for hit in self.hits)
            store.add_found(connection, self.search.id, self.files, kept)
            self._end(connection, "done", now_us=now_us)
        return kept

    def _frozen(self, connection: Connection, hit: _Hit, *, now_us: int) -> store.RecordedHit:
        shot = hit.seen.best
        if shot is None:
            raise ValueError("a hit has a shot")
        camera_id = self.wanted.camera_id
        crop_id, scene_id = (
            freeze(
                connection,
                self.desk.stills,
                data,
                kind="crop" if data is shot.crop else "scene",
                camera_id=camera_id,
                taken_at_us=shot.at_us,
                now_us=now_us,
            )
            for data in (shot.crop, shot.scene or b"")
        )
        return store.RecordedHit(
            id=new_id("rh"),
            file_number=hit.file_number,
            position_s=round(hit.seen.position_s, 3),
            seen_at_us=shot.at_us,
            camera_id=camera_id,
            place_id=self.place_id,
            similarity_cos=round(hit.seen.similarity_cos, 6),
            threshold_cos=self.search.threshold_cos,
            quality=shot.quality,
            frames=hit.seen.frames,
            crop_id=crop_id,
            scene_id=scene_id,
        )

    def _over(self, state: store.SearchState) -> None:
        """Write down that it is over without a result; what it had found is let go of."""
        self.hits.clear()
        with self.desk.db.write() as connection:
            self._end(connection, state, now_us=self.desk.clock.now_us())

    def _end(self, connection: Connection, state: store.SearchState, *, now_us: int) -> None:
        store.end_search(
            connection,
            self.search.id,
            state=state,
            now_us=now_us,
            searched_s=round(self.searched_s, 3),
            pictures=self.pictures,
            faces=self.faces,
        )
        tell(connection, self.search, state, now_us=now_us, hits=len(self.hits), files=len(self.files))

    def _progress(self, number: int, recording: Recording) -> Progress:
        return Progress(
            file=number,
            files=len(self.wanted.recordings),
            position_s=recording.position_s,
            duration_s=recording.duration_s,
            faces=self.faces,
            hits=len(self.hits),
        )

    def _found(self, state: store.SearchState, hits: tuple[store.RecordedHit, ...]) -> Found:
        return Found(
            search_id=self.search.id,
            state=state,
            files=tuple(self.files) if state == "done" else (),
            hits=hits,
            searched_s=self.searched_s,
            pictures=self.pictures,
            faces=self.faces,
        )


def _alike(faces: Sequence[Face], *, at_least_cos: float) -> list[list[int]]:
    """Groups of faces that are as like as this to the first of their group, by place; the best first."""
    groups: list[list[int]] = []
    for n, face in enumerate(faces):
        for group in groups:
            if float(faces[group[0]].embedding @ face.embedding) >= at_least_cos:
                group.append(n)
                break
        else:
            groups.append([n])
    return groups


def _searched(number: int, path: Path, recording: Recording, broken: VideoBroken) -> store.SearchedFile:
    began = recording.began
    return store.SearchedFile(
        number=number,
        name=path.name,
        sha256=_sha256_of(path),
        size_bytes=path.stat().st_size if path.is_file() else 0,
        began_at_us=None if began is None else began.at_us,
        began_known_from=None if began is None else began.known_from,
        duration_s=round(recording.duration_s, 3),
        stopped=broken.why,
        position_s=round(recording.position_s, 3),
        byte=broken.byte,
        corrupt=recording.corrupt,
    )


def _sha256_of(path: Path) -> str | None:
    """Of the file as it lies there, so that it is known which recording was searched."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def tell(connection: Connection, search: store.Search, act: str, *, now_us: int, **more: int) -> None:
    """The event of one step of a search."""
    detail = {"search_id": search.id, "act": act, "approval_id": search.approval_id, "look_id": search.look_id, **more}
    event = Event(at_us=now_us, kind="recording_searched", staff_id=search.operator_id, detail=detail)
    event_log.append(connection, [event])
