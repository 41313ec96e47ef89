"""Accounts whose customers come in other people's names, who miss, give back, are seen once, and are complained of."""

from detect.bookings import event, handed_over, slot_of
from detect.detector_checks import Example
from detect.people import DAY_US, HOUR_US, MINUTE_US, Rows, release_us
from shouhao.detect.model import Subject

AT_US = release_us(2) + 4 * HOUR_US
VISIT_US = 8 * DAY_US
DESK = {"channel": "kiosk", "device_id": None, "session_token": None, "ip": None}


def visits(count: int, *, account: str, comes: str, kind: str = "checked_in", bound: bool = False) -> Rows:
    """Booked for one patient each, and what became of it a week later.

    Args:
        comes: name of whoever comes; "own" for the one who was booked.
        bound: whether each patient was first seen within the hour before.
    """
    rows = Rows()
    for n in range(count):
        slot = slot_of(f"dr{10 + n % 8:02}", 2, 100 * (sum(account.encode()) % 97) + n)
        patient = f"{account}-p{n}"
        if bound:
            rows.events.append(event("patient_bound", AT_US + n * MINUTE_US - 1_000, {}, account, patient))
        rows.events.append(event("booked", AT_US + n * MINUTE_US, slot, account, patient))
        came = patient if comes == "own" else f"{comes}{n}"
        at_us = AT_US + VISIT_US + n * MINUTE_US
        rows.events.append(event(kind, at_us, slot, account, came, **(DESK if kind != "cancelled" else {})))
    return rows


def complained_of(count: int, *, seller: str = "cheat") -> Rows:
    """Buyers who took over a slot, and say what they paid."""
    rows = Rows()
    for n in range(count):
        slot, at_us = slot_of("dr23", 3, 40 + n), AT_US + n * 5 * HOUR_US
        buyer = (f"{seller}-buyer{n}", f"{seller}-patient{n}")
        rows = rows.plus(handed_over(slot, (seller, f"{seller}-p{n}"), buyer, at_us=at_us, gap_us=HOUR_US))
        rows.events.append(event("complained", at_us + DAY_US, slot, *buyer))
    return rows


EXAMPLE = Example(
    guilty=visits(6, account="front", comes="buyer")
    .plus(visits(7, account="unsold", comes="own", kind="no_show"))
    .plus(visits(9, account="stock", comes="own", kind="cancelled"))
    .plus(visits(16, account="counter", comes="own", bound=True))
    .plus(complained_of(3)),
    too_little=visits(1, account="front", comes="buyer")
    .plus(visits(2, account="unsold", comes="own", kind="no_show"))
    .plus(complained_of(1)),
    finds=frozenset(Subject(kind="account", id=name) for name in ("front", "unsold", "stock", "counter", "cheat")),
    codes=frozenset(
        f"attendance.{name}" for name in ("somebody_else", "no_shows", "given_back", "never_seen_again", "complained")
    ),
    spared=frozenset({Subject(kind="account", id="cheat-buyer0"), Subject(kind="account", id="care-home")}),
)
