"""The staff's app, on its own port: a key for each operator, a role for each act, a name on each look and change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from shouhao.booking.receipts import SignedReceipt
from shouhao.web import health
from shouhao.web.asgi import App, Edge
from shouhao.web.console import (
    antenatal,
    antenatal_referrals,
    bookings,
    care,
    channels,
    draws,
    extra_slots,
    operators,
    patients,
    policies,
    release_policies,
    reviews,
    schedules,
)
from shouhao.web.description import Api, msgspec_schemas
from shouhao.web.proxies import Proxies, behind
from shouhao.web.shared_desk import SharedDesk
from shouhao.wiring import System

SCHEDULE_MAX_BYTES = 64 * 1024 * 1024


def console_app(system: System, *, desk: SharedDesk | None = None) -> App:
    """The ASGI app of the staff.

    Args:
        desk: shared with the patients' app where both run in one process.
    """
    settings = system.settings
    shared = desk or SharedDesk(system.desk)

    @asynccontextmanager
    async def serving(_app: FastAPI) -> AsyncIterator[None]:
        async with shared.open():
            yield

    parts = (
        reviews,
        patients,
        care,
        antenatal,
        antenatal_referrals,
        bookings,
        draws,
        extra_slots,
        schedules,
        policies,
        release_policies,
        channels,
        operators,
    )
    api = Api(
        system,
        title=f"守号控制台 {settings.hospital_name_zh} · Shouhao console {settings.hospital_name_en}",
        routers=[health.routes, *(part.routes for part in parts)],
        lifespan=serving,
        more={"schemas": msgspec_schemas(SignedReceipt)},
    )
    limits = {"/schedules/csv": SCHEDULE_MAX_BYTES, "/schedules/fhir": SCHEDULE_MAX_BYTES}
    edge = Edge(api, limit=settings.max_body_bytes, limits=limits)
    return behind(edge, Proxies(trusted=settings.trusted_proxies, header=settings.proxy_header))
