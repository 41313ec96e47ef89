"""What staff do over HTTP, each with their role, each look and change in their name."""

import base64
import io
from datetime import date
from typing import Any

import httpx
from PIL import Image
from sqlalchemy import select, update

from shouhao.patients.tables import patients
from shouhao.store import answers
from web.policed import changed
from web.served import Hospital, error_of, resident_id

NO_PICTURE = b"\x89PNG\r\n\x1a\n" + b"0" * 100
CSV = (
    "department_id,department,doctor_id,doctor,day,half,kind,start,end,capacity,fee,release_at\n"
    "PED,儿科,D2,王医生,2026-03-05,am,expert,08:00,12:00,4,60,2026-03-03 07:00\n"
    "PED,儿科,D2,王医生,2026-03-06,am,expert,08:00,12:00,-4,60,2026-03-03 07:00\n"
)


def document_photo() -> bytes:
    """A sheet of one colour, in place of a document."""
    out = io.BytesIO()
    Image.new("RGB", (480, 300), (230, 226, 214)).save(out, "PNG")
    return out.getvalue()


def at_window(order: int = 1, name: str = "张三", born: date = date(1985, 6, 1), **more: Any) -> dict[str, Any]:
    document = {"document_kind": "resident_id", "document_number": resident_id(order, born)}
    return {"name": name, **document, "phone": "13900139000", "reason": "已见本人", **more}


def test_nobody_acts_without_their_role(hospital: Hospital) -> None:
    stranger = hospital.staff("auditor")
    before = hospital.state()
    reason: dict[str, Any] = {"reason": "测试"}
    for said in (
        stranger.get("/photo-reviews"),
        stranger.get("/photo-reviews/pr_x"),
        stranger.post("/photo-reviews/pr_x/decision", json={"approve": True, **reason}),
        stranger.post("/patients/look-up", json={"document_kind": "resident_id", "document_number": resident_id()}),
        stranger.get("/patients/pt_x/bookings"),
        stranger.patch("/patients/pt_x", json={"field": "name", "value": "李四", **reason}),
        stranger.post("/patients/pt_x/verification", json=reason),
        stranger.post("/bookings", json={"patient_id": "p", "session_id": hospital.session}),
        stranger.post("/bookings/bk_x/return"),
        stranger.post("/bookings/bk_x/check-in"),
        stranger.post("/bookings/bk_x/payment", json={}),
        stranger.post("/bookings/bk_x/refund"),
        stranger.post("/patients", json=at_window()),
        stranger.post("/patients/pt_x/guardians/pt_y/removal", json=reason),
        stranger.post("/extra-slots", json={"session_id": "s", "patient_id": "p", **reason}),
        stranger.get("/extra-slots"),
        stranger.post("/extra-slots/xr_x/decision", json={"approve": True}),
        stranger.post("/schedules/csv", content=CSV.encode(), headers={"Content-Type": "text/csv"}),
        stranger.post("/schedules/fhir", content=b"{}", headers={"Content-Type": "application/fhir+json"}),
        stranger.post("/policies/binding", json={"body": {}, **reason}),
        stranger.post("/channels", json={"channel": "wechat"}),
        stranger.post("/channels/web/key"),
        stranger.delete("/channels/web"),
        stranger.post("/operators", json={"name": "x", "roles": ["it"]}),
        stranger.post("/operators/op_x/key"),
        stranger.delete("/operators/op_x"),
    ):
        assert (said.status_code, error_of(said)["code"]) == (403, "staff.role_missing"), said.request.url
    assert hospital.state() == before
    nobody = httpx.get(hospital.console + "/me")
    assert (nobody.status_code, error_of(nobody)["code"]) == (401, "staff.refused")
    patient = hospital.member()
    patient.base = hospital.console
    assert error_of(patient.get("/me"))["code"] == "staff.refused"


def test_a_photo_is_submitted_opened_and_decided(hospital: Hospital) -> None:
    member = hospital.member()
    patient_id = hospital.patient_of(member)
    paper = document_photo()
    path, photo = f"/patients/{patient_id}/photo", {"content": paper, "headers": {"Content-Type": "image/png"}}
    assert error_of(member.post(path, **photo))["code"] == "patients.already_verified"
    with hospital.system.db.write() as connection:
        unconfirmed = {"verification": "in_review", "verified_by": None, "verified_at_us": None}
        connection.execute(update(patients).values(**unconfirmed))
    submitted = member.post(path, **photo)
    assert submitted.status_code == 202, submitted.text
    reviewer = hospital.staff("reviewer")
    queue = reviewer.get("/photo-reviews").json()
    (waiting,) = queue["reviews"]
    assert queue["waiting"] == 1
    opened = reviewer.get(f"/photo-reviews/{waiting['review_id']}").json()
    assert (opened["name"], opened["document_number"]) == ("张三", resident_id())
    shown = Image.open(io.BytesIO(base64.b64decode(opened["photo_base64"])))
    assert shown.format == "JPEG"
    assert len(shown.getcolors(1 << 20) or ()) > 50, "one colour was sent in: the rest is the mark of who looks"
    assert [e["detail"]["what"] for e in hospital.events("viewed")] == ["photo_review"]
    decision = f"/photo-reviews/{waiting['review_id']}/decision"
    assert reviewer.post(decision, json={"approve": True, "reason": "与证件一致"}).json()["state"] == "approved"
    assert error_of(reviewer.get(f"/photo-reviews/{waiting['review_id']}"))["code"] == (
        "patients.review_already_decided"
    )
    assert member.get(f"/patients/{patient_id}").json()["verified_by"] == "photo_review"
    hospital.assert_sound()


def test_a_photo_that_is_no_picture_is_not_shown_and_can_be_refused(hospital: Hospital) -> None:
    member = hospital.member()
    patient_id = hospital.patient_of(member)
    with hospital.system.db.write() as connection:
        unconfirmed = {"verification": "in_review", "verified_by": None, "verified_at_us": None}
        connection.execute(update(patients).values(**unconfirmed))
    sent = {"content": NO_PICTURE, "headers": {"Content-Type": "image/png"}}
    assert member.post(f"/patients/{patient_id}/photo", **sent).status_code == 202
    reviewer = hospital.staff("reviewer")
    (waiting,) = reviewer.get("/photo-reviews").json()["reviews"]
    assert reviewer.get(f"/photo-reviews/{waiting['review_id']}").json()["photo_base64"] is None
    decision = f"/photo-reviews/{waiting['review_id']}/decision"
    assert reviewer.post(decision, json={"approve": False, "reason": "不是照片"}).json()["state"] == "rejected"


def test_the_window_finds_corrects_confirms_books_returns_and_checks_in(hospital: Hospital) -> None:
    patient_id = hospital.patient_of(hospital.member())
    window = hospital.staff("window")
    asked = {"document_kind": "resident_id", "document_number": resident_id()}
    found = window.post("/patients/look-up", json=asked, key=None)
    assert (found.status_code, found.json()["patient_id"], found.json()["name"]) == (200, patient_id, "张三")
    unknown = window.post("/patients/look-up", json={"document_kind": "passport", "document_number": "E7654321"})
    assert unknown.status_code == 404
    edited = window.patch(f"/patients/{patient_id}", json={"field": "name", "value": "张山", "reason": "户口簿为证"})
    assert (edited.json()["name"], edited.json()["verified_by"]) == ("张山", "window")
    assert window.post(f"/patients/{patient_id}/verification", json={"reason": "已见本人"}).status_code == 200
    booked = window.post("/bookings", json={"patient_id": patient_id, "session_id": hospital.session_today}, key="w1")
    assert booked.status_code == 201, booked.text
    again = window.post("/bookings", json={"patient_id": patient_id, "session_id": hospital.session_today}, key="w1")
    assert again.json() == booked.json()
    full = window.post("/bookings", json={"patient_id": patient_id, "session_id": hospital.session_today})
    assert error_of(full)["code"] == "booking.already_booked"
    booking_id = booked.json()["id"]
    assert error_of(window.post(f"/bookings/{booking_id}/check-in"))["code"] == "booking.wrong_state"
    listed = window.get(f"/patients/{patient_id}/bookings").json()["bookings"]
    assert [b["id"] for b in listed] == [booking_id]
    assert window.post(f"/bookings/{booking_id}/return").json()["state"] == "returned"
    (event,) = hospital.events("booked")
    assert (event["channel"], event["account_id"], event["staff_id"] is None) == ("window", None, False)
    assert [e["detail"]["what"] for e in hospital.events("viewed")] == ["patient", "bookings"]
    assert all(e["staff_id"] for e in hospital.events("viewed"))
    hospital.assert_sound()


def test_the_window_registers_takes_the_fee_and_gives_it_back(hospital: Hospital) -> None:
    window = hospital.staff("window")
    made = window.post("/patients", json=at_window(), key="p1")
    assert (made.status_code, made.json()["name"], made.json()["verified_by"]) == (201, "张三", "window"), made.text
    patient_id = made.json()["patient_id"]
    for key in ("p1", "p2"):
        assert window.post("/patients", json=at_window(), key=key).json()["patient_id"] == patient_id
    assert error_of(window.post("/patients", json=at_window(name="李四")))["code"] == "patients.document_known"
    booked = window.post("/bookings", json={"patient_id": patient_id, "session_id": hospital.session})
    path = f"/bookings/{booked.json()['id']}"
    wrong = window.post(f"{path}/payment", json={"receipt": "张三 13900139000"})
    assert (wrong.status_code, error_of(wrong)["field"]) == (422, "receipt")
    assert error_of(window.post(f"{path}/refund"))["code"] == "payment.nothing_to_refund"
    paid = window.post(f"{path}/payment", json={"receipt": "A-1024"}, key="f1")
    assert (paid.status_code, paid.json()["state"]) == (200, "booked"), paid.text
    assert window.post(f"{path}/payment", json={"receipt": "A-1024"}, key="f1").json() == paid.json()
    assert error_of(window.post(f"{path}/payment", json={}))["code"] == "booking.wrong_state"
    assert window.post(f"{path}/return").json()["state"] == "returned"
    assert hospital.system.worker.look()["refund"] == 0
    assert window.post(f"{path}/refund", key="r1").status_code == 200
    assert window.post(f"{path}/refund", key="r1").status_code == 200
    assert error_of(window.post(f"{path}/refund"))["code"] == "payment.nothing_to_refund"
    assert len(hospital.events("refunded")) == 1
    with hospital.system.db.read() as connection:
        kept = " ".join(connection.execute(select(answers.answers.c.body)).scalars())
    for secret in ("张三", "13900139000", resident_id()):
        assert secret not in kept
    hospital.assert_sound()


def test_the_window_records_and_removes_a_guardian(hospital: Hospital) -> None:
    window = hospital.staff("window")
    mother = window.post("/patients", json=at_window()).json()["patient_id"]
    child = at_window(name="张小宝", born=date(2020, 6, 1), guardian_patient_id=mother)
    child_id = window.post("/patients", json=child).json()["patient_id"]
    removal = f"/patients/{child_id}/guardians/{mother}/removal"
    assert error_of(window.post(removal, json={"reason": ""}))["field"] == "reason"
    assert window.post(removal, json={"reason": "监护关系变更"}).json()["patient_id"] == child_id
    assert window.post(removal, json={"reason": "监护关系变更"}).status_code == 404
    assert len(hospital.events("guardian_removed")) == 1


def test_a_permanent_residence_card_is_found_by_its_number_alone(hospital: Hospital) -> None:
    window = hospital.staff("window")
    for order, number in enumerate(("911124198108030024", "CAN310081080355")):
        paper = {"document_kind": "permanent_residence_card", "document_number": number}
        given = {**at_window(name="Anna Smith"), **paper, "birth_day": "1981-08-03"}
        made = window.post("/patients", json=given)
        assert made.status_code == 201, made.text
        path = f"/patients/{made.json()['patient_id']}"
        assert window.post("/patients/look-up", json=paper).json()["patient_id"] == made.json()["patient_id"]
        moved = window.patch(path, json={"field": "birth_day", "value": "1981-08-04", "reason": "证件为证"})
        assert moved.status_code == (422, 200)[order]
        assert window.patch(path, json={"field": "sex", "value": "female", "reason": "证件为证"}).status_code == 200


def test_extra_slots_beyond_the_cap_wait_for_somebody_else(hospital: Hospital) -> None:
    doctor, approver = hospital.staff("doctor"), hospital.staff("approver")
    member = hospital.member()
    ids = [hospital.patient_of(member, order, name) for order, name in ((1, "张一"), (2, "张二"), (3, "张三"))]
    asked = [
        doctor.post("/extra-slots", json={"session_id": hospital.session, "patient_id": p, "reason": "病情需要"})
        for p in ids
    ]
    assert [said.json()["state"] for said in asked] == ["granted", "granted", "waiting"]
    assert asked[0].json()["booking"]["number"] == 7
    (waiting,) = approver.get("/extra-slots").json()["requests"]
    decision = f"/extra-slots/{waiting['request_id']}/decision"
    assert error_of(doctor.post(decision, json={"approve": True}))["code"] == "booking.second_person_needed"
    assert approver.post(decision, json={"approve": True}).json()["state"] == "granted"
    assert error_of(approver.post(decision, json={"approve": False}))["code"] == "booking.extra_request_decided"
    hospital.assert_sound()


def test_a_schedule_is_imported_row_by_row_with_a_report(hospital: Hospital) -> None:
    office = hospital.staff("outpatient_office")
    sent = {"content": CSV.encode(), "headers": {"Content-Type": "text/csv"}}
    report = office.post("/schedules/csv", **sent)
    assert report.status_code == 200, report.text
    said = report.json()
    assert (said["added"], said["bad"], said["stopped"]) == (1, 1, None)
    assert (said["bad_rows"][0]["field"], said["bad_rows"][0]["place"]["line"]) == ("capacity", 3)
    assert office.post("/schedules/csv", **sent).json()["unchanged"] == 1
    nothing = office.post("/schedules/fhir", content=b"{", headers={"Content-Type": "application/fhir+json"})
    assert nothing.status_code == 200
    assert nothing.json()["stopped"] is not None
    wrong = office.post("/schedules/csv", content=b"x", headers={"Content-Type": "image/png"})
    assert error_of(wrong)["code"] == "web.unsupported_media_type"
    hospital.assert_sound()


def test_policies_are_added_as_versions_and_never_changed(hospital: Hospital) -> None:
    office = hospital.staff("outpatient_office")
    for live in (1, 2):
        changed(hospital, "/policies/booking_limits", {"body": {"live_per_day": live}, "reason": "试行"})
    wrong = office.post("/policies/booking_limits", json={"body": {"live_per_day": 0}, "reason": "试行"})
    assert error_of(wrong)["field"] == "body.live_per_day"
    unknown = office.post("/policies/binding", json={"body": {"live_per_day": 1}, "reason": "试行"})
    assert error_of(unknown)["field"] == "body.live_per_day"
    assert error_of(office.get("/policies/other"))["field"] == "kind"
    history = hospital.staff("auditor").get("/policies/booking_limits").json()
    assert [v["body"]["live_per_day"] for v in history["versions"]] == [1, 2]
    assert [v["made_by"]["approved_by_name"] for v in history["versions"]] == ["approver"] * 2
    assert (history["in_force"]["live_per_day"], history["in_force"]["live_per_week"]) == (2, 5), "the rest by default"
    assert len(hospital.events("policy_changed")) == 2


def test_a_new_key_is_shown_once_works_at_once_and_is_stored_nowhere(hospital: Hospital) -> None:
    it, administrator = hospital.staff("it"), hospital.staff("administrator")
    made = it.post("/channels", json={"channel": "platform:city"}, key="c1")
    assert made.status_code == 201, made.text
    assert it.post("/channels", json={"channel": "platform:city"}, key="c1").json() == made.json()
    hospital.channel_keys["platform:city"] = made.json()["key"]
    assert hospital.channel("platform:city").get("/departments").status_code == 200
    rotated = it.post("/channels/platform:city/key").json()["key"]
    assert hospital.channel("platform:city").get("/departments").status_code == 401
    hospital.channel_keys["platform:city"] = rotated
    assert hospital.channel("platform:city").get("/departments").status_code == 200
    operator = administrator.post("/operators", json={"name": "王五", "roles": ["window"]}).json()
    hospital.operator_keys["new"] = operator["key"]
    assert hospital.staff("new").get("/me").json()["roles"] == ["window"]
    with hospital.system.db.read() as connection:
        kept = " ".join(connection.execute(select(answers.answers.c.body)).scalars())
    for key in (made.json()["key"], rotated, operator["key"]):
        assert key not in kept
    assert it.delete("/channels/platform:city").status_code == 204
    assert hospital.channel("platform:city").get("/departments").status_code == 401
    assert administrator.delete(f"/operators/{operator['operator_id']}").status_code == 204
    assert hospital.staff("new").get("/me").status_code == 401
    bad = administrator.post("/operators", json={"name": "王五", "roles": ["king"]})
    assert error_of(bad)["field"] == "roles"


def test_an_auditor_sees_that_the_data_is_sound_or_not(hospital: Hospital) -> None:
    auditor = hospital.staff("auditor")
    assert auditor.get("/invariants").json()["violations"] == []
    hospital.patient_of(hospital.member())
    with hospital.system.db.write() as connection:
        connection.execute(update(patients).values(verified_by=None))
    found = auditor.get("/invariants").json()
    assert "patients.verified_by_nobody" in [v["code"] for v in found["violations"]]


def test_an_account_sees_what_the_window_booked_for_its_patient_as_long_as_it_lives(hospital: Hospital) -> None:
    member, window = hospital.member(), hospital.staff("window")
    asked = {"patient_id": hospital.patient_of(member), "session_id": hospital.session}
    path = f"/bookings/{window.post('/bookings', json=asked).json()['id']}"
    assert member.get(path).json()["state"] == "held"
    assert hospital.member("13800138001").get(path).status_code == 404
    assert window.post(f"{path}/return").status_code == 200
    assert member.get(path).status_code == 404
