"""Draws over HTTP: entering with a signed receipt, the list that is sealed, the file that anyone repeats."""

import gzip
import hashlib
from typing import Any

import httpx
import pytest

from flows import drawing
from shouhao.booking.draw_keys import receipt_holds
from shouhao.booking.release.draw_file import canonical, read, verify
from shouhao.booking.release.seal import verify_inclusion
from web.served import NOW_US, Hospital, error_of
from web.waiting import WINDOW_S, add_session, enter, members, open_draw, sessions_of, work


def file_of(hospital: Hospital, draw_id: str, **headers: str) -> httpx.Response:
    """The bytes as they came, not unpacked."""
    caller = hospital.channel()
    sent = {**caller.headers, "accept-encoding": "identity", **headers}
    with httpx.stream("GET", f"{caller.base}/draws/{draw_id}/file", headers=sent) as said:
        said._content = b"".join(said.iter_raw())  # read as usual, it would come unpacked
        return said


def test_entrants_hold_receipts_and_find_themselves_in_the_list_and_in_the_file(hospital: Hospital) -> None:
    draw_id = open_draw(hospital, capacity=1)
    people = members(hospital, 3)
    (session_id,) = sessions_of(people[0][0], draw_id)
    receipts: list[dict[str, Any]] = []
    for member, patient_id in people:
        said = enter(member, draw_id, [patient_id], [session_id])
        assert said.status_code == 201, said.text
        receipts.append(said.json())
    key = hospital.channel().get("/draws/receipt-key").json()["receipt_key"]
    for receipt in receipts:
        said_of = {name: value for name, value in receipt.items() if name not in {"signature", "receipt_key"}}
        assert receipt["receipt_key"] == key
        assert receipt_holds(canonical(said_of), receipt["signature"], public_hex=key)
        assert not receipt_holds(canonical({**said_of, "wishes": ["x"]}), receipt["signature"], public_hex=key)
    open_ = hospital.channel().get(f"/draws/{draw_id}").json()
    assert (open_["state"], open_["entries"], open_["wishes_max"], open_["root"]) == ("open", 3, 3, None)
    assert len(open_["commitment"]) == 64
    assert open_["trust"]["promised"] == "sealed"
    waiting = people[0][0].get("/entries").json()["entries"]
    assert [(e["entry_id"], e["state"], e["place"]) for e in waiting] == [(receipts[0]["entry_id"], "entered", None)]

    work(hospital, later_s=WINDOW_S)
    made = hospital.channel().get(f"/draws/{draw_id}").json()
    assert (made["state"], made["trust"]["reached"], made["waits_for"]) == ("made", "sealed", [])
    raw = file_of(hospital, draw_id).content
    assert hashlib.sha256(raw).hexdigest() == made["file_sha256"]
    file = read(raw)
    assert all(check.holds for check in verify(file))
    assert file["root"] == made["root"]
    assert sorted(e["id"] for e in file["entries"]) == sorted(r["entry_id"] for r in receipts)
    outcomes = []
    for (member, patient_id), receipt in zip(people, receipts, strict=True):
        (entry,) = member.get("/entries").json()["entries"]
        outcomes.append(entry["state"])
        assert entry["place"] == file["order"].index(receipt["entry_id"]) + 1
        assert entry["tickets"] == receipt["tickets"]
        proof = member.get(f"/draws/{draw_id}/proof", params={"entry_id": receipt["entry_id"]}).json()
        assert verify_inclusion(
            proof["leaf"].encode(),
            index=proof["index"],
            size=proof["size"],
            proof=[bytes.fromhex(one) for one in proof["proof"]],
            root=bytes.fromhex(made["root"]),
        )
        assert receipt["tickets"][0] in proof["leaf"]
        assert patient_id not in proof["leaf"]
        bookings = member.get("/bookings").json()["bookings"]
        if entry["state"] == "won":
            assert [(b["id"], b["state"]) for b in bookings] == [(entry["booking_ids"][0], "offered")]
            assert entry["accept_by"] == bookings[0]["hold_expires_at"]
            assert "中签" in entry["what"]["zh"]
        else:
            assert bookings == []
            assert len(entry["waits"]) == 1
            assert "3" in entry["what"]["en"]
    assert sorted(outcomes) == ["lost", "lost", "won"]
    hospital.assert_sound()


def test_the_file_is_given_packed_or_not_and_only_when_it_changed(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    draw_id = open_draw(hospital)
    ((member, patient_id),) = members(hospital, 1)
    assert enter(member, draw_id, [patient_id], sessions_of(member, draw_id)).status_code == 201
    not_yet = hospital.channel().get(f"/draws/{draw_id}/file")
    assert (not_yet.status_code, error_of(not_yet)["code"]) == (404, "booking.draw_not_made")
    work(hospital, later_s=WINDOW_S)
    plain, packed = (file_of(hospital, draw_id, **{"accept-encoding": how}) for how in ("identity", "br, gzip"))
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert plain.headers["etag"] == packed.headers["etag"] == f'"{hashlib.sha256(plain.content).hexdigest()}"'
    again = file_of(hospital, draw_id, **{"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert file_of(hospital, draw_id, **{"if-none-match": '"other"'}).status_code == 200
    assert file_of(hospital, draw_id, **{"accept-encoding": "gzip;q=0"}).content == plain.content


def test_entering_again_changes_the_wishes_and_a_retry_hears_the_same_receipt(hospital: Hospital) -> None:
    draw_id = open_draw(hospital, halves=("pm", "evening"))
    ((member, patient_id),) = members(hospital, 1)
    first, second = sessions_of(member, draw_id)
    one = enter(member, draw_id, [patient_id], [first], key="e1")
    retry = enter(member, draw_id, [patient_id], [first], key="e1")
    assert (one.status_code, retry.status_code, one.content) == (201, 201, retry.content)
    other_body = enter(member, draw_id, [patient_id], [second], key="e1")
    assert (other_body.status_code, error_of(other_body)["code"]) == (422, "idempotency_key_reused")
    changed = enter(member, draw_id, [patient_id], [second, first], key="e2").json()
    assert (changed["entry_id"], changed["wishes"]) == (one.json()["entry_id"], [second, first])
    (mine,) = member.get("/entries").json()["entries"]
    assert mine["wishes"] == [second, first]
    assert len(hospital.events("draw_entered")) == 2
    gone = member.post(f"/entries/{mine['entry_id']}/withdraw")
    assert gone.json() == {"entry_id": mine["entry_id"], "state": "withdrawn"}
    assert member.get("/entries").json() == {"entries": []}
    assert error_of(member.post(f"/entries/{mine['entry_id']}/withdraw"))["code"] == "not_found"
    assert enter(member, draw_id, [patient_id], [first]).json()["entry_id"] == mine["entry_id"]


def test_what_breaks_a_rule_is_refused_by_its_field_and_nothing_moves(hospital: Hospital) -> None:
    draw_id = open_draw(hospital, halves=("pm", "evening"))
    (member, patient_id), (_, stranger) = members(hospital, 2)
    first, second = sessions_of(member, draw_id)
    before = hospital.state()
    tried: list[tuple[Any, int, str, str | None]] = [
        (enter(member, draw_id, [patient_id], [first] * 10), 422, "invalid", "wishes"),
        (enter(member, draw_id, [patient_id], [first, first]), 422, "invalid", "wishes"),
        (enter(member, draw_id, [patient_id], [first, hospital.session]), 422, "booking.wish_not_in_draw", "wishes.1"),
        (enter(member, draw_id, [patient_id], []), 422, "invalid", "wishes"),
        (enter(member, draw_id, [], [first]), 422, "invalid", "patient_ids"),
        (enter(member, draw_id, [patient_id] * 2, [first]), 422, "invalid", "patient_ids"),
        (enter(member, draw_id, ["p"] * 51, [first]), 422, "invalid", "patient_ids"),
        (enter(member, draw_id, [patient_id, stranger], [second]), 404, "patients.not_bound", None),
        (enter(member, "dw_nothing", [patient_id], [first]), 404, "booking.draw_unknown", "draw_id"),
        (enter(member, "a b", [patient_id], [first]), 422, "invalid", "draw_id"),
        (enter(member, draw_id, [patient_id], [first], key=None), 400, "web.idempotency_key_needed", "Idempotency-Key"),
        (member.post(f"/draws/{draw_id}/entries", content=b"{"), 400, "web.bad_json", None),
        (member.post(f"/draws/{draw_id}/entries", json={"patient_ids": patient_id}), 422, "invalid", "patient_ids"),
        (member.post(f"/draws/{draw_id}/entries", json={"more": 1}), 422, "invalid", None),
        (enter(hospital.channel(), draw_id, [patient_id], [first]), 401, "gate.sign_in_refused", None),
    ]
    for said, status, code, field in tried:
        error = error_of(said)
        assert (said.status_code, error["code"]) == (status, code), said.text
        assert field is None or error["field"] == field
    assert hospital.state() == before
    hospital.clock.advance(seconds=WINDOW_S)
    late = enter(member, draw_id, [patient_id], [first])
    assert (late.status_code, error_of(late)["code"]) == (409, "booking.draw_not_open")
    assert hospital.state() == before


def test_another_accounts_entry_is_unknown(hospital: Hospital) -> None:
    draw_id = open_draw(hospital)
    (mine, patient_id), (other, _) = members(hospital, 2)
    entry_id = enter(mine, draw_id, [patient_id], sessions_of(mine, draw_id)).json()["entry_id"]
    unsealed = mine.get(f"/draws/{draw_id}/proof", params={"entry_id": entry_id})
    assert (unsealed.status_code, error_of(unsealed)["code"]) == (409, "booking.draw_not_sealed")
    before = hospital.state()
    withdrawn = other.post(f"/entries/{entry_id}/withdraw")
    assert (withdrawn.status_code, error_of(withdrawn)["code"]) == (404, "not_found")
    work(hospital, later_s=WINDOW_S)
    shown = other.get(f"/draws/{draw_id}/proof", params={"entry_id": entry_id})
    assert (shown.status_code, error_of(shown)["code"]) == (404, "not_found")
    assert other.get("/entries").json() == {"entries": []}
    assert before["draw_entries"] != hospital.state()["draw_entries"]  # the draw was made
    late = mine.post(f"/entries/{entry_id}/withdraw")
    assert (late.status_code, error_of(late)["code"]) == (409, "booking.draw_not_open")


def test_a_family_is_named_to_the_account_that_entered_it_alone(hospital: Hospital) -> None:
    draw_id = open_draw(hospital, capacity=2)
    parent = hospital.member("13800138010")
    ids = [hospital.patient_of(parent, 10), hospital.patient_of(parent, 11, "李四")]
    receipt = enter(parent, draw_id, ids, sessions_of(parent, draw_id)).json()
    assert receipt["patient_ids"] == sorted(ids)
    grown = hospital.member("13800138012")
    grown_up = hospital.patient_of(grown, 11, "李四")
    assert grown_up == ids[1]
    (theirs,) = grown.get("/entries").json()["entries"]
    assert theirs["patient_ids"] == [grown_up]
    assert len(theirs["tickets"]) == 1
    assert error_of(grown.post(f"/entries/{receipt['entry_id']}/withdraw"))["code"] == "not_found"


def test_a_draw_says_what_it_still_waits_for(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    draw_id = open_draw(hospital, witnesses=1, beacon="drand")
    ((member, patient_id),) = members(hospital, 1)
    enter(member, draw_id, [patient_id], sessions_of(member, draw_id))
    work(hospital, later_s=WINDOW_S)
    shown = hospital.channel().get(f"/draws/{draw_id}").json()
    assert (shown["state"], shown["waits_for"]) == ("sealed", ["witness", "beacon:drand"])
    assert (shown["trust"]["promised"], shown["trust"]["reached"]) == ("public", None)
    assert shown["beacon_round"] > 0
    (entry,) = member.get("/entries").json()["entries"]
    assert (entry["state"], entry["draw_state"], entry["place"]) == ("entered", "sealed", None)
    assert member.get(f"/draws/{draw_id}/proof", params={"entry_id": entry["entry_id"]}).status_code == 200


def test_draws_are_listed_page_by_page_and_by_department(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    first = open_draw(hospital)
    add_session(hospital, "evening", capacity=1, release_in_s=WINDOW_S + 60)
    work(hospital, later_s=60)
    second = str(drawing.the_draw(hospital.system.db)["id"])
    web = hospital.channel()
    page = web.get("/draws", params={"limit": 1, "department_id": "CARD"}).json()
    rest = web.get("/draws", params={"limit": 1, "cursor": page["cursor"]}).json()
    assert [d["draw_id"] for d in (*page["draws"], *rest["draws"])] == [first, second]
    assert rest["cursor"] is None
    assert web.get("/draws?department_id=NONE").json()["draws"] == []
    assert web.get("/draws?kind=waitlist").json()["draws"] == []
    assert error_of(web.get("/draws?cursor=x"))["field"] == "cursor"
    assert error_of(web.get("/draws/dw_nothing"))["code"] == "booking.draw_unknown"
    assert error_of(web.get("/draws/dw_nothing/file"))["code"] == "booking.draw_unknown"
    hospital.clock.advance(seconds=8 * 86_400)
    assert web.get("/draws").json()["draws"] == []
    long_ago = drawing.the_draw(hospital.system.db)["closes_at_us"] - NOW_US
    assert long_ago > 0
    assert len(web.get("/draws", params={"since": "2026-03-02T09:00:00+08:00"}).json()["draws"]) == 2


@pytest.mark.parametrize("path", ["/sessions", "/sessions/{id}"])
def test_a_session_says_how_it_is_released_before_and_after_its_window_opens(
    sqlite_hospital: Hospital, path: str
) -> None:
    hospital = sqlite_hospital
    web = hospital.channel()
    session_id = add_session(hospital, "pm", capacity=1, release_in_s=600)

    def release() -> dict[str, Any]:
        if "{id}" in path:
            return dict(web.get(path.format(id=session_id)).json()["release"])
        return next(dict(s["release"]) for s in web.get(path).json()["sessions"] if s["id"] == session_id)

    assert (release()["kind"], release()["opens_at"], release()["policy_version"]) == ("first_come", None, 0)
    drawing.set_release(hospital.system.db, {"kind": "draw"}, "department:CARD", now_us=NOW_US - 1)
    planned = release()
    assert (planned["kind"], planned["draw_id"]) == ("draw", None)
    assert (planned["policy_scope"], planned["policy_version"]) == ("release:department:CARD", 1)
    work(hospital, later_s=600 - WINDOW_S)
    opened = release()
    assert opened["draw_id"] == drawing.the_draw(hospital.system.db)["id"]
    assert (opened["opens_at"], opened["closes_at"]) == (planned["opens_at"], planned["closes_at"])
