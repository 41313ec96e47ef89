"""The patients' app: every channel comes in here, with the same rules for each.

`POST /api/v1/bookings` goes straight to its route, before any framework; everything else passes `Edge` and FastAPI.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from shouhao.booking.model import BookingView
from shouhao.protocols.reference_payment import ReferenceGateway
from shouhao.web import health
from shouhao.web.asgi import App, Edge, Receive, Scope, Send
from shouhao.web.caller import Door
from shouhao.web.description import REF, Api, failures, msgspec_schemas
from shouhao.web.looks import Looks
from shouhao.web.proxies import Proxies, behind
from shouhao.web.public import antenatal, bookings, catalogue, patients, payments, reference_gateway, sign_in
from shouhao.web.public.book import Book, BookBody
from shouhao.web.shared_desk import SharedDesk
from shouhao.wiring import System

_HOT = "/api/v1/bookings"


def public_app(system: System, *, desk: SharedDesk | None = None) -> App:
    """The ASGI app of all channels.

    Args:
        desk: shared with the console where both run in one process.
    """
    settings = system.settings
    shared = desk or SharedDesk(system.desk)
    looks = Looks(system.db)

    @asynccontextmanager
    async def serving(_app: FastAPI) -> AsyncIterator[None]:
        async with shared.open():
            looks.start()
            try:
                yield
            finally:
                await asyncio.to_thread(looks.stop)

    routers = [health.routes, *(part.routes for part in (sign_in, patients, catalogue, bookings, antenatal, payments))]
    if isinstance(system.gateway, ReferenceGateway):
        routers.append(reference_gateway.routes)
    api = Api(system, title=_title(system), routers=routers, lifespan=serving, more=_hot_route())
    api.state.looks = looks
    edge = Edge(api, limit=settings.max_body_bytes, limits={"/photo": settings.max_photo_bytes})
    door = Door(system.channel_keys, system.sign_in_key, system.clock)
    book = Book(system.desk, door, limit=settings.max_body_bytes)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == _HOT:
            await book(scope, receive, send)
        else:
            await edge(scope, receive, send)

    return behind(app, Proxies(trusted=settings.trusted_proxies, header=settings.proxy_header))


def _title(system: System) -> str:
    settings = system.settings
    return f"守号 {settings.hospital_name_zh} · Shouhao {settings.hospital_name_en}"


def _hot_route() -> dict[str, Any]:
    """How the hot route is described."""
    body, booking = ({"$ref": REF.format(name=kind.__name__)} for kind in (BookBody, BookingView))
    says = {str(status): _described(shape) for status, shape in failures(400, 401, 403, 404, 409, 415, 422).items()}
    operation = {
        "tags": ["bookings"],
        "operationId": "book",
        "summary": "预约 Book a slot",
        "description": (
            "某排班的任一号，或指定的号；未支付的号保留一段时间。\n\n"
            "Any slot of a session, or one that is named. An unpaid slot is held a while."
        ),
        "security": [{"channel_key": [], "sign_in": []}],
        "parameters": [{"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"type": "string"}}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "201": {"description": "已预约 Booked", "content": {"application/json": {"schema": booking}}},
            **says,
        },
    }
    return {"paths": {_HOT: {"post": operation}}, "schemas": msgspec_schemas()}


def _described(failure: dict[str, Any]) -> dict[str, Any]:
    shape = {"$ref": REF.format(name="ErrorAnswer")}
    return {"description": failure["description"], "content": {"application/json": {"schema": shape}}}
