"""The inventory on both databases: what imports may change, what pages read, and what must always hold."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update

from shouhao.booking.schedule import Department, Doctor, PlannedSession, cut_segments, session_id_of
from shouhao.booking.store.catalogue import find_sessions, get_session, list_departments, list_doctors
from shouhao.booking.store.inventory import INVARIANTS, import_sessions, upsert_departments, upsert_doctors
from shouhao.booking.tables import doctors, sessions, slots
from shouhao.kernel.clock import DAY_US, HOUR_US, start_of_day_us
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.store.engine import open_database
from shouhao.store.invariants import check

DAY = date(2026, 11, 23)
NOW = start_of_day_us(DAY) - 10 * DAY_US
PROPERTY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def plan(capacity=10, *, day=DAY, doctor_id="D1", segment=30, withheld=(), **changes):
    midnight = start_of_day_us(day)
    session = PlannedSession(
        **{
            "id": session_id_of("OBS", doctor_id, day=day, half="am", kind="expert"),
            "department_id": "OBS",
            "doctor_id": doctor_id,
            "day": day,
            "half": "am",
            "kind": "expert",
            "starts_at_us": midnight + 8 * HOUR_US,
            "ends_at_us": midnight + 12 * HOUR_US,
            "fee_cents": 5000,
            "capacity": capacity,
            "release_at_us": midnight - 7 * DAY_US,
            "source": "csv",
        }
        | changes
    )
    cut = cut_segments(session, segment)
    return replace(session, slots=tuple(replace(slot, withheld=slot.number in withheld) for slot in cut))


ID = plan().id


def stock(connection):
    upsert_departments(connection, [Department(id="OBS", name_zh="产科", name_en="Obstetrics")])
    upsert_doctors(
        connection,
        [
            Doctor(id=f"D{n}", department_id="OBS", name_zh="林华", name_en="Lin Hua", title_zh="主任医师")
            for n in (1, 2)
        ],
    )


@pytest.fixture
def stocked(db):
    with db.write() as connection:
        stock(connection)
    return db


def bring(db, *plans):
    with db.write() as connection:
        return import_sessions(connection, plans, now_us=NOW)


def rows(db, table, *order):
    with db.read() as connection:
        return [dict(row) for row in connection.execute(select(table).order_by(*order)).mappings()]


def everything(db):
    return rows(db, sessions, sessions.c.id), rows(db, slots, slots.c.session_id, slots.c.number)


def states(db):
    return [slot["state"] for slot in everything(db)[1]]


def release(db, *, take=()):
    with db.write() as connection:
        connection.execute(update(sessions).values(state="released", released_at_us=NOW))
        connection.execute(update(slots).where(slots.c.state == "planned").values(state="free"))
        for number in take:
            connection.execute(
                update(slots).where(slots.c.number == number).values(state="taken", booking_id=f"bk_{number}")
            )


def add_extra(db, number):
    with db.write() as connection:
        first = connection.execute(select(slots).order_by(slots.c.number)).first()
        connection.execute(
            insert(slots).values(
                **{
                    **first._mapping,
                    "id": f"sl_extra{number}",
                    "number": number,
                    "state": "taken",
                    "booking_id": f"bk_extra{number}",
                    "extra": True,
                }
            )
        )


def outcome(counts):
    return counts.added, counts.updated, counts.unchanged, [row.field for row in counts.refused]


def test_importing_twice_changes_nothing(stocked):
    assert outcome(bring(stocked, plan(), plan(doctor_id="D2"))) == (2, 0, 0, [])
    before = everything(stocked)
    assert outcome(bring(stocked, plan(), plan(doctor_id="D2"))) == (0, 0, 2, [])
    assert everything(stocked) == before
    assert {slot["state"] for slot in before[1]} == {"planned"}
    assert [slot["number"] for slot in before[1]] == [*range(1, 11)] * 2


def test_a_planned_session_follows_its_plan(stocked):
    bring(stocked, plan())
    kept = [slot["id"] for slot in everything(stocked)[1]]
    later = plan(
        fee_cents=8000,
        starts_at_us=plan().starts_at_us + HOUR_US,
        release_at_us=plan().release_at_us + DAY_US,
        hot=True,
    )
    assert outcome(bring(stocked, later)) == (0, 1, 0, [])
    (session,), stored = everything(stocked)
    assert (session["fee_cents"], session["starts_at_us"], session["release_at_us"], session["hot"]) == (
        8000,
        later.starts_at_us,
        later.release_at_us,
        True,
    )
    assert [(slot["starts_at_us"], slot["ends_at_us"]) for slot in stored] == [
        (slot.starts_at_us, slot.ends_at_us) for slot in later.slots
    ]
    assert [slot["id"] for slot in stored] == kept
    assert outcome(bring(stocked, later)) == (0, 0, 1, [])


def test_a_planned_session_grows_and_shrinks(stocked):
    bring(stocked, plan(10))
    assert outcome(bring(stocked, plan(12))) == (0, 1, 0, [])
    assert len(states(stocked)) == 12
    assert outcome(bring(stocked, plan(4))) == (0, 1, 0, [])
    assert [slot["number"] for slot in everything(stocked)[1]] == [1, 2, 3, 4]
    assert outcome(bring(stocked, plan(4))) == (0, 0, 1, [])


def test_a_released_session_grows_with_free_slots(stocked):
    bring(stocked, plan(3))
    release(stocked, take=[2])
    before = everything(stocked)[1]
    assert outcome(bring(stocked, plan(5))) == (0, 1, 0, [])
    stored = everything(stocked)[1]
    assert stored[:3] == before
    assert [slot["state"] for slot in stored] == ["free", "taken", "free", "free", "free"]
    assert outcome(bring(stocked, plan(5))) == (0, 0, 1, [])


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (plan(9), "capacity"),
        (plan(fee_cents=1), "fee"),
        (plan(hot=True), "hot"),
        (plan(release_at_us=plan().release_at_us + 1), "release_at"),
        (plan(starts_at_us=plan().starts_at_us + 1), "start"),
        (plan(12, ends_at_us=plan().ends_at_us + 1), "end"),
    ],
)
def test_a_released_session_accepts_growth_and_nothing_else(stocked, changed, field):
    bring(stocked, plan())
    release(stocked, take=[10])
    before = everything(stocked)
    assert outcome(bring(stocked, changed, plan(doctor_id="D2"))) == (1, 0, 0, [field])
    with stocked.write() as connection:
        connection.execute(delete(slots).where(slots.c.session_id == plan(doctor_id="D2").id))
        connection.execute(delete(sessions).where(sessions.c.doctor_id == "D2"))
    assert everything(stocked) == before


def test_a_closed_session_stays_as_it_is(stocked):
    bring(stocked, plan())
    with stocked.write() as connection:
        connection.execute(update(sessions).values(state="closed"))
    assert outcome(bring(stocked, plan())) == (0, 0, 1, [])
    assert outcome(bring(stocked, plan(11))) == (0, 0, 0, ["capacity"])


def test_a_slot_that_somebody_withdrew_stays_withdrawn(stocked):
    bring(stocked, plan(3))
    with stocked.write() as connection:
        connection.execute(update(slots).where(slots.c.number == 2).values(state="withdrawn"))
    assert outcome(bring(stocked, plan(3))) == (0, 0, 1, [])
    assert outcome(bring(stocked, plan(4, fee_cents=1))) == (0, 1, 0, [])
    assert states(stocked) == ["planned", "withdrawn", "planned", "planned"]


def test_a_withheld_slot_keeps_its_number_and_is_not_offered(stocked):
    bring(stocked, plan(3, withheld={2}))
    assert states(stocked) == ["planned", "withdrawn", "planned"]
    assert outcome(bring(stocked, plan(3, withheld={2}))) == (0, 0, 1, [])
    assert outcome(bring(stocked, plan(3, withheld={2, 3}))) == (0, 1, 0, [])
    assert states(stocked) == ["planned", "withdrawn", "withdrawn"]


def test_an_extra_slot_keeps_its_number_when_the_session_grows(stocked):
    bring(stocked, plan(3))
    add_extra(stocked, 4)
    assert outcome(bring(stocked, plan(5))) == (0, 1, 0, [])
    assert [(slot["number"], slot["extra"]) for slot in everything(stocked)[1]] == [
        (1, False),
        (2, False),
        (3, False),
        (4, True),
        (5, False),
        (6, False),
    ]
    assert outcome(bring(stocked, plan(5))) == (0, 0, 1, [])
    assert outcome(bring(stocked, plan(2))) == (0, 1, 0, [])
    assert [slot["number"] for slot in everything(stocked)[1]] == [1, 2, 4]
    assert outcome(bring(stocked, plan(2, starts_at_us=plan().starts_at_us + HOUR_US))) == (0, 0, 0, ["start"])


def test_unknown_departments_and_doctors_are_refused_row_by_row(stocked):
    counts = bring(stocked, plan(doctor_id="D9"), plan(), plan(id="se_x", department_id="NOPE"))
    assert outcome(counts) == (1, 0, 0, ["doctor_id", "department_id"])
    assert [row.session_id for row in counts.refused] == [plan(doctor_id="D9").id, "se_x"]


def test_rows_that_break_a_rule_or_repeat_are_refused_and_the_others_kept(stocked):
    old = plan(day=DAY - timedelta(days=30))
    assert outcome(bring(stocked, old, plan(), plan())) == (1, 0, 0, ["day", "id"])


def test_an_id_that_stands_for_another_session_is_refused(stocked):
    bring(stocked, plan())
    assert outcome(bring(stocked, plan(id=ID, doctor_id="D2"))) == (0, 0, 0, ["doctor_id"])


def test_many_sessions_go_in_by_chunks(stocked):
    many = [plan(30, day=DAY + timedelta(days=n), segment=None) for n in range(1100)]
    assert outcome(bring(stocked, *many)) == (1100, 0, 0, [])
    assert outcome(bring(stocked, *many)) == (0, 0, 1100, [])
    with stocked.read() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM slots")).scalar_one() == 33_000


def test_names_are_updated_and_what_the_source_does_not_know_is_kept(stocked):
    with stocked.write() as connection:
        assert upsert_departments(connection, [Department(id="OBS", name_zh="产科")]) == 0
        assert upsert_departments(connection, [Department(id="OBS", name_zh="妇产科")]) == 1
        connection.execute(update(doctors).where(doctors.c.id == "D1").values(extra_daily_cap=7))
        assert upsert_doctors(connection, [Doctor(id="D1", department_id="OBS", name_zh="林华")]) == 0
        assert upsert_doctors(connection, [Doctor(id="D1", department_id="OBS", name_zh="林华", title_zh="教授")]) == 1
    with stocked.read() as connection:
        assert list_departments(connection) == [Department(id="OBS", name_zh="妇产科", name_en="Obstetrics")]
        assert list_doctors(connection, "OBS")[0].title_zh == "教授"
        assert list_doctors(connection, "OBS")[0].name_en == "Lin Hua"
        assert list_doctors(connection, "PED") == []
        assert connection.execute(select(doctors.c.extra_daily_cap).order_by(doctors.c.id)).scalars().all() == [7, 2]


def test_pages_follow_each_other_without_gap_or_repeat(stocked):
    bring(stocked, *(plan(4, day=DAY + timedelta(days=n), doctor_id=d) for n in range(5) for d in ("D1", "D2")))
    release(stocked)
    seen, after = [], None
    with stocked.read() as connection:
        while True:
            page = find_sessions(connection, department_id="OBS", after=after, limit=3)
            seen.extend((session.day, session.id) for session in page.sessions)
            after = page.after
            if after is None:
                break
    assert len(seen) == 10
    assert seen == sorted(set(seen))


def test_sessions_are_found_by_doctor_day_and_kind_with_their_free_count(stocked):
    bring(stocked, *(plan(4, day=DAY + timedelta(days=n), doctor_id=d) for n in range(3) for d in ("D1", "D2")))
    release(stocked, take=[1])
    with stocked.read() as connection:
        page = find_sessions(connection, doctor_id="D1", first_day=DAY, last_day=DAY + timedelta(days=1), kind="expert")
        assert [(s.day, s.doctor_id, s.free, s.capacity) for s in page.sessions] == [
            ("2026-11-23", "D1", 3, 4),
            ("2026-11-24", "D1", 3, 4),
        ]
        assert (page.sessions[0].department_zh, page.sessions[0].doctor_en) == ("产科", "Lin Hua")
        assert page.after is None
        assert find_sessions(connection, kind="general").sessions == ()
        assert find_sessions(connection, states=("planned",)).sessions == ()


def test_a_clinic_without_a_named_doctor_is_listed_too(stocked):
    bring(stocked, plan(2, doctor_id=None, kind="expert"))
    with stocked.read() as connection:
        (found,) = find_sessions(connection).sessions
    assert (found.doctor_id, found.doctor_zh, found.free) == (None, None, 0)


@pytest.mark.parametrize("limit", [0, 201])
def test_a_page_has_a_limit(stocked, limit):
    with stocked.read() as connection, pytest.raises(InvalidInput) as caught:
        find_sessions(connection, limit=limit)
    assert caught.value.field == "limit"


def test_one_session_is_shown_with_its_slots(stocked):
    bring(stocked, plan(3))
    with stocked.read() as connection:
        session, held = get_session(connection, ID)
        assert (session.id, session.capacity) == (ID, 3)
        assert [slot.number for slot in held] == [1, 2, 3]
        with pytest.raises(NotFound):
            get_session(connection, "se_none")


def test_two_imports_at_once_take_turns(postgresql_url):
    db = open_database(postgresql_url)
    with db.write() as connection:
        stock(connection)
    import threading  # noqa: PLC0415 - this test alone runs threads

    counts = []
    gate = threading.Barrier(4)

    def run():
        gate.wait()
        counts.append(bring(db, *(plan(5, day=DAY + timedelta(days=n)) for n in range(20))))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((c.added, c.unchanged) for c in counts) == [(0, 20), (0, 20), (0, 20), (20, 0)]
    db.close()


plans = st.builds(
    plan,
    capacity=st.integers(1, 9),
    doctor_id=st.sampled_from(["D1", "D2"]),
    segment=st.sampled_from([None, 30, 60]),
    fee_cents=st.sampled_from([0, 5000]),
    withheld=st.sets(st.integers(1, 9), max_size=2),
)


@PROPERTY
@given(given_plans=st.lists(plans, min_size=1, max_size=6))
def test_importing_any_plans_twice_equals_once(given_plans, stocked):
    _empty(stocked)
    for given_plan in given_plans:
        bring(stocked, given_plan)
        once = everything(stocked)
        assert outcome(bring(stocked, given_plan))[:3] == (0, 0, 1)
        assert everything(stocked) == once


@PROPERTY
@given(
    first=st.integers(1, 9),
    later=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    taken=st.sets(st.integers(1, 9)),
)
def test_capacity_never_falls_under_what_is_taken(first, later, taken, stocked):
    _empty(stocked)
    bring(stocked, plan(first))
    release(stocked, take=[number for number in taken if number <= first])
    held = {slot["id"]: slot for slot in everything(stocked)[1] if slot["state"] == "taken"}
    before = len(states(stocked))
    for capacity in later:
        bring(stocked, plan(capacity))
        now = {slot["id"]: slot for slot in everything(stocked)[1]}
        assert {key: now[key] for key in held} == held
        assert len(now) == max(before, capacity)
        before = len(now)
    with stocked.read() as connection:
        assert check(connection, INVARIANTS) == []


def _empty(db):
    with db.write() as connection:
        connection.execute(delete(slots))
        connection.execute(delete(sessions))


@pytest.mark.parametrize(
    ("code", "broken"),
    [
        ("booking.slot_number_unique", "UPDATE slots SET number = 1"),
        ("booking.slot_within_session", "UPDATE slots SET starts_at_us = starts_at_us - 3600000000 WHERE number = 1"),
        ("booking.slot_within_session", "UPDATE slots SET ends_at_us = ends_at_us + 14400000000 WHERE number = 3"),
        ("booking.taken_has_booking", "UPDATE slots SET booking_id = 'bk_1' WHERE number = 1"),
        ("booking.taken_has_booking", "UPDATE slots SET state = 'taken' WHERE number = 1 AND extra"),
        ("booking.planned_session_untouched", "UPDATE slots SET state = 'free' WHERE number = 1"),
    ],
)
def test_each_invariant_finds_what_breaks_it(stocked, code, broken):
    bring(stocked, plan(3))
    with stocked.write() as connection:
        assert check(connection, INVARIANTS) == []
        # A copy of the table has no constraints, as if one had been dropped or a file been damaged.
        connection.execute(text("CREATE TABLE copied AS SELECT * FROM slots"))
        connection.execute(text("DROP TABLE slots"))
        connection.execute(text("ALTER TABLE copied RENAME TO slots"))
        connection.execute(
            text("UPDATE slots SET extra = true WHERE number = 1 AND :yes"), {"yes": "AND extra" in broken}
        )
        connection.execute(text(broken))
        assert {violation.code for violation in check(connection, INVARIANTS)} == {code}
