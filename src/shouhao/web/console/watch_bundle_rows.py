"""Rows of a bundle for staff: whom its acceptance would list, change or let go. Masked, or in full with a reason."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from shouhao.flows.watch_bundle_rows import Kind, Part, Row, Side, bundle_photo, bundle_rows
from shouhao.kernel.clock import iso
from shouhao.staff.model import require
from shouhao.staff.register import look
from shouhao.staff.watermark import watermarked
from shouhao.watch.store.bundles import find_bundle
from shouhao.watch.watchlist import masked
from shouhao.web.console.watch_bytes import private
from shouhao.web.console.watchlist import READERS, Reason
from shouhao.web.depends import Here, OnDuty
from shouhao.web.description import failures
from shouhao.web.fields import Id, Instant, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["watchlist"])

_JPEG = "image/jpeg"
_LOOK = failures(401, 403, 404, 422)
After = Annotated[int, Query(ge=0, le=100_000)]
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Limit = Annotated[int, Query(ge=1, le=200)]


class SideShown(Shown):
    """What is said of a person; without a reason the name is masked, and document, aliases and ground are null."""

    name: str
    aliases: list[str] | None
    document_kind: str | None
    document_number: str | None
    ground_code: str
    ground: str | None
    photos: int
    documents: int
    expires_at: Instant


class FitShown(Shown):
    """A photograph with one fit face: how fit, not whose."""

    sha256: str
    quality: float


class RowShown(Shown):
    """One line: as the bundle says it, and as it stands here."""

    kind: Kind
    id: str | None
    entry_id: str | None
    given: SideShown | None
    here: SideShown | None
    fit: list[FitShown]
    changed: list[Part]
    how: str | None
    similarity_cos: float | None
    other_id: str | None
    operator_id: str | None
    place: str | None
    zh: str | None
    en: str | None


class RowsShown(Shown):
    """Some rows of one kind; `total` counts all of it."""

    kind: Kind
    total: int
    rows: list[RowShown]


@routes.get("/watchlist/bundles/{bundle_id}/rows", responses=_LOOK, summary="名单包逐条差异 A bundle row by row")
def rows(bundle_id: Id, operator: OnDuty, system: Here, kind: Kind, after: After = 0, limit: Limit = 100) -> RowsShown:
    """姓名仅显示首字。 Names are masked."""
    require(operator, *READERS)
    return _rows_shown(system, bundle_id, kind, after, limit, in_full=False)


@routes.get(
    "/watchlist/bundles/{bundle_id}/people",
    responses=failures(401, 403, 404, 409, 422),
    summary="查看名单包中的姓名（留痕） Who a bundle is about, on record",
)
def people(
    bundle_id: Id, operator: OnDuty, system: Here, reason: Reason, kind: Kind, after: After = 0, limit: Limit = 100
) -> RowsShown:
    """须写明理由，先留痕后显示。 With a reason, which is on record first."""
    require(operator, *READERS)
    with system.db.read() as connection:
        find_bundle(connection, bundle_id)
    look(
        system.db,
        operator,
        data_class="identity",
        what=f"watch bundle {bundle_id} {kind} from {after} to {after + limit}",
        reason=reason,
        authority="duty: watchlist",
        now_us=system.clock.now_us(),
    )
    return _rows_shown(system, bundle_id, kind, after, limit, in_full=True)


@routes.get(
    "/watchlist/bundles/{bundle_id}/photos/{sha256}",
    response_class=Response,
    responses={200: {"description": "JPEG", "content": {_JPEG: {}}}, **failures(401, 403, 404, 409, 422)},
    summary="查看名单包中的照片（留痕、水印） A photograph of a bundle, looked at on record",
)
def photo(bundle_id: Id, sha256: Sha256, operator: OnDuty, system: Here, reason: Reason) -> Response:
    """须写明理由并有有效培训。 With a reason, and by people who are trained."""
    require(operator, *READERS)
    with system.db.read() as connection:
        find_bundle(connection, bundle_id)
    now_us = system.clock.now_us()
    seen = look(
        system.db,
        operator,
        data_class="face",
        what=f"watch bundle {bundle_id} photo {sha256}",
        reason=reason,
        authority="duty: watchlist",
        now_us=now_us,
    )
    opened = bundle_photo(system.watchlist, bundle_id, sha256)
    return private(watermarked(opened, text=f"{operator.id} {iso(now_us)[:16]} {seen}"), _JPEG)


def _rows_shown(system: Here, bundle_id: str, kind: Kind, after: int, limit: int, *, in_full: bool) -> RowsShown:
    now_us = system.clock.now_us()
    found, total = bundle_rows(system.watchlist, bundle_id, kind, now_us=now_us, after=after, limit=limit)
    return RowsShown(kind=kind, total=total, rows=[_row_shown(one, in_full=in_full) for one in found])


def _row_shown(row: Row, *, in_full: bool) -> RowShown:
    already, alike, problem = row.already, row.alike, row.problem
    likeness = already.similarity_cos if already else alike.similarity_cos if alike else None
    return RowShown(
        kind=row.kind,
        id=row.id,
        entry_id=row.entry_id,
        given=_side_shown(row.given, in_full=in_full),
        here=_side_shown(row.here, in_full=in_full),
        fit=[FitShown(sha256=sha256, quality=quality) for sha256, quality in row.fit.items()],
        changed=list(row.changed),
        how=None if already is None else already.how,
        similarity_cos=likeness,
        other_id=None if alike is None else alike.other_id,
        operator_id=None if alike is None else alike.operator_id,
        place=None if problem is None else problem.place,
        zh=None if problem is None else problem.zh,
        en=None if problem is None else problem.en,
    )


def _side_shown(side: Side | None, *, in_full: bool) -> SideShown | None:
    if side is None:
        return None
    person = side.person
    return SideShown(
        name=person.name if in_full else masked(person.name),
        aliases=list(person.aliases) if in_full else None,
        document_kind=person.document_kind if in_full else None,
        document_number=person.document_number if in_full else None,
        ground_code=side.ground_code,
        ground=side.ground if in_full else None,
        photos=len(side.photos),
        documents=len(side.documents),
        expires_at=side.expires_at_us,
    )
