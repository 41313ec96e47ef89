"""What the patients' desk asks of the API: looks on record before anything is shown, the offer, money, extra slots."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shouhao.patients import records
from shouhao.staff.model import ROLES
from shouhao.staff.store import authenticate
from shouhao.web.console import care, patient_looks, patient_places, patients, reviews
from web.served import Caller, Hospital, error_of, resident_id
from web.test_console_routes import at_window, document_photo
from web.waiting import join, sold_out

REASON = {"reason": "电话通知就诊人"}
#: Each look that opens a person, and the role that may take it.
LOOKS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "/patients/look-up": ("window", {"document_kind": "resident_id", "document_number": resident_id()}),
    "/patients/look-up-by-phone": ("window", {"phone": "13900139000"}),
    "/patients/{patient_id}": ("window", None),
    "/patients/{patient_id}/numbers": ("window", REASON),
    "/patients/{patient_id}/edits": ("window", None),
    "/patients/{patient_id}/places": ("window", None),
    "/patients/{patient_id}/care-proofs": ("window", None),
}
ROUTES: dict[tuple[str, str], set[str]] = {
    ("POST", "/patients/look-up-by-phone"): {"window"},
    ("POST", "/patients/pt_x/numbers"): {"window"},
    ("GET", "/patients/pt_x"): {"window"},
    ("GET", "/patients/pt_x/edits"): {"window", "auditor"},
    ("GET", "/patients/pt_x/places"): {"window"},
    ("GET", "/refunds"): {"window"},
    ("POST", "/waits/wt_x/leave"): {"window"},
    ("GET", "/departments"): {"window", "outpatient_office", "approver", "auditor"},
    ("GET", "/sessions"): {"window", "outpatient_office", "approver", "auditor"},
    ("GET", "/care-pool"): {"window", "outpatient_office", "auditor"},
    ("GET", "/extra-slots/mine"): set(),
}


def looks_of(hospital: Hospital) -> list[dict[str, Any]]:
    asked = {"reason": "核对", "authority": "审计"}
    found = hospital.staff("auditor").post("/access-register/search", json=asked).json()["looks"]
    return [one for one in reversed(found) if not one["what"].startswith("access_register")]


def ask(caller: Caller, path: str, body: dict[str, Any] | None, patient_id: str = "") -> Any:
    there = path.format(patient_id=patient_id)
    return caller.get(there) if body is None else caller.post(there, json=body, key=None)


def test_every_look_stands_in_the_register_without_a_name_or_a_number(hospital: Hospital) -> None:
    patient_id = hospital.staff("window").post("/patients", json=at_window()).json()["patient_id"]
    for n, (path, (role, body)) in enumerate(LOOKS.items(), start=1):
        said = ask(hospital.staff(role), path, body, patient_id)
        assert said.status_code == 200, (path, said.text)
        rows = looks_of(hospital)
        assert len(rows) == n, path
        assert patient_id in rows[-1]["what"], path
        assert rows[-1]["reason"], path
        assert not {"张三", resident_id(), "13900139000"} & set(rows[-1]["what"].split()), path
    assert rows[3]["reason"] == REASON["reason"]


def test_without_its_row_in_the_register_nothing_is_shown(hospital: Hospital) -> None:
    patient_id = hospital.staff("window").post("/patients", json=at_window()).json()["patient_id"]
    member = hospital.member()
    sent = {"content": document_photo(), "headers": {"Content-Type": "image/png"}}
    waiting = hospital.patient_of(member, 5)
    with hospital.system.db.write() as connection:
        unconfirmed = "verification = 'pending', verified_by = NULL, verified_at_us = NULL"
        connection.execute(text(f"UPDATE patients SET {unconfirmed} WHERE id = '{waiting}'"))
    assert member.post(f"/patients/{waiting}/photo", **sent).status_code == 202
    with hospital.system.db.write() as connection:
        window, reviewer = (authenticate(connection, hospital.operator_keys[r]) for r in ("window", "reviewer"))
        (review,) = records.waiting_reviews(connection, limit=2)
        connection.execute(text("ALTER TABLE access_register RENAME TO lost"))
    system = hospital.system
    paper = patients.LookUpBody(document_kind="resident_id", document_number=resident_id())
    for opened in (
        lambda: patients.look_up(paper, window, system),
        lambda: patient_looks.look_up_by_phone(patient_looks.PhoneBody(phone="13900139000"), window, system),
        lambda: patient_looks.show(patient_id, window, system),
        lambda: patient_looks.numbers(patient_id, patients.ReasonBody(reason="核对"), window, system),
        lambda: patient_looks.edits(patient_id, window, system),
        lambda: patient_places.show_places(patient_id, window, system),
        lambda: care.list_proofs(patient_id, window, system),
        lambda: reviews.open_one(review.id, reviewer, system),
    ):
        with pytest.raises(DBAPIError):
            opened()
    with hospital.system.db.write() as connection:
        connection.execute(text("ALTER TABLE lost RENAME TO access_register"))
    assert reviews.open_one(review.id, reviewer, system).photo_base64, "with the register it is"


def test_numbers_in_full_need_a_reason_in_words(hospital: Hospital) -> None:
    patient_id = hospital.staff("window").post("/patients", json=at_window()).json()["patient_id"]
    path = f"/patients/{patient_id}/numbers"
    for reason in ("", "   "):
        said = hospital.staff("window").post(path, json={"reason": reason}, key=None)
        assert (said.status_code, error_of(said)["field"]) == (422, "reason")
    assert looks_of(hospital) == []
    shown = hospital.staff("window").post(path, json=REASON, key=None).json()
    assert (shown["name"], shown["document_number"], shown["phone"]) == ("张三", resident_id(), "+8613900139000")
    assert hospital.staff("window").post("/patients/pt_nobody/numbers", json=REASON, key=None).status_code == 404


def test_whoever_is_found_by_phone_is_masked_until_a_paper_or_a_reason_is_shown(hospital: Hospital) -> None:
    window = hospital.staff("window")
    mother = window.post("/patients", json=at_window(name="欧阳小明")).json()["patient_id"]
    child = at_window(2, "欧阳小宝", date(2021, 6, 1), guardian_patient_id=mother)
    child_id = window.post("/patients", json=child).json()["patient_id"]
    found = window.post("/patients/look-up-by-phone", json={"phone": "139 0013 9000"}, key=None).json()
    assert {one["patient_id"] for one in found["people"]} == {mother, child_id}
    assert {one["name"] for one in found["people"]} == {"欧**"}
    assert all("*" in one["document_number"] and "*" in one["phone"] for one in found["people"])
    (row,) = looks_of(hospital)
    assert row["records"] == 2
    masked = window.get(f"/patients/{child_id}").json()
    assert (masked["name"], masked["name_masked"], masked["needs_guardian"]) == ("欧**", True, True)
    assert [(one["patient_id"], one["name"]) for one in masked["guardians"]] == [(mother, "欧**")]
    nobody = window.post("/patients/look-up-by-phone", json={"phone": "13700000000"}, key=None)
    assert nobody.json() == {"people": [], "cut": False}
    assert error_of(window.post("/patients/look-up-by-phone", json={"phone": "1"}, key=None))["field"] == "phone"


def test_corrections_are_told_masked_with_why_and_by_whom(hospital: Hospital) -> None:
    window = hospital.staff("window")
    patient_id = window.post("/patients", json=at_window()).json()["patient_id"]
    for field, value in (("name", "李四五"), ("phone", "13911112222")):
        change = {"field": field, "value": value, "reason": f"更正{field}"}
        assert window.patch(f"/patients/{patient_id}", json=change).status_code == 200
    edits = window.get(f"/patients/{patient_id}/edits").json()["edits"]
    assert [(e["field"], e["before"], e["after"], e["reason"], e["staff"]) for e in edits] == [
        ("name", "张*", "李**", "更正name", "window"),
        ("phone", "139****9000", "139****2222", "更正phone", "window"),
    ]


def test_what_a_patient_has_says_its_money_and_refunds_wait_in_a_list(hospital: Hospital) -> None:
    window = hospital.staff("window")
    patient_id = window.post("/patients", json=at_window()).json()["patient_id"]
    path = f"/patients/{patient_id}/places"

    def mine() -> dict[str, Any]:
        (booking,) = window.get(path).json()["bookings"]
        return dict(booking)

    booking_id = window.post("/bookings", json={"patient_id": patient_id, "session_id": hospital.session}).json()["id"]
    held = mine()
    assert (held["state"], held["money"], held["doctor_zh"], held["refund_here_cents"]) == (
        "held",
        "unpaid",
        "李医生",
        0,
    )
    assert window.post(f"/bookings/{booking_id}/payment", json={"receipt": "A-1"}).status_code == 200
    assert (mine()["state"], mine()["money"]) == ("booked", "paid")
    assert window.get("/refunds").json() == {"refunds": [], "cut": False}
    assert window.post(f"/bookings/{booking_id}/return").status_code == 200
    assert (mine()["state"], mine()["money"], mine()["refund_here_cents"]) == ("returned", "refund_due", 5000)
    (due,) = window.get("/refunds").json()["refunds"]
    assert (due["booking_id"], due["name"], due["amount_cents"]) == (booking_id, "张*", 5000)
    assert window.post(f"/bookings/{booking_id}/refund").status_code == 200
    assert (mine()["money"], mine()["refund_here_cents"]) == ("refunded", 0)
    assert window.get("/refunds").json()["refunds"] == []


def test_a_place_on_a_waitlist_is_seen_and_left_at_the_window(hospital: Hospital) -> None:
    session_id, _ = sold_out(hospital)
    window = hospital.staff("window")
    patient_id = window.post("/patients", json=at_window()).json()["patient_id"]
    assert join(window, session_id, patient_id).status_code == 201
    (waiting,) = window.get(f"/patients/{patient_id}/places").json()["waits"]
    assert (waiting["state"], waiting["wait_id"], waiting["joined"]) == ("batch", None, 1)
    hospital.clock.advance(seconds=61)
    hospital.system.worker.look()
    (ranked,) = window.get(f"/patients/{patient_id}/places").json()["waits"]
    assert (ranked["state"], ranked["ahead"]) == ("waiting", 0)
    left = f"/waits/{ranked['wait_id']}/leave"
    assert error_of(hospital.staff("reviewer").post(left))["code"] == "staff.role_missing"
    assert window.post(left, key="l1").json() == window.post(left, key="l1").json()
    (gone,) = window.get(f"/patients/{patient_id}/places").json()["waits"]
    assert (gone["state"], gone["ahead"]) == ("left", None)
    hospital.assert_sound()


def test_the_offer_is_what_patients_are_shown_from_today_on(hospital: Hospital) -> None:
    member = hospital.member()
    shown = hospital.staff("window").get("/sessions").json()
    theirs = member.get("/sessions").json()["sessions"]
    assert shown["sessions"] == theirs
    assert shown["now"].startswith("2026-03-02T09:00")
    hospital.clock.advance(seconds=86_400)
    assert [one["id"] for one in hospital.staff("window").get("/sessions").json()["sessions"]] == [hospital.session]
    assert hospital.staff("window").get("/departments").json()["departments"] == [
        {"id": "CARD", "name_zh": "心血管内科", "name_en": "Cardiology"}
    ]


def test_the_care_pool_counts_what_came_went_and_moved_on(hospital: Hospital) -> None:
    window, member = hospital.staff("window"), hospital.member()
    for order in (1, 2):
        made = hospital.booking_of(member, hospital.patient_of(member, order), hospital.session_today)
        assert member.post(f"/bookings/{made['id']}/return").status_code == 200

    def pool() -> tuple[int, int, int, int]:
        (one,) = hospital.staff("outpatient_office").get("/care-pool").json()["sessions"]
        assert one["session"]["id"] == hospital.session_today
        assert one["ends_at"].startswith("2026-03-02T13:00")
        return one["came"], one["left"], one["given"], one["moved_on"]

    assert pool() == (2, 2, 0, 0)
    elder = window.post("/patients", json=at_window(3, "老人", date(1950, 1, 1))).json()["patient_id"]
    asked = {"patient_id": elder, "session_id": hospital.session_today, "pool": "care"}
    assert window.post("/bookings", json=asked).status_code == 201
    assert pool() == (2, 1, 1, 0)
    young = {**asked, "patient_id": window.post("/patients", json=at_window(4)).json()["patient_id"]}
    assert error_of(window.post("/bookings", json=young))["code"] == "booking.care_proof_needed"
    hospital.clock.advance(seconds=4 * 3600 + 60)
    hospital.system.worker.look()
    assert pool() == (2, 0, 1, 1)


def test_care_says_why_somebody_is_not_entitled(hospital: Hospital) -> None:
    window = hospital.staff("window")
    passport = {"document_kind": "passport", "document_number": "E12345678", "birth_day": "1950-01-01"}
    patient_id = window.post("/patients", json={**at_window(), **passport}).json()["patient_id"]
    told = window.get(f"/patients/{patient_id}/care-proofs").json()
    assert (told["ground"], told["age_years"], told["birth_day_sure"]) == ("aged", 76, True)
    with hospital.system.db.write() as connection:
        connection.execute(text("UPDATE patients SET verified_by = 'photo_review'"))
    told = window.get(f"/patients/{patient_id}/care-proofs").json()
    assert (told["ground"], told["birth_day_sure"]) == (None, False)


def test_a_doctor_finds_whom_they_see_and_what_they_asked_for(hospital: Hospital) -> None:
    window, doctor = hospital.staff("window"), hospital.staff("doctor")
    for order in (1, 2, 3):
        window.post("/patients", json=at_window(order, f"张{'一二三'[order - 1]}"))
    for order in (1, 2, 3):
        paper = {"document_kind": "resident_id", "document_number": resident_id(order)}
        found = doctor.post("/patients/look-up", json=paper, key=None).json()
        asked = {"session_id": hospital.session, "patient_id": found["patient_id"], "reason": "病情需要"}
        assert doctor.post("/extra-slots", json=asked).status_code == 201
    assert {one["reason"] for one in looks_of(hospital)} == {"加号就诊人核对 check of whom an extra slot is for"}
    for refused in ("/patients/pt_x", "/patients/pt_x/places", "/refunds", "/patients/pt_x/edits"):
        assert error_of(doctor.get(refused))["code"] == "staff.role_missing"
    assert error_of(window.get("/extra-slots/mine"))["code"] == "staff.role_missing"
    mine = doctor.get("/extra-slots/mine").json()["requests"]
    assert sorted(one["state"] for one in mine) == ["granted", "granted", "waiting"]
    (waiting,) = hospital.staff("approver").get("/extra-slots").json()["requests"]
    assert (waiting["patient"]["name"], waiting["granted"], waiting["daily_cap"]) == ("张*", 2, 2)
    assert (waiting["mine"], waiting["doctor_zh"], waiting["requested_by_name"]) == (False, "李医生", "doctor")
    (own,) = doctor.get("/extra-slots").json()["requests"]
    assert own["mine"] is True


def test_each_route_of_the_desk_opens_to_its_roles_and_to_no_other(sqlite_hospital: Hospital) -> None:
    for (method, path), roles in ROUTES.items():
        body = {"phone": "13900139000"} if "phone" in path else REASON if "numbers" in path else None
        for role in ROLES:
            said = sqlite_hospital.staff(role).ask(method, path, json=body)
            refused = said.status_code == 403 and error_of(said)["code"] == "staff.role_missing"
            assert refused == (role not in roles), (path, role, said.text)
