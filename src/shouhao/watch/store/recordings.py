"""Recordings store: searches that were made, what became of each file, and the hits that are kept."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from shouhao.kernel.errors import NotFound
from shouhao.watch.store.recordings_tables import files, hits, searches

SearchState = Literal["running", "done", "aborted", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search of recordings for one face."""

    id: str
    approval_id: str
    operator_id: str
    look_id: str
    probe_sha256: str | None
    entry_id: str | None
    camera_id: str | None
    pack: str
    threshold_cos: float
    from_us: int
    until_us: int
    state: SearchState = "running"
    started_at_us: int
    ended_at_us: int | None = None
    searched_s: float = 0.0
    pictures: int = 0
    faces: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedFile:
    """One file, and how far it could be read."""

    number: int
    name: str
    sha256: str | None
    size_bytes: int
    began_at_us: int | None
    began_known_from: str | None
    duration_s: float
    stopped: str  #: ended, or why it could not be read to its end
    position_s: float
    byte: int | None
    corrupt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHit:
    """A passage in a recording that is as like as was asked for: a lead for a person's eye, never proof."""

    id: str
    file_number: int
    position_s: float
    seen_at_us: int
    camera_id: str | None
    place_id: str | None
    similarity_cos: float
    threshold_cos: float
    quality: float
    frames: int
    crop_id: str
    scene_id: str


def add_search(connection: Connection, search: Search) -> None:
    """A search begins."""
    connection.execute(insert(searches).values(**asdict(search)))


def end_search(
    connection: Connection,
    search_id: str,
    *,
    state: SearchState,
    now_us: int,
    searched_s: float,
    pictures: int,
    faces: int,
) -> None:
    """A search is over, once.

    Raises:
        NotFound: there is none of this id that is running.
    """
    over = update(searches).where(searches.c.id == search_id, searches.c.state == "running")
    values = {"state": state, "ended_at_us": now_us, "searched_s": searched_s, "pictures": pictures, "faces": faces}
    if connection.execute(over.values(**values)).rowcount != 1:
        raise NotFound("search", "search_id")


def add_found(
    connection: Connection, search_id: str, searched: Sequence[SearchedFile], found: Sequence[RecordedHit]
) -> None:
    """What a search that came to its end found."""
    for one in searched:
        connection.execute(insert(files).values(search_id=search_id, **asdict(one)))
    for hit in found:
        connection.execute(insert(hits).values(search_id=search_id, **asdict(hit)))


def find_search(connection: Connection, search_id: str) -> Search | None:
    """A search."""
    row = connection.execute(select(searches).where(searches.c.id == search_id)).mappings().one_or_none()
    return None if row is None else Search(**row)


def list_searches(connection: Connection, *, limit: int = 100) -> list[Search]:
    """Searches, the newest first."""
    rows = connection.execute(
        select(searches).order_by(searches.c.started_at_us.desc(), searches.c.id).limit(limit)
    ).mappings()
    return [Search(**row) for row in rows]


def files_of(connection: Connection, search_id: str) -> list[SearchedFile]:
    """The files of a search, in order."""
    rows = connection.execute(select(files).where(files.c.search_id == search_id).order_by(files.c.number)).mappings()
    return [SearchedFile(**{key: value for key, value in row.items() if key != "search_id"}) for row in rows]


def hits_of(connection: Connection, search_id: str) -> list[RecordedHit]:
    """The hits of a search, in the order of their time."""
    query = select(hits).where(hits.c.search_id == search_id).order_by(hits.c.seen_at_us, hits.c.id)
    rows = connection.execute(query).mappings()
    return [RecordedHit(**{key: value for key, value in row.items() if key != "search_id"}) for row in rows]


def give_up_running(connection: Connection, *, before_us: int, now_us: int) -> int:
    """Mark as failed what a process that died left running; how many."""
    stale = update(searches).where(searches.c.state == "running", searches.c.started_at_us < before_us)
    return connection.execute(stale.values(state="failed", ended_at_us=now_us)).rowcount
