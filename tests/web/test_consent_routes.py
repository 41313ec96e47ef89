"""Consents over HTTP: asked in words, given and withdrawn once each; what strangers, old forms and other roles get."""

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from shouhao.staff.model import ROLES
from web.served import Caller, Hospital, error_of, person
from web.test_antenatal_routes import DATES, DUE, apply, close_window, open_month, women
from web.test_pages import Browser
from web.waiting import enter, members, open_draw, sessions_of

WHY = {"reason": "核对投诉", "authority": "个人信息保护 2026-3"}


def base_of(hospital: Hospital) -> str:
    return hospital.public.removesuffix("/api/v1")


@pytest.fixture
def browser(sqlite_hospital: Hospital) -> Iterator[Browser]:
    one = Browser(base_of(sqlite_hospital))
    yield one
    one.http.close()


def me(hospital: Hospital, phone: str = "13800138000", order: int = 1) -> tuple[Caller, str]:
    member = hospital.member(phone)
    said = member.post("/patients", json=person(order, relation="self"))
    return member, str(said.json()["patient_id"])


def agree(member: Caller, kind: str, patient_id: str | None = None, **more: object):
    asked = {
        "kind": kind,
        "text_version": "2026-1",
        "agree": True,
        **({"patient_id": patient_id} if patient_id else {}),
    }
    headers = {"key": str(more.pop("key"))} if "key" in more else {}
    return member.post("/consents", json={**asked, **more}, **headers)


def stands(member: Caller, kind: str) -> list[bool]:
    return [one["standing"] for one in member.get("/consents").json()["consents"] if one["kind"] == kind]


def test_what_is_asked_is_read_without_signing_in_and_given_and_withdrawn_in_one_request_each(
    hospital: Hospital,
) -> None:
    texts = {one["kind"]: one for one in hospital.channel().get("/consents/texts").json()["texts"]}
    assert set(texts) == {"notice", "messages", "child_data", "face_check", "face_leave_out"}
    assert "示范医院" in texts["notice"]["zh"]["without"]
    assert "{hospital}" not in str(texts)
    assert "{contact}" not in str(texts)
    member, patient_id = me(hospital)
    shown = member.get("/consents").json()
    assert {one["standing"] for one in shown["consents"]} == {False}
    assert not any(one["kind"] == "child_data" for one in shown["consents"]), "there is no child"
    given = agree(member, "face_check", patient_id)
    assert given.status_code == 201, given.text
    (kept,) = given.json()["history"]
    assert (kept["act"], kept["channel"], kept["text_version"]) == ("given", "web", "2026-1")
    assert stands(member, "face_check") == [True]
    back = member.post("/consents/withdrawal", json={"kind": "face_check", "patient_id": patient_id})
    assert [one["act"] for one in back.json()["history"]] == ["withdrawn", "given"]
    assert stands(member, "face_check") == [False]
    hospital.assert_sound()


def test_another_account_a_forged_version_and_a_no_move_nothing(hospital: Hospital) -> None:
    member, patient_id = me(hospital)
    assert agree(member, "face_check", patient_id).status_code == 201
    other, _ = me(hospital, "13800138001", 3)
    before = hospital.state()
    for said in (
        agree(other, "face_check", patient_id),
        other.post("/consents/withdrawal", json={"kind": "face_check", "patient_id": patient_id}),
    ):
        assert (said.status_code, error_of(said)["code"]) == (404, "patients.not_bound")
    for more, field in (
        ({"text_version": "2099-1"}, "text_version"),
        ({"agree": False}, "agree"),
        ({"kind": "all"}, "kind"),
        ({"patient_id": "pt_none' OR 1=1"}, "patient_id"),
        ({"text_sha256": "0" * 64}, "text_sha256"),
    ):
        said = agree(member, **{"kind": "face_leave_out", "patient_id": patient_id, **more})
        assert (said.status_code, error_of(said)["field"]) == (422, field), said.text
    assert hospital.channel().post("/consents", json={}).status_code == 401
    assert hospital.state() == before


def test_a_consent_that_is_replayed_after_its_withdrawal_does_not_come_back(hospital: Hospital) -> None:
    member, patient_id = me(hospital)
    assert agree(member, "face_check", patient_id, key="once").status_code == 201
    assert member.post("/consents/withdrawal", json={"kind": "face_check", "patient_id": patient_id}).status_code == 200
    assert agree(member, "face_check", patient_id, key="once").status_code == 201, "the first answer again"
    assert stands(member, "face_check") == [False]
    assert len(hospital.events("consent_given")) == 1


def test_booking_asks_for_no_consent(sqlite_hospital: Hospital) -> None:
    member, patient_id = me(sqlite_hospital)
    assert sqlite_hospital.booking_of(member, patient_id)["state"] == "held"
    assert sqlite_hospital.events("consent_given") == []


def test_staff_see_counts_and_one_history_with_a_reason_and_the_look_is_on_record_first(hospital: Hospital) -> None:
    member, patient_id = me(hospital)
    agree(member, "face_check", patient_id)
    agree(member, "messages")
    officer = hospital.staff("data_protection")
    counts = officer.get("/consents/counts").json()["counts"]
    assert [(one["kind"], one["given"], one["standing"], one["in_force"]) for one in counts] == [
        ("face_check", 1, 1, True),
        ("messages", 1, 1, True),
    ]
    assert (
        officer.post("/consents/history", json={"patient_id": patient_id, "reason": "", "authority": "x"}).status_code
        == 422
    )
    assert officer.post("/consents/history", json={"patient_id": "pt_none", **WHY}).status_code == 404
    assert hospital.events("record_looked_at") == []
    acts = officer.post("/consents/history", json={"patient_id": patient_id, **WHY}).json()["acts"]
    assert {(one["kind"], one["act"], one["language"]) for one in acts} == {
        ("face_check", "given", "zh"),
        ("messages", "given", "zh"),
    }
    (look,) = hospital.events("record_looked_at")
    assert look["detail"]["what"] == f"consents of patient {patient_id}"
    window = hospital.staff("window")
    path = f"/patients/{patient_id}/consents"
    ended = window.post(f"{path}/withdrawal", json={"kind": "face_check", "note": "本人到窗口撤回"}).json()["acts"]
    assert [one["kind"] for one in ended] == ["face_check"]
    body = {"kind": "face_check", "text_version": "2026-1", "note": "同意书 17 号，本人签字"}
    assert window.post(path, json=body).status_code == 201
    assert member.get("/consents").json()["history"][0]["by_staff"]
    hospital.assert_sound()


def test_each_role_sees_and_does_what_is_its_own(sqlite_hospital: Hospital) -> None:
    may = {
        "counts": {"data_protection", "auditor"},
        "history": {"data_protection"},
        "texts": {"window", "data_protection", "auditor"},
        "give": {"window"},
        "withdraw": {"window"},
    }
    for role in ROLES:
        got = answers_to(sqlite_hospital.staff(role))
        assert {what: status != 403 for what, status in got.items()} == {
            what: role in roles for what, roles in may.items()
        }, role


def answers_to(staff: Caller) -> dict[str, int]:
    return {
        "counts": staff.get("/consents/counts").status_code,
        "history": staff.post("/consents/history", json={"patient_id": "pt_x", **WHY}).status_code,
        "texts": staff.get("/consents/texts").status_code,
        "give": staff.post(
            "/patients/pt_x/consents", json={"kind": "face_check", "text_version": "2026-1", "note": "签字"}
        ).status_code,
        "withdraw": staff.post(
            "/patients/pt_x/consents/withdrawal", json={"kind": "face_check", "note": "撤回"}
        ).status_code,
    }


def test_a_receipt_is_shown_again_to_its_own_account_and_to_no_other(sqlite_hospital: Hospital) -> None:
    draw_id = open_draw(sqlite_hospital, capacity=1)
    (first, mine), (other, _) = members(sqlite_hospital, 2)
    receipt = enter(first, draw_id, [mine], sessions_of(first, draw_id))
    again = first.get(f"/entries/{receipt.json()['entry_id']}/receipt")
    assert (again.status_code, again.json()) == (200, receipt.json())
    assert other.get(f"/entries/{receipt.json()['entry_id']}/receipt").status_code == 404
    assert first.post(f"/entries/{receipt.json()['entry_id']}/withdraw").status_code == 200
    assert first.get(f"/entries/{receipt.json()['entry_id']}/receipt").status_code == 404


def test_a_woman_corrects_her_dates_before_the_draw_at_the_same_chance_and_not_after_it(hospital: Hospital) -> None:
    open_month(hospital, places=1)
    (member, patient_id), (other, other_id) = women(hospital, 2)
    first, second = apply(member, patient_id), apply(other, other_id)
    path = f"/antenatal/applications/{first['application_id']}/dates"
    assert error_of(other.post(path, json=DATES))["code"] == "booking.antenatal_unknown"
    before = hospital.state()
    wrong = member.post(path, json={**DATES, "due_day": DUE.replace(year=DUE.year + 1).isoformat()})
    assert (wrong.status_code, error_of(wrong)["field"]) == (422, "due_day")
    early = DUE.replace(day=1, month=3)  # a month that is over
    assert member.post(path, json={**DATES, "due_day": early.isoformat()}).status_code == 422
    assert hospital.state() == before, "what is refused leaves the first application as it was"
    day = DUE.replace(day=DUE.day + 1).isoformat()
    after = member.post(path, json={**DATES, "due_day": day}).json()
    assert (after["due_day"], after["state"], after["entry"]) == (day, "entered", first["entry"])
    assert member.get(f"/antenatal/applications/{first['application_id']}").json()["state"] == "withdrawn"
    close_window(hospital)
    late = hospital.member(phone="13800138001")  # the first sign-in is over by then
    said = late.post(f"/antenatal/applications/{second['application_id']}/dates", json={**DATES, "due_day": day})
    assert (said.status_code, error_of(said)["code"]) == (409, "booking.antenatal_wrong_state")
    month = next(one for one in late.get("/antenatal/months").json()["months"] if one["month"] == first["month"])
    assert (month["weeks_from"], month["weeks_to"], month["confirm_days"]) == (5, 20, 14)
    assert re.fullmatch("[0-9a-f]{64}", month["draw_sha256"])
    hospital.assert_sound()


def test_forms_of_another_site_or_an_old_text_change_no_consent_and_names_stay_text(
    sqlite_hospital: Hospital, browser: Browser
) -> None:
    browser.sign_in(sqlite_hospital)
    browser.add_myself()
    fields = browser.form_of("/consents", "/consents/give")
    before = sqlite_hospital.state()
    assert browser.http.post("/consents/give", data={**fields, "seal": "0" * 64}).status_code == 403
    assert browser.http.post("/consents/give", data=fields, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    old = browser.http.post("/consents/give", data={**fields, "text_version": '2020-1"><script>'})
    assert old.status_code == 422
    assert "<script>" not in old.text.replace('<script type="module"', "")
    assert "文字已更新" in unescape(old.text)
    assert sqlite_hospital.state() == before
    assert browser.http.get("/consents?done=<script>alert(1)</script>").text.count("<script>alert") == 0
    fields = browser.form_of("/consents", "/consents/give")
    sent = [browser.http.post("/consents/give", data=fields) for _ in range(2)]
    assert {said.headers["location"] for said in sent} == {"/consents?done=read"}
    assert len(sqlite_hospital.events("consent_given")) == 1
    for path in ("/antenatal/apply", "/antenatal/applications/an_1", "/entries/en_1/receipt"):
        assert httpx.get(base_of(sqlite_hospital) + path).headers["location"] == f"/sign-in?back={path}"


def test_what_was_typed_stands_on_the_form_again_when_it_is_refused(
    sqlite_hospital: Hospital, browser: Browser
) -> None:
    browser.sign_in(sqlite_hospital)
    fields = {"relation": "self", "name": '张三"><script>', "kind": "resident_id", "number": "11010", "phone": "1"}
    said = browser.send("/people/new", "/people", **fields)
    assert said.status_code == 422
    assert 'role="alert"' in said.text
    assert "张三&#34;&gt;&lt;script&gt;" in said.text
    assert 'value="11010"' in said.text
