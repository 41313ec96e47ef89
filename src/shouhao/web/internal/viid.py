"""/VIID: the GA/T 1400 platform that cameras register with and post to.

Register with digest, UnRegister, Keepalive, Time; Faces, Persons, Images and notifications are spooled and answered
with one status for each object; what is posted once can be neither asked for nor deleted here, for nothing of it is
kept under that name. Watch orders of others are taken in and are not for us.
Source: GA/T 1400.4; RFC 7616.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import parse_qs

from shouhao.kernel.errors import Refused, Unavailable
from shouhao.protocols.gat1400_digest import read_credentials
from shouhao.protocols.gat1400_write import (
    BAD_CONTENT,
    BUSY,
    CONTENT_TYPE,
    INVALID_OPERATION,
    OK,
    OTHER_ERROR,
    StatusCode,
    Told,
    answer_list,
    answer_one,
    answer_time,
    device_in,
    told_by,
)
from shouhao.watch.model import Arrival
from shouhao.web.asgi import Scope, Send, read_body
from shouhao.web.errors import BodyIncomplete, BodyTooLarge
from shouhao.web.internal import subscribing
from shouhao.web.internal.bodies import BodyTooSlow, Listening, drop_body, read_camera_body
from shouhao.web.internal.online import Device
from shouhao.web.internal.receiver import (
    Receiver,
    address_of,
    content_type,
    device_in_header,
    is_device_id,
    raw_path,
    say,
)

_SMALL_BYTES = 64 * 1024
_SMALL_S = 10.0
_LARGE_BYTES = 1024 * 1024  #: reading ids out of more than this takes longer than others should wait
_PATH_LONGEST = 200
_IDS_MOST = 1000
_OBJECTS = frozenset(
    {"faces", "persons", "images", "subscribenotifications", "dispositions", "dispositionnotifications"}
)
_CAPTURES = frozenset({"faces", "persons", "images"})  #: by the device's own clock; notifications pass others' on
_ONE = re.compile(r"(faces|persons|images)/([0-9a-z_-]{1,64})(/data)?", re.IGNORECASE)
_ID = re.compile(r"[0-9A-Za-z_.:-]{1,64}")
_TOO_MUCH = {BodyTooLarge.code: 413, BodyTooSlow.code: 408, BodyIncomplete.code: 400}

Route = Callable[[Receiver, Scope, Listening, Send], Awaitable[None]]


async def viid(receiver: Receiver, scope: Scope, receive: Listening, send: Send) -> None:
    """Serve one request below /VIID."""
    rest = scope["path"][len("/VIID/") :].strip("/").lower()
    try:
        await _route(receiver, rest, scope, receive, send)
    except Unavailable as error:
        receiver.counts["unavailable"] += 1
        headers = {"retry-after": str(max(1, round(error.retry_after_s))), "connection": "close"}
        await drop_body(receive)
        await _say(receiver, scope, send, 503, BUSY, headers=headers)
    except (BodyTooLarge, BodyTooSlow, BodyIncomplete) as error:
        receiver.counts[error.code] += 1
        await drop_body(receive)
        await _say(receiver, scope, send, _TOO_MUCH[error.code], OTHER_ERROR, headers={"connection": "close"})
    except Refused as error:
        receiver.counts[error.code] += 1
        await _say(receiver, scope, send, 400, BAD_CONTENT)


async def _route(receiver: Receiver, rest: str, scope: Scope, receive: Listening, send: Send) -> None:
    method = scope["method"]
    system = _SYSTEM.get((method, rest))
    if system is not None:
        await system(receiver, scope, receive, send)
        return
    one = _ONE.fullmatch(rest)
    if rest == "subscribes" or rest.startswith("subscribes/"):
        await _subscribes(receiver, scope, receive, send)
    elif rest in _OBJECTS and method in {"POST", "PUT"}:
        await _objects(receiver, scope, receive, send, kind=rest)
    elif one is not None and method in {"POST", "PUT"}:
        await _objects(receiver, scope, receive, send, kind=one[1].lower(), identifier=one[2])
    elif rest in _OBJECTS or one is not None:
        await _nothing_kept(receiver, scope, send, one=one)
    else:
        await drop_body(receive)
        await _say(receiver, scope, send, 404, INVALID_OPERATION)


async def _register(receiver: Receiver, scope: Scope, receive: Listening, send: Send) -> None:
    body = await _small(receive)
    named, clock_us = device_in(body, content_type(scope), within="RegisterObject")
    in_header = device_in_header(scope)
    device_id = named if is_device_id(named) else in_header
    address, now_us = address_of(scope), receiver.now_us()
    known = await receiver.known.find(device_id) if device_id and in_header in {"", device_id} else None
    if known is not None and known.camera.source != "gat1400":
        known = None
    verdict = receiver.check_digest(scope, known, address)
    if verdict != "right" and (known is None or known.camera.digest_required or verdict != "none"):
        receiver.counts["register_refused" if verdict == "wrong" else "register_challenged"] += 1
        await _challenge(receiver, scope, send, stale=verdict == "stale", identifier=named)
        return
    if known is None:
        await _challenge(receiver, scope, send, identifier=named)
        return
    device = receiver.admit(known, address=address, proven=verdict == "right")
    times = () if clock_us is None else (clock_us,)
    receiver.hearing.note(device.camera_id, "register", at_us=now_us, device_times_us=times)
    credentials = read_credentials(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))
    proof = "" if credentials is None else receiver.gate.answer(credentials, password=known.password or "")
    headers = {"authentication-info": proof} if proof else {}
    await _say_one(receiver, scope, send, 200, OK, device_id, headers=headers)


async def _unregister(receiver: Receiver, scope: Scope, receive: Listening, send: Send) -> None:
    device = await _known_by_small_body(receiver, scope, receive, within="UnRegisterObject")
    if device is None:
        await _challenge(receiver, scope, send)
        return
    receiver.online.forget(device.device_id)
    await _say_one(receiver, scope, send, 200, OK, device.device_id)


async def _keepalive(receiver: Receiver, scope: Scope, receive: Listening, send: Send) -> None:
    device = await _known_by_small_body(receiver, scope, receive, within="KeepaliveObject", what="keepalive")
    if device is None:
        await _challenge(receiver, scope, send)  # it registers anew, as after our restart
        return
    await _say_one(receiver, scope, send, 200, OK, device.device_id)


async def _time(receiver: Receiver, scope: Scope, receive: Listening, send: Send) -> None:
    """Anybody may ask what time it is: a device sets its clock before it registers."""
    del receive
    body = answer_time(receiver.system.settings.camera_platform_id, now_us=receiver.now_us())
    await say(send, 200, body if scope["method"] != "HEAD" else b"", kind=CONTENT_TYPE)


_SYSTEM: dict[tuple[str, str], Route] = {
    ("POST", "system/register"): _register,
    ("POST", "system/unregister"): _unregister,
    ("POST", "system/keepalive"): _keepalive,
    ("GET", "system/time"): _time,
}


async def _objects(
    receiver: Receiver, scope: Scope, receive: Listening, send: Send, *, kind: str, identifier: str = ""
) -> None:
    """Faces and what else is posted: on disk, then answered."""
    device = await receiver.authenticated(scope, device_in_header(scope), source="gat1400")
    if device is None:
        receiver.counts["stranger"] += 1
        await drop_body(receive)
        await _challenge(receiver, scope, send, listed=True)
        return
    with receiver.in_flight.share(device.device_id) as share:
        body = await read_camera_body(receive, scope["headers"], share)
        told = Told(ids=(identifier,)) if identifier else await _told_by(body, content_type(scope))
        arrival = Arrival(
            source="gat1400",
            device_id=device.device_id,
            proven=device.proven,
            path=scope["path"][:_PATH_LONGEST],
            content_type=content_type(scope),
            body=body,
            arrived_at_us=receiver.now_us(),
        )
        captures = max(1, len(told.ids)) if kind in _CAPTURES else 0
        await receiver.keep(arrival, camera_id=device.camera_id, device_times_us=told.times_us, captures=captures)
    await _say(receiver, scope, send, 200, OK, identifiers=told.ids)


async def _told_by(body: bytes, kind: str) -> Told:
    if len(body) > _LARGE_BYTES:
        return await asyncio.to_thread(told_by, body, kind)
    return told_by(body, kind)


async def _nothing_kept(receiver: Receiver, scope: Scope, send: Send, *, one: re.Match[str] | None) -> None:
    """What a device asks of things it posted: there are none; deleting what is not there succeeds."""
    device = await receiver.authenticated(scope, device_in_header(scope), source="gat1400")
    if device is None:
        await _challenge(receiver, scope, send, listed=True)
    elif scope["method"] == "DELETE":
        await _say(receiver, scope, send, 200, OK, identifiers=_id_list(scope) or ([one[2]] if one else []))
    elif scope["method"] != "GET":
        await _say(receiver, scope, send, 405, INVALID_OPERATION)
    elif one is not None:
        await _say(receiver, scope, send, 404, INVALID_OPERATION, identifiers=[one[2]])
    else:
        name = scope["path"].strip("/").rpartition("/")[2].lower()
        item = {"faces": "Face", "persons": "Person", "images": "Image"}.get(name, "")
        empty = f'{{"{item}ListObject":{{"{item}{"" if item == "Image" else "Object"}":[]}}}}' if item else "{}"
        await say(send, 200, empty.encode(), kind=CONTENT_TYPE)


async def _subscribes(receiver: Receiver, scope: Scope, receive: Listening, send: Send) -> None:
    device = await receiver.authenticated(scope, device_in_header(scope), source="gat1400")
    if device is None:
        await drop_body(receive)
        await _challenge(receiver, scope, send, listed=True)
        return
    method, db, now_us = scope["method"], receiver.system.db, receiver.now_us()
    if method == "GET":
        body = await asyncio.to_thread(subscribing.listed, db, device.device_id)
        await say(send, 200, body, kind=CONTENT_TYPE)
        return
    if method == "DELETE":
        last = scope["path"].strip("/").rpartition("/")[2]
        ids = _id_list(scope) or ([last] if _ID.fullmatch(last) and last.lower() != "subscribes" else [])
        await asyncio.to_thread(subscribing.cancel, db, device.device_id, ids, now_us=now_us)
    elif method in {"POST", "PUT"}:
        body = await _small(receive)
        ids = await asyncio.to_thread(subscribing.keep, db, device.device_id, body, content_type(scope), now_us=now_us)
    else:
        await _say(receiver, scope, send, 405, INVALID_OPERATION)
        return
    await _say(receiver, scope, send, 200, OK, identifiers=ids)


async def _known_by_small_body(
    receiver: Receiver, scope: Scope, receive: Listening, *, within: str, what: str = ""
) -> Device | None:
    """The device that registered and speaks now; what its body names must be what its header names."""
    body = await _small(receive)
    named, clock_us = device_in(body, content_type(scope), within=within)
    in_header = device_in_header(scope)
    if named and in_header and named != in_header:
        return None
    device = await receiver.authenticated(scope, in_header or named, source="gat1400")
    if device is not None and what == "keepalive":
        times = () if clock_us is None else (clock_us,)
        receiver.hearing.note(device.camera_id, "keepalive", at_us=receiver.now_us(), device_times_us=times)
    return device


async def _small(receive: Listening) -> bytes:
    try:
        async with asyncio.timeout(_SMALL_S):
            return await read_body(receive, limit=_SMALL_BYTES)
    except TimeoutError:
        raise BodyTooSlow(limit_s=_SMALL_S) from None


async def _challenge(
    receiver: Receiver, scope: Scope, send: Send, *, stale: bool = False, identifier: str = "", listed: bool = False
) -> None:
    headers = {"www-authenticate": receiver.gate.challenge(now_us=receiver.now_us(), stale=stale)}
    if listed:
        await _say(receiver, scope, send, 401, INVALID_OPERATION, headers=headers)
    else:
        await _say_one(receiver, scope, send, 401, INVALID_OPERATION, identifier, headers=headers)


async def _say(
    receiver: Receiver,
    scope: Scope,
    send: Send,
    status: int,
    code: StatusCode,
    *,
    identifiers: Sequence[str] = (),
    headers: dict[str, str] | None = None,
) -> None:
    url = raw_path(scope)[:_PATH_LONGEST]
    body = answer_list(url, code=code, identifiers=identifiers, now_us=receiver.now_us())
    await say(send, status, body, kind=CONTENT_TYPE, headers=headers)


async def _say_one(
    receiver: Receiver,
    scope: Scope,
    send: Send,
    status: int,
    code: StatusCode,
    identifier: str,
    *,
    headers: dict[str, str] | None = None,
) -> None:
    url = raw_path(scope)[:_PATH_LONGEST]
    body = answer_one(url, code=code, identifier=identifier, now_us=receiver.now_us())
    await say(send, status, body, kind=CONTENT_TYPE, headers=headers)


def _id_list(scope: Scope) -> list[str]:
    """The ids of `?IDList=a,b`."""
    query = scope.get("query_string", b"").decode("latin-1")
    found = [value for name, values in parse_qs(query).items() if name.lower() == "idlist" for value in values]
    return [one for one in ",".join(found).split(",") if _ID.fullmatch(one)][:_IDS_MOST]
