"""Search jobs: searches of recordings that the console began, one at a time, on a thread of their own.

What is asked for is in memory alone, and so is how far it is: a search whose process ends has ended with it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from shouhao.flows.search_recordings import SEARCHERS, begin_search
from shouhao.flows.search_run import Progress, SearchDesk, SearchRun, Wanted
from shouhao.kernel.clock import iso
from shouhao.kernel.errors import NotFound, Refused
from shouhao.staff import register
from shouhao.staff.model import Operator, require
from shouhao.staff.watermark import watermarked
from shouhao.store.engine import Database
from shouhao.watch.store import recordings as store
from shouhao.watch.store.stills import StillFolder, open_still

_log = structlog.get_logger()


class SearchUnderWay(Refused):
    """One search at a time: each takes a core and the attention of whoever looks at its hits."""

    code = "watch.search_under_way"
    zh = "已有检索正在进行，请等待其结束"
    en = "Another search is under way; wait until it has ended"


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    """The search that is under way."""

    run: SearchRun
    stop: threading.Event
    progress: Progress | None = None
    thread: threading.Thread | None = None


class SearchJobs:
    """The console's searches. Safe for several threads."""

    def __init__(self, open_desk: Callable[[], SearchDesk]) -> None:
        """Open nothing yet.

        Args:
            open_desk: loads models, when somebody first asks.
        """
        self._open_desk = open_desk
        self._lock = threading.Lock()
        self._desk: SearchDesk | None = None
        self._job: _Job | None = None

    def desk(self) -> SearchDesk:
        """What searches work with.

        Raises:
            ModelMissing, ModelRefused: the models are not there.
        """
        with self._lock:
            if self._desk is None:
                self._desk = self._open_desk()
            return self._desk

    def begin(self, wanted: Wanted, approval_id: str, *, reason: str, operator: Operator) -> str:
        """Begin an approved search; its id.

        Raises:
            SearchUnderWay: another one has not ended.
            Refused: as `begin_search`.
        """
        desk = self.desk()
        with self._lock:
            if self._job is not None:
                raise SearchUnderWay
            run = begin_search(desk, wanted, approval_id, reason=reason, operator=operator)
            job = self._job = _Job(run=run, stop=threading.Event())
        job.thread = threading.Thread(target=self._work, args=(job,), name="search-recordings", daemon=True)
        job.thread.start()
        return run.search.id

    def progress(self, search_id: str) -> Progress | None:
        """How far a search is; None: it is not under way here, or has read nothing yet."""
        job = self._job
        return job.progress if job is not None and job.run.search.id == search_id else None

    def stop(self, search_id: str, *, operator: Operator) -> None:
        """Break a search off; nothing that it found is kept.

        Raises:
            RoleMissing: another role.
            NotFound: it is not under way here.
        """
        require(operator, *SEARCHERS, "data_protection")
        job = self._job
        if job is None or job.run.search.id != search_id:
            raise NotFound("search", "search_id")
        job.stop.set()

    def close(self) -> None:
        """Break off what is under way, and wait for it."""
        job = self._job
        if job is not None:
            job.stop.set()
            if job.thread is not None:
                job.thread.join(30)

    def _work(self, job: _Job) -> None:
        def on_progress(progress: Progress) -> None:
            job.progress = progress

        try:
            job.run.to_its_end(on_progress, job.stop.is_set)
        except Refused as refusal:  # too many hits; its state says that it failed
            _log.warning("search_refused", search_id=job.run.search.id, code=refusal.code)
        except Exception as error:  # noqa: BLE001 - a search that fails has its state, and the console goes on
            _log.error("search_failed", search_id=job.run.search.id, error=type(error).__name__)
        finally:
            self._job = None


def picture_of_hit(
    db: Database,
    stills: StillFolder,
    operator: Operator,
    *,
    search_id: str,
    hit_id: str,
    which: str,
    reason: str,
    now_us: int,
) -> bytes:
    """A picture of a hit, as JPEG with the watermark; the register has its row first.

    Raises:
        RoleMissing: another role.
        NotFound: there is no such hit.
        InvalidInput, NotTrained: as `register.look`.
        Tampered: the picture is not the one that was frozen.
    """
    require(operator, *SEARCHERS)
    with db.read() as connection:
        hits = [hit for hit in store.hits_of(connection, search_id) if hit.id == hit_id]
    if not hits:
        raise NotFound("hit", "hit_id")
    still_id = hits[0].scene_id if which == "scene" else hits[0].crop_id
    register.look(
        db,
        operator,
        data_class="face",
        what=f"still:{still_id}",
        reason=reason,
        authority=f"search:{search_id}",
        now_us=now_us,
    )
    with db.read() as connection:
        picture = open_still(connection, stills, still_id)
    return watermarked(picture, text=f"{operator.id} {iso(now_us)[:19]}")


def recordings_named(folder: Path, names: list[str]) -> tuple[Path, ...]:
    """Files below the folder of recordings, by name; a path is no name.

    Raises:
        NotFound: there is no such file.
    """
    found = []
    for name in names:
        path = folder / name
        if Path(name).name != name or name.startswith(".") or path.is_symlink() or not path.is_file():
            raise NotFound("recording", "recordings")
        found.append(path)
    return tuple(found)
