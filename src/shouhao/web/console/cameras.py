"""Cameras for staff: the register, how each is, what it sees, and its sign. Floors are in floors.py."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.flows.camera_health import CameraStands, cameras_now
from shouhao.flows.cameras import (
    change_state,
    check_sign,
    declare_view,
    import_cameras,
    photograph_sign,
    register_camera,
)
from shouhao.kernel.errors import NotFound
from shouhao.protocols.camera_csv import FileRefused, read_cameras, write_cameras
from shouhao.staff.model import require
from shouhao.staff.register import look
from shouhao.staff.watermark import watermarked
from shouhao.watch.cameras import Camera, CameraState, HealthState, NewCamera, NotDeclared
from shouhao.watch.model import Source, ZoneKind
from shouhao.watch.store.cameras import find_camera, list_cameras
from shouhao.watch.store.stills import open_still
from shouhao.web.console.floors import (
    BINARY,
    CSV_SHOWN,
    KEEPERS,
    READERS,
    WRITE,
    Done,
    Imported,
    PlaceShown,
    check_csv,
    shown_as,
)
from shouhao.web.depends import Here, OnDuty, RawBody, StaffWrite
from shouhao.web.description import failures, raw_body
from shouhao.web.fields import Body, Instant, Moment, ShortText, Shown
from shouhao.wiring.watch import still_folder

routes = APIRouter(prefix="/api/v1/staff", tags=["cameras"])

SIGN_MAX_BYTES = 20_000_000

CameraId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class CameraBody(Body):
    """A camera; a password or stream address that is left out stays as it is."""

    device_id: ShortText
    name: ShortText
    place_id: ShortText
    x: Share
    y: Share
    zone: ZoneKind
    angle_deg: Annotated[float, Field(ge=0, lt=360)] = 0
    source: Source
    group_id: ShortText = ""
    kind: ShortText = ""
    digest_required: bool = True
    password: Annotated[str | None, Field(max_length=200)] = None
    stream: Annotated[str | None, Field(max_length=1000)] = None


class WarnedShown(Shown):
    """What a person has to see to."""

    code: str
    zh: str
    en: str


class CameraShown(Shown):
    """A camera and how it is; nothing secret."""

    id: str
    device_id: str
    name: str
    place: PlaceShown
    x: float
    y: float
    zone: ZoneKind
    angle_deg: float
    source: Source
    group_id: str
    kind: str
    digest_required: bool
    has_password: bool
    has_stream: bool
    state: CameraState
    live_since: Instant | None
    declared_by: str | None
    declared_at: Instant | None
    sign_photo_id: str | None
    sign_taken_at: Instant | None
    clock_offset_ms: float
    health: HealthState
    heard_at: Instant | None
    captures_last_hour: int
    captures_usual: float | None
    warnings: list[WarnedShown]


class CameraList(Shown):
    """All cameras."""

    cameras: list[CameraShown]


class StateBody(Body):
    """Into service, or out of it."""

    state: CameraState


class DeclareBody(Body):
    """The words of the declaration stand in the description; whoever sends true makes it, by name."""

    no_forbidden_place_in_view: Literal[True]


class SignKept(Shown):
    """The still of the sign."""

    still_id: str


@routes.get("/cameras", responses=failures(401, 403), summary="摄像机 Cameras")
def cameras(operator: OnDuty, system: Here) -> CameraList:
    """登记信息、健康状况与须处理的问题。 The register, how each is, and what to see to."""
    require(operator, *READERS)
    with system.db.read() as connection:
        found = cameras_now(connection, now_us=system.clock.now_us())
    return CameraList(cameras=[_shown(one) for one in found])


@routes.put(
    "/cameras/{camera_id}", responses=WRITE, response_model=Done, summary="登记摄像机 Register or change a camera"
)
def put_camera(camera_id: CameraId, body: CameraBody, operator: OnDuty, system: Here, write: StaffWrite) -> Response:
    """改变位置、区域或朝向后须重新声明与拍摄标识。 Hung or turned elsewhere it is declared and its sign seen anew."""
    require(operator, *KEEPERS)
    camera = Camera(
        id=camera_id,
        building="",
        floor="",
        place_name="",
        **body.model_dump(exclude={"password", "stream"}),
    )
    new = NewCamera(camera=camera, password=body.password, stream=body.stream)

    def act(connection: Connection) -> dict[str, Any]:
        register_camera(connection, system.vault, new, staff_id=operator.id, now_us=write.now_us)
        return {"id": camera_id}

    return write.answer(act)


@routes.post(
    "/cameras/{camera_id}/declaration",
    responses=WRITE,
    response_model=Done,
    summary="声明画面内没有禁止处所 Declare what a camera sees",
)
def declare(camera_id: CameraId, body: DeclareBody, operator: OnDuty, write: StaffWrite) -> Response:
    """本人已查看画面，其中没有禁止处所。 I looked at its picture: no forbidden place is in it."""
    require(operator, "security")
    if not body.no_forbidden_place_in_view:  # nothing else is taken in; here it is said again
        raise NotDeclared

    def act(connection: Connection) -> dict[str, Any]:
        declare_view(connection, camera_id, operator=operator, now_us=write.now_us)
        return {"id": camera_id}

    return write.answer(act)


@routes.post(
    "/cameras/{camera_id}/state", responses=WRITE, response_model=Done, summary="启用或停用 Into or out of service"
)
def state(camera_id: CameraId, body: StateBody, operator: OnDuty, write: StaffWrite) -> Response:
    """planned、live、off；停用后须重新登记。 Out of service it is registered anew."""
    require(operator, "security")

    def act(connection: Connection) -> dict[str, Any]:
        change_state(connection, camera_id, body.state, staff_id=operator.id, now_us=write.now_us)
        return {"id": camera_id}

    return write.answer(act)


@routes.post(
    "/cameras/{camera_id}/sign",
    status_code=201,
    responses=WRITE,
    response_model=SignKept,
    openapi_extra=raw_body("image/jpeg", "image/png"),
    summary="提示标识照片 Photograph of the sign",
)
def add_sign(
    camera_id: CameraId,
    data: RawBody,
    operator: OnDuty,
    system: Here,
    write: StaffWrite,
    taken_at: Annotated[Moment | None, Query()] = None,
) -> Response:
    """每月一次。 Once a month."""
    require(operator, "security", "guard")
    check_sign(data)
    stills = still_folder(system.settings, system.vault)

    def act(connection: Connection) -> dict[str, Any]:
        still_id = photograph_sign(
            connection,
            stills,
            camera_id,
            data,
            taken_at_us=write.now_us if taken_at is None else taken_at,
            staff_id=operator.id,
            now_us=write.now_us,
        )
        return {"still_id": still_id}

    return write.answer(act, status=201)


@routes.get(
    "/cameras/{camera_id}/sign",
    responses={**failures(401, 403, 404, 409, 422), 200: {"content": {"image/jpeg": BINARY}}},
    response_class=Response,
    summary="查看标识照片 Look at the sign",
)
def sign(
    camera_id: CameraId,
    operator: OnDuty,
    system: Here,
    reason: Annotated[str, Query(min_length=1, max_length=1000, pattern=r"^[^\u0000]*$")],
) -> Response:
    """照片里可能有路人，故先留痕、带水印。 Passers-by may be in it: it is registered first, and marked."""
    require(operator, "security", "auditor", "data_protection", "police_liaison")
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        camera = find_camera(connection, camera_id)
    if camera is None or camera.sign_photo_id is None:
        raise NotFound("sign", "camera_id")
    seen = look(
        system.db,
        operator,
        data_class="other",
        what=f"camera {camera.id} sign {camera.sign_photo_id}",
        reason=reason,
        authority="duty: cameras",
        now_us=now_us,
    )
    with system.db.read() as connection:
        picture = open_still(connection, still_folder(system.settings, system.vault), camera.sign_photo_id)
    return shown_as(watermarked(picture, text=f"{operator.id} {seen}"), "image/jpeg")


@routes.get(
    "/cameras/csv",
    responses={**failures(401, 403), **CSV_SHOWN},
    response_class=Response,
    summary="导出摄像机 CSV Cameras as CSV",
)
def export_cameras(operator: OnDuty, system: Here) -> Response:
    """不含口令与视频流地址。 Without passwords and stream addresses."""
    require(operator, *READERS)
    with system.db.read() as connection:
        return shown_as(write_cameras(list_cameras(connection)).encode(), "text/csv")


@routes.post(
    "/cameras/csv",
    responses=WRITE,
    response_model=Imported,
    openapi_extra=raw_body("text/csv"),
    summary="导入摄像机 CSV Import cameras",
)
def import_camera_file(request: Request, data: RawBody, operator: OnDuty, system: Here, write: StaffWrite) -> Response:
    """有一处错误则全部不导入，并逐行指出。 One mistake and nothing is taken in; each is told with its line."""
    require(operator, *KEEPERS)
    check_csv(request)
    file = read_cameras(data)

    def act(connection: Connection) -> dict[str, Any]:
        if file.bad:
            raise FileRefused(file.bad)
        import_cameras(
            connection,
            system.vault,
            places=file.places,
            cameras=file.cameras,
            ways=None,
            staff_id=operator.id,
            now_us=write.now_us,
        )
        return Imported(places=len(file.places), cameras=len(file.cameras)).model_dump()

    return write.answer(act)


def _shown(stands: CameraStands) -> CameraShown:
    camera = stands.camera
    return CameraShown(
        id=camera.id,
        device_id=camera.device_id,
        name=camera.name,
        place=PlaceShown(id=camera.place_id, building=camera.building, floor=camera.floor, name=camera.place_name),
        x=camera.x,
        y=camera.y,
        zone=camera.zone,
        angle_deg=camera.angle_deg,
        source=camera.source,
        group_id=camera.group_id,
        kind=camera.kind,
        digest_required=camera.digest_required,
        has_password=camera.sealed_password is not None,
        has_stream=camera.sealed_stream is not None,
        state=camera.state,
        live_since=camera.live_since_us,
        declared_by=camera.declared_by,
        declared_at=camera.declared_at_us,
        sign_photo_id=camera.sign_photo_id,
        sign_taken_at=camera.sign_taken_at_us,
        clock_offset_ms=camera.clock_offset_us / 1000,
        health=stands.state,
        heard_at=stands.health.heard_at_us,
        captures_last_hour=stands.hours.last,
        captures_usual=stands.hours.usual,
        warnings=[WarnedShown(code=w.code, zh=w.zh, en=w.en) for w in stands.warnings],
    )
