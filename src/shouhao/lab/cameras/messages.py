"""Messages of a GA/T 1400 capture camera, as the standard writes them and as faults bend them.

Ids have the standard's form: of a picture 41 digits (device, 02, time, number), of a face 48.
Source: GA/T 1400.3 and .4.
"""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from shouhao.lab.cameras.people import Look
from shouhao.protocols.gat1400_write import local_time

JSON_KIND = "application/VIID+JSON;charset=UTF-8"
CROWD = 200
_OVERSIZE_BYTES = 20_000_000
_LINE = 76

_encode = msgspec.json.Encoder().encode


def source_id(device_id: str, shot_at_us: int, number: int) -> str:
    """Id of a scene."""
    return f"{device_id}02{local_time(shot_at_us)}{number % 100_000:05d}"


def face_id(source: str, number: int) -> str:
    """Id of a face in a scene."""
    return f"{source}06{number % 100_000:05d}"


def faces_message(
    device_id: str, look: Look, *, shot_at_us: int, number: int, faults: frozenset[str]
) -> tuple[bytes, str, list[str]]:
    """Body, Content-Type and FaceIDs of one post."""
    source = source_id(device_id, shot_at_us, number)
    count = CROWD if "crowd" in faults else 1
    faces = [
        _face(device_id, look, source=source, number=n + 1, shot_at_us=shot_at_us, faults=faults) for n in range(count)
    ]
    listed: Any = faces[0] if "single_object" in faults and count == 1 else faces
    body, kind = _encode({"FaceListObject": {"FaceObject": listed}}), JSON_KIND
    if "gbk" in faults:
        told = {"FaceListObject": {"FaceObject": listed}, "Title": "门口抓拍"}
        body, kind = _encode(told).decode().encode("gb18030"), "application/VIID+json;charset=GBK"
    if "wrong_mime" in faults:
        kind = "text/plain"
    return body, kind, [face["FaceID"] for face in faces]


def _face(
    device_id: str, look: Look, *, source: str, number: int, shot_at_us: int, faults: frozenset[str]
) -> dict[str, Any]:
    at = local_time(shot_at_us)
    left, top, right, bottom = look.box_xyxy_px
    return {
        "FaceID": face_id(source, number),
        "InfoKind": 1,
        "SourceID": source,
        "DeviceID": device_id,
        "ShotTime": at,
        "LeftTopX": left,
        "LeftTopY": top,
        "RightBtmX": right,
        "RightBtmY": bottom,
        "LocationMarkTime": at,
        "FaceAppearTime": at,
        "FaceDisAppearTime": at,
        "IsDriver": 2,
        "IsForeigner": 2,
        "IsSuspectedTerrorist": 2,
        "IsCriminalInvolved": 2,
        "IsDetainees": 2,
        "IsVictim": 2,
        "IsSuspiciousPerson": 2,
        "Attitude": 0,
        "Similaritydegree": 0,
        "SubImageList": {
            "SubImageInfoObject": _pictures(device_id, look, source=source, at=at, number=number, faults=faults)
        },
    }


def _pictures(
    device_id: str, look: Look, *, source: str, at: str, number: int, faults: frozenset[str]
) -> Sequence[dict[str, Any]]:
    kinds = ("11", "14") if "swapped" in faults else ("14", "11")
    scene = _picture(device_id, source, kinds[0], look.scene, look.scene_size_px, at=at, faults=faults)
    crop = _picture(device_id, source, kinds[1], look.crop, look.crop_size_px, at=at, faults=faults)
    if "no_scene" in faults or number > 1:  # one scene for a crowd
        return [crop]
    if "oversize" in faults:
        scene["Data"] = _oversize()
    return [scene, crop]


def _picture(
    device_id: str, source: str, kind: str, data: str, size: tuple[int, int], *, at: str, faults: frozenset[str]
) -> dict[str, Any]:
    if "broken_base64" in faults:
        data = data[: len(data) // 2] + "*" + data[len(data) // 2 :]
    if "wrapped_base64" in faults:
        data = "\r\n".join(data[start : start + _LINE] for start in range(0, len(data), _LINE))
    told = {
        "ImageID": source,
        "EventSort": 10,
        "DeviceID": device_id,
        "StoragePath": "",
        "Type": kind,
        "FileFormat": "Png" if "wrong_mime" in faults else "Jpeg",
        "ShotTime": at,
        "Width": size[0],
        "Height": size[1],
        "FileSize": len(data) * 3 // 4,
        "Data": data,
    }
    if "address_only" in faults:
        told |= {"StoragePath": f"http://127.0.0.1:9/{source}.jpg", "Data": ""}
    return told


def _oversize() -> str:
    """A JPEG's beginning, then 20 MB of nothing."""
    return base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(_OVERSIZE_BYTES)).decode()
