"""A department that fits people in by day, one who does so by night for nobody, one for a gang, and one who looks."""

from detect.bookings import all_of, event, slot_of
from detect.detector_checks import Example
from detect.people import DAY_US, HOUR_US, MINUTE_US, Rows, release_us
from shouhao.detect.model import Subject

NINE_US = release_us(0) + 2 * HOUR_US
NIGHT_US = release_us(0) + 15 * HOUR_US


def added(
    staff: str, n: int, at_us: int, *, patient: str, came: bool, payer: str | None = None, account: str | None = None
) -> Rows:
    """One extra slot, and whether somebody came two days later."""
    window = {"channel": "window", "staff_id": staff, "device_id": None, "session_token": None, "ip": None}
    slot = slot_of("dr05", 0, 200 + 50 * (sum(staff.encode()) % 37) + n)
    row = event("extra_slot_added", at_us, slot, "", patient, **window)
    seen = event("checked_in" if came else "no_show", at_us + 2 * DAY_US, slot, "", patient, **window)
    if payer is not None:
        row["payer_id"] = payer
    return Rows(events=[{**row, "account_id": account}, {**seen, "account_id": account}])


def held(count: int) -> Rows:
    """Adds by day for people who come, each paid for by another purse; three accounts hold them, and a couple's two."""
    rows = Rows()
    for n in range(count):
        at_us = NINE_US + n * 7 * MINUTE_US
        held = {"payer": f"purse{n}", "account": f"holder{n % 3}"}
        rows = rows.plus(added("clerk", n, at_us, patient=f"held{n}", came=True, **held))
    for n in range(2):
        at_us = NINE_US + (count + n) * 7 * MINUTE_US
        rows = rows.plus(added("clerk", count + n, at_us, patient=f"spouse{n}", came=True, account="couple"))
    return rows


def colleagues(count: int = 8, each: int = 12) -> Rows:
    """Add by day; most come, one fits the same chronic patient in every time, and one works late now and then."""
    rows = Rows()
    for c in range(count):
        for n in range(each):
            late = c == 1 and n % 6 == 5
            at_us = (NIGHT_US if late else NINE_US) + n * 23 * MINUTE_US // 2
            patient = "chronic" if c == 0 else f"fitted-{c}-{n}"
            rows = rows.plus(
                added(f"nurse{c}", n, at_us, patient=patient, came=(n + c) % 9 != 0, account=f"of-{patient}")
            )
    return rows


def insider(count: int) -> Rows:
    """Adds at ten in the evening, for people who share a purse, and of whom hardly any come."""
    rows = Rows()
    for n in range(count):
        at_us = NIGHT_US + n * MINUTE_US
        rows = rows.plus(added("insider", n, at_us, patient=f"sold{n}", came=n % 7 == 0, payer="middleman"))
    return rows


def favours(count: int) -> Rows:
    """Adds by day for people who come, each of whom one of four accounts has bound the day before."""
    rows = Rows()
    for n in range(count):
        at_us, patient = NINE_US + n * 11 * MINUTE_US, f"favoured{n}"
        rows = rows.plus(added("friend", n, at_us, patient=patient, came=True))
        rows.events.append(event("patient_bound", at_us - DAY_US, {}, f"recipient{n % 4}", patient))
    return rows


def related() -> Rows:
    """A daughter binds her father, whom a colleague then fits in."""
    rows = added("nurse3", 40, NINE_US + HOUR_US, patient="father", came=True)
    rows.events.append(event("patient_bound", NINE_US - HOUR_US, {}, "daughter", "father"))
    return rows


def looks(staff: str, count: int, *, needed: bool) -> Rows:
    """Looks at so many patients, who are here today or who are not."""
    rows = Rows()
    for n in range(count):
        patient = f"{staff}-looked{n}"
        rows.events.append(
            {"kind": "viewed", "at_us": NINE_US + n * MINUTE_US, "staff_id": staff, "patient_id": patient}
        )
        if needed:
            rows.events.append(event("checked_in", NINE_US + HOUR_US, {}, f"{staff}-a{n}", patient, channel="kiosk"))
    return rows


def desk(count: int = 7) -> Rows:
    """Staff who look at whoever stands before them."""
    rows = Rows()
    for n in range(count):
        rows = rows.plus(looks(f"desk{n}", 15, needed=True))
    return rows


EXAMPLE = Example(
    guilty=all_of(
        [colleagues(), insider(12), favours(9), held(12), related(), desk(), looks("curious", 14, needed=False)]
    ),
    too_little=all_of(
        [colleagues(), insider(3), favours(3), held(3), related(), desk(), looks("curious", 3, needed=False)]
    ),
    finds=frozenset(
        [
            *(Subject(kind="staff", id=name) for name in ("insider", "friend", "clerk", "curious")),
            *(Subject(kind="account", id=f"recipient{n}") for n in range(4)),
            *(Subject(kind="account", id=f"holder{n}") for n in range(3)),
        ]
    ),
    codes=frozenset(
        f"insiders.{name}"
        for name in ("off_hours", "nobody_came", "one_purse", "for_new", "recipient", "holder", "looks_without_need")
    ),
    spared=frozenset(
        [
            *(Subject(kind="staff", id=name) for name in ("nurse0", "nurse1", "nurse7", "desk3")),
            Subject(kind="account", id="daughter"),
            Subject(kind="account", id="couple"),
            Subject(kind="account", id="of-chronic"),
        ]
    ),
)
