"""An account that asks every three seconds up to each release and then books, and an address that only looks."""

from detect.detector_checks import Example
from detect.people import MINUTE_US, SECOND_US, Rows, release_us, session_of
from shouhao.detect.model import Subject

DAYS = (1, 2, 3)


def keeps_time(beats: int, *, days: tuple[int, ...] = DAYS) -> Rows:
    """Three seconds and some milliseconds of network; the timer is set to the full second."""
    who = {"account_id": "beats", "session_token": "beats-s", "ip": "192.0.2.40"}
    hits, events = [], []
    for day in days:
        for n in range(beats):
            late_us = 5_000 + (n * 7_919) % 13_000
            at_us = release_us(day) - 8 * MINUTE_US + n * 3 * SECOND_US + late_us
            hits.append({"at_us": at_us, "path": f"/api/doctors/dr02/slots?_={n}", **who})
            hits.append({"at_us": at_us + 300 * SECOND_US, "path": "/api/doctors/dr03/slots", "ip": "192.0.2.41"})
        booked = {"kind": "booked", **who, "session_id": session_of("dr02", day), "slot_id": f"s-{day}"}
        events.append({"at_us": release_us(day) + 60_000, "released_at_us": release_us(day), **booked})
    return Rows(hits=hits, events=events)


EXAMPLE = Example(
    guilty=keeps_time(165),
    too_little=keeps_time(12, days=(1,)),
    finds=frozenset({Subject(kind="account", id="beats"), Subject(kind="ip", id="192.0.2.41")}),
    codes=frozenset({"metronomes.then_booked", "metronomes.steady"}),
    spared=frozenset({Subject(kind="ip", id="192.0.2.40")}),
)
