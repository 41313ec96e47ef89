"""Watch closeness: the list held against itself and against staff who gave a photograph; a person says what a pair is.

No tail of a curve foresees twins, or one person under two names (faces/too_close.py); and a member of staff who is on
the list is either a mistake or an insider. Both are looked for whenever somebody is listed. Nothing is decided here.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from shouhao.faces import store as faces
from shouhao.flows.watch_desk import LookedAt, WatchDesk, context
from shouhao.kernel.errors import Refused
from shouhao.staff.model import Operator
from shouhao.watch.store import close_pairs
from shouhao.watch.store import watchlist as store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_AT_ONCE = 2_000  #: newly listed people; each turn opens every template once, however many they are
_PAGE = 512
_FLOAT_BYTES = 4

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """One of the faces that were asked about, and somebody it is near."""

    row: int
    entry_id: str | None
    operator_id: str | None
    similarity_cos: float


def hold_against_due(desk: WatchDesk, *, now_us: int, limit: int = _AT_ONCE) -> int:
    """Hold newly listed people against the rest of the list and against staff; how many people that were."""
    with desk.db.read() as connection:
        entry_ids = list(store.to_hold_against(connection, limit=limit))
    pack = desk.live_pack()
    if not entry_ids or pack is None:
        return 0
    with opened_templates(desk, pack, entry_ids) as (vectors, subjects):
        for list_id, rows in _by_list(desk, subjects).items():
            asked_cos = threshold_of(desk, list_id, pack)
            if asked_cos is None:
                continue
            for near in near_to(desk, pack, vectors[rows], at_least_cos=asked_cos):
                entry_id = subjects[rows[near.row]]
                if near.entry_id != entry_id:
                    _mark(desk, entry_id, near, pack=pack, asked_cos=asked_cos, now_us=now_us)
    with desk.db.write() as connection:
        store.held_against(connection, entry_ids, now_us=now_us)
    return len(entry_ids)


def near_to(desk: WatchDesk, pack: str, vectors: "NDArray[np.float32]", *, at_least_cos: float) -> list[Near]:
    """Whom of the list, and of the staff who gave a photograph, these faces are near; each person once a face.

    Args:
        vectors: (n, dims), length 1, of this pack.
    """
    best: dict[tuple[int, str, bool], float] = {}
    for page, subjects in _pages(desk, pack):
        similarities = vectors @ page.T
        for row, column in zip(*(similarities >= at_least_cos).nonzero(), strict=True):
            key = (int(row), subjects[column], False)
            best[key] = max(best.get(key, -1.0), float(similarities[row, column]))
    for operator_id, vector in _staff_vectors(desk, pack):
        for row, similarity in enumerate((vectors @ vector).tolist()):
            if similarity >= at_least_cos:
                key = (row, operator_id, True)
                best[key] = max(best.get(key, -1.0), similarity)
    return [
        Near(
            row=row,
            entry_id=None if is_staff else who,
            operator_id=who if is_staff else None,
            similarity_cos=min(1.0, similarity),
        )
        for (row, who, is_staff), similarity in sorted(best.items(), key=lambda one: (-one[1], one[0]))
    ]


def threshold_of(desk: WatchDesk, list_id: str, pack: str) -> float | None:
    """From which likeness on two people of a list may be taken for one; None: the list has no threshold."""
    with desk.db.read() as connection:
        kept = faces.newest_threshold(connection, "watchlist", list_id=list_id, pack=pack)
    return None if kept is None else kept.similarity_cos


def lowest_threshold(desk: WatchDesk, pack: str) -> float:
    """The least likeness that any list asks for; 1 where none has a threshold."""
    with desk.db.read() as connection:
        thresholds = faces.thresholds_for(connection, "watchlist", pack)
    return min(thresholds.values(), default=1.0)


def give_staff_photo(desk: WatchDesk, looked: LookedAt, *, operator: Operator, now_us: int) -> str:
    """Keep a photograph that a member of staff gives freely of themselves; its id. The list is held against it next."""
    sealed = desk.vault.sealer("watch.staff").seal(looked.photo, context=context("staff", looked.id))
    with desk.db.write() as connection:
        close_pairs.add_staff_photo(connection, operator.id, sealed, photo_id=looked.id, now_us=now_us)
    pack = str(looked.report["pack"])
    if desk.live_pack() != pack:  # nobody is listed yet
        return looked.id
    asked_cos = lowest_threshold(desk, pack)
    for near in near_to(desk, pack, looked.embedding[None], at_least_cos=asked_cos):
        if near.entry_id is not None:
            hit = Near(row=0, entry_id=None, operator_id=operator.id, similarity_cos=near.similarity_cos)
            _mark(desk, near.entry_id, hit, pack=pack, asked_cos=asked_cos, now_us=now_us)
    return looked.id


@contextmanager
def opened_templates(
    desk: WatchDesk, pack: str, entry_ids: Sequence[str]
) -> "Iterator[tuple[NDArray[np.float32], list[str]]]":
    """Templates of these people in locked memory, zeroed at the end, and the person of each row."""
    import numpy as np  # noqa: PLC0415 - only where faces are compared

    from shouhao.faces.locked import LockedMemory  # noqa: PLC0415 - as above

    with desk.db.read() as connection:
        dims = faces.packs_in_use(connection, "watchlist")[pack].dims
        found = [
            one
            for entry_id in entry_ids
            for one in faces.templates_of(connection, "watchlist", pack, subject_id=entry_id)
        ]
    with LockedMemory(max(1, len(found)) * dims * _FLOAT_BYTES, required=desk.settings.lock_required) as memory:
        vectors = memory.array((max(1, len(found)), dims), np.float32)
        kept = _open_into(desk, pack, found, vectors)
        yield vectors[: len(kept)], kept


def _pages(desk: WatchDesk, pack: str) -> "Iterator[tuple[NDArray[np.float32], list[str]]]":
    """All templates of the list, a page at a time in one piece of locked memory."""
    import numpy as np  # noqa: PLC0415 - as above

    from shouhao.faces.locked import LockedMemory  # noqa: PLC0415 - as above

    with desk.db.read() as connection:
        dims = faces.packs_in_use(connection, "watchlist")[pack].dims
        templates = list(faces.templates_of(connection, "watchlist", pack))
    with LockedMemory(_PAGE * dims * _FLOAT_BYTES, required=desk.settings.lock_required) as memory:
        page = memory.array((_PAGE, dims), np.float32)
        for start in range(0, len(templates), _PAGE):
            kept = _open_into(desk, pack, templates[start : start + _PAGE], page)
            yield page[: len(kept)], kept


def _open_into(
    desk: WatchDesk, pack: str, templates: Sequence[faces.StoredTemplate], rows: "NDArray[np.float32]"
) -> list[str]:
    """Open templates into the first rows; the person of each. Somebody whose key is gone is passed over."""
    from shouhao.faces.enrolment import open_template  # noqa: PLC0415 - as above

    kept: list[str] = []
    for one in templates:
        sealer = desk.setup.keys.find(one.subject_id)
        if sealer is not None:
            open_template(sealer, one, rows[len(kept)], pack=pack)
            kept.append(one.subject_id)
    return kept


def _staff_vectors(desk: WatchDesk, pack: str) -> "Iterator[tuple[str, NDArray[np.float32]]]":
    """Faces of the staff who gave a photograph, as this pack sees them; computed anew each time and never kept."""
    from shouhao.faces.images import read_picture  # noqa: PLC0415 - as above

    with desk.db.read() as connection:
        given = close_pairs.staff_photos_given(connection)
    if not given:
        return
    engine, sealer = desk.setup.engines[pack], desk.vault.sealer("watch.staff")
    for photo_id, operator_id, sealed in given:
        try:
            face = engine.enrolment_face(read_picture(sealer.open(sealed, context=context("staff", photo_id))))
        except Refused as refusal:
            _log.warning("staff_photo_without_face", photo_id=photo_id, code=refusal.code)
            continue
        yield operator_id, face.embedding


def _by_list(desk: WatchDesk, subjects: Sequence[str]) -> dict[str, list[int]]:
    with desk.db.read() as connection:
        lists = {one: store.entry_of(connection, one).list_id for one in set(subjects)}
    rows: dict[str, list[int]] = {}
    for row, subject in enumerate(subjects):
        rows.setdefault(lists[subject], []).append(row)
    return rows


def _mark(desk: WatchDesk, entry_id: str, near: Near, *, pack: str, asked_cos: float, now_us: int) -> None:
    pair = close_pairs.ClosePair(
        id=close_pairs.new_pair_id(),
        entry_id=entry_id,
        other_entry_id=near.entry_id,
        operator_id=near.operator_id,
        pack=pack,
        similarity_cos=near.similarity_cos,
        asked_cos=asked_cos,
        found_at_us=now_us,
    )
    with desk.db.write() as connection:
        marked = close_pairs.add_pair(connection, pair)
    if marked:
        _log.warning("watch_too_close", pair_id=pair.id, entry_id=entry_id, with_staff=near.operator_id is not None)
