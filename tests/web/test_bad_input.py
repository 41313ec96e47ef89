"""Bad input gets a clear answer that names the field and the rule, and changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from shouhao.gate.sign_ins import new_sign_in
from web.served import Caller, Hospital, error_of, person, resident_id

WRONG_DIGIT = resident_id()[:-1] + ("0" if resident_id()[-1] != "0" else "1")
FUTURE = {"kind": "passport", "number": "E12345678"}


@dataclass(frozen=True)
class Scene:
    hospital: Hospital
    member: Caller
    patient_id: str

    def book(self, **changes: Any) -> httpx.Response:
        asked = {"patient_id": self.patient_id, "session_id": self.hospital.session, **changes}
        return self.member.post("/bookings", json=asked)

    def register(self, **changes: Any) -> httpx.Response:
        return self.member.post("/patients", json=person(2, "李四", **changes))

    def raw(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        return self.member.post(path, content=content, headers={"Content-Type": "application/json", **headers})


Bad = Callable[[Scene], httpx.Response]

BAD: dict[str, tuple[Bad, int, str, str | None]] = {
    "wrong check digit": (
        lambda s: s.register(document={"kind": "resident_id", "number": WRONG_DIGIT}),
        422,
        "invalid",
        "document.number",
    ),
    "born tomorrow": (lambda s: s.register(document=FUTURE, birth_day="2026-03-03"), 422, "invalid", "birth_day"),
    "no such day": (lambda s: s.register(document=FUTURE, birth_day="2026-02-30"), 422, "invalid", "birth_day"),
    "a day as a number": (lambda s: s.register(document=FUTURE, birth_day=0), 422, "invalid", "birth_day"),
    "no name": (lambda s: s.member.post("/patients", json={"name": 1}), 422, "invalid", "name"),
    "an unknown field": (lambda s: s.register(vip=True), 422, "invalid", "vip"),
    "an unknown session": (lambda s: s.book(session_id="se_none"), 404, "booking.session_unknown", "session_id"),
    "an unknown slot": (lambda s: s.book(slot_id="sl_none"), 409, "booking.slot_taken", "slot_id"),
    "a negative number of sessions": (lambda s: s.member.get("/sessions?limit=-1"), 422, "invalid", "limit"),
    "a number beyond 64 bits": (lambda s: s.member.get(f"/sessions?limit={10**30}"), 422, "invalid", "limit"),
    "a number for an id": (lambda s: s.book(patient_id=-1), 422, "invalid", "patient_id"),
    "a null byte in a name": (lambda s: s.member.post("/patients", json=person(2, "李\0四")), 422, "invalid", "name"),
    "a null byte in an id": (lambda s: s.book(session_id="se\0x"), 422, "invalid", "session_id"),
    "a null byte in a path": (lambda s: s.member.get("/bookings/bk%00x"), 422, "invalid", "booking_id"),
    "a null byte in a cursor": (lambda s: s.member.get("/sessions?cursor=AHxh"), 422, "invalid", "cursor"),
    "half a character": (lambda s: s.raw("/patients", b'{"name": "\\ud800"}'), 422, "invalid", "name"),
    "half a character as a field": (lambda s: s.raw("/patients", b'{"\\ud800": 1}'), 422, "invalid", None),
    "broken JSON": (lambda s: s.raw("/patients", b'{"name": '), 400, "web.bad_json", None),
    "bytes that are no text": (lambda s: s.raw("/patients", b"\xff\xfe{"), 400, "web.bad_json", None),
    "endless nesting": (lambda s: s.raw("/patients", b"[" * 60_000), 400, "web.bad_json", None),
    "an endless number": (lambda s: s.raw("/patients", b'{"name": ' + b"9" * 5000 + b"}"), 400, "web.bad_json", None),
    "broken JSON at the desk": (lambda s: s.raw("/bookings", b'{"patient_id": '), 400, "web.bad_json", None),
    "a form": (
        lambda s: s.raw("/patients", b"name=x", **{"Content-Type": "application/x-www-form-urlencoded"}),
        415,
        "web.unsupported_media_type",
        "Content-Type",
    ),
    "ten megabytes": (lambda s: s.raw("/patients", b" " * 10_000_000), 413, "web.body_too_large", None),
    "ten megabytes at the desk": (lambda s: s.raw("/bookings", b" " * 10_000_000), 413, "web.body_too_large", None),
    "a photo of ten megabytes": (
        lambda s: s.member.post(
            f"/patients/{s.patient_id}/photo", content=b" " * 10_000_000, headers={"Content-Type": "image/png"}
        ),
        413,
        "web.body_too_large",
        None,
    ),
    "a photo that is none": (
        lambda s: s.member.post(
            f"/patients/{s.patient_id}/photo", content=b"x" * 100, headers={"Content-Type": "image/png"}
        ),
        422,
        "invalid",
        "photo",
    ),
    "no idempotency key": (
        lambda s: s.member.post("/patients", json=person(2), key=None),
        400,
        "web.idempotency_key_needed",
        "Idempotency-Key",
    ),
    "no idempotency key at the desk": (
        lambda s: s.member.post("/bookings", json={"patient_id": "p", "session_id": "s"}, key=None),
        400,
        "web.idempotency_key_needed",
        "Idempotency-Key",
    ),
    "an unknown path": (lambda s: s.member.get("/nothing"), 404, "not_found", None),
    "a slash too many": (lambda s: s.member.get("/bookings/"), 404, "not_found", None),
    "a method too many": (lambda s: s.member.delete("/bookings"), 405, "web.method_not_allowed", None),
    "not a phone": (lambda s: s.member.post("/sign-in/codes", json={"phone": "12345"}), 422, "invalid", "phone"),
    "a second code at once": (
        lambda s: s.member.post("/sign-in/codes", json={"phone": "13800138000"}),
        429,
        "gate.phone_code_too_often",
        "phone",
    ),
    "a wrong code": (
        lambda s: s.member.post("/sign-in", json={"phone": "13800138000", "code": "000000"}),
        401,
        "gate.phone_code_refused",
        "code",
    ),
}


@pytest.fixture
def scene(hospital: Hospital) -> Scene:
    member = hospital.member()
    return Scene(hospital=hospital, member=member, patient_id=hospital.patient_of(member))


def test_each_bad_input_is_named_and_changes_nothing(scene: Scene) -> None:
    before = scene.hospital.state()
    for name, (bad, status, code, field) in BAD.items():
        said = bad(scene)
        error = error_of(said)
        assert (said.status_code, error["code"]) == (status, code), (name, said.text)
        if field is not None:
            assert error["field"] == field, (name, said.text)
        assert any("一" <= character <= "鿿" for character in error["message"]), (name, said.text)
    assert scene.hospital.state() == before


def test_a_key_is_not_taken_for_another_body(scene: Scene) -> None:
    before = scene.hospital.state()
    assert scene.member.post("/patients", json=person(2, relation="nobody"), key="k").status_code == 422
    for path, first, second in (
        ("/patients", person(2, relation="nobody"), person(3)),
        ("/bookings", {"patient_id": "a", "session_id": "b"}, {"patient_id": "a", "session_id": "c"}),
    ):
        scene.member.post(path, json=first, key="k")
        said = scene.member.post(path, json=second, key="k")
        error = error_of(said)
        assert (said.status_code, error["code"], error["field"]) == (422, "idempotency_key_reused", "Idempotency-Key")
    assert scene.hospital.state() == before


def test_who_is_not_let_in_hears_the_same_shape(scene: Scene) -> None:
    hospital, member = scene.hospital, scene.member
    token = {"Authorization": member.headers["Authorization"]}
    app_key = {"X-Channel-Key": f"app.{hospital.channel_keys['app']}"}
    out = hospital.member("13800138001")
    assert out.post("/sign-out", key=None).status_code == 204
    book = {"json": {"patient_id": scene.patient_id, "session_id": hospital.session}}
    before = hospital.state()
    for headers, code in (
        ({}, "gate.channel_refused"),
        ({"X-Channel-Key": "web.wrong"}, "gate.channel_refused"),
        ({"X-Channel-Key": "wéb.ÿ".encode("latin-1")}, "gate.channel_refused"),
        ({**member.headers, "Authorization": "Bearer nonsense"}, "gate.sign_in_refused"),
        ({**member.headers, "Authorization": "Bearer ÿ".encode("latin-1")}, "gate.sign_in_refused"),
        ({**app_key, **token}, "gate.sign_in_refused"),
        (out.headers, "gate.signed_out"),
    ):
        stranger = Caller(hospital.public, dict(headers))
        for said in (stranger.get("/bookings"), stranger.post("/bookings", **book)):
            assert (said.status_code, error_of(said)["code"]) == (401, code), (headers, said.text)
    assert hospital.state() == before


def test_a_sign_in_expires(scene: Scene) -> None:
    scene.hospital.clock.advance(seconds=scene.hospital.system.settings.sign_in_s)
    for said in (scene.member.get("/account"), scene.book()):
        assert (said.status_code, error_of(said)["code"]) == (401, "gate.sign_in_refused")


def test_a_token_of_no_account_is_refused(sqlite_hospital: Hospital) -> None:
    system = sqlite_hospital.system
    now_us = system.clock.now_us()
    made = new_sign_in("ac_gone", channel="web", device_id=None, settings=system.settings.sign_in(), now_us=now_us)
    caller = sqlite_hospital.channel()
    caller.headers["Authorization"] = f"Bearer {system.sign_in_key.issue(made)}"
    assert error_of(caller.get("/account"))["code"] == "gate.sign_in_refused"


def test_the_language_asked_for_is_spoken(scene: Scene) -> None:
    english = {"Accept-Language": "en-GB,en;q=0.9"}
    for path in ("/bookings/bk_none", "/patients/pt_none", "/nothing", "/sessions?limit=0"):
        zh, en = (error_of(scene.member.get(path, headers=headers)) for headers in ({}, english))
        assert en["message"].isascii(), en
        assert zh["message"] != en["message"]
        assert zh["code"] == en["code"]


def test_the_request_id_that_was_sent_comes_back(scene: Scene) -> None:
    for path in ("/bookings", "/nothing"):
        assert scene.member.get(path, headers={"X-Request-ID": "r-1"}).headers["x-request-id"] == "r-1"
    made_up = scene.member.get("/nothing", headers={"X-Request-ID": "a b\tc"}).headers["x-request-id"]
    assert made_up.startswith("rq_")


def test_too_many_codes_say_when_to_come_back(scene: Scene) -> None:
    said = scene.member.post("/sign-in/codes", json={"phone": "13800138000"})
    assert said.headers["retry-after"] == "60"


def test_a_moment_without_a_zone_is_no_moment(sqlite_hospital: Hospital) -> None:
    office = sqlite_hospital.staff("outpatient_office")
    for bad in ("2026-03-04T08:00:00", "0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-23:59", 5, None):
        body = {"body": {}, "effective_at": bad, "reason": "试一试"}
        said = office.post("/policies/binding", json=body)
        if bad is None:
            assert said.status_code == 202
        else:
            assert error_of(said)["field"] == "effective_at"
    past = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    said = office.post("/policies/binding", json={"body": {}, "effective_at": past, "reason": "试一试"})
    assert error_of(said)["field"] == "effective_at"
