"""People: a week of honest patients with the habits that look like scalping from afar.

Some are quick, some let their browser refresh, families share a phone, hundreds share a Wi-Fi, phones roam between
networks, a care home books for its residents, and many ask for the same few doctors in the same seconds. Nobody here
must be accused by any detector. Seeded: the same seed gives the same week.
"""

import math
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
MONDAY_US = 1_792_339_200_000_000  #: Monday, 19 October 2026, midnight in Shanghai
DAYS = 5
DOCTORS = tuple(f"dr{n:02}" for n in range(24))
HOT = DOCTORS[:4]
CAPACITY = 20
HOSPITAL_WIFI = "203.0.113.9"
CAMPUS_WIFI = "203.0.113.77"

_MODELS = tuple(f"{maker}-{n}" for maker in ("V2", "PGT", "SM-G", "M21", "RMX", "iPhone1") for n in range(12))
_ASSETS = ("/static/app.9f2c.js", "/static/app.css", "/static/logo.png", "/favicon.ico", "/static/font.woff2?v=3")


@dataclass(slots=True)
class Rows:
    """What the logs and the booking system recorded."""

    hits: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def plus(self, other: "Rows") -> "Rows":
        """Both together."""
        return Rows(hits=self.hits + other.hits, events=self.events + other.events)


@dataclass(slots=True, kw_only=True)
class Person:
    """One account and what it carries."""

    number: int
    account_id: str
    device_id: str
    user_agent: str
    patients: tuple[str, ...]
    addresses: tuple[str, ...]  #: home, then mobile networks
    wants_hot: bool
    quick: bool  #: has done this before and waits with a finger on the button
    refreshes: bool  #: lets an extension reload the page
    seconds: float  #: this person's usual reaction


def release_us(day: int) -> int:
    """Slots open at seven."""
    return MONDAY_US + day * DAY_US + 7 * HOUR_US


def session_of(doctor: str, day: int) -> str:
    """A doctor's session that is released on a day of the week."""
    return f"{doctor}-day{day}"


@lru_cache(maxsize=4)
def honest_week(*, seed: int = 7, people: int = 2_400) -> Rows:
    """The whole week; do not change what it returns."""
    return _Week(random.Random(seed), people).rows  # noqa: S311 - made-up people


class _Week:
    """Chance, people and what is recorded of them."""

    def __init__(self, chance: random.Random, people: int) -> None:
        self.chance = chance
        self.rows = Rows()
        self.people = [self._person(n) for n in range(people)]
        self._visit = 0
        for person in self.people:
            self._registered(person)
        for day in range(DAYS):
            self._day(day)
        self._care_home()
        self.rows.hits.sort(key=lambda row: row["at_us"])
        self.rows.events.sort(key=lambda row: row["at_us"])

    def _person(self, number: int) -> Person:
        chance = self.chance
        family = number % 9 == 0
        shares_phone = number % 17 == 1  # with the account before: a parent and a grown-up child
        home = f"10.{number % 50}.{number % 211}.{1 + number % 230}"
        mobile = [f"172.{16 + chance.randrange(12)}.{chance.randrange(250)}.{chance.randrange(1, 250)}" for _ in "ab"]
        quick = chance.random() < 0.08
        if number % 8 == 2:
            home = HOSPITAL_WIFI if number % 16 == 2 else CAMPUS_WIFI
        return Person(
            number=number,
            account_id=f"a{number:05}",
            device_id=f"d{number - 1 if shares_phone else number:05}",
            user_agent=f"Mozilla/5.0 (Linux; Android {9 + number % 6}; {_MODELS[number * 7 % len(_MODELS)]})",
            patients=tuple(f"p{number:05}-{n}" for n in range(chance.choice((3, 4, 5)) if family else 1)),
            addresses=(home, *mobile),
            wants_hot=chance.random() < 0.45,
            quick=quick,
            refreshes=chance.random() < 0.03,
            seconds=chance.lognormvariate(math.log(0.9 if quick else 2.6), 0.35),
        )

    def _registered(self, person: Person) -> None:
        at_us = MONDAY_US - self.chance.randrange(3 * DAY_US, 400 * DAY_US)
        common = {"account_id": person.account_id, "device_id": person.device_id, "ip": person.addresses[0]}
        self.rows.events.append({"at_us": at_us, "kind": "account_registered", **common})
        for n, patient in enumerate(person.patients):
            bound_us = at_us + (n + 1) * self.chance.randrange(2 * MINUTE_US, 2 * DAY_US)
            bound_us = min(bound_us, MONDAY_US - HOUR_US - n * MINUTE_US)
            self.rows.events.append({"at_us": bound_us, "kind": "patient_bound", "patient_id": patient, **common})

    def _day(self, day: int) -> None:
        chance = self.chance
        asks: list[tuple[int, Person, str, dict[str, Any], str]] = []
        for person in self.people:
            if person.wants_hot and chance.random() < 0.30:
                asks += self._rushes(person, day)
            elif chance.random() < 0.16:
                asks += self._drops_in(person, day)
        self._answer(sorted(asks, key=lambda ask: (ask[0], ask[1].number, ask[4])), day)

    def _rushes(self, person: Person, day: int) -> Iterator[tuple[int, Person, str, dict[str, Any], str]]:
        """Comes minutes before the release, looks around, waits, and asks as fast as a hand can."""
        chance, opens_us = self.chance, release_us(day)
        common = self._signs_in(person, opens_us - chance.randrange(2 * MINUTE_US, 20 * MINUTE_US))
        doctor = chance.choice(HOT)
        at_us = opens_us - chance.randrange(MINUTE_US, 2 * MINUTE_US)
        if person.refreshes:
            every_us = chance.choice((3, 5, 5, 10)) * SECOND_US
            at_us = opens_us - chance.randrange(3 * MINUTE_US, 15 * MINUTE_US)
            while at_us < opens_us + every_us:
                self._hit(common, f"/api/doctors/{doctor}/slots?_={at_us // 1000}", at_us + chance.randrange(40_000))
                at_us += every_us
        while at_us < opens_us:
            self._views(common, doctor, at_us)
            at_us += round(chance.lognormvariate(math.log(6), 0.6) * SECOND_US)
        asks_us = opens_us + round((0.25 + person.seconds * chance.lognormvariate(0, 0.35)) * SECOND_US)
        for n in range(chance.choice((1, 1, 2, 3, 6) if person.quick else (1, 1, 1, 2))):
            yield asks_us, person, doctor if n < 2 else chance.choice(HOT), common, person.patients[0]
            asks_us += round(chance.uniform(0.5, 2.5) * SECOND_US)

    def _drops_in(self, person: Person, day: int) -> Iterator[tuple[int, Person, str, dict[str, Any], str]]:
        """Comes some time of the day, looks at a few doctors, and books for one or for the whole family."""
        chance = self.chance
        at_us = release_us(day) + round(chance.betavariate(1.3, 2.2) * 13 * HOUR_US)
        common = self._signs_in(person, at_us)
        doctor = chance.choice(DOCTORS)
        for _ in range(chance.randrange(1, 6)):
            at_us += round(chance.lognormvariate(math.log(18), 0.8) * SECOND_US)
            doctor = chance.choice(DOCTORS[4:])
            self._views(common, doctor, at_us)
            if chance.random() < 0.05:  # leaves the house, and the Wi-Fi
                common = {**common, "ip": chance.choice(person.addresses)}
        if chance.random() < 0.7:
            patients = person.patients if chance.random() < 0.3 else person.patients[:1]
            for patient in patients:
                at_us += round(chance.lognormvariate(math.log(25), 0.6) * SECOND_US)
                yield at_us, person, doctor, common, patient

    def _signs_in(self, person: Person, at_us: int) -> dict[str, Any]:
        self._visit += 1
        common = {
            "account_id": person.account_id,
            "device_id": person.device_id,
            "session_token": f"s{self._visit:06}",
            "ip": person.addresses[0] if self.chance.random() < 0.7 else self.chance.choice(person.addresses),
            "user_agent": person.user_agent,
        }
        self.rows.events.append({"at_us": at_us, "kind": "logged_in", "channel": "app", **common})
        for n, path in enumerate(("/", *_ASSETS, "/api/me", "/api/departments")):
            self._hit(common, path, at_us + n * self.chance.randrange(15_000, 90_000))
        return common

    def _views(self, common: dict[str, Any], doctor: str, at_us: int) -> None:
        self._hit(common, f"/api/doctors/{doctor}/slots", at_us)
        if self.chance.random() < 0.5:
            self._hit(common, f"/static/photo/{doctor}.jpg", at_us + 90_000)
        self.rows.events.append({"at_us": at_us, "kind": "viewed", "channel": "app", "doctor_id": doctor, **common})

    def _hit(self, common: dict[str, Any], path: str, at_us: int, status: int = 200, method: str = "GET") -> None:
        self.rows.hits.append({"at_us": at_us, "path": path, "status": status, "method": method, **common})

    def _answer(self, asks: list[tuple[int, Person, str, dict[str, Any], str]], day: int) -> None:
        left: dict[str, list[int]] = defaultdict(lambda: list(range(CAPACITY, 0, -1)))
        given: set[tuple[str, str]] = set()
        for at_us, person, doctor, common, patient in asks:
            got = bool(left[doctor]) and (doctor, patient) not in given
            row = {
                "at_us": at_us,
                "kind": "booked" if got else "refused",
                "channel": "app",
                "patient_id": patient,
                "doctor_id": doctor,
                "department_id": f"dep{DOCTORS.index(doctor) % 5}",
                "session_id": session_of(doctor, day),
                "released_at_us": release_us(day),
                **common,
            }
            self._hit(common, "/api/bookings", at_us, status=201 if got else 409, method="POST")
            if got:
                given.add((doctor, patient))
                row["slot_id"] = f"{session_of(doctor, day)}-{left[doctor].pop():02}"
                row["payer_id"] = f"pay{person.number:05}"
            self.rows.events.append(row)
            if got:
                self._afterwards(row)

    def _afterwards(self, row: dict[str, Any]) -> None:
        chance = self.chance
        kept = {k: v for k, v in row.items() if k not in {"at_us", "kind"}}
        paid_us = row["at_us"] + round(chance.lognormvariate(math.log(70), 0.6) * SECOND_US)
        self.rows.events.append({"at_us": paid_us, "kind": "paid", **kept})
        if chance.random() < 0.07:
            at_us = paid_us + chance.randrange(HOUR_US, 3 * DAY_US)
            self.rows.events.append({"at_us": at_us, "kind": "cancelled", **kept})
            self._taken_again(kept, at_us)
            return
        seen_us = row["released_at_us"] + 7 * DAY_US + chance.randrange(HOUR_US, 9 * HOUR_US)
        came = chance.random() < 0.93
        attended = {"at_us": seen_us, "kind": "checked_in" if came else "no_show", **kept, "channel": "kiosk"}
        self.rows.events.append({**attended, "device_id": None, "session_token": None, "ip": None, "user_agent": None})

    def _taken_again(self, returned: dict[str, Any], at_us: int) -> None:
        """Some stranger comes across the returned slot, sooner or later."""
        chance = self.chance
        finder = chance.choice(self.people)
        if finder.account_id == returned["account_id"] or chance.random() < 0.3:
            return
        at_us += round(chance.lognormvariate(math.log(1_500), 1.1) * SECOND_US)
        common = self._signs_in(finder, at_us - 2 * MINUTE_US)
        self._views(common, returned["doctor_id"], at_us - MINUTE_US)
        asked = {**returned, **common, "patient_id": finder.patients[0], "payer_id": f"pay{finder.number:05}"}
        self._hit(common, "/api/bookings", at_us, status=201, method="POST")
        self.rows.events.append({"at_us": at_us, "kind": "booked", **asked})

    def _care_home(self) -> None:
        """One nurse at one computer, who books for twenty residents through the week."""
        nurse = Person(
            number=90_000,
            account_id="care-home",
            device_id="care-home-pc",
            user_agent="Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
            patients=tuple(f"resident{n:02}" for n in range(20)),
            addresses=("198.51.100.20",),
            wants_hot=False,
            quick=False,
            refreshes=False,
            seconds=4.0,
        )
        self._registered(nurse)
        for day in range(DAYS):
            at_us = release_us(day) + 3 * HOUR_US + self.chance.randrange(HOUR_US)
            common = self._signs_in(nurse, at_us)
            asks = []
            for patient in nurse.patients[day * 4 : day * 4 + 4]:
                at_us += round(self.chance.lognormvariate(math.log(60), 0.4) * SECOND_US)
                self._views(common, DOCTORS[-1], at_us)
                at_us += round(self.chance.lognormvariate(math.log(30), 0.4) * SECOND_US)
                asks.append((at_us, nurse, DOCTORS[-1 - day], common, patient))
            self._answer(asks, day)
