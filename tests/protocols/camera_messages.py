"""Messages of made-up cameras, and pictures that are nobody's face."""

import base64
import json
from functools import cache
from io import BytesIO
from typing import Any

from PIL import Image

from shouhao.watch.model import Arrival, Reading

DEVICE = "31010600001190000001"
SOURCE = f"{DEVICE}022020051020040800001"
FACE_ID = f"{SOURCE}0600001"
SHOT_AT_US = 1_589_112_248_000_000  # 2020-05-10 20:04:08 at the hospital


@cache
def picture(width: int, height: int, shade: int = 90, kind: str = "JPEG") -> bytes:
    written = BytesIO()
    Image.effect_noise((width, height), shade).convert("RGB").save(written, kind)
    return written.getvalue()


SCENE = picture(1280, 720)
CROP = picture(200, 220)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def image(kind: Any, data: bytes | str, **more: Any) -> dict[str, Any]:
    return {"Type": kind, "Data": data if isinstance(data, str) else text(data), **more}


def face(**changed: Any) -> dict[str, Any]:
    said = {
        "FaceID": FACE_ID,
        "SourceID": SOURCE,
        "DeviceID": DEVICE,
        "ShotTime": "20200510200408",
        "LeftTopX": 163,
        "LeftTopY": 126,
        "RightBtmX": 334,
        "RightBtmY": 297,
        "SubImageList": {"SubImageInfoObject": [image("14", SCENE), image("11", CROP)]},
    }
    return {name: value for name, value in (said | changed).items() if value is not None}


def faces(*each: dict[str, Any]) -> dict[str, Any]:
    return {"FaceListObject": {"FaceObject": list(each)}}


def arrival(
    body: Any, *, source: Any = "gat1400", path: str = "/VIID/Faces", content_type: str = "application/VIID+JSON"
) -> Arrival:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Arrival(
        source=source,
        device_id=DEVICE,
        proven=True,
        path=path,
        content_type=content_type,
        body=data,
        arrived_at_us=SHOT_AT_US + 1_000_000,
    )


def named(reading: Reading) -> list[tuple[str, str]]:
    return [(problem.where, problem.why_en) for problem in reading.not_understood]


def multipart(*parts: tuple[str, str, bytes], boundary: str = "boundary", end: str = "\r\n") -> bytes:
    """Parts of (name, content type, data); a name may carry a pId as `name|pid`."""
    lines = []
    for name, kind, data in parts:
        called, _, pid = name.partition("|")
        filename = f'; filename="{pid}.jpg"' if pid else ""
        lines.append(f'--{boundary}{end}Content-Disposition: form-data; name="{called}"{filename}{end}'.encode())
        lines.append(f"Content-Type: {kind}{end}".encode())
        lines.append(f"Content-ID: {pid}{end}".encode() if pid else b"")
        lines.append(end.encode() + data + end.encode())
    return b"".join(lines) + f"--{boundary}--{end}".encode()
