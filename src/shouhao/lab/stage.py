"""Stage: a small hospital with its people, built once and copied for each virtual day, so that all begin the same.

Ten sessions of one department open at the same moment. Everybody is registered and verified through the same flows as
real people, the gang's identities too: they are bought or borrowed, and real. It lives in a temporary folder; when the
last day is over nothing of it is left.
"""

import dataclasses
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from shouhao.booking.calendar import SessionTemplate, generate_sessions
from shouhao.booking.schedule import Department, Doctor, ReleaseRule, SchedulePlan
from shouhao.flows.import_schedule import import_plan
from shouhao.kernel.clock import HOSPITAL_ZONE, ManualClock, to_us
from shouhao.lab.rehearsal import repeatable
from shouhao.lab.seeding import seed_people
from shouhao.settings import Settings
from shouhao.store.engine import Database, open_database
from shouhao.store.migrate import upgrade
from shouhao.wiring import assemble

RELEASE_US = to_us(datetime(2026, 3, 2, 8, 0, tzinfo=HOSPITAL_ZONE))  #: a Monday; the sessions are a week later
BEGINS_US = to_us(datetime(2026, 3, 2, 7, 50, tzinfo=HOSPITAL_ZONE))

_FIRST_DAY, _DAYS = date(2026, 3, 9), 5
_DATABASE = "stage.sqlite3"
_MEMORY = Path("/dev/shm")  # noqa: S108 - `TemporaryDirectory` makes a private folder in it
_SEED = 1  # of the people: who is who on a day, and what they want, is the day's own seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many people want how many slots."""

    honest: int = 600
    gang: int = 60
    slots_each: int = 8  #: of each of the ten sessions

    @property
    def people(self) -> int:
        """Everybody."""
        return self.honest + self.gang

    @property
    def slots(self) -> int:
        """All that can be had."""
        return self.slots_each * _DAYS * 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A patient and the account that acts for them."""

    patient_id: str
    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What every day begins with."""

    database: str  #: path of the file that is copied
    actors: tuple[Actor, ...]
    session_ids: tuple[str, ...]
    size: Size


@contextmanager
def built(size: Size) -> Iterator[Stage]:
    """A stage that lasts as long as the block."""
    with TemporaryDirectory(prefix="shouhao-lab-", dir=_in_memory()) as folder:
        yield _build(Path(folder), size)


@contextmanager
def copied(stage: Stage) -> Iterator[Database]:
    """A database of one's own that begins as the stage stands; gone when the block ends."""
    with TemporaryDirectory(prefix="shouhao-lab-day-", dir=_in_memory()) as folder:
        place = Path(folder) / _DATABASE
        shutil.copyfile(stage.database, place)
        db = open_database(f"sqlite:///{place}")
        try:
            yield db
        finally:
            db.close()


def _in_memory() -> Path | None:
    """A folder in memory where the system has one: no day has to outlive a power cut. None: wherever temporary is."""
    return _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None


def _build(folder: Path, size: Size) -> Stage:
    chosen = Settings(
        mode="embedded",
        data_dir=folder,
        database_url=f"sqlite:///{folder / _DATABASE}",
        master_key_file=None,
        crypto_profile="intl",
        identity_authority="format_only",
        payment_gateway="reference",
        phone_code_sender="console",
    )
    clock = ManualClock(BEGINS_US)
    upgrade(chosen.open_url())
    with repeatable(_SEED, clock):
        system = assemble(chosen, clock=clock)
        try:
            plan = _plan(size)
            with system.db.write() as connection:
                import_plan(connection, plan, staff_id=None, source="calendar", now_us=clock.now_us())
            crowd = seed_people(system, count=size.people, gang_accounts=0, seed=_SEED)
        finally:
            system.close()  # the last one out empties the write-ahead log into the file that is copied
    return Stage(
        database=str(folder / _DATABASE),
        actors=tuple(Actor(patient_id=v.patient_id, account_id=v.account_id) for v in crowd.visitors),
        session_ids=tuple(session.id for session in plan.sessions),
        size=size,
    )


def _plan(size: Size) -> SchedulePlan:
    department = Department(id="OBS", name_zh="产科", name_en="Obstetrics")
    doctor = Doctor(id="D001", department_id="OBS", name_zh="林华", name_en="Lin Hua", title_zh="主任医师")
    templates = [
        SessionTemplate(
            department_id=department.id,
            doctor_id=doctor.id,
            weekday=weekday,
            half="am" if morning else "pm",
            kind="expert",
            capacity=size.slots_each,
            fee_cents=100_00,
            starts=time(8, 0) if morning else time(13, 30),
            ends=time(12, 0) if morning else time(17, 0),
            release=ReleaseRule(days_before=7, at=time(8, 0)),
            segment_minutes=30,
            hot=True,
        )
        for weekday in range(_DAYS)
        for morning in (True, False)
    ]
    sessions = generate_sessions(templates, _FIRST_DAY, _FIRST_DAY + timedelta(days=_DAYS - 1), table=None)
    together = tuple(dataclasses.replace(s, release_at_us=RELEASE_US) for s in sessions)
    return SchedulePlan(departments=(department,), doctors=(doctor,), sessions=together)
