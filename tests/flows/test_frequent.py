"""Counting without identity: nothing while it is off, nothing after the window, and two people before a look."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from sqlalchemy import update

from hospital import dump, events
from lawful import DOCUMENT, body_of, camera, make_lawful, operator
from racing import meanwhile
from shouhao.compliance.model import SwitchOff
from shouhao.flows.frequent import Excludes, FrequentCounter, FrequentParts
from shouhao.flows.frequent_duty import FrequentDuty
from shouhao.flows.frequent_leads import LeadNotOpen, ask_to_open, dismiss_lead, leads_waiting, open_lead
from shouhao.flows.law import hand_in, law_due, note_retention, turn_off
from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US, ManualClock, day_of
from shouhao.kernel.errors import NotFound
from shouhao.kernel.randomness import SeededRandomness
from shouhao.staff.approvals import NotApproved, SecondPersonNeeded, decide
from shouhao.staff.model import RoleMissing
from shouhao.staff.training import NotTrained
from shouhao.store.invariants import check
from shouhao.store.vault import Vault
from shouhao.watch.frequent import FrequentRules, Visit
from shouhao.watch.passages import Passage, PassageShot
from shouhao.watch.store import frequent as store
from shouhao.watch.store.frequent import WindowKeys
from shouhao.watch.store.frequent_tables import leads, salts

DIMS = 128
NOW_US = 1_772_413_200_000_000  # 2026-03-02 09:00 at the hospital
RULES = FrequentRules(days_more_than=3)
CANARY = np.random.default_rng(4242).standard_normal(DIMS).astype(np.float32)
CANARY /= np.linalg.norm(CANARY)
WINDOW = camera("CAM1", zone="window")


def face_seen(seed, face=CANARY):
    """A face as one passage shows it."""
    moved = face + 0.02 * np.random.default_rng(seed).standard_normal(DIMS).astype(np.float32)
    return (moved / np.linalg.norm(moved)).astype(np.float32)


def picture():
    _, data = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8))
    return bytes(data)


PICTURE = picture()


@dataclass
class Counting:
    """A counter with its clock, its keys and whatever it keeps on disk."""

    parts: FrequentParts
    counter: FrequentCounter
    clock: ManualClock
    folder: Path

    def at(self, now_us):
        self.clock.advance(seconds=(now_us - self.clock.now_us()) / SECOND_US)
        keep_lawful(self.parts.db, now_us)

    def see(self, face=CANARY, *, seed=0, camera=WINDOW, at_us=None, quality=0.9, crop=PICTURE):
        moved = face_seen(seed, face)
        now_us = self.clock.now_us()
        seen_us = now_us if at_us is None else at_us
        what = SimpleNamespace(
            face=SimpleNamespace(embedding=moved, pack="pack-1", quality=SimpleNamespace(score=quality)), crop=crop
        )
        shot = PassageShot(
            key=b"k", track=None, at_us=seen_us, arrived_at_us=now_us, vector=moved, quality=quality, what=what
        )
        passage = Passage(
            id="ps_1", camera_id=camera.id, number=1, shots=[shot], first_arrived_us=now_us, last_arrived_us=now_us
        )
        self.counter.unmatched(camera, passage)
        moved.fill(0)  # as the worker does when it returns

    def due(self):
        """What the worker does until there is nothing left to do."""
        duty, done = FrequentDuty(self.parts), 0
        while did := duty(self.clock.now_us()):
            done += did
        return done

    def kept(self):
        with self.parts.db.read() as connection:
            return store.count_visits(connection)

    def leads(self, *states):
        with self.parts.db.read() as connection:
            return store.list_leads(connection, *(states or ("checking", "waiting", "opened", "dismissed")))


def keep_lawful(db, now_us):
    with db.write() as connection:
        note_retention(connection, now_us=now_us)


@pytest.fixture
def counting(db, tmp_path):
    return made(db, tmp_path)


def made(db, folder, **more):
    clock = ManualClock(NOW_US)
    parts = FrequentParts(
        db=db,
        clock=clock,
        randomness=SeededRandomness(3),
        keys=WindowKeys(folder=folder / "frequent-keys", sealer=Vault(b"v" * 32).sealer("frequent")),
        rules=RULES,
        refresh_every_s=0,
        **more,
    )
    return Counting(parts, FrequentCounter(parts), clock, folder)


def seen_on(counting, days, *, face=CANARY):
    for day in range(days):
        counting.at(NOW_US + day * DAY_US)
        counting.see(face, seed=day)
        counting.due()


def everything_on_disk(db, folder):
    """All bytes of the data folder and of the database."""
    found = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    with db.read() as connection:
        for table in store.visits.metadata.sorted_tables:
            for row in connection.execute(table.select()):
                found += b"".join(bytes(v) if isinstance(v, bytes) else str(v).encode() for v in row)
    return found


def test_with_the_switch_off_nothing_of_a_face_survives(db, tmp_path, caplog):
    counting = made(db, tmp_path)
    before = dump(db)
    for day in range(9):
        counting.clock.advance(seconds=DAY_US / SECOND_US)
        counting.see(seed=day)
        counting.due()
    assert counting.counter._visits is None
    on_disk = everything_on_disk(db, tmp_path)
    faces = [face_seen(day) for day in range(9)]
    for canary in (*(face.tobytes()[:32] for face in faces), faces[0].astype("<f8").tobytes(), PICTURE[100:150]):
        assert canary not in on_disk
    assert dump(db) == before
    assert (counting.kept(), counting.leads(), counting.parts.keys.names()) == (0, [], [])
    assert caplog.text == ""


def test_with_the_switch_on_a_face_is_kept_only_sealed_and_turned(db, tmp_path):
    counting = made(db, tmp_path)
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    counting.see(seed=1)
    assert counting.kept() == 1
    moved = face_seen(1)
    on_disk = everything_on_disk(db, tmp_path)
    for canary in (moved.tobytes(), moved.tobytes()[:32], b"CAM1", PICTURE[100:150]):
        assert canary not in on_disk
    vectors = counting.counter._visits._vectors[:1]
    assert float(vectors[0] @ moved) < 0.5  # in memory too it is another face than it was
    assert not {row.name for row in store.visits.c} & {"at_us", "camera_id", "place_id"}


def test_entrances_and_poor_faces_are_not_counted(counting):
    make_lawful(counting.parts.db, "frequent_visitors", now_us=NOW_US)
    counting.see(camera=camera("CAM2", zone="entrance"))
    counting.see(camera=camera("CAM3", zone="other"))
    counting.see(quality=0.49)
    counting.see(at_us=NOW_US - 8 * DAY_US)  # it came so late that its day is over
    counting.see(at_us=NOW_US + 2 * DAY_US)  # a camera that lies about time
    assert counting.kept() == 0
    for number, zone in enumerate(("window", "pharmacy", "clinic_door")):
        counting.see(np.roll(CANARY, number + 1), camera=camera("CAM4", zone=zone))
    assert counting.kept() == 3


def test_each_day_the_key_of_the_oldest_is_destroyed_and_after_the_window_nothing_opens(counting):
    db = counting.parts.db
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    seen_on(counting, 3)
    first = day_of(NOW_US).toordinal()
    assert [name for name in counting.parts.keys.names() if name.startswith("day")] == [
        f"day-{first + n}" for n in range(3)
    ]
    with db.read() as connection:
        backup = [dict(row) for row in connection.execute(store.visits.select()).mappings()]
    counting.at(NOW_US + 7 * DAY_US)
    assert counting.due() >= 1
    assert f"day-{first}" not in counting.parts.keys.names()
    assert counting.kept() == 2
    counting.at(NOW_US + 9 * DAY_US)
    counting.due()
    assert (counting.kept(), [n for n in counting.parts.keys.names() if n.startswith("day")]) == (0, [])
    assert all(counting.parts.keys.find(store.day_key(row["day"])) is None for row in backup)
    purged = events(db, "frequent_purged")
    assert len(purged) == 2
    counting.see(seed=9)  # what is in memory went with the rows
    assert len(counting.counter._visits) == 1


def test_the_window_is_what_the_assessment_allows(counting):
    db = counting.parts.db
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    with db.write() as connection:
        body = body_of("impact_assessment", now_us=NOW_US) | {"window_days": 2}
        hand_in(connection, "impact_assessment", body, switch="frequent_visitors", operator=None, now_us=NOW_US)
    seen_on(counting, 4)
    assert counting.kept() == 2
    assert DOCUMENT


def test_turning_the_switch_off_forgets_everything(counting):
    db = counting.parts.db
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    seen_on(counting, 2)
    with db.write() as connection:
        turn_off(connection, "frequent_visitors", operator=None, reason="不再需要", now_us=counting.clock.now_us())
    counting.due()
    assert (counting.kept(), counting.parts.keys.names()) == (0, [])
    counting.see(seed=8)
    assert counting.kept() == 0
    assert counting.counter._visits is None


def test_a_lapse_of_the_law_forgets_everything_too(counting):
    db = counting.parts.db
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    counting.see()
    with db.write() as connection:
        hand_in(
            connection, "incident", body_of("incident", now_us=NOW_US), switch=None, operator=None, now_us=NOW_US + 1
        )
    counting.clock.advance(seconds=1)
    assert law_due(db, now_us=counting.clock.now_us()) == 1
    counting.due()
    assert (counting.kept(), counting.parts.keys.names()) == (0, [])


def test_the_secret_of_the_window_changes_and_visits_are_still_alike(counting):
    db = counting.parts.db
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    seen_on(counting, 2)
    (salt,) = [name for name in counting.parts.keys.names() if name.startswith("salt")]
    for day in (6, 7):
        counting.at(NOW_US + day * DAY_US)
        counting.see(seed=day)
    counting.due()
    (new,) = [name for name in counting.parts.keys.names() if name.startswith("salt")]
    assert new != salt
    counting.see(np.roll(CANARY, 5), seed=1)
    with db.read() as connection:
        kept = {visit.id: seen for visit, seen in store.read_visits(connection, counting.parts.keys, salt_id=new[5:])}
    vectors = [store.vector_of(seen) for seen in kept.values()]
    alike = [float(vectors[0] @ other) for other in vectors]
    assert [round(cosine, 1) > 0.8 for cosine in alike] == [True, True, True, False]
    group = counting.counter._visits.group_of(next(iter(kept)))
    assert len(group) == 3


def test_a_new_process_goes_on_where_the_old_one_ended(counting):
    make_lawful(counting.parts.db, "frequent_visitors", now_us=NOW_US)
    seen_on(counting, 3)
    again = FrequentCounter(counting.parts)
    counting.counter = again
    counting.at(NOW_US + 3 * DAY_US)
    counting.see(seed=3)
    assert [lead.days for lead in counting.leads()] == [4]


def test_a_lead_is_one_picture_a_day_and_nobody_sees_it_before_it_is_checked(counting):
    db = counting.parts.db
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    for day in range(5):
        counting.at(NOW_US + day * DAY_US)
        counting.see(seed=day)
        counting.see(seed=day + 50, at_us=counting.clock.now_us() + HOUR_US)  # the same visit
    (lead,) = counting.leads()
    assert (lead.state, lead.days) == ("checking", 5)
    with db.read() as connection:
        assert leads_waiting(connection) == []
        assert list(store.stills_of_lead(connection, counting.parts.keys, lead.id)) == [
            day_of(NOW_US).toordinal() + 3,
            day_of(NOW_US).toordinal() + 4,
        ]
    counting.due()
    with db.read() as connection:
        assert [one.id for one in leads_waiting(connection)] == [lead.id]
    told = str(events(db, "frequent_lead_changed"))
    assert "CAM1" not in told


class Knows(Excludes):
    """A hospital that knows one of its staff, or one patient's appointments."""

    def __init__(self, *, staff=(), days=()):
        self._staff, self._days, self.asked = staff, days, []

    def staff(self, pack):
        assert pack == "pack-1"
        return self._staff

    def patients_on(self, day: date):
        return ["pt_0", "pt_1"] if day in self._days else ["pt_0"]

    def is_patient(self, patient_id, faces, *, pack):
        assert pack == "pack-1"
        assert all(float(face @ CANARY) > 0.9 for face in faces)  # turned back for the one comparison
        self.asked.append((patient_id, len(faces)))
        return patient_id == "pt_1"


@pytest.mark.parametrize(
    ("excludes", "state"),
    [
        (Knows(staff=[CANARY]), "dismissed"),
        (Knows(staff=[np.roll(CANARY, 1)]), "waiting"),
        (Knows(days=[date(2026, 3, 2)]), "dismissed"),  # three days are left, and three are not too many
        (Knows(days=[date(2026, 4, 1)]), "waiting"),
    ],
)
def test_staff_and_patients_with_an_appointment_are_left_out_before_anybody_looks(sqlite_db, tmp_path, excludes, state):
    counting = made(sqlite_db, tmp_path, excludes=excludes)
    make_lawful(sqlite_db, "frequent_visitors", now_us=NOW_US)
    seen_on(counting, 4)
    (lead,) = counting.leads()
    assert lead.state == state
    if state == "dismissed":
        with sqlite_db.read() as connection:
            assert store.stills_of_lead(connection, counting.parts.keys, lead.id) == {}
        counting.at(NOW_US + 4 * DAY_US)
        counting.see(seed=4)
        counting.due()
        assert [one.state for one in counting.leads()] == ["dismissed"]  # it is not raised again


class Away(Excludes):
    def staff(self, pack):
        raise NotFound(pack)


def test_a_lead_that_cannot_be_checked_is_seen_by_nobody(sqlite_db, tmp_path):
    counting = made(sqlite_db, tmp_path, excludes=Away())
    make_lawful(sqlite_db, "frequent_visitors", now_us=NOW_US)
    seen_on(counting, 4)
    assert [lead.state for lead in counting.leads()] == ["checking"]


def test_two_people_open_a_lead_and_each_look_is_registered(counting):
    db, keys = counting.parts.db, counting.parts.keys
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    seen_on(counting, 5)
    (lead,) = counting.leads("waiting")
    now_us = counting.clock.now_us()
    security = operator(db, "security", now_us=now_us, trained=True)
    second, untrained = operator(db, "approver", now_us=now_us), operator(db, "security", now_us=now_us)
    with db.write() as connection, pytest.raises(RoleMissing):
        ask_to_open(connection, lead.id, operator=second, reason="看看", now_us=now_us)
    with db.write() as connection:
        asked = ask_to_open(connection, lead.id, operator=security, reason="连续多日出现", now_us=now_us)

    def open_it(who):
        return open_lead(db, keys, lead.id, asked.id, operator=who, reason="核实", now_us=now_us)

    with pytest.raises(NotApproved):
        open_it(security)
    with db.write() as connection, pytest.raises(SecondPersonNeeded):
        decide(connection, asked.id, operator=security, approve=True, reason="同意", now_us=now_us)
    with db.write() as connection:
        decide(connection, asked.id, operator=second, approve=True, reason="同意", now_us=now_us)
    with pytest.raises(NotTrained):
        open_it(untrained)
    opened = open_it(security)
    assert [one.camera_id for one in opened.visits] == ["CAM1"] * 5
    assert len(opened.pictures) == 2
    assert PICTURE not in opened.pictures.values()
    assert [event["staff_id"] for event in events(db, "record_looked_at")] == [security.id] * 2  # one looked in vain
    with pytest.raises(Exception, match=r"ended|approved"):
        open_it(security)  # an approval is used once
    with db.write() as connection:
        dismiss_lead(connection, lead.id, operator=security, now_us=now_us)
        assert store.stills_of_lead(connection, keys, lead.id) == {}
    with pytest.raises(LeadNotOpen):
        open_it(security)


def test_a_lead_that_is_dismissed_as_it_is_opened_again_stays_dismissed(postgresql_db, tmp_path):
    db, counting = postgresql_db, made(postgresql_db, tmp_path)
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    seen_on(counting, 5)
    (lead,), now_us = counting.leads("waiting"), counting.clock.now_us()
    security, second = operator(db, "security", now_us=now_us, trained=True), operator(db, "approver", now_us=now_us)

    def open_it():
        with db.write() as connection:
            asked = ask_to_open(connection, lead.id, operator=security, reason="连续多日出现", now_us=now_us)
            decide(connection, asked.id, operator=second, approve=True, reason="同意", now_us=now_us)
        open_lead(db, counting.parts.keys, lead.id, asked.id, operator=security, reason="核实", now_us=now_us)

    open_it()
    with pytest.raises(LeadNotOpen):
        meanwhile(db, lambda c: dismiss_lead(c, lead.id, operator=security, now_us=now_us), open_it)
    assert [one.state for one in counting.leads()] == ["dismissed"]


def test_a_worker_that_checks_late_does_not_close_what_people_have_opened(postgresql_db, tmp_path):
    db, counting = postgresql_db, made(postgresql_db, tmp_path)
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    seen_on(counting, 3)
    counting.at(NOW_US + 3 * DAY_US)
    counting.see(CANARY, seed=3)
    assert [one.state for one in counting.leads()] == ["checking"]
    meanwhile(db, lambda connection: connection.execute(update(leads).values(state="opened")), counting.due)
    assert [one.state for one in counting.leads()] == ["opened"]


def test_a_visit_that_is_kept_as_the_window_s_secret_changes_is_turned_too(postgresql_db, tmp_path):
    db, counting = postgresql_db, made(postgresql_db, tmp_path)
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    counting.see()
    keys, now_us = counting.parts.keys, counting.clock.now_us()
    with db.read() as connection:
        salt = store.find_salt(connection, keys)
        ((_, seen),) = store.read_visits(connection, keys, salt_id=salt.id)
    visit = Visit(id="fv_another", day=day_of(now_us).toordinal(), at_us=now_us)

    def keep(connection):
        counting.counter._check_salt(connection, salt)
        sealer = store.open_day(connection, keys, visit.day, now_us=now_us)
        store.add_visit(connection, sealer, visit, seen=seen, salt_id=salt.id)

    with db.write() as connection:
        connection.execute(update(salts).values(made_at_us=NOW_US - 60 * DAY_US))
    meanwhile(db, keep, counting.due)
    with db.read() as connection:
        assert check(connection, store.INVARIANTS) == []
        assert store.find_salt(connection, keys).id != salt.id
    assert counting.kept() == 2


def test_with_the_switch_off_no_lead_is_opened(counting):
    db = counting.parts.db
    make_lawful(db, "frequent_visitors", now_us=NOW_US)
    seen_on(counting, 5)
    (lead,) = counting.leads("waiting")
    now_us = counting.clock.now_us()
    security = operator(db, "security", now_us=now_us, trained=True)
    with db.write() as connection:
        turn_off(connection, "frequent_visitors", operator=None, reason="停用", now_us=now_us)
    with db.write() as connection, pytest.raises(SwitchOff):
        ask_to_open(connection, lead.id, operator=security, reason="核实", now_us=now_us)


class Busy(Excludes):
    """A day on which thousands have appointments."""

    def __init__(self):
        self.asked = 0

    def patients_on(self, day: date):
        return [f"pt_{day}_{number}" for number in range(300)]

    def is_patient(self, patient_id, faces, *, pack):
        assert patient_id
        assert pack
        self.asked += len(faces)
        return False


def test_a_check_of_thousands_lets_the_worker_go_on_with_other_things(sqlite_db, tmp_path):
    excludes = Busy()
    counting = made(sqlite_db, tmp_path, excludes=excludes)
    make_lawful(sqlite_db, "frequent_visitors", now_us=NOW_US)
    for day in range(4):
        counting.at(NOW_US + day * DAY_US)
        counting.see(seed=day)
    duty, asked = FrequentDuty(counting.parts), []
    while counting.leads("checking"):
        duty(counting.clock.now_us())
        asked.append(excludes.asked)
    assert len(asked) == 25  # 4 days of 300 patients, 50 at a time
    assert asked[0] <= 51
    assert [lead.state for lead in counting.leads()] == ["waiting"]


def test_counting_on_a_thread_of_its_own_counts_the_same_and_turns_away_what_is_too_much(sqlite_db, tmp_path):
    counting = made(sqlite_db, tmp_path)
    make_lawful(sqlite_db, "frequent_visitors", now_us=NOW_US)
    counting.counter = FrequentCounter(counting.parts, waiting_most=2)
    for number in range(3):
        counting.see(np.roll(CANARY, number), seed=number)
        counting.counter.wait()
    assert counting.kept() == 3
    with counting.counter._lock:  # the thread is kept busy
        for number in range(10):
            counting.see(np.roll(CANARY, 10 + number), seed=number)
    counting.counter.wait()
    assert 3 < counting.kept() <= 3 + 3  # one at work, two that wait


def test_the_thread_too_leaves_nothing_in_memory_when_the_switch_goes_off(sqlite_db, tmp_path):
    counting = made(sqlite_db, tmp_path)
    make_lawful(sqlite_db, "frequent_visitors", now_us=NOW_US)
    counting.counter = FrequentCounter(counting.parts, waiting_most=5)
    counting.see()
    counting.counter.wait()
    vectors = counting.counter._visits._vectors
    assert vectors.any()
    with sqlite_db.write() as connection:
        turn_off(connection, "frequent_visitors", operator=None, reason="停用", now_us=NOW_US)
    counting.counter._see_to_switch()  # as when nobody passes any more
    assert counting.counter._visits is None
    assert not vectors.any()
    counting.see()
    counting.counter.wait()
    assert counting.kept() == 1  # the row of before: the duty is what deletes it
    counting.due()
    assert counting.kept() == 0
