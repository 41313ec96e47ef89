"""Walk: one new patient goes the whole public way over HTTP, step by step, each step timed."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from shouhao.lab.clients import Connection, HungUp, Reply, connect
from shouhao.lab.heard import Door
from shouhao.lab.hospital import Person

_OK, _CREATED, _ACCEPTED, _CONFLICT = 200, 201, 202, 409
_PHONE_END = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of the way and its answer."""

    zh: str
    en: str
    request: str  #: method and path, without a name, a number or a key
    status: int
    took_ms: float
    ok: bool  #: the answer is the one that belongs here, a refusal too where one is due
    code: str = ""  #: of a refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkTargets:
    """Where the walk leads."""

    open_session_id: str  #: released, not hot
    hot_session_id: str  #: released and hot: a binding made a moment ago may not book it
    department_id: str  #: of the open session
    day: str


class StepFailed(Exception):  # noqa: N818 - it ends the walk and is reported
    """An answer that does not belong here; what follows makes no sense."""


class Walk:
    """The patient, who remembers what was said so far."""

    def __init__(self, door: Door, *, person: Person, targets: WalkTargets, wait_code: Callable[[str], str]) -> None:
        """Set up.

        Args:
            wait_code: given the last digits of the phone, waits for the code that was sent to it.
        """
        self._door = door
        self._person = person
        self._targets = targets
        self._wait_code = wait_code
        self._connection: Connection | None = None
        self._token = ""
        self._keys = 0
        self.steps: list[Step] = []
        self.booking_ids: list[str] = []

    async def go(self) -> bool:
        """Go all the way; whether every answer was the one that belongs there."""
        self._connection = await connect(self._door.host, self._door.port)
        try:
            await self._sign_in()
            patient_id = await self._register()
            await self._search()
            await self._book_and_pay(patient_id)
        except StepFailed:
            return False
        finally:
            self._connection.close()
        return True

    async def _sign_in(self) -> None:
        phone = self._person.mobile
        await self._step(
            "请求短信验证码",
            "Ask for a code by phone",
            "POST",
            "/api/v1/sign-in/codes",
            {"phone": phone},
            wants=_ACCEPTED,
        )
        code = await asyncio.to_thread(self._wait_code, phone[-_PHONE_END:])
        reply = await self._step(
            "用验证码登录",
            "Sign in with the code",
            "POST",
            "/api/v1/sign-in",
            {"phone": phone, "code": code, "device_id": "demo-phone"},
            wants=_OK,
        )
        self._token = str(reply.json()["token"])

    async def _register(self) -> str:
        person = self._person
        reply = await self._step(
            "实名建档并核验",
            "Register with an identity document",
            "POST",
            "/api/v1/patients",
            {
                "name": person.name,
                "document": {"kind": "resident_id", "number": person.id_number},
                "phone": person.mobile,
                "relation": "self",
            },
            wants=_CREATED,
        )
        return str(reply.json()["patient_id"])

    async def _search(self) -> None:
        targets = self._targets
        asked = {"department_id": targets.department_id, "first_day": targets.day, "last_day": targets.day}
        await self._step("查看科室", "See the departments", "GET", "/api/v1/departments", wants=_OK)
        await self._step("查询排班余号", "Search sessions", "GET", f"/api/v1/sessions?{urlencode(asked)}", wants=_OK)
        path = f"/api/v1/sessions/{targets.open_session_id}"
        await self._step(
            "查看一个排班的号序", "See the slots of a session", "GET", path, wants=_OK, shown="/api/v1/sessions/{id}"
        )

    async def _book_and_pay(self, patient_id: str) -> None:
        targets, path = self._targets, "/api/v1/bookings"
        wish = {"patient_id": patient_id, "session_id": targets.hot_session_id}
        await self._step(
            "刚绑定就约热门号：按规则拒绝",
            "A hot session at once: refused by rule",
            "POST",
            path,
            wish,
            wants=_CONFLICT,
        )
        wish = {"patient_id": patient_id, "session_id": targets.open_session_id}
        booked = await self._step("预约，号源保留待支付", "Book; the slot is held", "POST", path, wish, wants=_CREATED)
        booking_id = str(booked.json()["id"])
        self.booking_ids.append(booking_id)
        self._keys -= 1  # the same key again
        again = await self._step(
            "同一请求重发，得到同一答复", "The same request again: the same answer", "POST", path, wish, wants=_CREATED
        )
        if again.body != booked.body:
            raise StepFailed
        due = await self._step(
            "开始支付",
            "Begin to pay",
            "POST",
            f"{path}/{booking_id}/payment",
            wants=_CREATED,
            shown=f"{path}/{{id}}/payment",
        )
        address = urlsplit(str(due.json()["pay_url"]))
        await self._step(
            "在演示支付网关付款（不涉及真实资金）",
            "Pay at the reference gateway (no money moves)",
            "POST",
            f"{address.path}?{address.query}",
            wants=_OK,
            shown=address.path,
        )
        await self._step("查看我的预约", "See my bookings", "GET", path, wants=_OK)

    async def _step(
        self,
        zh: str,
        en: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        wants: int,
        shown: str = "",
    ) -> Reply:
        if self._connection is None:
            raise StepFailed
        raw = b"" if body is None else msgspec.json.encode(body)
        started = time.perf_counter()
        try:
            reply = await self._connection.ask(method, path, headers=self._headers(method), body=raw)
        except (HungUp, OSError):
            reply = Reply(status=0, headers={}, body=b"")
        took_ms = (time.perf_counter() - started) * 1000
        ok = reply.status == wants
        self.steps.append(
            Step(
                zh=zh,
                en=en,
                request=f"{method} {shown or path.partition('?')[0]}",
                status=reply.status,
                took_ms=round(took_ms, 1),
                ok=ok,
                code=reply.code(),
            )
        )
        if not ok:
            raise StepFailed
        return reply

    def _headers(self, method: str) -> dict[str, str]:
        headers = {"X-Channel-Key": self._door.channel_key, "Accept-Language": "zh-CN"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if method == "POST":
            self._keys += 1
            headers["Idempotency-Key"] = f"walk-{self._keys}"
        return headers
