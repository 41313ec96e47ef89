"""The gallery of the watchlist (1:N): one passage against everybody on it, exactly.

Templates are opened from the database into locked memory, once for each pack at work: while a pack is being built, the
old index and the new one both answer, each to the probes of its own pack. Several processes may hold the gallery;
`refresh` brings in what the others changed.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import structlog
from numpy.typing import NDArray

from shouhao.faces import store
from shouhao.faces.enrolment import (
    Enrolled,
    GallerySetup,
    PackNotLive,
    enrol,
    erase,
    finish_erasures,
    open_template,
)
from shouhao.faces.locked import LockedMemory
from shouhao.faces.model import Hit, PackMixed, Probe, Purpose, PurposeMixed
from shouhao.faces.scan import Matches
from shouhao.faces.search import ExactIndex
from shouhao.kernel.errors import Unavailable
from shouhao.store.vault import Sealer

PURPOSE: Purpose = "watchlist"

_log = structlog.get_logger()
_AT_ONCE = 512  #: templates opened before they are handed to the index
_FLOAT_BYTES = 4
_MOST_LISTS = 1_024


@dataclass(frozen=True, slots=True)
class _Row:
    photo_id: str
    subject_id: str
    list_number: int


@dataclass(slots=True)
class _Memory:
    """What one pack's index holds."""

    index: ExactIndex
    rows: dict[int, _Row] = field(default_factory=dict)  #: by label
    labels: dict[str, int] = field(default_factory=dict)  #: by photo
    #: By list number, with room for lists to come: a search under way may meet the first person of a new list.
    thresholds_cos: NDArray[np.float64] = field(default_factory=lambda: np.full(_MOST_LISTS, np.inf))
    next_label: int = 0


class WatchlistGallery:
    """Everybody on the watchlist, in memory and searched as a whole. Safe to search from several threads."""

    def __init__(self, setup: GallerySetup, *, lock_required: bool, now_us: int) -> None:
        """Finish erasures that were cut short, and open every template.

        Args:
            lock_required: refuse to open where memory cannot be kept from the disk.
        Raises:
            PurposeMixed: the keys are those of another purpose.
            PackNotLive: the live pack has no engine here.
            Tampered: a template or a key was changed.
            Unavailable: memory cannot be locked and must be.
        """
        if setup.keys.purpose != PURPOSE:
            raise PurposeMixed(asked=setup.keys.purpose, gallery=PURPOSE)
        self._setup = setup
        self._lock_required = lock_required
        self._changing = threading.RLock()
        self._lists: list[str] = []
        self._memories: Mapping[str, _Memory] = {}
        finish_erasures(setup, now_us=now_us)
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Zero the templates and give the memory back."""
        with self._changing:
            memories, self._memories = self._memories, {}
            for memory in memories.values():
                memory.index.close()

    def search(self, probe: Probe, *, most: int = 10) -> list[Hit]:
        """The people whose list asks for no more likeness than this face has, the most alike first.

        Raises:
            PurposeMixed: the probe was taken for another purpose.
            PackMixed: no index of its pack is at work.
        """
        with self._memory_for(probe) as memory:
            (matches,) = memory.index.at_least(probe.embedding[np.newaxis], memory.thresholds_cos)
            return self._hits(memory, matches, most)

    def nearest(self, probe: Probe, *, most: int = 1) -> list[Hit]:
        """The people most like this face whatever their lists ask for, to count what lies below a threshold.

        Raises:
            PurposeMixed, PackMixed: as `search`.
        """
        wanted = most
        with self._memory_for(probe) as memory:
            while True:  # several photographs of one person may stand before the next person
                (matches,) = memory.index.nearest(probe.embedding[np.newaxis], wanted)
                hits = self._hits(memory, matches, most)
                if len(hits) == most or len(matches) < wanted:
                    return hits
                wanted *= 4

    def enrol(
        self,
        *,
        subject_id: str,
        list_id: str,
        ground_id: str,
        photo: bytes,
        now_us: int,
        accepted: frozenset[str] = frozenset(),
        staff_id: str | None = None,
    ) -> Enrolled:
        """Take in one photograph; it is searched from the moment this returns.

        Raises:
            PictureRefused, NoFace, SeveralFaces, PoorFace, BeingErased, OnAnotherList, NoThreshold: as
                `enrolment.enrol`.
        """
        enrolled = enrol(
            self._setup,
            subject_id=subject_id,
            list_id=list_id,
            ground_id=ground_id,
            photo=photo,
            now_us=now_us,
            accepted=accepted,
            staff_id=staff_id,
        )
        with self._changing:
            self._remember(enrolled, subject_id=subject_id, list_id=list_id)
        return enrolled

    def erase(self, subject_id: str, *, now_us: int, staff_id: str | None = None) -> None:
        """Erase a person from memory, database and keys; nobody finds them from the moment this begins.

        Raises:
            NotFound: nobody of this id is enrolled.
        """
        with self._changing:
            for memory in self._memories.values():
                self._forget(memory, {row.photo_id for row in memory.rows.values() if row.subject_id == subject_id})
            erase(self._setup, subject_id, now_us=now_us, staff_id=staff_id)

    def refresh(self) -> None:
        """Bring memory in line with the database: enrolments, erasures, packs and thresholds of other processes.

        Raises:
            PackNotLive, Tampered: as at opening.
        """
        with self._changing:
            with self._setup.db.read() as connection:
                at_work = {
                    use.pack: use
                    for use in store.packs_in_use(connection, PURPOSE).values()
                    if use.state in {"live", "building"}
                }
                stored = {pack: store.photo_ids_with(connection, PURPOSE, pack) for pack in at_work}
            memories = {pack: self._memories.get(pack) or self._new_memory(use) for pack, use in at_work.items()}
            for pack, memory in memories.items():
                self._forget(memory, memory.labels.keys() - stored[pack])
                if stored[pack] - memory.labels.keys():
                    self._load(pack, at_work[pack].dims, memory)
                self._read_thresholds(pack, memory)
            left = [memory for pack, memory in self._memories.items() if pack not in memories]
            self._memories = memories
            for memory in left:
                memory.index.close()

    def __len__(self) -> int:
        """Photographs of the live pack and of those being built."""
        return sum(len(memory.labels) for memory in self._memories.values())

    @contextmanager
    def vectors(self, pack: str) -> Iterator[tuple[NDArray[np.float32], list[str], list[str]]]:
        """All templates of a pack in locked memory, for holding the list against itself; zeroed at the end.

        Yields:
            Vectors (n, dims), and the subject and photograph of each row.
        Raises:
            PackMixed: no index of this pack is at work.
        """
        with self._setup.db.read() as connection:
            if pack not in self._memories:
                raise PackMixed(asked=pack, gallery=", ".join(sorted(self._memories)))
            templates = list(store.templates_of(connection, PURPOSE, pack))
        dims = self._memories[pack].index.dims
        with LockedMemory(len(templates) * dims * _FLOAT_BYTES, required=self._lock_required) as memory:
            opened = memory.array((len(templates), dims), np.float32)
            kept = list(_open_each(self._setup, pack, templates, opened))
            yield opened[: len(kept)], [one.subject_id for one in kept], [one.photo_id for one in kept]

    @contextmanager
    def _memory_for(self, probe: Probe) -> Iterator[_Memory]:
        if probe.purpose != PURPOSE:
            raise PurposeMixed(asked=probe.purpose, gallery=PURPOSE)
        memory = self._memories.get(probe.pack)
        if memory is None:
            raise PackMixed(asked=probe.pack, gallery=", ".join(sorted(self._memories)))
        try:
            yield memory
        except ValueError:
            if self._memories.get(probe.pack) is memory:
                raise
            # The pack was left behind, and its index closed, while this search was about to begin.
            raise PackMixed(asked=probe.pack, gallery=", ".join(sorted(self._memories))) from None

    def _new_memory(self, use: store.PackUse) -> _Memory:
        if use.state == "live" and use.pack not in self._setup.engines:
            raise PackNotLive(pack=use.pack)  # one that is being built elsewhere must stop nobody from searching
        return _Memory(index=ExactIndex(use.dims, lock_required=self._lock_required))

    def _load(self, pack: str, dims: int, memory: _Memory) -> None:
        """Open what memory lacks, a part at a time, and hand it to the index."""
        with self._setup.db.read() as connection:
            missing = [
                one for one in store.templates_of(connection, PURPOSE, pack) if one.photo_id not in memory.labels
            ]
        with LockedMemory(_AT_ONCE * dims * _FLOAT_BYTES, required=self._lock_required) as place:
            opened = place.array((_AT_ONCE, dims), np.float32)
            for start in range(0, len(missing), _AT_ONCE):
                kept = list(_open_each(self._setup, pack, missing[start : start + _AT_ONCE], opened))
                rows = [_Row(one.photo_id, one.subject_id, self._list_number(one.list_id)) for one in kept]
                self._read_thresholds(pack, memory)
                _add(memory, opened[: len(kept)], rows)

    def _remember(self, enrolled: Enrolled, *, subject_id: str, list_id: str) -> None:
        """Put one new photograph into memory, unless its person was erased again meanwhile."""
        with self._setup.db.read() as connection:
            if not store.photo_stands(connection, PURPOSE, enrolled.photo_id):
                return
        known = set(self._lists)
        row = _Row(enrolled.photo_id, subject_id, self._list_number(list_id))
        for pack, memory in self._memories.items():
            if list_id not in known:
                self._read_thresholds(pack, memory)
            if pack in enrolled.embeddings and enrolled.photo_id not in memory.labels:
                _add(memory, enrolled.embeddings[pack][np.newaxis], [row])

    def _forget(self, memory: _Memory, photo_ids: set[str]) -> None:
        labels = [memory.labels.pop(photo_id) for photo_id in photo_ids if photo_id in memory.labels]
        if labels:
            memory.index.remove(labels)
            for label in labels:
                del memory.rows[label]

    def _read_thresholds(self, pack: str, memory: _Memory) -> None:
        with self._setup.db.read() as connection:
            thresholds = store.thresholds_for(connection, PURPOSE, pack)
        for list_id in self._lists:
            if list_id not in thresholds:
                _log.warning("watchlist_without_threshold", list_id=list_id, pack=pack)
        by_number = np.full(_MOST_LISTS, np.inf)
        by_number[: len(self._lists)] = [thresholds.get(list_id, np.inf) for list_id in self._lists]
        memory.thresholds_cos = by_number

    def _list_number(self, list_id: str) -> int:
        if list_id not in self._lists:
            if len(self._lists) == _MOST_LISTS:
                raise Unavailable("number of lists")
            self._lists.append(list_id)
        return self._lists.index(list_id)

    def _hits(self, memory: _Memory, matches: Matches, most: int) -> list[Hit]:
        """The best photograph of each person, in the order they were found."""
        hits: dict[str, Hit] = {}
        for label, similarity in zip(matches.labels.tolist(), matches.similarities_cos.tolist(), strict=True):
            row = memory.rows.get(label)
            if row is None or row.subject_id in hits:  # erased while this was searched, or seen already
                continue
            if len(hits) == most:
                break
            hits[row.subject_id] = Hit(
                subject_id=row.subject_id,
                list_id=self._lists[row.list_number],
                photo_id=row.photo_id,
                similarity_cos=similarity,
                threshold_cos=float(memory.thresholds_cos[row.list_number]),
            )
        return list(hits.values())


def _add(memory: _Memory, vectors: NDArray[np.float32], rows: list[_Row]) -> None:
    labels = range(memory.next_label, memory.next_label + len(rows))
    memory.next_label += len(rows)
    for label, row in zip(labels, rows, strict=True):
        memory.rows[label] = row
        memory.labels[row.photo_id] = label
    lists = np.array([row.list_number for row in rows], np.int32)
    memory.index.add(vectors, labels=np.array(labels, np.int64), list_numbers=lists)


def _open_each(
    setup: GallerySetup, pack: str, templates: list[store.StoredTemplate], rows: NDArray[np.float32]
) -> Iterator[store.StoredTemplate]:
    """Open templates into the first rows; those that came through. A person whose key is gone is passed over.

    Raises:
        Tampered: a template or a key was changed.
    """
    sealers: dict[str, Sealer | None] = {}
    at = 0
    for one in templates:
        if one.subject_id not in sealers:
            sealers[one.subject_id] = setup.keys.find(one.subject_id)
        sealer = sealers[one.subject_id]
        if sealer is None:
            _log.warning("template_without_key", photo_id=one.photo_id)
            continue
        open_template(sealer, one, rows[at], pack=pack)
        at += 1
        yield one
