"""A session behind a list of proxies, an account with a new proxy for each attempt, and proxies without either."""

from detect.detector_checks import Example
from detect.people import MINUTE_US, SECOND_US, Rows, release_us, session_of
from shouhao.detect.model import Subject

STALE = "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 Chrome/39.0 MicroMessenger/6.5"
FROM_US = release_us(3) - 20 * MINUTE_US


def rotates(networks: int) -> Rows:
    """Each request through the next proxy of the list."""
    hits = [
        {
            "at_us": FROM_US + n * 13 * SECOND_US,
            "path": "/api/doctors/dr01/slots",
            "session_token": "rotating-s",
            "ip": f"45.{n % networks}.7.{n % 9 + 1}",
        }
        for n in range(60)
    ]
    events = [
        {
            "at_us": FROM_US + n * MINUTE_US,
            "kind": "refused",
            "account_id": "rotating",
            "session_id": session_of("dr01", 2),
            "ip": f"46.{n % networks}.1.1",
        }
        for n in range(40)
    ]
    return Rows(hits=hits, events=events)


def keeps_one_pace(addresses: int, *, every_us: int = 4 * SECOND_US) -> Rows:
    """A list of proxies, each request through the next one, the pauses with some chance in them."""
    jitter = [(n * 7_919_777) % 3_000_000 - 1_500_000 for n in range(600)]
    return Rows(
        hits=[
            {
                "at_us": FROM_US + n * every_us + jitter[n],
                "path": f"/api/doctors/dr0{n % 4}/slots",
                "ip": f"{50 + n % addresses}.9.{n % addresses}.1",
                "user_agent": STALE,
            }
            for n in range(600)
        ]
    )


EXAMPLE = Example(
    guilty=rotates(30).plus(keeps_one_pace(40)),
    too_little=rotates(3).plus(keeps_one_pace(6)),
    finds=frozenset(
        {
            Subject(kind="session", id="rotating-s"),
            Subject(kind="account", id="rotating"),
            Subject(kind="ip", id="57.9.7.1"),
        }
    ),
    codes=frozenset({"rotation.networks", "rotation.one_pace"}),
)
