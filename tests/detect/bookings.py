"""Bookings: rows of one slot's life, for tests that seed a pattern by hand."""

from typing import Any

from detect.people import SECOND_US, Rows, release_us, session_of

Row = dict[str, Any]


def slot_of(doctor: str, day: int, number: int) -> Row:
    """The columns that name one slot."""
    session = session_of(doctor, day)
    return {
        "doctor_id": doctor,
        "department_id": "dep0",
        "session_id": session,
        "slot_id": f"{session}-{number:02}",
        "released_at_us": release_us(day),
    }


def event(kind: str, at_us: int, slot: Row, account: str, patient: str, **more: Any) -> Row:
    """Something that an account did about a slot for a patient, from its own phone at home."""
    return {
        "kind": kind,
        "at_us": at_us,
        "channel": "app",
        "account_id": account,
        "patient_id": patient,
        "device_id": f"d-{account}",
        "session_token": f"s-{account}",
        "ip": f"192.0.2.{1 + sum(account.encode()) % 250}",
        **slot,
        **more,
    }


def handed_over(slot: Row, giver: tuple[str, str], taker: tuple[str, str], *, at_us: int, gap_us: int) -> Rows:
    """One books and gives back, the other has it after the gap.

    Args:
        giver: account and patient.
        at_us: when it is given back.
    """
    return Rows(
        events=[
            event("booked", at_us - 1_800 * SECOND_US, slot, *giver),
            event("cancelled", at_us, slot, *giver),
            event("booked", at_us + gap_us, slot, *taker),
        ]
    )


def all_of(parts: Any) -> Rows:
    """All rows of several."""
    rows = Rows()
    for part in parts:
        rows = rows.plus(part)
    return rows
