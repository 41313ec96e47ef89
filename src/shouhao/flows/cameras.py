"""Cameras as staff register them: passwords sealed, plans read, signs frozen, and the law told of each change."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
from sqlalchemy import Connection

from shouhao.faces.images import PictureLimits, read_picture
from shouhao.flows.law import refresh
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.staff.model import Operator
from shouhao.store.vault import Vault
from shouhao.watch.cameras import SEALED_PASSWORD, SEALED_STREAM, Camera, CameraState, NewCamera, Place
from shouhao.watch.plan import MOST_BYTES, MOST_PICTURE_PIXELS, Plan, PlanRefused, looks_like_svg, plan_of, read_svg
from shouhao.watch.store import cameras as store
from shouhao.watch.store.stills import StillFolder, freeze
from shouhao.watch.store.ways import put_ways
from shouhao.watch.ways import Way

_PLAN_LIMITS = PictureLimits(bytes_max=MOST_BYTES * 4, pixels_max=MOST_PICTURE_PIXELS, side_min_px=100)
_SIGN_LIMITS = PictureLimits()
_PASSWORD_LENGTH = (8, 64)
_STREAMS = ("rtsp://", "rtsps://", "folder:", "file:")  #: what a pulling process opens
_STREAM_MAX = 500


def register_camera(
    connection: Connection, vault: Vault, new: NewCamera, *, staff_id: str | None, now_us: int
) -> Camera:
    """Register a camera, or change one.

    Raises:
        InvalidInput: a field breaks its rule.
        ForbiddenPlace: it would look where no camera may.
        DeviceTaken: another camera has its device id.
    """
    camera = store.put_camera(connection, _sealed(vault, new), staff_id=staff_id, now_us=now_us)
    refresh(connection, now_us=now_us)
    return camera


def import_cameras(
    connection: Connection,
    vault: Vault,
    *,
    places: Sequence[Place],
    cameras: Sequence[NewCamera],
    ways: Sequence[Way] | None,
    staff_id: str | None,
    now_us: int,
) -> None:
    """Take in a whole file, or nothing of it.

    Args:
        ways: in place of all that are there; None leaves them as they are.
    Raises:
        Refused: as the single acts.
    """
    for place in places:
        store.put_place(connection, place, staff_id=staff_id, now_us=now_us)
    for new in cameras:
        store.put_camera(connection, _sealed(vault, new), staff_id=staff_id, now_us=now_us)
    refresh(connection, now_us=now_us)
    if ways is not None:
        put_ways(connection, ways, staff_id=staff_id, now_us=now_us)


def declare_view(connection: Connection, camera_id: str, *, operator: Operator, now_us: int) -> None:
    """Declare, by name, that a camera's picture holds no forbidden place.

    Raises:
        NotFound: there is no such camera.
    """
    store.declare_view(connection, camera_id, staff_id=operator.id, now_us=now_us)


def change_state(
    connection: Connection, camera_id: str, state: CameraState, *, staff_id: str | None, now_us: int
) -> None:
    """Take a camera into service, or out of it.

    Raises:
        NotFound, NotDeclared, CameraOff: as the store's `set_state`.
    """
    store.set_state(connection, camera_id, state, staff_id=staff_id, now_us=now_us)
    refresh(connection, now_us=now_us)


def check_sign(picture: bytes) -> None:
    """Look whether a photograph can be read at all; before the unit of work, which others wait for.

    Raises:
        PictureRefused: the bytes are no picture that can be read.
    """
    read_picture(picture, limits=_SIGN_LIMITS)


def photograph_sign(
    connection: Connection,
    stills: StillFolder,
    camera_id: str,
    picture: bytes,
    *,
    taken_at_us: int,
    staff_id: str | None,
    now_us: int,
) -> str:
    """Keep a photograph of the sign at a camera; the id of the still.

    Args:
        picture: that `check_sign` has read.
    Raises:
        NotFound: there is no such camera.
        InvalidInput: its time cannot be.
    """
    if store.find_camera(connection, camera_id) is None:
        raise NotFound("camera", "camera_id")
    still_id = freeze(
        connection, stills, picture, kind="sign", camera_id=camera_id, taken_at_us=taken_at_us, now_us=now_us
    )
    store.add_sign(connection, camera_id, still_id=still_id, taken_at_us=taken_at_us, staff_id=staff_id, now_us=now_us)
    refresh(connection, now_us=now_us)
    return still_id


def read_plan(data: bytes, *, building: str, floor: str) -> Plan:
    """A floor's plan from an upload: an SVG written anew, or a picture without anything but its pixels.

    It may take a second, so it is read before the unit of work, which others wait for.

    Raises:
        PlanRefused, PictureRefused: the file cannot be a plan.
    """
    return read_svg(data, building=building, floor=floor) if looks_like_svg(data) else _picture(data, building, floor)


def _sealed(vault: Vault, new: NewCamera) -> Camera:
    return replace(
        new.camera,
        sealed_password=None if new.password is None else vault.seal(_password(new.password), purpose=SEALED_PASSWORD),
        sealed_stream=None if new.stream is None else vault.seal(_stream(new.stream), purpose=SEALED_STREAM),
    )


def _picture(data: bytes, building: str, floor: str) -> Plan:
    pixels = read_picture(data, limits=_PLAN_LIMITS)
    written, png = cv2.imencode(".png", pixels)
    if not written:
        raise PlanRefused(zh="无法转换", en="it cannot be converted")
    height, width = pixels.shape[:2]
    return plan_of(png.tobytes(), "image/png", building=building, floor=floor, width=width, height=height)


def _password(password: str) -> str:
    shortest, longest = _PASSWORD_LENGTH
    if not shortest <= len(password) <= longest or not password.isprintable():
        raise InvalidInput(
            "password",
            zh=f"须为 {shortest} 至 {longest} 个可见字符",
            en=f"{shortest} to {longest} printable characters",
        )
    return password


def _stream(stream: str) -> str:
    if not stream.startswith(_STREAMS) or len(stream) > _STREAM_MAX or not stream.isprintable():
        raise InvalidInput(
            "stream",
            zh="须为 rtsp:// 或 rtsps:// 地址，或拉流目录下的 folder:名称、file:名称",
            en="an address as rtsp:// or rtsps://, or folder:NAME or file:NAME below the folder of streams",
        )
    return stream
