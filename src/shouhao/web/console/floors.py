"""Floors for staff: the places where cameras hang, the floor plans, and the walking times between cameras."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.flows.cameras import read_plan
from shouhao.kernel.errors import NotFound
from shouhao.protocols.camera_csv import FileRefused, read_ways, write_ways
from shouhao.staff.model import Role, require
from shouhao.watch.cameras import Place, check_id
from shouhao.watch.store.cameras import list_places, put_place
from shouhao.watch.store.plans import find_plan, list_plans, put_plan
from shouhao.watch.store.ways import list_ways, put_ways
from shouhao.watch.ways import Way
from shouhao.web.depends import Here, OnDuty, RawBody, StaffWrite
from shouhao.web.description import failures, raw_body
from shouhao.web.errors import UnsupportedMediaType
from shouhao.web.fields import Body, ShortText, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["floors"])

PLAN_MAX_BYTES = 16 * 1024 * 1024
CSV_MAX_BYTES = 8 * 1024 * 1024

READERS: tuple[Role, ...] = (
    "security",
    "monitoring",
    "guard",
    "it",
    "police_liaison",
    "data_protection",
    "auditor",
    "administrator",
)
KEEPERS: tuple[Role, ...] = ("security", "it")  #: who keeps the register
WRITE = failures(400, 401, 403, 404, 409, 415, 422)
CSV_SHOWN: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
BINARY = {"schema": {"type": "string", "format": "binary"}}
_LOOK = failures(401, 403, 404, 422)
_CSV = ("text/csv", "text/plain", "application/octet-stream")

PlaceId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Building = Annotated[str, Query(min_length=1, max_length=80, pattern=r"^[^\u0000]*$")]
Floor = Annotated[str, Query(min_length=1, max_length=20, pattern=r"^[^\u0000]*$")]


class PlaceBody(Body):
    """Where cameras hang."""

    building: ShortText
    floor: ShortText
    name: ShortText


class PlaceShown(PlaceBody):
    """The same, with its id."""

    id: str


class PlaceList(Shown):
    """All places."""

    places: list[PlaceShown]


class PlanShown(Shown):
    """A floor that has a plan."""

    building: str
    floor: str
    sha256: str


class PlanList(Shown):
    """All plans."""

    plans: list[PlanShown]


class WayShown(Body):
    """From one camera to a neighbour, in this direction."""

    from_id: ShortText
    to_id: ShortText
    shortest_s: Seconds
    usual_s: Seconds


class WayList(Body):
    """All direct ways; they replace those that are there."""

    ways: Annotated[list[WayShown], Field(max_length=20_000)]


class Done(Shown):
    """What it was done to."""

    id: str


class Imported(Shown):
    """How much a file held."""

    places: int = 0
    cameras: int = 0
    ways: int = 0


@routes.get("/camera-places", responses=failures(401, 403), summary="位置 Places")
def places(operator: OnDuty, system: Here) -> PlaceList:
    """楼宇、楼层与名称。 Building, floor and name."""
    require(operator, *READERS)
    with system.db.read() as connection:
        found = list_places(connection)
    return PlaceList(places=[PlaceShown(id=p.id, building=p.building, floor=p.floor, name=p.name) for p in found])


@routes.put("/camera-places/{place_id}", responses=WRITE, response_model=Done, summary="登记位置 Add or rename a place")
def put_one_place(place_id: PlaceId, body: PlaceBody, operator: OnDuty, write: StaffWrite) -> Response:
    """禁止处所会被拒绝。 A forbidden place is refused."""
    require(operator, *KEEPERS)
    place = Place(id=place_id, building=body.building, floor=body.floor, name=body.name)

    def act(connection: Connection) -> dict[str, Any]:
        put_place(connection, place, staff_id=operator.id, now_us=write.now_us)
        return {"id": place_id}

    return write.answer(act)


@routes.get("/floor-plans", responses=failures(401, 403), summary="平面图 Floor plans")
def plans(operator: OnDuty, system: Here) -> PlanList:
    """哪些楼层有平面图。 Which floors have one."""
    require(operator, *READERS)
    with system.db.read() as connection:
        found = list_plans(connection)
    return PlanList(plans=[PlanShown(building=b, floor=f, sha256=digest) for b, f, digest in found])


@routes.get(
    "/floor-plan",
    responses={**_LOOK, 200: {"content": {"image/svg+xml": BINARY, "image/png": BINARY}}},
    response_class=Response,
    summary="一张平面图 One floor plan",
)
def plan(operator: OnDuty, system: Here, building: Building, floor: Floor) -> Response:
    """图中没有脚本，也不引用外部内容。 It runs nothing and asks for nothing."""
    require(operator, *READERS)
    with system.db.read() as connection:
        found = find_plan(connection, building, floor)
    if found is None:
        raise NotFound("floor plan", "floor")
    return shown_as(found.content, found.media_type)


@routes.put(
    "/floor-plan",
    responses=WRITE,
    response_model=PlanShown,
    openapi_extra=raw_body("image/svg+xml", "image/png", "image/jpeg"),
    summary="上传平面图 Upload a floor plan",
)
def put_floor_plan(data: RawBody, operator: OnDuty, write: StaffWrite, building: Building, floor: Floor) -> Response:
    """SVG 重新写出，图片只留像素。 An SVG is written anew, of a picture its pixels are kept."""
    require(operator, *KEEPERS)

    read = read_plan(data, building=building, floor=floor)

    def act(connection: Connection) -> dict[str, Any]:
        put_plan(connection, read, staff_id=operator.id, now_us=write.now_us)
        return {"building": building, "floor": floor, "sha256": read.sha256}

    return write.answer(act)


@routes.get("/camera-ways", responses=failures(401, 403), summary="步行时间 Walking times")
def ways(operator: OnDuty, system: Here) -> WayList:
    """相邻摄像机之间，最短与通常的秒数。 Between neighbours, shortest and usual seconds."""
    require(operator, *READERS)
    with system.db.read() as connection:
        found = list_ways(connection)
    return WayList(
        ways=[WayShown(from_id=w.from_id, to_id=w.to_id, shortest_s=w.shortest_s, usual_s=w.usual_s) for w in found]
    )


@routes.put("/camera-ways", responses=WRITE, response_model=Imported, summary="步行时间 Replace walking times")
def put_all_ways(body: WayList, operator: OnDuty, write: StaffWrite) -> Response:
    """直达比绕行长的会被拒绝。 A direct way that is longer than a way round is refused."""
    require(operator, *KEEPERS)
    given = [Way(**way.model_dump()) for way in body.ways]

    def act(connection: Connection) -> dict[str, Any]:
        for way in given:
            check_id("from_id", way.from_id)
            check_id("to_id", way.to_id)
        put_ways(connection, given, staff_id=operator.id, now_us=write.now_us)
        return Imported(ways=len(given)).model_dump()

    return write.answer(act)


@routes.get(
    "/camera-ways/csv",
    responses={**failures(401, 403), **CSV_SHOWN},
    response_class=Response,
    summary="导出步行时间 CSV Walking times as CSV",
)
def export_ways(operator: OnDuty, system: Here) -> Response:
    """导出后可改好再导入。 To be changed and read again."""
    require(operator, *READERS)
    with system.db.read() as connection:
        return shown_as(write_ways(list_ways(connection)).encode(), "text/csv")


@routes.post(
    "/camera-ways/csv",
    responses=WRITE,
    response_model=Imported,
    openapi_extra=raw_body("text/csv"),
    summary="导入步行时间 CSV Import walking times",
)
def import_way_file(
    request: Request, data: RawBody, operator: OnDuty, write: StaffWrite, *, symmetric: bool = False
) -> Response:
    """替换全部；symmetric：未给出的反向同长。 Replaces all; symmetric: as long back as there."""
    require(operator, *KEEPERS)
    check_csv(request)
    file = read_ways(data, symmetric=symmetric)

    def act(connection: Connection) -> dict[str, Any]:
        if file.bad:
            raise FileRefused(file.bad)
        put_ways(connection, file.ways, staff_id=operator.id, now_us=write.now_us)
        return Imported(ways=len(file.ways)).model_dump()

    return write.answer(act)


def check_csv(request: Request) -> None:
    """Refuse a body that is no CSV by its own words."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _CSV:
        raise UnsupportedMediaType("Content-Type", expected=", ".join(_CSV))


def shown_as(content: bytes, media_type: str) -> Response:
    """Were it ever opened as a page, it could do nothing; that no browser keeps it is said for every answer."""
    headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
    return Response(content, media_type=media_type, headers=headers)
