"""A session that never stops, an address that shows nothing, and a network whose addresses take turns."""

from detect.detector_checks import Example
from detect.examples.bursts import operations
from detect.people import HOSPITAL_WIFI, HOUR_US, SECOND_US, Rows, release_us
from shouhao.detect.model import Subject

FROM_US = release_us(1) - HOUR_US


def hammers(count: int) -> Rows:
    """None of them ever does a hundred things in a minute."""
    every_us = 5 * SECOND_US
    every = operations(count, every_us=every_us, from_us=FROM_US, session_token="tireless", ip=HOSPITAL_WIFI)
    every = every.plus(operations(count, every_us=every_us, from_us=FROM_US, ip="192.0.2.9", user_agent="curl/8"))
    for n in range(20):
        alone = {"ip": f"198.18.7.{n}", "user_agent": "Mozilla/5.0 (Linux; Android 6)"}
        every = every.plus(operations(count // 10, every_us=10 * every_us, from_us=FROM_US + n * SECOND_US, **alone))
    return every


EXAMPLE = Example(
    guilty=hammers(6_000),
    too_little=hammers(600),
    finds=frozenset(
        {
            Subject(kind="session", id="tireless"),
            Subject(kind="ip", id="192.0.2.9"),
            Subject(kind="prefix", id="198.18.7.0/24"),
        }
    ),
    codes=frozenset({"hammering.total", "hammering.address", "hammering.network"}),
    spared=frozenset({Subject(kind="ip", id=HOSPITAL_WIFI), Subject(kind="prefix", id="192.0.2.0/24")}),
)
