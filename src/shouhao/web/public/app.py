"""The patients' app: every channel comes in here, with the same rules for each.

The routes of `hot.py` are served before any framework; everything else passes `Edge` and FastAPI.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from shouhao.protocols.reference_payment import ReferenceGateway
from shouhao.web import health
from shouhao.web.asgi import App, Edge, Receive, Scope, Send, either
from shouhao.web.caller import Door
from shouhao.web.description import Api
from shouhao.web.looks import Looks
from shouhao.web.proxies import Proxies, behind
from shouhao.web.public import (
    antenatal,
    bookings,
    catalogue,
    consents,
    draws,
    entries,
    notices,
    patients,
    payments,
    reference_gateway,
    sign_in,
    tips,
    waits,
)
from shouhao.web.public.hot import HotRoutes, described
from shouhao.web.public.pages.app import pages_app
from shouhao.web.public.pages.bridge import CHANNEL
from shouhao.web.public.return_rates import ReturnRates
from shouhao.web.public.sealed_lists import SealedLists
from shouhao.web.shared_desk import SharedDesk
from shouhao.wiring import System

#: What this app serves; the reference gateway beside it only where it is the gateway.
_PARTS = (sign_in, patients, consents, catalogue, bookings, draws, entries, waits, notices, antenatal, payments, tips)
#: How the paths begin that are no pages.
_API_PATHS = ("/api/", "/healthz", "/readyz", "/reference-gateway/")


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

    routers = [health.routes, *(part.routes for part in _PARTS)]
    if isinstance(system.gateway, ReferenceGateway):
        routers.append(reference_gateway.routes)
    api = Api(system, title=_title(system), routers=routers, lifespan=serving, more=described())
    api.state.looks = looks
    api.state.sealed_lists = SealedLists(system.db)
    api.state.return_rates = ReturnRates(system.db)
    limits = {"/photo": settings.max_photo_bytes, "/tips/pictures": 2 * settings.max_photo_bytes}
    edge = Edge(api, limit=settings.max_body_bytes, limits=limits)
    hot = HotRoutes(system, Door(system.channel_keys, system.sign_in_key, system.clock))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found = hot.find(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None:
            await edge(scope, receive, send)
        else:
            route, which = found
            await route(scope, receive, send, which=which)

    served = app if not settings.patient_pages else either(app, _pages(system, app), api_paths=_API_PATHS)
    return behind(served, Proxies(trusted=settings.trusted_proxies, header=settings.proxy_header))


def _pages(system: System, app: App) -> App:
    """The pages for patients, which ask the API as the channel `web`."""
    settings = system.settings
    return pages_app(
        app,
        channel_key=system.channel_keys.make_own(CHANNEL, system.randomness),
        form_key=system.vault.derive("page-forms", 32),
        settings=settings,
        clock=system.clock,
        pay_origin=settings.payment_page_origin,
    )


def _title(system: System) -> str:
    settings = system.settings
    return f"守号 {settings.hospital_name_zh} · Shouhao {settings.hospital_name_en}"
