"""Who has an appointment on a day: patients who belong in the hospital then."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from shouhao.booking.tables import bookings


def patients_due_on(connection: Connection, day: str) -> Sequence[str]:
    """Patients with an appointment on this day, booked, checked in, or missed.

    Args:
        day: ISO text, as bookings have it.
    """
    states = ("booked", "checked_in", "no_show")
    query = select(bookings.c.patient_id).where(bookings.c.day == day, bookings.c.state.in_(states)).distinct()
    return connection.scalars(query.order_by(bookings.c.patient_id)).all()
