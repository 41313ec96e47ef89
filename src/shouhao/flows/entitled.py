"""Entitled: whether people may be given a slot now, by the same rules as whoever asks at the desk."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from shouhao.booking import limits
from shouhao.booking.limits import LimitsPolicy
from shouhao.booking.model import ASSISTED_CHANNELS, LiveBooking, Restriction
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store.rules import limits_in_force
from shouhao.booking.store.waits import Place
from shouhao.patients.standing import Lock, Pair, PatientUnknown, Standing, standings


@dataclass(slots=True, kw_only=True)
class Known:
    """People as far as they could be locked, with what they hold."""

    standings: Mapping[Pair, Standing]
    held: dict[str, list[LiveBooking]]
    restrictions: Mapping[str, Sequence[Restriction]]
    policy: LimitsPolicy
    now_us: int

    def ours(self, people: Iterable[str], account_id: str | None) -> bool:
        """Whether all of them are locked by this unit of work."""
        return all((person, account_id) in self.standings for person in people)

    def why_not(self, people: Iterable[str], *, account_id: str | None, channel: str, place: Place) -> str | None:
        """The code of the rule that keeps one of them from a slot there, or None."""
        assisted = account_id is None and channel in ASSISTED_CHANNELS
        for person in people:
            standing = self.standings.get((person, account_id))
            if standing is None:
                return PatientUnknown.code
            refusal = standing.refusal(assisted=assisted) or limits.restricted(
                self.restrictions.get(person, ()), department_id=place.department_id, now_us=self.now_us
            )
            if refusal is not None:
                return refusal.code
            held = self.held.get(person, [])
            if any(b.session_id == place.id for b in held):
                return "booking.already_booked"
            over = limits.over_limit(held, department_id=place.department_id, day=place.day, policy=self.policy)
            if over is not None:
                return over.code
        return None

    def hold(self, person: str, place: Place) -> None:
        """They hold one more."""
        self.held.setdefault(person, []).append(LiveBooking(place.id, place.department_id, place.day))


def look_at_people(connection: Connection, pairs: Iterable[Pair], *, lock: Lock, now_us: int) -> Known:
    """Lock these people, then see what they hold and what keeps them from booking."""
    wanted = set(pairs)
    found = standings(connection, wanted, lock=lock)
    held, restrictions = desk_store.against(connection, {person for person, _ in wanted}, now_us=now_us)
    policy = limits_in_force(connection, now_us=now_us)
    return Known(standings=found, held=held, restrictions=restrictions, policy=policy, now_us=now_us)
