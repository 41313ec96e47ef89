"""Applicants: what the patients room and the gate say of the people in a batch, as the booking room wants to hear it.

Looking also locks the people, first of all locks.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from shouhao.booking.model import ASSISTED_CHANNELS, Applicant
from shouhao.gate.store import ended_among
from shouhao.kernel.errors import Refused
from shouhao.patients.policy import KIND as BINDING
from shouhao.patients.standing import Pair, PatientUnknown, Standing, standings
from shouhao.patients.store import binding_of
from shouhao.store.policies import PolicyVersion

_UNKNOWN = Applicant(refusal=PatientUnknown("patient_id"))


class SignedOut(Refused):
    """The sign-in was ended."""

    code = "gate.signed_out"
    zh = "登录已失效，请重新登录"
    en = "Signed out, please sign in again"


class Asker(Protocol):
    """A request that comes through an account, or through staff when there is none."""

    @property
    def channel(self) -> str:
        """The channel."""
        ...

    @property
    def account_id(self) -> str | None:
        """The account."""
        ...

    @property
    def sign_in_id(self) -> str | None:
        """Its sign-in."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What is known of the people of a batch."""

    standings: Mapping[Pair, Standing]
    ended: set[str]  #: sign-ins that are over
    hot_binding_age_s: int
    grounds: Mapping[str, str]  #: why a person may use the care pool, where that was looked at

    def applicant(self, asker: Asker, patient_id: str) -> Applicant:
        """One person, through this asker."""
        if asker.sign_in_id is not None and asker.sign_in_id in self.ended:
            return Applicant(refusal=SignedOut())
        standing = self.standings.get((patient_id, asker.account_id))
        if standing is None:
            return _UNKNOWN
        assisted = asker.account_id is None and asker.channel in ASSISTED_CHANNELS
        return Applicant(
            refusal=standing.refusal(assisted=assisted),
            hot_from_us=standing.hot_from_us(binding_age_s=self.hot_binding_age_s),
            care_ground=self.grounds.get(patient_id),
        )


def look_at(
    connection: Connection,
    pairs: Iterable[Pair],
    sign_in_ids: Iterable[str | None],
    rules: Mapping[str, PolicyVersion],
    *,
    grounds: Callable[[], Mapping[str, str]] = dict,
) -> People:
    """Look at these people and lock them.

    Args:
        pairs: patient and account of each.
        rules: the policies in force, by kind.
        grounds: by patient, for those of whom the care pool was asked; looked at once they are locked.
    """
    locked = standings(connection, pairs)
    return People(
        standings=locked,
        ended=ended_among(connection, {sign_in for sign_in in sign_in_ids if sign_in is not None}),
        hot_binding_age_s=binding_of(rules.get(BINDING)).hot_binding_age_s,
        grounds=grounds(),
    )
