"""Antenatal registration over HTTP: its own entrance for women, the console for staff, each with their role."""

import json
from datetime import timedelta
from typing import Any

from shouhao.booking.antenatal import CONSENT_VERSION
from shouhao.booking.release.draw_file import read, verify
from shouhao.flows.antenatal_months import antenatal_due
from shouhao.store import answers
from web.policed import changed, decide
from web.served import TODAY, Caller, Hospital, error_of

DUE = TODAY + timedelta(days=280 - 8 * 7)  #: eight weeks pregnant
MONTH = f"{DUE:%Y-%m}"
DATES: dict[str, Any] = {"source": "ultrasound", "due_day": DUE.isoformat()}
WHY = {"reason": "已核对材料"}


def open_month(hospital: Hospital, places: int = 1, **more: Any) -> Caller:
    office = hospital.staff("outpatient_office")
    body = {"places": {"months": {MONTH: places}, "yearly": 1000}, "tiers": {"green": 100}, **more}
    changed(hospital, "/antenatal/policies", {"body": body, "reason": "首次设置"})
    assert look(hospital) > 0
    return office


def look(hospital: Hospital) -> int:
    system = hospital.system
    return antenatal_due(system.db, system.vault, now_us=system.clock.now_us())


def women(hospital: Hospital, count: int) -> list[tuple[Caller, str]]:
    made = []
    for n in range(count):
        member = hospital.member(phone=f"1380013800{n}")
        made.append((member, hospital.patient_of(member, order=2 + 2 * n, name=f"张{'甲乙丙丁'[n]}")))
    return made


def apply(member: Caller, patient_id: str, **dates: Any) -> dict[str, Any]:
    said = member.post("/antenatal/applications", json={"patient_id": patient_id, **(dates or DATES)})
    assert said.status_code == 201, said.text
    return dict(said.json())


def close_window(hospital: Hospital) -> None:
    hospital.clock.advance(seconds=3 * 86_400)
    assert look(hospital) > 0


def full(hospital: Hospital, count: int = 2) -> tuple[list[tuple[Caller, str]], Caller]:
    """A month with one place, drawn; the women with their applications, the winner first, signed in again."""
    office = open_month(hospital)
    people = women(hospital, count)
    ids = [apply(member, patient_id)["application_id"] for member, patient_id in people]
    close_window(hospital)
    again = [hospital.member(phone=f"1380013800{n}") for n in range(count)]
    shown = [(member, one, state_of(member, one)) for member, one in zip(again, ids, strict=True)]
    return [(m, one) for m, one, _ in sorted(shown, key=lambda s: (s[2]["state"], s[2]["position"] or 0))], office


def state_of(member: Caller, application_id: str) -> dict[str, Any]:
    said = member.get(f"/antenatal/applications/{application_id}")
    assert said.status_code == 200, said.text
    return dict(said.json())


def month_shown(caller: Caller) -> dict[str, Any]:
    months = caller.get("/antenatal/months").json()["months"]
    assert [m["month"] for m in months] == sorted(m["month"] for m in months)
    return dict(next(m for m in months if m["month"] == MONTH))


def test_a_woman_applies_is_drawn_and_recomputes_the_draw(hospital: Hospital) -> None:
    open_month(hospital)
    visitor = hospital.channel()
    shown = month_shown(visitor)
    assert (shown["release"], shown["tiers"], shown["drawn"]) == (
        "draw",
        [{"tier": "green", "places": 1, "free": 1}],
        False,
    )
    assert error_of(visitor.get(f"/antenatal/months/{MONTH}/draw"))["code"] == "not_found"
    people = women(hospital, 3)
    entries = [apply(member, patient_id) for member, patient_id in people]
    assert {(one["state"], one["position"]) for one in entries} == {("entered", None)}
    close_window(hospital)
    published = visitor.get(f"/antenatal/months/{MONTH}/draw")
    file = read(published.content)
    assert all(check.holds for check in verify(file))
    assert file["draw"]["commitment"] == shown["commitment"]
    assert sorted(file["order"]) == sorted(one["entry"] for one in entries)
    members = [hospital.member(phone=f"1380013800{n}") for n in range(3)]
    after = [m.get("/antenatal/applications").json()["applications"][0] for m in members]
    assert sorted((one["state"], one["position"]) for one in after if one["position"]) == [
        ("waiting", 1),
        ("waiting", 2),
    ]
    (won,) = (one for one in after if one["state"] == "granted")
    assert (won["entry"], won["why"]["zh"][:4]) == (file["wins"][0]["id"], "已有名额")
    assert month_shown(visitor)["release"] == "waiting"
    hospital.assert_sound()


def test_what_is_stated_wrongly_is_refused_by_its_field_and_moves_nothing(hospital: Hospital) -> None:
    open_month(hospital)
    ((member, patient_id),) = women(hospital, 1)
    man = hospital.patient_of(member, order=3, name="李雷")
    before = hospital.state()
    path = "/antenatal/applications"
    for body, status, code, field in (
        ({}, 422, "invalid", "source"),
        ({"patient_id": man, **DATES}, 422, "invalid", "patient_id"),
        ({"patient_id": patient_id, "source": "lmp"}, 422, "invalid", "due_day"),
        ({"patient_id": patient_id, "source": "guess", "due_day": DUE.isoformat()}, 422, "invalid", "source"),
        ({"patient_id": patient_id, **DATES, "due_day": "2026-02-30"}, 422, "invalid", "due_day"),
        ({"patient_id": patient_id, **DATES, "due_day": "9999-12-31"}, 422, "invalid", "due_day"),
        ({"patient_id": patient_id, "source": "lmp", "lmp_day": "9999-12-31"}, 422, "invalid", "lmp_day"),
        ({"patient_id": patient_id, **DATES, "tier": "red"}, 422, "invalid", "tier"),
        ({"patient_id": "pt_x", **DATES}, 404, "patients.not_bound", "patient_id"),
    ):
        said = member.post(path, json=body)
        error = error_of(said)
        assert (said.status_code, error["code"]) == (status, code), said.text
        assert field in {error["field"], "source"}, said.text
    assert hospital.state() == before
    assert error_of(hospital.channel().post(path, json={}))["code"] == "gate.sign_in_refused"
    far = (DUE + timedelta(days=62)).isoformat()
    assert error_of(member.post(path, json={"patient_id": patient_id, **DATES, "due_day": far}))["field"] == "due_day"


def test_a_retry_hears_the_first_answer_and_a_second_application_is_refused(hospital: Hospital) -> None:
    open_month(hospital)
    ((member, patient_id),) = women(hospital, 1)
    asked = {"patient_id": patient_id, **DATES}
    first = member.post("/antenatal/applications", json=asked, key="same")
    assert member.post("/antenatal/applications", json=asked, key="same").json() == first.json()
    again = member.post("/antenatal/applications", json=asked)
    assert (again.status_code, error_of(again)["code"]) == (409, "booking.antenatal_already_registered")
    gone = member.post(f"/antenatal/applications/{first.json()['application_id']}/withdrawal")
    assert gone.json()["state"] == "withdrawn"


def test_another_accounts_application_is_not_there(hospital: Hospital) -> None:
    open_month(hospital)
    (member, patient_id), (stranger, _) = women(hospital, 2)
    application_id = apply(member, patient_id)["application_id"]
    path = f"/antenatal/applications/{application_id}"
    consent = {"offer_id": "ao_x", "text_version": CONSENT_VERSION, "agree": True}
    before = hospital.state()
    for said in (
        stranger.get(path),
        stranger.get(f"{path}/offers"),
        stranger.post(f"{path}/withdrawal"),
        stranger.post(f"{path}/referral", json=consent),
        stranger.post(f"{path}/referral/withdrawal"),
    ):
        assert (said.status_code, error_of(said)["code"]) == (404, "booking.antenatal_unknown")
    assert hospital.state() == before
    assert stranger.get("/antenatal/applications").json() == {"applications": []}


def test_nobody_acts_without_their_role(hospital: Hospital) -> None:
    open_month(hospital)
    stranger = hospital.staff("reviewer")
    before = hospital.state()
    offer = {"partner_id": "P1", "name_zh": "甲", "name_en": "A", "month": MONTH, "tier": "green", "places": 1}
    consent = {"offer_id": "ao_x", "text_version": CONSENT_VERSION, "agree": True}
    one = "/antenatal/applications/an_x"
    for said in (
        stranger.get("/antenatal/policies"),
        stranger.post("/antenatal/policies", json={"body": {}, **WHY}),
        stranger.post("/antenatal/policies/preview", json={"body": {}}),
        stranger.get("/antenatal/months"),
        stranger.get(f"/antenatal/applications?month={MONTH}"),
        stranger.post("/antenatal/applications", json={"patient_id": "pt_x", **DATES}),
        stranger.post(f"{one}/tier", json={"tier": "red", **WHY}),
        stranger.post(f"{one}/confirmation", json=WHY),
        stranger.post(f"{one}/due-date", json={**DATES, **WHY}),
        stranger.post(f"{one}/withdrawal", json=WHY),
        stranger.get("/antenatal/offers"),
        stranger.post("/antenatal/offers", json={**offer, "valid_until": "2026-09-01T00:00:00+08:00"}),
        stranger.post("/antenatal/offers/ao_x/closing"),
        stranger.get(f"{one}/offers"),
        stranger.post(f"{one}/referral", json=consent),
        stranger.post(f"{one}/referral/withdrawal"),
        stranger.get("/antenatal/referrals"),
        stranger.post("/antenatal/referrals/export", json={"partner_id": "P1"}),
        stranger.post("/antenatal/referrals/ar_x/answer", json={"accepted": True, **WHY}),
    ):
        assert (said.status_code, error_of(said)["code"]) == (403, "staff.role_missing"), said.request.url
    assert hospital.state() == before
    exporting = hospital.staff("window").post("/antenatal/referrals/export", json={"partner_id": "P1"})
    assert error_of(exporting)["code"] == "staff.role_missing"


def test_the_window_applies_assesses_confirms_corrects_and_withdraws(hospital: Hospital) -> None:
    open_month(hospital, places=2, tiers={"green": 50, "red": 50})
    ((_, patient_id),) = women(hospital, 1)
    close_window(hospital)
    window = hospital.staff("window")
    said = window.post("/antenatal/applications", json={"patient_id": patient_id, **DATES})
    assert (said.status_code, said.json()["state"]) == (201, "granted"), said.text
    path = f"/antenatal/applications/{said.json()['application_id']}"
    moved = window.post(f"{path}/tier", json={"tier": "red", **WHY}).json()
    assert (moved["tier"], moved["place_tier"]) == ("red", "red")
    assert error_of(window.post(f"{path}/tier", json={"tier": "pink", **WHY}))["field"] == "tier"
    assert error_of(window.post(f"{path}/confirmation", json={"reason": ""}))["field"] == "reason"
    assert window.post(f"{path}/confirmation", json=WHY).json()["state"] == "confirmed"
    fixed = window.post(f"{path}/due-date", json={**DATES, "due_day": f"{MONTH}-20", **WHY})
    assert (fixed.json()["due_day"], fixed.json()["state"]) == (f"{MONTH}-20", "confirmed")
    (listed,) = window.get(f"/antenatal/applications?month={MONTH}&state=confirmed").json()["applications"]
    assert (listed["name"], listed["phone"]) == ("张*", "139****9000")
    assert error_of(window.get(f"/antenatal/applications?month={MONTH}&state=x"))["field"] == "state"
    (looked,) = hospital.events("viewed")
    assert (looked["detail"], bool(looked["staff_id"])) == (
        {"what": "antenatal_applications", "month": MONTH},
        True,
    )
    assert window.post(f"{path}/withdrawal", json=WHY).json()["state"] == "withdrawn"
    assert error_of(window.post(f"{path}/withdrawal", json=WHY))["code"] == "booking.antenatal_wrong_state"
    assert error_of(window.post("/antenatal/applications/an_x/withdrawal", json=WHY))["code"] == (
        "booking.antenatal_unknown"
    )
    hospital.assert_sound()


def test_a_policy_is_tried_added_and_kept_from_open_windows(hospital: Hospital) -> None:
    office = open_month(hospital, places=5)
    body = {"places": {"default": 10, "yearly": 130, "months": {MONTH: 20}}}
    tried = office.post("/antenatal/policies/preview", json={"body": body}, key=None).json()["months"]
    published = next(one for one in tried if one["month"] == MONTH)
    assert (published["state"], published["places"]) == ("open", 5)
    assert {one["places"] for one in tried if one["state"] == "planned"} == {10}
    refused = office.post("/antenatal/policies", json={"body": body, **WHY})
    assert (refused.status_code, error_of(refused)["code"]) == (409, "booking.antenatal_window_open")
    for bad, field in (
        ({"places": {"default": 1.5}}, "body.places.default"),
        ({"tiers": {"green": 99}}, "body.tiers"),
        ({"\ud800": 1}, "body.?"),
        ({"a\0": {"b": [1]}}, "body.a?"),
        ({"places": {"months": {"x" * 300: 1}}}, "body.places.months"),
    ):
        sent = json.dumps({"body": bad, **WHY}).encode()  # a lone half of a character can be written in JSON
        said = office.post("/antenatal/policies", content=sent, headers={"Content-Type": "application/json"})
        assert (said.status_code, error_of(said)["field"]) == (422, field), said.text
    hospital.clock.advance(seconds=3 * 86_400)
    assert look(hospital) > 0
    changed(hospital, "/antenatal/policies", {"body": body, **WHY})
    history = office.get("/antenatal/policies").json()
    assert [(v["version"], v["body"]["places"]["default"]) for v in history["versions"]] == [(1, 0), (2, 10)]
    assert (history["in_force"]["places"]["months"], history["in_force_version"]) == ({MONTH: 20}, 2)


def test_a_policy_that_meets_an_open_window_when_it_is_agreed_to_comes_to_nothing(hospital: Hospital) -> None:
    first = {"places": {"months": {MONTH: 5}, "yearly": 1000}, "tiers": {"green": 100}}
    changed(hospital, "/antenatal/policies", {"body": first, "reason": "首次设置"})
    office = hospital.staff("outpatient_office")
    second = {**first, "places": {"months": {MONTH: 6}, "yearly": 1000}}
    said = office.post("/antenatal/policies", json={"body": second, **WHY})
    assert said.json()["state"] == "asked"
    (waiting,) = office.get("/antenatal/policies").json()["pending"]
    assert waiting["approval_id"] == said.json()["approval_id"]
    assert look(hospital) > 0  # the month is published, and its window opens
    decided = decide(hospital.staff("approver"), said.json()["approval_id"]).json()
    assert (decided["state"], decided["stopped"]["code"]) == ("refused", "booking.antenatal_window_open")
    history = office.get("/antenatal/policies").json()
    assert [v["version"] for v in history["versions"]] == [1]
    (nothing,) = history["came_to_nothing"]
    assert nothing["stopped"]["zh"]


def test_a_referral_goes_out_by_consent_alone_and_no_name_stays_in_an_answer(hospital: Hospital) -> None:
    ((_, _), (waiting, application_id)), office = full(hospital)
    offer = {"partner_id": "P1", "name_zh": "市二院", "name_en": "Second", "month": MONTH, "tier": "green", "places": 1}
    made = office.post("/antenatal/offers", json={**offer, "valid_until": "2026-09-01T00:00:00+08:00"})
    assert made.status_code == 201, made.text
    path = f"/antenatal/applications/{application_id}"
    shown = waiting.get(f"{path}/offers").json()
    assert [one["offer_id"] for one in shown["offers"]] == [made.json()["offer_id"]]
    assert shown["data"] == ["name", "phone", "due_day", "tier"]
    agreed = {"offer_id": made.json()["offer_id"], "text_version": shown["text_version"], "agree": True}
    assert error_of(waiting.post(f"{path}/referral", json={**agreed, "agree": False}))["field"] == "agree"
    assert error_of(waiting.post(f"{path}/referral", json={**agreed, "text_version": "0"}))["field"] == "text_version"
    exported = office.post("/antenatal/referrals/export", json={"partner_id": "P1"})
    assert exported.json() == {"referrals": []}
    after = waiting.post(f"{path}/referral", json=agreed).json()
    assert (after["state"], after["referrals"][0]["state"]) == ("referred", "consented")
    back = waiting.post(f"{path}/referral/withdrawal").json()
    assert (back["state"], back["position"], back["referrals"][0]["state"]) == ("waiting", 1, "withdrawn")
    assert waiting.post(f"{path}/referral", json=agreed).status_code == 201
    exported = office.post("/antenatal/referrals/export", json={"partner_id": "P1"}, key="out")
    (disclosed,) = exported.json()["referrals"]
    assert disclosed["name"].startswith("张")
    assert (disclosed["phone"], disclosed["due_day"]) == ("+8613900139000", DUE.isoformat())
    assert office.post("/antenatal/referrals/export", json={"partner_id": "P1"}, key="out").json() == exported.json()
    with hospital.system.db.read() as connection:
        kept = str(connection.execute(answers.answers.select()).all())
    assert "+8613900139000" not in kept
    assert disclosed["name"] not in kept
    sent = [e for e in hospital.events("antenatal_referred") if e["detail"]["state"] == "sent"]
    assert len(sent) == 1
    assert sent[0]["staff_id"]
    assert error_of(waiting.post(f"{path}/referral/withdrawal"))["code"] == "booking.antenatal_referral_sent"
    answer = f"/antenatal/referrals/{disclosed['referral_id']}/answer"
    declined = office.post(answer, json={"accepted": False, "reason": "名额已满"}).json()
    assert (declined["state"], declined["position"]) == ("waiting", 1)
    assert [r["state"] for r in office.get("/antenatal/referrals?partner_id=P1").json()["referrals"]] == [
        "withdrawn",
        "declined",
    ]
    hospital.assert_sound()


def test_the_window_can_agree_for_a_woman_without_an_account(hospital: Hospital) -> None:
    ((_, _), (_, application_id)), office = full(hospital)
    offer = {"partner_id": "P1", "name_zh": "市二院", "name_en": "Second", "month": MONTH, "tier": "green", "places": 1}
    made = office.post("/antenatal/offers", json={**offer, "valid_until": "2026-09-01T00:00:00+08:00"}).json()
    window, path = hospital.staff("window"), f"/antenatal/applications/{application_id}"
    assert len(window.get(f"{path}/offers").json()["offers"]) == 1
    agreed = {"offer_id": made["offer_id"], "text_version": CONSENT_VERSION, "agree": True}
    assert window.post(f"{path}/referral", json=agreed).json()["state"] == "referred"
    assert window.post(f"{path}/referral/withdrawal").json()["state"] == "waiting"
    closed = office.post(f"/antenatal/offers/{made['offer_id']}/closing").json()
    assert closed["open_places"] == 1
    assert window.get(f"{path}/offers").json()["offers"] == []
    assert len(office.get("/antenatal/offers").json()["offers"]) == 1
    assert error_of(window.post(f"{path}/referral", json=agreed))["code"] == "booking.antenatal_offer_gone"
