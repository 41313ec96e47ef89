"""A patient's whole path over HTTP: sign in, register, look, book, pay, return, check in."""

from pathlib import Path
from urllib.parse import urlsplit

import httpx
from sqlalchemy import select

from shouhao.booking.tables import payments
from shouhao.store import event_log
from shouhao.store.engine import open_database
from web.served import FEE_CENTS, Hospital, error_of, person, served


def test_a_patient_registers_books_pays_and_returns_and_the_money_is_owed_back(hospital: Hospital) -> None:
    member = hospital.member()
    registered = member.post("/patients", json=person(relation="self"))
    assert registered.status_code == 201
    shown = registered.json()
    assert (shown["name"], shown["verification"], shown["verified_by"]) == ("张*", "verified", "format_only")
    assert "张三" not in registered.text
    booking = hospital.booking_of(member, shown["patient_id"])
    assert (booking["state"], booking["fee_cents"]) == ("held", FEE_CENTS)
    due = member.post(f"/bookings/{booking['id']}/payment")
    assert due.status_code == 201, due.text
    assert (due.json()["booking_id"], due.json()["booking_ids"]) == (booking["id"], [booking["id"]])
    url = due.json()["pay_url"]
    page = httpx.get(url)
    assert page.status_code == 200
    assert "演示支付" in page.text
    assert "¥50.00" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    paid = httpx.post(url)
    assert (paid.status_code, paid.json()) == (200, {"state": "paid"})
    assert httpx.post(url).json() == {"state": "paid"}
    assert "支付成功" in httpx.post(url, headers={"accept": "text/html"}).text
    assert member.get(f"/bookings/{booking['id']}").json()["state"] == "booked"
    returned = member.post(f"/bookings/{booking['id']}/return")
    assert (returned.status_code, returned.json()["state"]) == (200, "returned")
    with hospital.system.db.read() as connection:
        assert connection.execute(select(payments.c.state)).scalar_one() == "refund_due"
    assert [b["state"] for b in member.get("/bookings").json()["bookings"]] == ["returned"]
    hospital.assert_sound()


def test_a_retry_hears_the_first_answer_again(hospital: Hospital) -> None:
    member = hospital.member()
    first, again = (member.post("/patients", json=person(), key="k1") for _ in range(2))
    assert first.json() == again.json()
    asked = {"patient_id": first.json()["patient_id"], "session_id": hospital.session}
    one, two = (member.post("/bookings", json=asked, key="k2") for _ in range(2))
    assert (one.status_code, one.json()) == (two.status_code, two.json())
    back, back_again = (member.post(f"/bookings/{one.json()['id']}/return", key="k3") for _ in range(2))
    assert back.json() == back_again.json()
    assert len(hospital.events("cancelled")) == 1
    refused, refused_again = (member.post(f"/bookings/{one.json()['id']}/return", key="k4") for _ in range(2))
    assert refused.status_code == refused_again.status_code == 409
    assert refused.json()["error"]["message"] == refused_again.json()["error"]["message"]


def test_the_offer_is_shown_page_by_page_and_each_look_is_recorded(hospital: Hospital) -> None:
    web = hospital.channel()
    assert [d["id"] for d in web.get("/departments").json()["departments"]] == ["CARD"]
    assert [d["id"] for d in web.get("/doctors?department_id=CARD").json()["doctors"]] == ["D1"]
    first = web.get("/sessions?limit=1").json()
    second = web.get("/sessions", params={"limit": 1, "cursor": first["cursor"]}).json()
    assert [s["id"] for s in (*first["sessions"], *second["sessions"])] == [hospital.session_today, hospital.session]
    assert second["cursor"] is None
    assert first["sessions"][0]["free"] == 6
    session = web.get(f"/sessions/{hospital.session}").json()
    assert [slot["number"] for slot in session["slots"]] == [1, 2, 3, 4, 5, 6]
    member = hospital.member()
    assert member.get(f"/sessions/{hospital.session}").status_code == 200


def test_looks_are_written_before_the_server_is_gone(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path) as hospital:
        hospital.member().get(f"/sessions/{hospital.session}")
        hospital.channel().get("/sessions?first_day=2026-03-02")
    database = open_database(sqlite_url)
    with database.read() as connection:
        looks = [e for rows in event_log.read(connection) for e in rows if e["kind"] in {"viewed", "searched"}]
    database.close()
    assert [(e["kind"], e["session_id"], e["account_id"] is None) for e in looks] == [
        ("viewed", hospital.session, False),
        ("searched", None, True),
    ]
    assert looks[1]["detail"] == {"first_day": "2026-03-02"}


def test_a_paid_patient_checks_in_at_the_kiosk_and_nowhere_else(hospital: Hospital) -> None:
    member = hospital.member()
    booking = hospital.booking_of(member, hospital.patient_of(member), hospital.session_today)
    body = {"booking_id": booking["id"]}
    kiosk = hospital.channel("kiosk")
    assert error_of(kiosk.post("/check-ins", json=body))["code"] == "booking.wrong_state"
    httpx.post(member.post(f"/bookings/{booking['id']}/payment").json()["pay_url"])
    assert error_of(member.post("/check-ins", json=body))["code"] == "booking.check_in_on_site"
    here = kiosk.post("/check-ins", json=body)
    assert (here.status_code, here.json()["state"]) == (200, "checked_in")


def test_an_account_sees_its_patients_corrects_and_unbinds_them(hospital: Hospital) -> None:
    member = hospital.member()
    patient_id = hospital.patient_of(member)
    assert member.get("/account").json()["phone"] == "138****8000"
    assert [p["patient_id"] for p in member.get("/patients").json()["patients"]] == [patient_id]
    too_late = member.patch(f"/patients/{patient_id}", json={"field": "name", "value": "张山"})
    assert error_of(too_late)["code"] == "patients.only_at_window"
    never = member.patch(f"/patients/{patient_id}", json={"field": "document.number", "value": "x"})
    assert error_of(never)["code"] == "patients.document_never_edited"
    assert member.delete(f"/patients/{patient_id}").status_code == 204
    assert error_of(member.get(f"/patients/{patient_id}"))["code"] == "patients.not_bound"


def test_a_child_is_registered_with_a_guardian(hospital: Hospital) -> None:
    member = hospital.member()
    guardian = hospital.patient_of(member)
    child = person(name="张小", relation="child")
    child["document"] = {"kind": "passport", "number": "E12345678"}
    child["birth_day"] = "2018-06-01"
    assert error_of(member.post("/patients", json=child))["field"] == "guardian_patient_id"
    made = member.post("/patients", json={**child, "guardian_patient_id": guardian})
    assert made.status_code == 201, made.text
    assert (made.json()["needs_guardian"], made.json()["guardian_ids"]) == (True, [guardian])
    mother = hospital.patient_of(member, 2, "李四")
    added = member.post(f"/patients/{made.json()['patient_id']}/guardians", json={"guardian_patient_id": mother})
    assert added.json()["guardian_ids"] == sorted([guardian, mother])


def test_health_needs_no_key(hospital: Hospital) -> None:
    for base in (hospital.public, hospital.console):
        parts = urlsplit(base)
        for path in ("/healthz", "/readyz"):
            assert httpx.get(f"{parts.scheme}://{parts.netloc}{path}").status_code == 200
