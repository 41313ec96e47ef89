"""Match passages: each shot goes to its passage, and each passage is held against the watchlist as it grows.

The list is asked after every shot, so that an alarm waits for no later one. What is found is gathered for
keep_captures.py; a passage that closes without a match may count as near a list's threshold, and then its faces are
overwritten.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shouhao.faces.model import Hit, PackMixed, Probe
from shouhao.faces.passages import probe_of
from shouhao.flows.keep_captures import Gathered, Owned, ToRaise
from shouhao.flows.look_at_captures import Looked, LookedAt, Seen
from shouhao.watch.passages import Passage, PassageRules, Passages, PassageShot
from shouhao.watch.spool_format import Place

HITS_MOST = 3  #: people whom one passage may be raised as
_SHADOW_MOST = 16  #: people near a threshold who are looked at to count their lists


class SearchesWatchlist(Protocol):
    """The gallery, as far as this needs it."""

    def search(self, probe: Probe, *, most: int = 10) -> list[Hit]:
        """Who is as alike as their list asks for."""
        ...

    def nearest(self, probe: Probe, *, most: int = 1) -> list[Hit]:
        """Who is most alike."""
        ...

    def refresh(self) -> None:
        """Bring it in line with the database."""
        ...


class PassageMatcher:
    """The open passages of all cameras, and what they are held against."""

    def __init__(self, rules: PassageRules) -> None:
        self.passages = Passages(rules)
        self.bands_cos: Mapping[str, float] = {}  #: by list, how far below its threshold passages are counted
        self.swept_to_us = 0  #: what was over by then is closed
        self.gallery: SearchesWatchlist | None = None  #: none: nobody is found

    def starts(self) -> dict[str, Place]:
        """By writer, the first place from which an open passage has a shot."""
        first: dict[str, Place] = {}
        for passage in self.passages:
            _keep_first(first, passage.owned.starts)
        return first

    def take(self, looked: LookedAt, into: Gathered) -> None:
        """Put shots into passages, and hold these against the list."""
        into.troubles += [trouble for _, trouble in looked.troubles]
        for item, camera in looked.repeated:
            if item.arrival is not None:
                into.counts(camera.id, item.arrival.arrived_at_us).repeated += 1
        for one in looked.shots:
            self.sweep(one.arrived_at_us, into)
            self.passages.know(one.camera.id, one.key, now_us=one.arrived_at_us)
            counts = into.counts(one.camera.id, one.arrived_at_us)
            counts.late += one.late
            if one.shot is None:
                counts.faceless += 1
                continue
            counts.shots += 1
            counts.passages += self._add(one, one.shot, into)

    def _add(self, one: Looked, shot: PassageShot, into: Gathered) -> int:
        """Add a shot to its passage and ask the list about it; how many passages there are more."""
        added = self.passages.add(one.camera.id, shot)
        passage = added.passage
        if passage.owned is None:
            passage.owned = Owned()
        owned: Owned = passage.owned
        for joined in added.joined:
            _keep_first(owned.starts, joined.owned.starts)
        owned.starts.setdefault(one.item.writer, one.item.start)
        for other in passage.shots[1:]:
            other.what.drop_pictures()
        best: Seen = passage.best.what
        probe = probe_of([other.what.face for other in passage.shots], "watchlist")
        for hit in self._search(probe):
            passage.matched[hit.subject_id] = max(hit.similarity_cos, passage.matched.get(hit.subject_id, -1.0))
            if hit.subject_id not in owned.names:
                name = passage.id if not owned.names else f"{passage.id}.{len(owned.names)}"
                owned.names[hit.subject_id] = name
            into.raises[passage.id, hit.subject_id] = ToRaise(
                passage=passage,
                owned=owned,
                camera=one.camera,
                hit=hit,
                pack=probe.pack,
                frames=probe.frames,
                quality=probe.quality,
                shot_key=passage.best.key,
                crop=best.crop,
                scene=best.scene,
                seen_at_us=passage.best.at_us,
                arrived_at_us=one.arrived_at_us,
                late=passage.late,
            )
        return int(added.is_new)

    def _search(self, probe: Probe) -> list[Hit]:
        if self.gallery is None:
            return []
        try:
            return self.gallery.search(probe, most=HITS_MOST)
        except PackMixed:
            return []  # nobody is enrolled with this model yet

    def sweep(self, to_us: int, into: Gathered) -> None:
        """Close the passages that are over by then."""
        self.swept_to_us = max(self.swept_to_us, to_us)
        self._over(self.passages.close(now_us=to_us), into)

    def end_all(self, into: Gathered) -> None:
        """Close all, as when another model takes over: what one saw cannot be compared with what the other sees."""
        self._over(self.passages.close_all(), into)

    def drop_all(self) -> None:
        """Forget all as if nothing had been here."""
        for passage in self.passages.close_all():
            wipe(passage)
        self.passages.forget()

    def _over(self, passages: Sequence[Passage], into: Gathered) -> None:
        for passage in passages:
            if not passage.matched:
                self._count_near(passage, into)
            into.closed.append(passage)

    def _count_near(self, passage: Passage, into: Gathered) -> None:
        """Count the lists whose threshold it nearly reached; of whom it was near, nothing is kept."""
        if self.gallery is None or not any(self.bands_cos.values()):
            return
        probe = probe_of([shot.what.face for shot in passage.shots], "watchlist")
        try:
            hits = self.gallery.nearest(probe, most=_SHADOW_MOST)
        except PackMixed:
            return
        for list_id in {hit.list_id for hit in hits}:
            hit = max((hit for hit in hits if hit.list_id == list_id), key=lambda one: one.similarity_cos)
            if 0 < hit.threshold_cos - hit.similarity_cos <= self.bands_cos.get(list_id, 0.0):
                into.near(list_id, passage.camera_id, passage.last_arrived_us)


def _keep_first(first: dict[str, Place], more: Mapping[str, Place]) -> None:
    for writer, place in more.items():
        first[writer] = min(place, first.get(writer, place))


def wipe(passage: Passage) -> None:
    """Overwrite the vectors and let go of the pictures, which Python cannot overwrite."""
    for shot in passage.shots:
        if shot.vector.flags.writeable:
            shot.vector.fill(0)
        shot.what.drop_pictures()
    passage.shots.clear()
