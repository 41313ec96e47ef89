"""Parties: bookings that were made together, all or nothing, such as those of siblings or of a couple.

Who belongs to a party is written once, when it is made, so it can be read before anything is locked.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from shouhao.booking.model import Booking
from shouhao.booking.store.lifecycle import Placed, find_booking
from shouhao.booking.tables import bookings, sessions


def party_of(connection: Connection, booking: Booking) -> list[str]:
    """Ids of the bookings that were made together with this one, itself among them, in their order."""
    if booking.party_id is None:
        return [booking.id]
    members = select(bookings.c.id).where(bookings.c.party_id == booking.party_id)
    return list(connection.scalars(members.order_by(bookings.c.id)))


def patients_of(connection: Connection, booking_ids: Sequence[str]) -> list[str]:
    """Whose bookings these are."""
    return list(connection.scalars(select(bookings.c.patient_id).where(bookings.c.id.in_(booking_ids))))


def lock_all(connection: Connection, booking_ids: Sequence[str]) -> list[Placed]:
    """These bookings as they stand now and until the unit of work ends, with their sessions, in the order of their ids.

    The caller has locked their patients.

    Raises:
        BookingUnknown: there is none with one of these ids.
    """
    in_sessions = select(bookings.c.session_id).where(bookings.c.id.in_(booking_ids))
    connection.execute(
        select(sessions.c.id)
        .where(sessions.c.id.in_(in_sessions))
        .order_by(sessions.c.id)
        .with_for_update(key_share=True)
    ).all()
    wanted = select(bookings.c.id).where(bookings.c.id.in_(booking_ids))
    connection.execute(wanted.order_by(bookings.c.id).with_for_update()).all()
    return [find_booking(connection, booking_id) for booking_id in sorted(booking_ids)]
