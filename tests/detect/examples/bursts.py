"""A script with an account, one with a session alone, and one that shows nothing but its address."""

from detect.detector_checks import Example
from detect.people import HOSPITAL_WIFI, SECOND_US, Rows, release_us
from shouhao.detect.model import Subject

FROM_US = release_us(2) - 70 * SECOND_US


def operations(count: int, *, every_us: int, from_us: int = FROM_US, **who: str) -> Rows:
    """So many requests of one visitor, evenly spread."""
    path = "/api/doctors/dr00/slots"
    return Rows(hits=[{"at_us": from_us + n * every_us, "path": path, **who} for n in range(count)])


def three_scripts(count: int) -> Rows:
    """Each asks 2.5 times a second; the second one hides among the guests of the hospital's Wi-Fi."""
    return (
        operations(count, every_us=400_000, account_id="script", session_token="script-s", ip="192.0.2.1")
        .plus(operations(count, every_us=400_000, session_token="lonely-s", ip=HOSPITAL_WIFI))
        .plus(operations(count, every_us=400_000, ip="192.0.2.3", user_agent="python-requests/2.32"))
    )


EXAMPLE = Example(
    guilty=three_scripts(240),
    too_little=three_scripts(60),
    finds=frozenset(
        {
            Subject(kind="account", id="script"),
            Subject(kind="session", id="lonely-s"),
            Subject(kind="ip", id="192.0.2.3"),
        }
    ),
    codes=frozenset({"bursts.in_a_minute"}),
    spared=frozenset({Subject(kind="ip", id=HOSPITAL_WIFI), Subject(kind="ip", id="192.0.2.1")}),
)
