"""Standing: the one look the desk takes at the people of a batch, which also keeps their rows still.

Locking patients first, in the order of their ids, is what makes "at most N bookings a person" hold when several
processes decide at once. The SQL stands here beside its one reader rather than in store.py.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar, Literal

import msgspec
from sqlalchemy import Connection, TextClause, text

from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.errors import Refused
from shouhao.store import batch


class PatientUnknown(Refused):
    """No such patient is bound to this account; whether one exists elsewhere is not told."""

    code: ClassVar[str] = "patients.not_bound"
    zh: ClassVar[str] = "本账号没有绑定该就诊人"
    en: ClassVar[str] = "No such patient is bound to this account"


class PatientNotVerified(Refused):
    """Nobody has confirmed yet that this person is real."""

    code: ClassVar[str] = "patients.not_verified"
    zh: ClassVar[str] = "该就诊人尚未通过实名核验"
    en: ClassVar[str] = "This patient's identity has not been verified yet"


class AccountClosed(Refused):
    """The account is switched off."""

    code: ClassVar[str] = "patients.account_closed"
    zh: ClassVar[str] = "账号已停用"
    en: ClassVar[str] = "This account is switched off"


class Standing(msgspec.Struct, frozen=True):
    """What a person's record says about booking through one account, or through staff when there is none."""

    verification: str
    account_active: bool | None  #: None: no such account, or none asked for
    bound_at_us: int | None  #: None: not bound to that account

    def refusal(self, *, assisted: bool) -> Refused | None:
        """Why this person may not book this way, or None.

        Args:
            assisted: staff act for a person before them; there is no account.
        """
        if not assisted:
            if self.account_active is False:
                return AccountClosed()
            if self.bound_at_us is None:
                return PatientUnknown("patient_id")
        if self.verification != "verified":
            return PatientNotVerified("patient_id")
        return None

    def hot_from_us(self, *, binding_age_s: int) -> int:
        """From when on hot sessions may be booked this way."""
        return 0 if self.bound_at_us is None else self.bound_at_us + binding_age_s * SECOND_US


Pair = tuple[str, str | None]  #: patient id, account id
Lock = Literal["wait", "skip", "none"]


def standings(connection: Connection, pairs: Iterable[Pair], *, lock: Lock = "wait") -> dict[Pair, Standing]:
    """The standing of each (patient, account) that exists, with the patients locked until the unit of work ends.

    Args:
        lock: `skip` leaves out people whom another unit of work holds, for who comes to people when other locks are
            already held; `none` only looks.
    """
    # In the order of the locks, so that pieces are locked in it too.
    rows = [
        {"patient_id": p, "account_id": a} for p, a in sorted(set(pairs), key=lambda pair: (pair[0], pair[1] or ""))
    ]
    statement = _standings_sql(connection.dialect.name, lock)
    found = [
        row for piece in batch.pieces(rows) for row in batch.rows(connection, statement, {"pairs": batch.encode(piece)})
    ]
    return {
        (patient_id, account_id): Standing(verification, None if active is None else bool(active), bound_at_us)
        for patient_id, account_id, verification, active, bound_at_us in found
    }


@lru_cache(maxsize=6)
def _standings_sql(dialect: str, lock: Lock) -> TextClause:
    pairs = batch.records(dialect, "pairs", {"patient_id": "text", "account_id": "text"}, "r")
    return text(
        f"""
        SELECT p.id, r.account_id, p.verification, a.active, b.bound_at_us
        FROM {pairs}
        JOIN patients p ON p.id = r.patient_id
        LEFT JOIN accounts a ON a.id = r.account_id
        LEFT JOIN bindings b
          ON b.account_id = r.account_id AND b.patient_id = p.id AND b.unbound_at_us IS NULL
        ORDER BY p.id
        """
        + ("" if lock == "none" else batch.locked(dialect, of="p", skip=lock == "skip"))
    )
