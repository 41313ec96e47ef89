"""A hospital to measure on: so many sessions, slots and verified people, put in set by set."""

from dataclasses import dataclass

from sqlalchemy import Table, text

from shouhao.booking import tables as booking
from shouhao.kernel.clock import DAY_US, HOUR_US, SystemClock
from shouhao.patients import tables as people
from shouhao.store import batch
from shouhao.store.engine import Database

_CHUNK = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hospital:
    """What was put in; ids follow from numbers."""

    sessions: int
    slots_each: int
    patients: int

    def session(self, n: int) -> str:
        """Id of the n-th session."""
        return f"se_{n:026x}"

    def patient(self, n: int) -> str:
        """Id of the n-th patient."""
        return f"pa_{n:026x}"

    def account(self, n: int) -> str:
        """Id of the account that the n-th patient is bound to."""
        return f"ac_{n:026x}"


def build(db: Database, *, sessions: int, slots_each: int, patients: int) -> Hospital:
    """Fill an empty, migrated database."""
    made = Hospital(sessions=sessions, slots_each=slots_each, patients=patients)
    now_us = SystemClock().now_us()
    starts_us = now_us + 3 * DAY_US
    with db.write() as connection:
        connection.execute(text("INSERT INTO departments VALUES ('d1', '内科', 'Medicine')"))
        connection.execute(text("INSERT INTO doctors VALUES ('dr1', 'd1', '甲', 'A', '主任医师', 3)"))
    _fill(
        db,
        booking.sessions,
        [
            {
                "id": made.session(n),
                "department_id": "d1",
                "doctor_id": "dr1",
                "day": f"2027-{1 + n % 12:02d}-{1 + n // 12 % 28:02d}",
                "half": "am",
                "kind": "expert",
                "starts_at_us": starts_us,
                "ends_at_us": starts_us + 4 * HOUR_US,
                "fee_cents": 5000,
                "state": "released",
                "release_at_us": now_us,
                "released_at_us": now_us,
                "hot": False,
                "source": "csv",
            }
            for n in range(sessions)
        ],
    )
    _fill(
        db,
        booking.slots,
        [
            {
                "id": f"sl_{n:013x}{number:013x}",
                "session_id": made.session(n),
                "number": number,
                "starts_at_us": starts_us,
                "ends_at_us": starts_us + HOUR_US,
                "state": "free",
                "extra": False,
            }
            for n in range(sessions)
            for number in range(1, slots_each + 1)
        ],
    )
    _fill_people(db, made, now_us)
    if db.dialect == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
            connection.execute(text("CHECKPOINT"))
    return made


def _fill_people(db: Database, made: Hospital, now_us: int) -> None:
    numbers = range(made.patients)
    sealed = "intl.1." + "x" * 60
    _fill(
        db,
        people.accounts,
        [
            {
                "id": made.account(n),
                "phone_hash": f"{n:064x}",
                "phone_sealed": sealed,
                "phone_masked": "138****0000",
                "active": True,
                "created_at_us": now_us,
            }
            for n in numbers
        ],
    )
    _fill(
        db,
        people.patients,
        [
            {
                "id": made.patient(n),
                "document_kind": "resident_id",
                "document_hash": f"{n:064x}",
                "document_sealed": sealed,
                "document_masked": "110***********0000",
                "name_sealed": sealed,
                "name_masked": "张*",
                "phone_hash": f"{n:064x}",
                "phone_sealed": sealed,
                "phone_masked": "138****0000",
                "birth_day": "1990-01-01",
                "sex": "female",
                "verification": "verified",
                "verified_by": "format_only",
                "verified_at_us": now_us,
                "created_at_us": now_us,
                "version": 1,
            }
            for n in numbers
        ],
    )
    _fill(
        db,
        people.identity_checks,
        [
            {
                "id": f"ic_{n:026x}",
                "patient_id": made.patient(n),
                "authority": "format_only",
                "verdict": "match",
                "at_us": now_us,
            }
            for n in numbers
        ],
    )
    _fill(
        db,
        people.bindings,
        [
            {
                "id": f"bi_{n:026x}",
                "account_id": made.account(n),
                "patient_id": made.patient(n),
                "relation": "self",
                "bound_at_us": now_us,
                "guarded": False,
            }
            for n in numbers
        ],
    )


def _fill(db: Database, table: Table, rows: list[dict[str, object]]) -> None:
    for start in range(0, len(rows), _CHUNK):
        with db.write() as connection:
            batch.insert(connection, table, tuple(rows[0]), rows[start : start + _CHUNK])
