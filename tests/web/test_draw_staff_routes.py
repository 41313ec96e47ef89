"""Draws for staff and second parties over HTTP: entries at the window, contributions, and the ways of slots."""

from typing import Any

import msgspec

from shouhao.booking.draw_keys import receipt_holds
from shouhao.booking.release.seal import commitment
from web.drawn import close, plan_draw, the_draw
from web.served import NOW_US, Hospital, error_of, resident_id

SECRET = "5a" * 32
VALUE = "ab" * 32


def me(hospital: Hospital, role: str) -> str:
    return str(hospital.staff(role).get("/me").json()["operator_id"])


def promise(hospital: Hospital, draw_id: str) -> dict[str, str]:
    return {"commitment": commitment(draw_id, bytes.fromhex(SECRET), who=me(hospital, "witness"))}


def patients(hospital: Hospital, count: int) -> list[str]:
    """People who come to the window and have no account."""
    found = []
    for order in range(1, count + 1):
        document = {"document_kind": "resident_id", "document_number": resident_id(order)}
        body = {"name": f"张{'一二三四五'[order - 1]}", **document, "phone": "13900139000", "reason": "已见本人"}
        found.append(hospital.staff("window").post("/patients", json=body).json()["patient_id"])
    return found


def test_a_draw_from_the_windows_entries_over_its_witness_to_the_offers(hospital: Hospital) -> None:
    session = plan_draw(hospital, {"witnesses": 1})
    window, witness = hospital.staff("window"), hospital.staff("witness")
    draw_id = the_draw(hospital).id
    path = f"/draws/{draw_id}"
    for n, patient_id in enumerate(patients(hospital, 3)):
        sent = {"patient_ids": [patient_id], "wishes": [session], "channel": ("window", "phone")[n % 2]}
        said = window.post(f"{path}/entries", json=sent, key=f"e{n}")
        assert said.status_code == 201, said.text
        assert window.post(f"{path}/entries", json=sent, key=f"e{n}").content == said.content
        assert receipt_holds_of(said.json())
    assert {e["channel"] for e in hospital.events("draw_entered")} == {"window", "phone"}
    assert all(e["staff_id"] for e in hospital.events("draw_entered"))
    committed = witness.post(f"{path}/commitment", json=promise(hospital, draw_id))
    assert (committed.status_code, committed.json()["missing"]) == (201, [f"witness:{me(hospital, 'witness')}"])
    early = witness.post(f"{path}/reveal", json={"value": SECRET})
    assert (early.status_code, error_of(early)["code"]) == (409, "booking.contribution_not_now")
    (listed,) = witness.get("/draws?department_id=CARD").json()["draws"]
    assert (listed["draw_id"], listed["state"], listed["entries"], listed["witnesses"]) == (draw_id, "open", 3, 1)
    close(hospital)
    shown = hospital.staff("auditor").get(path).json()
    assert (shown["state"], shown["contributions"][0]["value"]) == ("sealed", None)
    assert shown["root"]
    wrong = witness.post(f"{path}/reveal", json={"value": VALUE})
    assert error_of(wrong)["code"] == "booking.commitment_mismatch"
    assert witness.post(f"{path}/reveal", json={"value": SECRET}).json()["contributions"][0]["value"] == SECRET
    close(hospital, after_s=1)
    made = witness.get(path).json()
    assert (made["state"], made["missing"], len(made["file_sha256"])) == ("made", [], 64)
    ways = hospital.staff("auditor").get(f"/sessions/{session}/ways").json()
    assert [(w["number"], w["way"], w["why"]) for w in ways["ways"]] == [
        (1, "offered", "draw_won"),
        (2, "offered", "draw_won"),
    ]
    assert all(w["zh"] and w["en"] for w in ways["ways"])
    offer = f"/bookings/{ways['ways'][0]['booking_id']}"
    (accepted,) = window.post(f"{offer}/accept").json()["bookings"]
    assert (accepted["state"], accepted["session_id"]) == ("held", session)
    assert error_of(window.post(f"{offer}/accept"))["code"] == "booking.wrong_state"
    assert window.post(f"{offer}/payment", json={}).json()["state"] == "booked"
    hospital.assert_sound()


def receipt_holds_of(shown: dict[str, Any]) -> bool:
    """Whether the signature is over the receipt without itself and the key, as sorted JSON."""
    signature, key = shown.pop("signature"), shown.pop("receipt_key")
    return receipt_holds(msgspec.json.encode(shown, order="sorted"), signature, public_hex=key)


def test_the_window_withdraws_an_entry_and_joins_a_waitlist(hospital: Hospital) -> None:
    session = plan_draw(hospital)
    window = hospital.staff("window")
    one, two, other, late = patients(hospital, 4)
    path = f"/draws/{the_draw(hospital).id}/entries"
    for patient_id in (one, two):
        assert window.post(path, json={"patient_ids": [patient_id], "wishes": [session]}).status_code == 201
    made = window.post(path, json={"patient_ids": [other], "wishes": [session]}).json()
    assert window.post(f"/entries/{made['entry_id']}/withdraw").status_code == 204
    assert window.post(f"/entries/{made['entry_id']}/withdraw").status_code == 404
    early = window.post(f"/sessions/{session}/waits", json={"patient_ids": [late]})
    assert error_of(early)["code"] == "booking.session_not_released"
    close(hospital)
    hospital.system.worker.look()
    waits = window.post(f"/sessions/{session}/waits", json={"patient_ids": [late]}, key="w1")
    assert (waits.status_code, waits.json()["kind"]) == (201, "waitlist"), waits.text
    assert window.post(f"/sessions/{session}/waits", json={"patient_ids": [late]}, key="w1").content == waits.content
    closed = window.post(path, json={"patient_ids": [other], "wishes": [session]})
    assert (closed.status_code, error_of(closed)["code"]) == (409, "booking.draw_not_open")
    hospital.assert_sound()


def test_two_people_read_the_beacon_and_neither_is_shown_what_the_other_read(hospital: Hospital) -> None:
    plan_draw(hospital, {"beacon": "drand"})
    path = f"/draws/{the_draw(hospital).id}"
    office, approver = hospital.staff("outpatient_office"), hospital.staff("approver")
    close(hospital)
    sent = {"round": the_draw(hospital).beacon_round, "value": VALUE}
    early = office.post(f"{path}/beacon", json=sent)
    assert error_of(early)["code"] == "booking.beacon_round_not_published"
    hospital.clock.advance(seconds=60)
    assert office.post(f"{path}/beacon", json=sent).json() == {"state": "waiting"}
    (given,) = approver.get(path).json()["contributions"]
    assert (given["value"], given["given"], given["entered_by"]) == (None, False, me(hospital, "outpatient_office"))
    assert error_of(office.post(f"{path}/beacon", json=sent))["code"] == "booking.second_person_needed"
    assert approver.post(f"{path}/beacon", json={**sent, "value": "cd" * 32}).json() == {"state": "differs"}
    assert office.post(f"{path}/beacon", json=sent).json() == {"state": "waiting"}
    assert approver.post(f"{path}/beacon", json=sent).json() == {"state": "counts"}
    hospital.system.worker.look()
    assert approver.get(path).json()["state"] == "made"


def test_an_approver_lets_a_draw_go_on_without_its_witness(hospital: Hospital) -> None:
    plan_draw(hospital, {"witnesses": 1})
    path = f"/draws/{the_draw(hospital).id}"
    approver = hospital.staff("approver")
    assert (
        hospital.staff("witness").post(f"{path}/commitment", json=promise(hospital, the_draw(hospital).id)).is_success
    )
    close(hospital)
    soon = approver.post(f"{path}/fall-back", json={"reason": "见证方失联"})
    assert error_of(soon)["code"] == "booking.fall_back_too_soon"
    shown = approver.get(path).json()
    assert shown["fall_back_from"] > shown["sealed_at"]
    hospital.clock.advance(seconds=600)
    said = approver.post(f"{path}/fall-back", json={"reason": "见证方失联"})
    assert (said.status_code, said.json()["fallen_back"], said.json()["missing"]) == (200, "见证方失联", [])
    hospital.system.worker.look()
    assert approver.get(path).json()["state"] == "made"


def test_each_does_their_own_part_and_nobody_elses(hospital: Hospital) -> None:
    session = plan_draw(hospital, {"witnesses": 1, "beacon": "drand"})
    path = f"/draws/{the_draw(hospital).id}"
    people = {"patient_ids": ["pt_x"]}
    acts: dict[str, tuple[str, dict[str, Any], set[str]]] = {
        "commit": (f"{path}/commitment", {"commitment": SECRET}, {"witness"}),
        "reveal": (f"{path}/reveal", {"value": SECRET}, {"witness"}),
        "beacon": (f"{path}/beacon", {"round": 1, "value": VALUE}, {"outpatient_office", "approver"}),
        "go on": (f"{path}/fall-back", {"reason": "试试"}, {"approver"}),
        "enter": (f"{path}/entries", {**people, "wishes": [session]}, {"window"}),
        "wait": (f"/sessions/{session}/waits", people, {"window"}),
        "withdraw": ("/entries/en_x/withdraw", {}, {"window"}),
        "accept": ("/bookings/bk_x/accept", {}, {"window"}),
    }
    before = hospital.state()
    for role in ("window", "reviewer", "outpatient_office", "approver", "it", "auditor", "witness"):
        caller = hospital.staff(role)
        for name, (route, body, may) in acts.items():
            if role not in may:
                said = caller.post(route, json=body)
                assert (said.status_code, error_of(said)["code"]) == (403, "staff.role_missing"), (role, name)
        readable = {caller.get("/draws").status_code, caller.get(path).status_code}
        assert readable == ({403} if role in {"reviewer", "it"} else {200})
        seen = caller.get(f"/sessions/{session}/ways").status_code
        assert seen == (200 if role in {"window", "outpatient_office", "auditor"} else 403), role
    assert hospital.state() == before
    for unknown in (hospital.staff("auditor").get("/draws/dw_none"), hospital.staff("auditor").get("/sessions/x/ways")):
        assert unknown.status_code == 404
        assert error_of(unknown)["code"] in {"booking.draw_unknown", "booking.session_unknown"}


def test_a_witness_is_nobody_else(hospital: Hospital) -> None:
    administrator = hospital.staff("administrator")
    for body in (
        {"name": "甲", "roles": ["witness", "auditor"]},
        {"name": "甲", "roles": ["witness"], "doctor_id": "D1"},
    ):
        said = administrator.post("/operators", json=body)
        assert (said.status_code, error_of(said)["field"]) == (422, "roles"), said.text
    assert administrator.post("/operators", json={"name": "公证处", "roles": ["witness"]}).status_code == 201


def test_pools_are_used_at_the_window_with_what_they_need(hospital: Hospital) -> None:
    window = hospital.staff("window")
    (patient_id,) = patients(hospital, 1)
    asked = {"patient_id": patient_id, "session_id": hospital.session}
    for more, code in (
        ({"pool": "care"}, "booking.care_proof_needed"),
        ({"pool": "referral"}, "booking.only_with_referral"),
        ({"pool": "referral", "note": "ZZ-2026-7"}, "booking.sold_out"),
        ({"pool": "friends"}, "invalid"),
        ({"pool": "referral", "note": "张三 转诊"}, "invalid"),
        ({"channel": "app"}, "invalid"),
    ):
        assert error_of(window.post("/bookings", json={**asked, **more}))["code"] == code, more
    by_phone = window.post("/bookings", json={**asked, "channel": "phone"})
    assert by_phone.status_code == 201
    (event,) = hospital.events("booked")
    assert event["channel"] == "phone"


def test_draws_are_listed_from_a_moment_on(hospital: Hospital) -> None:
    plan_draw(hospital)
    auditor = hospital.staff("auditor")
    assert len(auditor.get("/draws", params={"closing_after": "2026-03-01T00:00:00+08:00"}).json()["draws"]) == 1
    assert auditor.get("/draws", params={"closing_after": "2026-03-03T00:00:00+08:00"}).json()["draws"] == []
    assert auditor.get("/draws", params={"kind": "waitlist"}).json()["draws"] == []
    assert error_of(auditor.get("/draws", params={"closing_after": str(NOW_US)}))["field"] == "closing_after"
