"""Staff who gave a photograph and patients with an appointment that day are left out; who it was is told to nobody."""

from datetime import date

import pytest

from faces.enrolling import NOW_US, VAULT, Agreed, ColourEngine, photo, setup_for
from hospital import DAY, add_department, add_session, dump, put
from shouhao.booking.store.due_patients import patients_due_on
from shouhao.booking.tables import bookings
from shouhao.faces.consented_gallery import LIST_ID, ConsentedGallery
from shouhao.flows.frequent_excludes import HospitalExcludes
from shouhao.flows.watch_desk import context
from shouhao.watch.store import close_pairs

ENGINE = ColourEngine()


def book(db, patient_id, *, day=DAY, state="booked"):
    put(
        db,
        bookings,
        {
            "id": f"bk_{patient_id}_{state}_{day}",
            "slot_id": f"S1-{patient_id}-{state}-{day}",
            "session_id": "S1",
            "department_id": "OBS",
            "day": day.isoformat(),
            "patient_id": patient_id,
            "channel": "web",
            "state": state,
            "live": state in {"booked", "checked_in"},
            "fee_cents": 0,
            "starts_at_us": NOW_US,
            "created_at_us": NOW_US,
            "ended_at_us": 0 if state in {"booked", "checked_in"} else NOW_US,
        },
    )


def had_appointment(excludes, day, faces, *, pack=ENGINE.pack_id):
    """As the check of a lead asks."""
    return any(excludes.is_patient(patient_id, faces, pack=pack) for patient_id in excludes.patients_on(day))


@pytest.fixture
def agreed():
    return Agreed()


@pytest.fixture
def excludes(sqlite_db, tmp_path, agreed):
    add_department(sqlite_db)
    add_session(sqlite_db)
    setup = setup_for(sqlite_db, tmp_path / "keys", purpose="consented", lists=(LIST_ID,))
    gallery = ConsentedGallery(setup, consents=agreed, lock_required=False)
    for patient_id, red in (("pt_1", 10), ("pt_2", 20)):
        gallery.enrol(patient_id=patient_id, photo=photo((red, 1, 1)), now_us=NOW_US)
    return HospitalExcludes(sqlite_db, VAULT, engines=lambda: {ENGINE.pack_id: ENGINE}, gallery=lambda: gallery)


def test_a_consenting_patient_is_left_out_on_the_day_of_the_appointment_and_on_no_other(excludes, sqlite_db):
    book(sqlite_db, "pt_1")
    book(sqlite_db, "pt_3")  # gave no photograph
    face = ENGINE.embedding((10, 7, 7))
    before = dump(sqlite_db)
    assert had_appointment(excludes, DAY, [ENGINE.embedding((99, 1, 1)), face])
    assert not had_appointment(excludes, DAY, [ENGINE.embedding((20, 1, 1))])  # not due that day
    assert not had_appointment(excludes, date(2026, 3, 10), [face])
    assert not had_appointment(excludes, DAY, [face], pack="another@1")
    assert dump(sqlite_db) == before


def test_who_agreed_to_checks_alone_is_not_compared_for_this(sqlite_db, excludes, agreed):
    book(sqlite_db, "pt_1")
    agreed.uses = {"face_check"}
    assert not had_appointment(excludes, DAY, [ENGINE.embedding((10, 7, 7))])


def test_where_nobody_is_asked_for_this_use_no_patient_is_compared(sqlite_db, excludes):
    book(sqlite_db, "pt_1")
    without = HospitalExcludes(sqlite_db, VAULT, engines=dict, gallery=None)
    assert not had_appointment(without, DAY, [ENGINE.embedding((10, 1, 1))], pack=ENGINE.pack_id)


def test_appointments_that_were_given_back_count_for_nothing(sqlite_db, excludes):
    for patient_id, state in (("pt_1", "checked_in"), ("pt_2", "no_show"), ("pt_4", "returned"), ("pt_5", "expired")):
        book(sqlite_db, patient_id, state=state)
    with sqlite_db.read() as connection:
        assert patients_due_on(connection, DAY.isoformat()) == ["pt_1", "pt_2"]


def test_staff_who_gave_a_photograph_are_known_and_a_bad_one_stops_nobody(sqlite_db, excludes):
    assert list(excludes.staff(ENGINE.pack_id)) == []
    for photo_id, colour in (("sp_1", (0, 0, 0)), ("sp_2", (30, 1, 1))):
        sealed = VAULT.sealer("watch.staff").seal(photo(colour), context=context("staff", photo_id))
        with sqlite_db.write() as connection:
            close_pairs.add_staff_photo(connection, "op_1", sealed, photo_id=photo_id, now_us=NOW_US)
    (face,) = excludes.staff(ENGINE.pack_id)
    assert float(face @ ENGINE.embedding((30, 1, 1))) == pytest.approx(1)
