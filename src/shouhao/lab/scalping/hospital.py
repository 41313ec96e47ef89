"""The hospital: departments, doctors, sessions with their slots, and when each slot opens.

One doctor in fifteen is wanted by far more people than there are slots; theirs are gone within seconds of the release.
Most sessions open at once, at 07:00, 08:00 or noon; some roll: a quarter of the slots every two hours.
"""

import random
from dataclasses import dataclass

from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US
from shouhao.lab.scalping.chance import Ids, Weighted, zipf

WARM_UP_DAYS = 2  #: simulated before the first day and not exported, so that the first day is not the world's first

_ACCOUNTS_A_DOCTOR = 60
_DAYS_AHEAD = 4
_HOT_SHARE = 0.06
_LEAST_HOT = 7  # in the smallest hospital, too
_WORKS_HALF_DAY = 0.3
_HOURS = (7, 8, 12)
_HOUR = Weighted((55, 25, 20))
_DAYS_BEFORE = Weighted((40, 30, 30))
_ROLLING_SHARE = 0.2
_ROLLING_FROM_HOUR = 14
_ROLLING_STEP_US = 2 * HOUR_US
_PARTS = 4
_MORNING_US, _AFTERNOON_US = 8 * HOUR_US, 13 * HOUR_US + 30 * MINUTE_US
_HALF_DAY_MINUTES = 210


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """One doctor."""

    number: int
    department: int
    staff: int  #: number of the operator that they are at a screen
    hot: bool
    capacity: int
    days_before: int
    hour: int
    rolling: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One doctor's half-day."""

    number: int
    doctor: Doctor
    day: int  #: 0 is the first exported one
    start_us: int
    slots: tuple[int, ...]  #: numbers of slots, in the order of their times
    opens_us: tuple[int, ...]  #: of each slot

    @property
    def hot(self) -> bool:
        """Whether far more people want it than can have it."""
        return self.doctor.hot

    @property
    def released_us(self) -> int:
        """When its first slot opens."""
        return self.opens_us[0]

    @property
    def end_us(self) -> int:
        """When the half-day is over."""
        return self.start_us + _HALF_DAY_MINUTES * MINUTE_US

    def slot_time_us(self, slot: int) -> int:
        """When the patient of that slot is expected; one that was added is seen last."""
        place = self.slots.index(slot) if slot in self.slots else len(self.slots)
        return self.start_us + place * _HALF_DAY_MINUTES * MINUTE_US // len(self.slots)


class Hospital:
    """All of it. Ids are opaque; numbers are places in the lists."""

    def __init__(self, rng: random.Random, ids: Ids, *, accounts: int, days: int, first_us: int) -> None:
        count = max(32, accounts // _ACCOUNTS_A_DOCTOR)
        self.department_ids = [ids.new("k") for _ in range(8 + min(16, count // 40))]
        self.doctor_ids = [ids.new("y") for _ in range(count)]
        self.staff_ids = [ids.new("w") for _ in range(count)]
        self.session_ids: list[str] = []
        self.slot_ids: list[str] = []
        self.slot_opens_us: list[int] = []
        self.slot_session: list[int] = []
        self.sessions: list[Session] = []
        self._ids, self._first_us = ids, first_us
        self._department = zipf(len(self.department_ids), 0.7)
        self.doctors = [self._doctor(rng, n) for n in range(count)]
        for day in range(-WARM_UP_DAYS, days + _DAYS_AHEAD):
            for doctor in self.doctors:
                for starts_us in (_MORNING_US, _AFTERNOON_US):
                    if rng.random() < _WORKS_HALF_DAY:
                        self._add_session(doctor, day, starts_us)
        self.hot_by_day: dict[int, list[Session]] = {}  #: by the day of their release
        self.of_doctor: list[list[Session]] = [[] for _ in self.doctors]  #: in order of time
        self.on_day: dict[tuple[int, int], list[Session]] = {}  #: by department and day
        for session in self.sessions:
            self.of_doctor[session.doctor.number].append(session)
            self.on_day.setdefault((session.doctor.department, session.day), []).append(session)
            if session.hot:
                self.hot_by_day.setdefault((session.released_us - first_us) // DAY_US, []).append(session)

    def add_staff(self, ids: Ids) -> int:
        """An operator who is no doctor."""
        self.staff_ids.append(ids.new("w"))
        return len(self.staff_ids) - 1

    def add_slot(self, session: Session) -> int:
        """An extra slot."""
        self.slot_ids.append(self._ids.new("s"))
        self.slot_opens_us.append(session.released_us)
        self.slot_session.append(session.number)
        return len(self.slot_ids) - 1

    def _doctor(self, rng: random.Random, number: int) -> Doctor:
        hot = rng.random() < _HOT_SHARE or number < _LEAST_HOT
        rolling = not hot and rng.random() < _ROLLING_SHARE
        return Doctor(
            number=number,
            department=self._department.draw(rng),
            staff=number,
            hot=hot,
            capacity=rng.choice((8, 10, 12, 16)) if hot else rng.choice((20, 24, 30, 40)),
            days_before=1 if rolling else 1 + _DAYS_BEFORE.draw(rng),
            hour=_ROLLING_FROM_HOUR if rolling else _HOURS[_HOUR.draw(rng)],
            rolling=rolling,
        )

    def _add_session(self, doctor: Doctor, day: int, starts_us: int) -> None:
        opens_us = self._first_us + (day - doctor.days_before) * DAY_US + doctor.hour * HOUR_US
        a_part = -(-doctor.capacity // _PARTS)
        slots, opens = [], []
        for n in range(doctor.capacity):
            slots.append(len(self.slot_ids))
            opens.append(opens_us + (n // a_part * _ROLLING_STEP_US if doctor.rolling else 0))
            self.slot_ids.append(self._ids.new("s"))
            self.slot_opens_us.append(opens[-1])
            self.slot_session.append(len(self.sessions))
        self.session_ids.append(self._ids.new("h"))
        self.sessions.append(
            Session(
                number=len(self.sessions),
                doctor=doctor,
                day=day,
                start_us=self._first_us + day * DAY_US + starts_us,
                slots=tuple(slots),
                opens_us=tuple(opens),
            )
        )
