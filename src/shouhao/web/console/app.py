"""The staff's app, on its own port: a key for each operator, a role for each act, a name on each look and change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from shouhao.booking.receipts import SignedReceipt
from shouhao.flows.morning import MorningBoard
from shouhao.flows.search_jobs import SearchJobs
from shouhao.web import health
from shouhao.web.asgi import App, Edge, either
from shouhao.web.console import (
    alarm_policy,
    alarms,
    antenatal,
    antenatal_referrals,
    approvals,
    bookings,
    cameras,
    care,
    channels,
    consents,
    draws,
    extra_slots,
    findings,
    floors,
    frequent,
    guards,
    handovers,
    law,
    morning,
    offer,
    operators,
    patient_looks,
    patient_places,
    patients,
    policies,
    recordings,
    register,
    release_policies,
    reviews,
    schedules,
    sessions,
    timeline,
    tips,
    trails,
    watch_bundle_rows,
    watch_bundles,
    watch_lists,
    watch_plots,
    watchlist,
)
from shouhao.web.console.pages.app import API_PATHS, pages_app
from shouhao.web.description import Api, msgspec_schemas
from shouhao.web.guard import page as guard_page
from shouhao.web.live_alarms import LiveAlarms
from shouhao.web.proxies import Proxies, behind
from shouhao.web.shared_desk import SharedDesk
from shouhao.web.zones import Zoned
from shouhao.wiring import System
from shouhao.wiring.watch import search_desk

SCHEDULE_MAX_BYTES = 64 * 1024 * 1024
CAMERA_LIMITS = {
    "/floor-plan": floors.PLAN_MAX_BYTES,
    "/sign": cameras.SIGN_MAX_BYTES,
    "/cameras/csv": floors.CSV_MAX_BYTES,
    "/camera-ways/csv": floors.CSV_MAX_BYTES,
    "/camera-ways": floors.CSV_MAX_BYTES,
}
WATCHLIST_LIMITS = {
    "/watchlist/entries": watchlist.PROPOSAL_MAX_BYTES,
    "/watchlist/bundles": watch_bundles.UPLOAD_MAX_BYTES,
    "/watchlist/calibrations": watch_lists.CALIBRATION_MAX_BYTES,
    "/watchlist/staff-photos": watch_lists.STAFF_PHOTO_MAX_BYTES,
}


def console_app(system: System, *, desk: SharedDesk | None = None, live: LiveAlarms | None = None) -> App:
    """The ASGI app of the staff.

    Args:
        desk: shared with the patients' app where both run in one process.
        live: streams of alarms, for whoever has to end them before the server can stop.
    """
    settings = system.settings
    shared = desk or SharedDesk(system.desk)
    watched = live or LiveAlarms(system.db, system.clock)

    searches = SearchJobs(lambda: search_desk(system))

    @asynccontextmanager
    async def serving(_app: FastAPI) -> AsyncIterator[None]:
        async with shared.open():
            try:
                yield
            finally:
                watched.end()
                searches.close()

    parts = (
        reviews,
        patients,
        patient_looks,
        patient_places,
        offer,
        care,
        consents,
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
        sessions,
        approvals,
        register,
        cameras,
        floors,
        law,
        frequent,
        morning,
        findings,
        tips,
        alarms,
        alarm_policy,
        timeline,
        trails,
        recordings,
        guards,
        handovers,
        watchlist,
        watch_lists,
        watch_plots,
        watch_bundles,
        watch_bundle_rows,
    )
    api = Api(
        system,
        title=f"守号控制台 {settings.hospital_name_zh} · Shouhao console {settings.hospital_name_en}",
        routers=[health.routes, *(part.routes for part in parts), guard_page.routes],
        lifespan=serving,
        more={"schemas": msgspec_schemas(SignedReceipt)},
    )
    api.state.live_alarms = watched
    api.state.searches = searches
    api.state.morning = MorningBoard(system.db)
    limits = {
        "/schedules/csv": SCHEDULE_MAX_BYTES,
        "/schedules/fhir": SCHEDULE_MAX_BYTES,
        **CAMERA_LIMITS,
        **WATCHLIST_LIMITS,
        "/recording-searches": recordings.SEARCH_MAX_BYTES,
        "/recording-searches/requests": recordings.SEARCH_MAX_BYTES,
    }
    edge = Edge(api, limit=settings.max_body_bytes, limits=limits)
    return behind(
        Zoned(either(edge, pages_app(settings), api_paths=API_PATHS), settings.zones()),
        Proxies(trusted=settings.trusted_proxies, header=settings.proxy_header),
    )
