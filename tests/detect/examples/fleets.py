"""A rack of twelve phones of one model that wakes up at once, and nine accounts made on one evening at one address."""

from detect.bookings import event
from detect.detector_checks import Example
from detect.people import MINUTE_US, MONDAY_US, SECOND_US, Rows, release_us
from shouhao.detect.model import Subject

AGENT = "Mozilla/5.0 (Linux; Android 10; FARM-1)"


def rack(count: int, *, name: str = "rack", together: bool = True, agent: str = AGENT, series: bool = True) -> Rows:
    """Phones behind one /24 that look around before two releases."""
    rows = Rows()
    for day in (1, 2):
        for n in range(count):
            at_us = release_us(day) - 5 * MINUTE_US + n * (300_000 if together else 11 * MINUTE_US)
            at_us -= at_us % (10 * SECOND_US) if together else 0
            device = f"{name}-8600412203{1000 + n * 7}" if series else f"{name}{n * 7919:05}-{n * 31:04}"
            who = {"device_id": device, "user_agent": agent, "ip": f"198.18.7.{n % 3 + 1}"}
            rows.events += [
                event("viewed", at_us + k * 20 * SECOND_US + n * 1_000, {}, f"{name}-a{n}", f"{name}-p{n}", **who)
                for k in range(3)
            ]
    return rows


def created(count: int, *, name: str = "serial", placed: bool = True) -> Rows:
    """Accounts made every ninety seconds; the address stands in the registration, or in the sign-in after it."""
    rows = Rows()
    for n in range(count):
        at_us = MONDAY_US + n * 90 * SECOND_US
        signed_in = event("logged_in", at_us + 5 * SECOND_US, {}, f"{name}{n}", "", ip="198.18.9.1")
        made = {"kind": "account_registered", "at_us": at_us, "account_id": f"{name}{n}"}
        rows.events += [{**made, "ip": "198.18.9.1"} if placed else made, {**signed_in, "patient_id": None}]
    return rows


EXAMPLE = Example(
    guilty=rack(12).plus(created(9)),
    too_little=rack(5).plus(created(3)),
    finds=frozenset(
        {
            Subject(kind="prefix", id="198.18.7.0/24"),
            Subject(kind="device", id="rack-86004122031007"),
            Subject(kind="account", id="rack-a11"),
            Subject(kind="account", id="serial8"),
        }
    ),
    codes=frozenset({"fleets.one_purchase", "fleets.created_in_series"}),
)
