"""One GA/T 1400 capture camera: off, registered with digest, keeping alive, posting, gone.

It behaves as the standard says, and takes a platform's answer as text or number. When it is told that it is unknown, as
after the platform's restart, it registers anew and sends what it had again.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import msgspec

from shouhao.lab.cameras.messages import JSON_KIND
from shouhao.protocols.gat1400_digest import Credentials, read_credentials, response_of

_OK, _UNAUTHORIZED, _BUSY = 200, 401, 503
_TRIES = 3
_STALL_S = 20.0


class NotRegistered(Exception):  # noqa: N818 - a correct "no" of the platform
    """The platform does not let this device in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for a post."""

    status: int  #: of HTTP; 0: nothing came
    codes: tuple[str, ...] = ()  #: StatusCode of each object
    as_text: bool = False  #: the codes came as text
    took_s: float = 0.0
    tries: int = 1

    @property
    def good(self) -> bool:
        """Every object was taken."""
        return self.status == _OK and all(code == "0" for code in self.codes)


@dataclass(slots=True, kw_only=True)
class Device:
    """A camera and its line."""

    client: httpx.AsyncClient
    base: str  #: of the platform, without /VIID
    device_id: str
    password: str
    skew_us: int = 0  #: how far its clock is ahead
    stall_s: float = _STALL_S
    registered: bool = False
    registrations: int = 0
    register_s: list[float] = field(default_factory=list)
    last_authorization: str = ""
    _registering: asyncio.Lock = field(default_factory=asyncio.Lock)

    def now_us(self) -> int:
        """By the device's own clock."""
        return time.time_ns() // 1000 + self.skew_us

    async def register(self) -> None:
        """Register with digest, and check that the platform knows the password too.

        Raises:
            NotRegistered: it does not let us in, or does not know it.
            httpx.HTTPError: nobody answers.
        """
        path = "/VIID/System/Register"
        body = {"RegisterObject": {"DeviceID": self.device_id}}
        started = time.perf_counter()
        first = await self._send("POST", path, body)
        if first.status_code == _OK:
            self._is_registered(started)
            return
        challenge = first.headers.get("www-authenticate", "")
        if first.status_code != _UNAUTHORIZED or not challenge.lower().startswith("digest"):
            raise NotRegistered(f"HTTP {first.status_code}")
        mine = self._answer(challenge, method="POST", path=path)
        second = await self._send("POST", path, body, headers={"Authorization": _written(mine)})
        if second.status_code != _OK:
            raise NotRegistered(f"HTTP {second.status_code}")
        proof = second.headers.get("authentication-info", "")
        if proof and f'rspauth="{response_of(mine, password=self.password, method="")}"' not in proof:
            raise NotRegistered("the platform does not know the password")
        self.last_authorization = _written(mine)
        self._is_registered(started)

    async def replay_register(self) -> int:
        """Send the last Register again, as somebody who listened would; the status of what came."""
        body = {"RegisterObject": {"DeviceID": self.device_id}}
        headers = {"Authorization": self.last_authorization}
        return (await self._send("POST", "/VIID/System/Register", body, headers=headers)).status_code

    async def keepalive(self) -> bool:
        """Say that we live; registers anew where the platform forgot us."""
        body = {"KeepaliveObject": {"DeviceID": self.device_id}}
        answer = await self._send("POST", "/VIID/System/Keepalive", body)
        if answer.status_code == _UNAUTHORIZED:
            self.registered = False
            await self.ensure_registered()
        return answer.status_code == _OK

    async def unregister(self) -> None:
        """Say good-bye."""
        await self._send("POST", "/VIID/System/UnRegister", {"UnRegisterObject": {"DeviceID": self.device_id}})
        self.registered = False

    async def post(self, body: bytes, content_type: str, *, stalls: bool = False) -> Answer:
        """Post faces, and try again where the platform is busy or has forgotten us."""
        started = time.perf_counter()
        answer = Answer(status=0)
        for tries in range(1, _TRIES + 1):
            answer = await self._post_once(body, content_type, stalls=stalls, started=started, tries=tries)
            if answer.status == _UNAUTHORIZED:
                self.registered = False
                await self.ensure_registered()
            elif answer.status in {_BUSY, 0}:
                await asyncio.sleep(min(5.0, tries))
            else:
                break
        return answer

    async def ensure_registered(self) -> None:
        """Register, once however many posts of this device find out that it has to."""
        async with self._registering:
            if not self.registered:
                await self.register()

    async def _post_once(self, body: bytes, content_type: str, *, stalls: bool, started: float, tries: int) -> Answer:
        headers = {"Content-Type": content_type, "Content-Length": str(len(body))}
        content: Any = _stalling(body, self.stall_s) if stalls else body
        try:
            reply = await self.client.post(
                f"{self.base}/VIID/Faces", content=content, headers=self._headers() | headers
            )
        except httpx.HTTPError:
            return Answer(status=0, took_s=time.perf_counter() - started, tries=tries)
        codes, as_text = _codes(reply.content)
        took_s = time.perf_counter() - started
        return Answer(status=reply.status_code, codes=codes, as_text=as_text, took_s=took_s, tries=tries)

    async def _send(
        self, method: str, path: str, body: object, *, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        sent = self._headers() | {"Content-Type": JSON_KIND} | (headers or {})
        content = msgspec.json.encode(body)
        return await self.client.request(method, f"{self.base}{path}", content=content, headers=sent)

    def _headers(self) -> dict[str, str]:
        return {"User-Identify": self.device_id, "Accept": "application/json,application/VIID+json"}

    def _answer(self, challenge: str, *, method: str, path: str) -> Credentials:
        offered = read_credentials(f'{challenge}, uri="{path}", response="-"')
        if offered is None:
            raise NotRegistered("its challenge cannot be read")
        qop = "auth" if "auth" in offered.qop.split(",") else ""
        mine = Credentials(
            username=self.device_id,
            realm=offered.realm,
            nonce=offered.nonce,
            uri=path,
            response="",
            qop=qop,
            nc="00000001" if qop else "",
            cnonce=secrets.token_hex(8) if qop else "",
        )
        return replace(mine, response=response_of(mine, password=self.password, method=method))

    def _is_registered(self, started: float) -> None:
        self.registered = True
        self.registrations += 1
        self.register_s.append(time.perf_counter() - started)


def _written(credentials: Credentials) -> str:
    c = credentials
    parts = [
        f'username="{c.username}"',
        f'realm="{c.realm}"',
        f'nonce="{c.nonce}"',
        f'uri="{c.uri}"',
        f'response="{c.response}"',
        'algorithm="MD5"',
    ]
    if c.qop:
        parts += [f"qop={c.qop}", f"nc={c.nc}", f'cnonce="{c.cnonce}"']
    return "Digest " + ", ".join(parts)


async def _stalling(body: bytes, stall_s: float) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    await asyncio.sleep(stall_s)
    yield body[len(body) // 2 :]


def _codes(content: bytes) -> tuple[tuple[str, ...], bool]:
    """StatusCodes of an answer, whether they came as numbers or as text, in a list or alone."""
    try:
        told = msgspec.json.decode(content)
        listed = told.get("ResponseStatusListObject", told)["ResponseStatusObject"]
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError):
        return (), False
    items = listed if isinstance(listed, list) else [listed]
    codes = [item.get("StatusCode") for item in items if isinstance(item, dict)]
    return tuple(str(code) for code in codes), any(isinstance(code, str) for code in codes)
