"""An account that sells its slots to the names it binds, and two that edit the patient of a live booking.

One edits several; the other one alone, but name and number both, as nobody does who has misspelt something.
"""

from detect.bookings import all_of, event, handed_over, slot_of
from detect.detector_checks import Example
from detect.people import HOUR_US, MINUTE_US, Rows, release_us
from shouhao.detect.model import Subject

SOLD_US = release_us(0) + 3 * HOUR_US


def rebooked(count: int, *, gap_us: int = 900_000, account: str = "reseller") -> Rows:
    """Given back and booked again by the same account, each time for another patient."""
    return all_of(
        handed_over(
            slot_of("dr20", 0, 40 + n),
            (account, f"{account}-own{n}"),
            (account, f"{account}-buyer{n}"),
            at_us=SOLD_US + n * 20 * MINUTE_US,
            gap_us=gap_us,
        )
        for n in range(count)
    )


def edited(count: int, *, of: int, account: str = "renamer", field: str = "name") -> Rows:
    """Books for so many, and edits some of them an hour later."""
    rows = Rows()
    for n in range(of):
        slot = slot_of("dr21", 1, 40 + n)
        rows.events.append(event("booked", SOLD_US + n * MINUTE_US, slot, account, f"{account}-p{n}"))
        if n < count:
            edit = event("patient_edited", SOLD_US + HOUR_US + n, {}, account, f"{account}-p{n}")
            rows.events.append({**edit, "detail": f'{{"field":"{field}"}}'})
    return rows


def replaced(account: str, *fields: str) -> Rows:
    """Books once, and edits these fields of the patient one after the other."""
    slot = slot_of("dr22", 1, 40)
    rows = Rows(events=[event("booked", SOLD_US, slot, account, f"{account}-p")])
    for n, field in enumerate(fields):
        edit = event("patient_edited", SOLD_US + HOUR_US + n * MINUTE_US, {}, account, f"{account}-p")
        rows.events.append({**edit, "detail": f'{{"field":"{field}"}}'})
    return rows


TYPIST = replaced("typist", "name", "phone", "address")

EXAMPLE = Example(
    guilty=rebooked(5).plus(edited(4, of=5)).plus(replaced("replacer", "name", "id_number")).plus(TYPIST),
    too_little=rebooked(2).plus(edited(1, of=3)).plus(TYPIST),
    finds=frozenset(Subject(kind="account", id=name) for name in ("reseller", "renamer", "replacer")),
    codes=frozenset({"swapped_patients.rebooked", "swapped_patients.edited", "swapped_patients.another_person"}),
    spared=frozenset({Subject(kind="account", id="typist")}),
)
