"""Recordings over HTTP: ask for a search, search once another person has agreed, look at the hits on record.

Recordings are not uploaded here: they are put into one folder of the server, and named. The photograph of whom to look
for is given with the asking and again with the search; it is not kept in between, and the approval holds its hash.
"""

from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from shouhao.flows.search_jobs import SearchJobs, picture_of_hit, recordings_named
from shouhao.flows.search_recordings import SEARCHERS, ask_for_search
from shouhao.flows.search_run import Wanted
from shouhao.kernel.errors import NotFound
from shouhao.staff.model import Role, require
from shouhao.watch.store.recordings import RecordedHit, Search, files_of, find_search, hits_of, list_searches
from shouhao.watch.video import Span
from shouhao.web.console.watch_bytes import Encoded, decoded, private
from shouhao.web.depends import Here, OnDuty
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, Moment, Shown
from shouhao.wiring import System
from shouhao.wiring.watch import still_folder

routes = APIRouter(prefix="/api/v1/staff", tags=["recordings"])

READERS: tuple[Role, ...] = (*SEARCHERS, "approver", "data_protection", "auditor")
SEARCH_MAX_BYTES = 16 * 1024 * 1024
_JPEG = "image/jpeg"
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)

FileName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\\\u0000]+$")]


class WantedBody(Body):
    """Whom to look for (a photograph in base64, or a watch entry), in which recordings, in which span of time."""

    photo: Encoded | None = None
    entry_id: Id | None = None
    recordings: Annotated[list[FileName], Field(min_length=1, max_length=200)]
    began_at: Moment | None = None
    camera_id: Id | None = None
    from_at: Moment
    until_at: Moment
    threshold_cos: Annotated[float | None, Field(ge=-1, le=1)] = None
    reason: LongText


class SearchBody(WantedBody):
    """The same again, and who agreed."""

    approval_id: Id


class AskedShown(Shown):
    """A search that waits for another person."""

    approval_id: str
    state: str


class BegunShown(Shown):
    """A search that is under way."""

    search_id: str


class ProgressShown(Shown):
    """How far a search is."""

    file: int
    files: int
    position_s: float
    duration_s: float
    faces: int
    hits: int


class FileShown(Shown):
    """One recording, and how far it could be read."""

    number: int
    name: str
    sha256: str | None
    began_at: Instant | None
    began_known_from: str | None
    duration_s: float
    stopped: str
    position_s: float
    byte: int | None
    corrupt: int


class HitShown(Shown):
    """A passage that is as like as was asked for: a lead for a person's eye, never proof."""

    hit_id: str
    file: int
    position_s: float
    seen_at: Instant
    camera_id: str | None
    place_id: str | None
    similarity_cos: float
    threshold_cos: float
    quality: float
    frames: int


class SearchShown(Shown):
    """A search; whom it was for is known by hash or entry alone."""

    search_id: str
    approval_id: str
    operator_id: str
    probe_sha256: str | None
    entry_id: str | None
    camera_id: str | None
    threshold_cos: float
    from_at: Instant
    until_at: Instant
    state: str
    started_at: Instant
    ended_at: Instant | None
    searched_s: float
    faces: int


class SearchAnswer(Shown):
    """A search with everything that it came to."""

    search: SearchShown
    progress: ProgressShown | None
    files: list[FileShown]
    hits: list[HitShown]


class SearchList(Shown):
    """Searches, the newest first, and the recordings that lie ready."""

    searches: list[SearchShown]
    recordings: list[str]


@routes.post(
    "/recording-searches/requests",
    status_code=201,
    responses=_WRITE,
    summary="申请检索录像 Ask for a search of recordings",
)
def ask(body: WantedBody, operator: OnDuty, system: Here, request: Request) -> AskedShown:
    """须经另一人批准。 A second person decides."""
    require(operator, *SEARCHERS)
    asked = ask_for_search(_jobs(request).desk(), _wanted(system, body), reason=body.reason, operator=operator)
    return AskedShown(approval_id=asked.id, state=asked.state)


@routes.post(
    "/recording-searches",
    status_code=202,
    responses=_WRITE,
    summary="检索录像 Search recordings",
)
def begin(body: SearchBody, operator: OnDuty, system: Here, request: Request) -> BegunShown:
    """按批准的内容检索一次；只保存命中。 Once, as was agreed to; nothing but the hits is kept."""
    require(operator, *SEARCHERS)
    wanted = _wanted(system, body)
    search_id = _jobs(request).begin(wanted, body.approval_id, reason=body.reason, operator=operator)
    return BegunShown(search_id=search_id)


@routes.get("/recording-searches", responses=failures(401, 403), summary="录像检索记录 Searches of recordings")
def searches(operator: OnDuty, system: Here) -> SearchList:
    """最近的检索与可供检索的录像。 The latest searches, and what may be searched."""
    require(operator, *READERS)
    with system.db.read() as connection:
        found = list_searches(connection)
    return SearchList(
        searches=[_shown(one) for one in found], recordings=_lying_ready(system.settings.recordings_folder)
    )


@routes.get("/recording-searches/{search_id}", responses=failures(401, 403, 404, 422), summary="一次检索 One search")
def one_search(search_id: Id, operator: OnDuty, system: Here, request: Request) -> SearchAnswer:
    """进度、每个录像读到何处、命中（图片另行查看）。 Progress, files, hits; pictures are looked at on their own."""
    require(operator, *READERS)
    with system.db.read() as connection:
        search = find_search(connection, search_id)
        files, hits = files_of(connection, search_id), hits_of(connection, search_id)
    if search is None:
        raise NotFound("search", "search_id")
    progress = _jobs(request).progress(search_id)
    return SearchAnswer(
        search=_shown(search),
        progress=None
        if progress is None
        else ProgressShown(
            file=progress.file,
            files=progress.files,
            position_s=round(progress.position_s, 1),
            duration_s=round(progress.duration_s, 1),
            faces=progress.faces,
            hits=progress.hits,
        ),
        files=[
            FileShown(
                number=one.number,
                name=one.name,
                sha256=one.sha256,
                began_at=one.began_at_us,
                began_known_from=one.began_known_from,
                duration_s=one.duration_s,
                stopped=one.stopped,
                position_s=one.position_s,
                byte=one.byte,
                corrupt=one.corrupt,
            )
            for one in files
        ],
        hits=[_hit(hit) for hit in hits],
    )


@routes.post(
    "/recording-searches/{search_id}/stop",
    status_code=204,
    responses=failures(401, 403, 404, 415, 422),
    summary="中止检索 Break a search off",
)
def stop(search_id: Id, operator: OnDuty, request: Request) -> Response:
    """中止后不保留任何结果。 Nothing that it found is kept."""
    _jobs(request).stop(search_id, operator=operator)
    return Response(status_code=204)


@routes.get(
    "/recording-searches/{search_id}/hits/{hit_id}/{which}",
    response_class=Response,
    responses={200: {"description": "JPEG", "content": {_JPEG: {}}}, **failures(401, 403, 404, 422)},
    summary="命中图片（留痕、水印） A picture of a hit, looked at on record",
)
def picture(
    search_id: Id,
    hit_id: Id,
    which: Literal["crop", "scene"],
    operator: OnDuty,
    system: Here,
    reason: Annotated[str, Query(min_length=1, max_length=1000, pattern=r"^[^\u0000]*$")],
) -> Response:
    """先留痕后显示。 On record before it is shown."""
    marked = picture_of_hit(
        system.db,
        still_folder(system.settings, system.vault),
        operator,
        search_id=search_id,
        hit_id=hit_id,
        which=which,
        reason=reason,
        now_us=system.clock.now_us(),
    )
    return private(marked, _JPEG)


def _jobs(request: Request) -> SearchJobs:
    jobs: SearchJobs = request.app.state.searches
    return jobs


def _wanted(system: System, body: WantedBody) -> Wanted:
    return Wanted(
        photo=None if body.photo is None else decoded(body.photo, "photo"),
        entry_id=body.entry_id,
        recordings=recordings_named(system.settings.recordings_folder, body.recordings),
        began_us=body.began_at,
        camera_id=body.camera_id,
        span=Span(from_us=body.from_at, until_us=body.until_at),
        threshold_cos=body.threshold_cos,
    )


def _lying_ready(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(
        file.name
        for file in folder.iterdir()
        if file.is_file() and not file.is_symlink() and not file.name.startswith(".")
    )


def _shown(one: Search) -> SearchShown:
    return SearchShown(
        search_id=one.id,
        approval_id=one.approval_id,
        operator_id=one.operator_id,
        probe_sha256=one.probe_sha256,
        entry_id=one.entry_id,
        camera_id=one.camera_id,
        threshold_cos=one.threshold_cos,
        from_at=one.from_us,
        until_at=one.until_us,
        state=one.state,
        started_at=one.started_at_us,
        ended_at=one.ended_at_us,
        searched_s=one.searched_s,
        faces=one.faces,
    )


def _hit(hit: RecordedHit) -> HitShown:
    return HitShown(
        hit_id=hit.id,
        file=hit.file_number,
        position_s=hit.position_s,
        seen_at=hit.seen_at_us,
        camera_id=hit.camera_id,
        place_id=hit.place_id,
        similarity_cos=hit.similarity_cos,
        threshold_cos=hit.threshold_cos,
        quality=hit.quality,
        frames=hit.frames,
    )
