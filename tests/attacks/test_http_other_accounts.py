"""Attack: use another account's bookings and patients by their ids, or pretend to come from elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from web.served import Hospital, error_of, person, served

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


@pytest.fixture
def hospital(db_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(db_url, tmp_path) as running:
        yield running


def test_another_accounts_booking_cannot_be_seen_paid_or_returned(hospital: Hospital) -> None:
    owner, thief = hospital.member("13800138000"), hospital.member("13800138001")
    booking = hospital.booking_of(owner, hospital.patient_of(owner))
    path = f"/bookings/{booking['id']}"
    before = hospital.state()
    for said in (thief.get(path), thief.post(f"{path}/return"), thief.post(f"{path}/payment")):
        assert (said.status_code, error_of(said)["code"]) == (404, "booking.unknown")
    assert thief.get("/bookings").json() == {"bookings": []}
    assert hospital.state() == before


def test_an_unknown_booking_and_anothers_booking_are_told_in_the_same_words(hospital: Hospital) -> None:
    owner, thief = hospital.member("13800138000"), hospital.member("13800138001")
    booking = hospital.booking_of(owner, hospital.patient_of(owner))
    theirs, nobodys = (error_of(thief.get(f"/bookings/{i}")) for i in (booking["id"], "bk_none"))
    assert {**theirs, "request_id": ""} == {**nobodys, "request_id": ""}


def test_another_accounts_patient_cannot_be_used_in_any_way(hospital: Hospital) -> None:
    owner, thief = hospital.member("13800138000"), hospital.member("13800138001")
    patient_id = hospital.patient_of(owner)
    mine = hospital.patient_of(thief, 2, "李四")
    path = f"/patients/{patient_id}"
    before = hospital.state()
    photo = {"content": PNG, "headers": {"Content-Type": "image/png"}}
    for said in (
        thief.get(path),
        thief.patch(path, json={"field": "name", "value": "王五"}),
        thief.delete(path),
        thief.post(f"{path}/photo", **photo),
        thief.post(f"{path}/guardians", json={"guardian_patient_id": mine}),
        thief.post("/bookings", json={"patient_id": patient_id, "session_id": hospital.session}),
    ):
        assert (said.status_code, error_of(said)["code"]) == (404, "patients.not_bound"), said.request.url
    assert hospital.state() == before


def test_a_wrong_name_for_a_known_document_learns_nothing(hospital: Hospital) -> None:
    owner, thief = hospital.member("13800138000"), hospital.member("13800138001")
    hospital.patient_of(owner)
    before = hospital.state()
    said = thief.post("/patients", json=person(1, "李四"))
    assert (said.status_code, error_of(said)["code"], error_of(said)["field"]) == (
        409,
        "patients.cannot_register",
        None,
    )
    assert hospital.state() == before


def test_headers_that_claim_another_address_are_not_believed(hospital: Hospital) -> None:
    member = hospital.member()
    claims = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Real-IP": "203.0.113.9"}
    asked = {"patient_id": hospital.patient_of(member), "session_id": hospital.session}
    assert member.post("/bookings", json=asked, headers=claims).status_code == 201
    assert [e["ip"] for e in hospital.events("booked")] == ["127.0.0.1"]


def test_one_channels_sign_in_is_worth_nothing_on_another(hospital: Hospital) -> None:
    member = hospital.member(channel="web")
    member.headers["X-Channel-Key"] = f"app.{hospital.channel_keys['app']}"
    before = hospital.state()
    for said in (
        member.get("/account"),
        member.post("/patients", json=person(3)),
        member.post("/bookings", json={"patient_id": "pt_x", "session_id": hospital.session}),
    ):
        assert (said.status_code, error_of(said)["code"]) == (401, "gate.sign_in_refused")
    assert hospital.state() == before
