"""A phone with eleven accounts, a purse for nine, a patient in eight hands, an account that customers pass through.

And a village doctor, through whose account a whole village passes.
"""

from detect.bookings import all_of, event, slot_of
from detect.detector_checks import Example
from detect.people import DAY_US, HOUR_US, MINUTE_US, Rows, release_us
from shouhao.detect.model import Subject

AT_US = release_us(1) + 2 * HOUR_US
AGENT = "Mozilla/5.0 (Linux; Android 12; V2-3)"


def on_one_phone(count: int, *, device: str = "farm-phone", agents: int = 1) -> Rows:
    """So many accounts sign in there and book for themselves."""
    rows = Rows()
    for n in range(count):
        who = {"device_id": device, "user_agent": f"{AGENT} {n % agents}"}
        slot = slot_of(f"dr{6 + n % 12:02}", 1, 50 + n)
        rows.events.append(event("booked", AT_US + n * MINUTE_US, slot, f"{device}-a{n}", f"{device}-p{n}", **who))
    return rows


def on_one_purse(count: int, *, payer: str = "farm-purse") -> Rows:
    """So many accounts are paid for by one."""
    rows = Rows()
    for n in range(count):
        slot = slot_of(f"dr{6 + n % 12:02}", 2, 50 + n)
        paid = event("paid", AT_US + n * MINUTE_US, slot, f"{payer}-a{n}", f"{payer}-p{n}", payer_id=payer)
        rows.events.append(paid)
    return rows


def shared_around(count: int, *, patient: str = "wandering") -> Rows:
    """One patient, bound to so many accounts."""
    return Rows(
        events=[event("patient_bound", AT_US + n * HOUR_US, {}, f"{patient}-a{n}", patient) for n in range(count)]
    )


def passing_through(days: int, *, account: str = "counter", a_day: int = 2, doctor: str = "dr01") -> Rows:
    """Each day other patients are bound and booked for an hour later, with a doctor whose slots go in a minute."""
    rows = Rows()
    for day in range(days):
        for n in range(a_day):
            patient = f"{account}-p{day}-{n}"
            at_us = release_us(0) + day * DAY_US + n * MINUTE_US
            rows.events.append(event("patient_bound", at_us - HOUR_US, {}, account, patient))
            rows.events.append(event("booked", at_us, slot_of(doctor, day % 5, 60 + n), account, patient))
    return rows


#: Binds whoever asks, and books what anybody can have.
VILLAGE = passing_through(5, account="village-doctor", a_day=6, doctor="dr09")

EXAMPLE = Example(
    guilty=all_of([on_one_phone(11), on_one_purse(9), shared_around(8), passing_through(5), VILLAGE]),
    too_little=all_of([on_one_phone(4), on_one_purse(5), shared_around(4), passing_through(2)]),
    finds=frozenset(
        {
            Subject(kind="device", id="farm-phone"),
            Subject(kind="account", id="farm-phone-a3"),
            Subject(kind="payer", id="farm-purse"),
            Subject(kind="account", id="farm-purse-a8"),
            Subject(kind="patient", id="wandering"),
            Subject(kind="account", id="counter"),
        }
    ),
    codes=frozenset({"farms.shared_device", "farms.shared_payer", "farms.shared_patient", "farms.passing_patients"}),
    spared=frozenset({Subject(kind="account", id="village-doctor")}),
)
