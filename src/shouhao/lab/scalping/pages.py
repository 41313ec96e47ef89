"""Pages: what a visit asks for beside what it came for, by channel; and single pages that are asked for often."""

from collections.abc import Mapping

from shouhao.lab.scalping.record import Page

PREFIX: Mapping[str, str] = {"app": "/api/v2", "wechat": "/wx/api", "web": "/web/api", "kiosk": "/kiosk/api"}
OK, NOT_MODIFIED, CONFLICT, TOO_MANY, BAD_GATEWAY = 200, 304, 409, 429, 502


def _api(prefix: str) -> tuple[Page, ...]:
    return (
        Page(f"GET {prefix}/home", OK, 5200, 14),
        Page(f"GET {prefix}/notices?page=1", OK, 2300, 8),
        Page(f"GET {prefix}/departments", OK, 6100, 11),
        Page(f"GET {prefix}/doctors?page=1", OK, 9400, 9),
        Page(f"GET {prefix}/doctors?page=2", OK, 9100, 3),
        Page(f"GET {prefix}/patients", OK, 700, 12),
        Page(f"GET {prefix}/bookings?state=live", OK, 900, 10),
        Page(f"GET {prefix}/config", OK, 1500, 12),
        Page(f"GET {prefix}/messages/count", OK, 60, 15),
        Page(f"GET {prefix}/reports?page=1", OK, 1800, 4),
        Page(f"POST {prefix}/telemetry", 204, 0, 8),
        Page(f"GET {prefix}/avatar", 404, 120, 1),
    )


def _with_pictures(prefix: str) -> tuple[Page, ...]:
    pictures = [Page(f"GET /static/doctor/{n:03d}.jpg", OK, 21000 + 37 * n, 1.4) for n in range(20)]
    kept = [Page(f"GET /static/{name}", NOT_MODIFIED, 0, 3) for name in ("app.4f1c.js", "app.4f1c.css", "logo.svg")]
    fresh = [Page("GET /static/app.4f1c.js", OK, 412_300, 3), Page("GET /static/app.4f1c.css", OK, 58_200, 3)]
    return (
        *_api(prefix),
        *pictures,
        *kept,
        *fresh,
        Page("GET /", OK, 14_800, 6),
        Page("GET /favicon.ico", OK, 4286, 2),
    )


VISIT: Mapping[str, tuple[Page, ...]] = {
    channel: _with_pictures(prefix) if channel == "web" else _api(prefix) for channel, prefix in PREFIX.items()
}


def session_page(channel: str, session_id: str) -> tuple[Page, ...]:
    """One session's page, looked at again and again; a busy server now and then has no answer."""
    path = f"GET {PREFIX[channel]}/sessions/{session_id}"
    return (Page(path, OK, 2600, 94), Page(path, NOT_MODIFIED, 0, 4), Page(path, BAD_GATEWAY, 552, 2))


def booking_attempts(channel: str, *, refused: float = 0.8) -> tuple[Page, ...]:
    """Requests for a slot that all come too late or too often.

    Args:
        refused: the part that the house answers itself; the rest does not get that far.
    """
    path, rest = f"POST {PREFIX[channel]}/bookings", 1 - refused
    return (
        Page(path, CONFLICT, 140, refused),
        Page(path, TOO_MANY, 90, rest * 0.6),
        Page(path, BAD_GATEWAY, 552, rest * 0.4),
    )
