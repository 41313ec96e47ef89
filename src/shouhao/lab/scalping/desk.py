"""The desk of a hospital that has no defence yet: first come, first served, and what is returned is public at once.

It keeps the rules that even such a hospital keeps, for everybody: nothing before the release, one holder a slot, one
live booking a person and session. Whatever it does, it tells as an event.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from shouhao.kernel.clock import MINUTE_US
from shouhao.lab.scalping.chance import Ids
from shouhao.lab.scalping.hospital import Hospital, Session
from shouhao.lab.scalping.record import NOBODY, NONE, Record

State = Literal["held", "booked", "cancelled", "expired", "attended", "missed"]
Returned = Callable[[int, Session, int], None]

PAY_WITHIN_US = 15 * MINUTE_US
_LIVE = ("held", "booked")


@dataclass(slots=True, eq=False, kw_only=True)
class Booking:
    """One person's slot, and what became of it."""

    session: Session
    slot: int
    patient: int
    client: int
    detail: int
    state: State = "held"

    @property
    def live(self) -> bool:
        """Whether it still holds its slot."""
        return self.state in _LIVE


class Desk:
    """Slots and their holders."""

    def __init__(self, hospital: Hospital, record: Record, ids: Ids) -> None:
        self._hospital, self._record, self._ids = hospital, record, ids
        self._free: list[list[int]] = [list(session.slots) for session in hospital.sessions]
        self._held: set[tuple[int, int]] = set()  # patient and session
        self._watching: dict[int, list[tuple[int, Returned]]] = {}
        self._refusals = {
            code: record.said({"code": f"booking.{code}"}) for code in ("not_released", "sold_out", "twice")
        }

    def free(self, session: Session, at_us: int) -> list[int]:
        """Slots that are open now."""
        opens = self._hospital.slot_opens_us
        return [slot for slot in self._free[session.number] if opens[slot] <= at_us]

    def book(
        self,
        at_us: int,
        client: int,
        patient: int,
        session: Session,
        *,
        slot: int | None = None,
        latency: int = NONE,
        pick: float = 0.0,
    ) -> Booking | None:
        """Give a slot, or refuse.

        Args:
            slot: this one alone.
            latency: tenths of a millisecond from the page to the request.
            pick: where in the half-day they would like to be, 0 to 1.
        """
        free = self.free(session, at_us)
        wanted = slot if slot is not None else free[int(pick * len(free))] if free else NONE
        refused = self._refusal(at_us, patient, session, wanted, free)
        if refused is not None:
            self._tell(at_us, "refused", client, patient, session, wanted, detail=refused, latency=latency)
            return None
        self._free[session.number].remove(wanted)
        booking = self._hold(client, patient, session, wanted)
        self._tell(at_us, "booked", client, patient, session, wanted, detail=booking.detail, latency=latency)
        return booking

    def add(self, at_us: int, staff: int, patient: int, session: Session, client: int) -> Booking | None:
        """An extra slot by a member of staff, or None if the patient has a slot in that session."""
        if (patient, session.number) in self._held:
            return None
        slot = self._hospital.add_slot(session)
        booking = self._hold(client, patient, session, slot)
        booking.state = "booked"
        self._tell(at_us, "extra_slot_added", client, patient, session, slot, detail=booking.detail, staff=staff)
        return booking

    def pay(self, at_us: int, booking: Booking, client: int, payer: int) -> bool:
        """Money arrived; False when it came too late."""
        if booking.state != "held":
            return False
        booking.state = "booked"
        self._tell_of(at_us, "paid", booking, client, payer=payer)
        return True

    def cancel(self, at_us: int, booking: Booking, client: int) -> bool:
        """Return a slot; it is open to everybody at once."""
        if not booking.live:
            return False
        self._let_go(at_us, booking, "cancelled", client)
        return True

    def expire(self, at_us: int, booking: Booking) -> None:
        """The time to pay ran out."""
        if booking.state == "held":
            self._let_go(at_us, booking, "expired", NOBODY)

    def attend(self, at_us: int, booking: Booking, client: int, *, staff: int = NONE) -> None:
        """The patient is here."""
        if booking.state == "booked":
            booking.state = "attended"
            self._tell_of(at_us, "checked_in", booking, client, staff=staff)

    def miss(self, at_us: int, booking: Booking) -> None:
        """The half-day is over and nobody came."""
        if booking.state == "booked":
            booking.state = "missed"
            self._tell_of(at_us, "no_show", booking, NOBODY)

    def watch(self, session: Session, until_us: int, returned: Returned) -> None:
        """Be told when a slot of the session is open again."""
        self._watching.setdefault(session.number, []).append((until_us, returned))

    def _refusal(self, at_us: int, patient: int, session: Session, wanted: int, free: list[int]) -> int | None:
        if at_us < session.released_us:
            return self._refusals["not_released"]
        if (patient, session.number) in self._held:
            return self._refusals["twice"]
        return None if wanted in free else self._refusals["sold_out"]

    def _hold(self, client: int, patient: int, session: Session, slot: int) -> Booking:
        self._held.add((patient, session.number))
        detail = self._record.details.add(f'{{"booking_id":"{self._ids.new("b")}"}}')
        return Booking(session=session, slot=slot, patient=patient, client=client, detail=detail)

    def _let_go(self, at_us: int, booking: Booking, state: Literal["cancelled", "expired"], client: int) -> None:
        session = booking.session
        booking.state = state
        self._held.discard((booking.patient, session.number))
        self._tell_of(at_us, state, booking, client)
        if booking.slot in session.slots:  # an extra one is gone
            self._free[session.number].append(booking.slot)
            self._free[session.number].sort()
        waiting = [one for one in self._watching.get(session.number, ()) if one[0] > at_us]
        self._watching[session.number] = waiting
        for _, returned in waiting:
            returned(at_us, session, booking.slot)

    def _tell_of(
        self,
        at_us: int,
        kind: Literal["paid", "cancelled", "expired", "checked_in", "no_show"],
        booking: Booking,
        client: int,
        *,
        payer: int = NONE,
        staff: int = NONE,
    ) -> None:
        self._tell(
            at_us,
            kind,
            client,
            booking.patient,
            booking.session,
            booking.slot,
            detail=booking.detail,
            payer=payer,
            staff=staff,
        )

    def _tell(
        self,
        at_us: int,
        kind: Literal["booked", "refused", "paid", "cancelled", "expired", "checked_in", "no_show", "extra_slot_added"],
        client: int,
        patient: int,
        session: Session,
        slot: int,
        *,
        detail: int,
        latency: int = NONE,
        payer: int = NONE,
        staff: int = NONE,
    ) -> None:
        self._record.event(
            at_us,
            kind,
            client,
            patient=patient,
            payer=payer,
            department=session.doctor.department,
            session=session.number,
            slot=slot,
            released_us=session.released_us if slot == NONE else self._hospital.slot_opens_us[slot],
            staff=staff,
            latency=latency,
            detail=detail,
        )
