"""Pushes: what cameras send by their own HTTP notification, ISAPI's or ONVIF's: spooled, then answered.

Such a device registers nowhere. It proves itself by digest where it can, and otherwise by the address that it was told
to push to, which ends with a key of its own: `/isapi/events/DEVICE/KEY`. A camera without either is let in by its
name alone only where its record says that nothing is asked of it.
"""

import re
from typing import Literal

from shouhao.kernel.errors import Unavailable
from shouhao.protocols.isapi import is_heartbeat
from shouhao.watch.model import Arrival
from shouhao.web.asgi import Scope, Send
from shouhao.web.errors import BodyIncomplete, BodyTooLarge
from shouhao.web.internal.bodies import BodyTooSlow, Listening, drop_body, read_camera_body
from shouhao.web.internal.known import Known, same_key
from shouhao.web.internal.receiver import Receiver, address_of, content_type, device_in_header, raw_path, say

_PATH = re.compile(r"/(isapi|onvif)/events(?:/([0-9]{20})(?:/([0-9a-f]{36}))?)?/?", re.IGNORECASE)
_TEXT = "text/plain; charset=utf-8"
_HEARTBEAT_BYTES = 64 * 1024  #: what is longer carries pictures
_TOO_MUCH = {BodyTooLarge.code: 413, BodyTooSlow.code: 408, BodyIncomplete.code: 400}

Pushed = Literal["isapi", "onvif"]


async def push(receiver: Receiver, scope: Scope, receive: Listening, send: Send) -> None:
    """Serve one request below /isapi/events or /onvif/events."""
    found = _PATH.fullmatch(scope["path"])
    if found is None or scope["method"] not in {"POST", "PUT"}:
        await drop_body(receive)
        await say(send, 404 if found is None else 405, b"", kind=_TEXT)
        return
    source: Pushed = "isapi" if found[1].lower() == "isapi" else "onvif"
    try:
        await _push(receiver, scope, receive, send, source=source, named=found[2] or "", key=(found[3] or "").lower())
    except Unavailable as error:
        receiver.counts["unavailable"] += 1
        await drop_body(receive)
        retry = str(max(1, round(error.retry_after_s)))
        await say(send, 503, b"", kind=_TEXT, headers={"retry-after": retry, "connection": "close"})
    except (BodyTooLarge, BodyTooSlow, BodyIncomplete) as error:
        receiver.counts[error.code] += 1
        await drop_body(receive)
        await say(send, _TOO_MUCH[error.code], b"", kind=_TEXT, headers={"connection": "close"})


async def _push(
    receiver: Receiver, scope: Scope, receive: Listening, send: Send, *, source: Pushed, named: str, key: str
) -> None:
    device_id = named or device_in_header(scope)
    known = await receiver.known.find(device_id)
    if known is not None and known.camera.source != source:
        known = None
    proven, verdict = _proof(receiver, scope, known, key)
    if known is None or not (proven or (verdict == "none" and not known.camera.digest_required)):
        receiver.counts["stranger"] += 1
        await drop_body(receive)
        challenge = receiver.gate.challenge(now_us=receiver.now_us(), stale=verdict == "stale")
        await say(send, 401, b"", kind=_TEXT, headers={"www-authenticate": challenge})
        return
    with receiver.in_flight.share(device_id) as share:
        body = await read_camera_body(receive, scope["headers"], share)
        now_us = receiver.now_us()
        if source == "isapi" and len(body) <= _HEARTBEAT_BYTES and is_heartbeat(body, content_type(scope)):
            receiver.hearing.note(known.camera.id, "keepalive", at_us=now_us)
        else:
            arrival = Arrival(
                source=source,
                device_id=device_id,
                proven=proven,
                path=f"/{source}/events",  # without the key
                content_type=content_type(scope),
                body=body,
                arrived_at_us=now_us,
            )
            await receiver.keep(arrival, camera_id=known.camera.id)
    await say(send, 200, b"", kind=_TEXT)


def _proof(receiver: Receiver, scope: Scope, known: Known | None, key: str) -> tuple[bool, str]:
    """Whether the device has shown that it is the one, and what its digest was worth."""
    address, now_us = address_of(scope), receiver.now_us()
    if key:
        if not receiver.attempts.may_try(address, now_us=now_us):
            return False, "wrong"
        right = same_key(key, "" if known is None else receiver.known.push_key(known))
        if not right:
            receiver.attempts.was_wrong(address, now_us=now_us)
        return right, "none" if right else "wrong"
    verdict = receiver.check_digest(scope, known, address)
    return verdict == "right", verdict


def push_path(source: Pushed, device_id: str, key: str) -> str:
    """Where a device is told to push to."""
    return f"/{source}/events/{device_id}/{key}"


def logged_path(scope: Scope) -> str:
    """A path that may be shown: keys stand in some."""
    return re.sub(r"[0-9a-f]{36}", "…", raw_path(scope), flags=re.IGNORECASE)[:200]
