"""Waitlists over HTTP: joining, where one stands and why, leaving; and what nobody may see of resting slots."""

from typing import Any

import pytest

from flows import drawing
from hospital import put, rows
from shouhao.booking.draw_keys import receipt_holds
from shouhao.booking.release.draw_file import canonical
from shouhao.booking.tables import bookings, slots
from shouhao.flows.release import release_due
from web.served import TODAY, Caller, Hospital, error_of
from web.waiting import BATCH_S, add_session, join, members, sold_out, work


def wait_of(member: Caller) -> dict[str, Any]:
    """The one place of an account."""
    (one,) = member.get("/waits").json()["waits"]
    return dict(one)


def give_back(holder: tuple[Caller, str]) -> None:
    member, booking_id = holder
    said = member.post(f"/bookings/{booking_id}/return")
    assert (said.status_code, said.json()["state"]) == (200, "returned"), said.text


def test_those_who_wait_are_told_where_they_stand_and_what_moved_it(hospital: Hospital) -> None:
    session_id, holders = sold_out(hospital, seats=2)
    people = members(hospital, 3)
    for member, patient_id in people:
        said = join(member, session_id, patient_id)
        assert said.status_code == 201, said.text
        receipt = said.json()
        signed = {name: value for name, value in receipt.items() if name not in {"signature", "receipt_key"}}
        assert receipt["kind"] == "waitlist"
        assert receipt_holds(canonical(signed), receipt["signature"], public_hex=receipt["receipt_key"])
    batch = wait_of(people[0][0])
    assert (batch["state"], batch["wait_id"], batch["joined"], batch["ahead"]) == ("batch", None, 3, None)
    assert batch["session"]["id"] == session_id
    listed = hospital.channel().get(f"/sessions/{session_id}").json()
    assert (listed["waiting"], listed["waitlist_open"], listed["free"]) == (3, True, 0)
    work(hospital, later_s=BATCH_S)
    queue = sorted(((wait_of(member), member) for member, _ in people), key=lambda one: one[0]["ahead"])
    assert [one["ahead"] for one, _ in queue] == [0, 1, 2]
    assert {one["state"] for one, _ in queue} == {"waiting"}
    assert queue[0][0]["odds"]["chance"] is None
    assert "30" in queue[0][0]["odds"]["words"]["zh"]
    assert queue[2][0]["odds"]["needed"] == 3
    assert [one["moved"] for one, _ in queue] == [[], [], []]
    assert hospital.channel().get("/draws?kind=waitlist").json()["draws"][0]["entries"] == 3

    give_back(holders[0])
    first, second, third = (wait_of(member) for _, member in queue)
    assert (first["state"], first["ahead"]) == ("offered", None)
    assert [(m["zh"], m["en"]) for m in first["moved"]] == [
        ("有人退号，该号已发给您", "A slot was returned; it was offered to you")
    ]
    assert second["moved"][0]["en"] == "A slot was returned; it was offered to somebody before you"
    assert (second["ahead"], third["ahead"]) == (0, 1)
    (offer,) = first["offers"]
    (booking,) = queue[0][1].get("/bookings").json()["bookings"]
    assert (booking["id"], booking["state"]) == (offer["booking_id"], "offered")
    assert booking["hold_expires_at"] == offer["accept_by"]
    assert all(one[0]["session"]["id"] == session_id for one in queue)
    hospital.assert_sound()


def test_somebody_behind_is_served_first_only_where_the_slots_were_too_few(hospital: Hospital) -> None:
    session_id, holders = sold_out(hospital, seats=1)
    parent = hospital.member("13800138030")
    family = [hospital.patient_of(parent, 30), hospital.patient_of(parent, 31, "李四")]
    assert join(parent, session_id, *family).status_code == 201
    work(hospital, later_s=BATCH_S)
    ((single, patient_id),) = members(hospital, 1)
    assert join(single, session_id, patient_id).status_code == 201
    work(hospital, later_s=BATCH_S)
    assert wait_of(single)["ahead"] == 2  # people, not places
    give_back(holders[0])
    assert wait_of(single)["state"] == "offered"
    passed_over = wait_of(parent)
    assert (passed_over["state"], passed_over["ahead"]) == ("waiting", 0)
    assert "too few slots" in passed_over["moved"][0]["en"]


def test_one_leaves_a_batch_and_a_place_and_those_behind_move_up(hospital: Hospital) -> None:
    session_id, _ = sold_out(hospital)
    people = members(hospital, 4)
    for member, patient_id in people:
        assert join(member, session_id, patient_id).status_code == 201
    undecided, _ = people[3]
    entry_id = wait_of(undecided)["entry_id"]
    assert undecided.post(f"/entries/{entry_id}/withdraw").status_code == 200
    assert undecided.get("/waits").json() == {"waits": []}
    work(hospital, later_s=BATCH_S)
    queue = sorted(((wait_of(member), member) for member, _ in people[:3]), key=lambda one: one[0]["ahead"])
    left, who = queue[0]
    said, again = (who.post(f"/waits/{left['wait_id']}/leave", key="l1") for _ in range(2))
    assert (said.status_code, said.json()) == (200, {"wait_id": left["wait_id"], "state": "left"})
    assert again.json() == said.json()
    other_key = who.post(f"/waits/{left['wait_id']}/leave")
    assert (other_key.status_code, error_of(other_key)["code"]) == (404, "booking.not_waiting")
    assert [wait_of(member)["ahead"] for _, member in queue[1:]] == [0, 1]
    assert wait_of(who)["state"] == "left"
    (event,) = hospital.events("waitlist_left")
    assert (event["session_id"], event["detail"]["wait_id"]) == (session_id, left["wait_id"])
    hospital.assert_sound()


def test_another_accounts_place_is_unknown_and_an_offered_one_is_not_left(hospital: Hospital) -> None:
    session_id, holders = sold_out(hospital)
    (mine, patient_id), (other, _) = members(hospital, 2)
    assert join(mine, session_id, patient_id).status_code == 201
    work(hospital, later_s=BATCH_S)
    wait_id = wait_of(mine)["wait_id"]
    before = hospital.state()
    for who in (other, holders[0][0]):
        said = who.post(f"/waits/{wait_id}/leave")
        assert (said.status_code, error_of(said)["code"]) == (404, "booking.not_waiting")
    assert other.get("/waits").json() == {"waits": []}
    assert hospital.state() == before
    give_back(holders[0])
    offered = hospital.state()
    assert error_of(mine.post(f"/waits/{wait_id}/leave"))["code"] == "booking.not_waiting"
    assert hospital.state() == offered


@pytest.mark.parametrize("who", ["nobody", "another session", "no people", "twice"])
def test_joining_is_refused_with_its_reason(sqlite_hospital: Hospital, who: str) -> None:
    hospital = sqlite_hospital
    session_id, _ = sold_out(hospital)
    ((member, patient_id),) = members(hospital, 1)
    tried = {
        "nobody": lambda: join(member, session_id),
        "another session": lambda: join(member, "se_nothing", patient_id),
        "no people": lambda: member.post(f"/sessions/{session_id}/waits", json={"patient_ids": None}),
        "twice": lambda: join(member, session_id, patient_id, patient_id),
    }
    said = tried[who]()
    expected = (404, "booking.session_unknown") if who == "another session" else (422, "invalid")
    assert (said.status_code, error_of(said)["code"]) == expected
    free = join(member, hospital.session, patient_id)
    assert (free.status_code, error_of(free)["code"]) == (409, "booking.waitlist_not_open")
    assert "余号" in error_of(free)["message"]


def test_a_resting_or_kept_slot_looks_as_before_to_everybody(hospital: Hospital) -> None:
    session_id, holders = sold_out(hospital, seats=2)
    web = hospital.channel()

    def seen() -> tuple[Any, Any]:
        one = web.get(f"/sessions/{session_id}").json()
        (listed,) = [s for s in web.get("/sessions").json()["sessions"] if s["id"] == session_id]
        for shown in (one, listed):
            del shown["waiting"]  # those who wait are counted, whatever becomes of slots
        return one, listed

    before = seen()
    assert {slot["state"] for slot in before[0]["slots"]} == {"taken"}
    give_back(holders[0])
    db = hospital.system.db
    assert [s["reserved_for"] for s in rows(db, slots, session_id=session_id, state="reserved")] == ["rest"]
    assert seen() == before
    (resting,) = rows(db, slots, session_id=session_id, state="reserved")
    ((member, patient_id),) = members(hospital, 1)
    named = member.post(
        "/bookings", json={"patient_id": patient_id, "session_id": session_id, "slot_id": resting["id"]}
    )
    taken = [s["id"] for s in before[0]["slots"] if s["id"] != resting["id"]]
    same = member.post("/bookings", json={"patient_id": patient_id, "session_id": session_id, "slot_id": taken[0]})
    assert error_of(named)["code"] == error_of(same)["code"] == "booking.slot_taken"
    assert join(member, session_id, patient_id).status_code == 201
    give_back(holders[1])
    kept = rows(db, slots, session_id=session_id, state="reserved")
    assert sorted(str(s["reserved_for"]) for s in kept) == ["rest", "waitlist"]
    assert seen() == before


def test_those_who_wait_are_not_told_that_a_slot_rests(hospital: Hospital) -> None:
    session_id, holders = sold_out(hospital, seats=1)
    parent = hospital.member("13800138030")
    family = [hospital.patient_of(parent, 30), hospital.patient_of(parent, 31, "李四")]
    assert join(parent, session_id, *family).status_code == 201
    work(hospital, later_s=BATCH_S)
    give_back(holders[0])  # one slot for two people: nobody can take it
    (slot,) = rows(hospital.system.db, slots, session_id=session_id, state="reserved")
    assert slot["reserved_for"] == "rest"
    assert wait_of(parent)["moved"] == []


def test_what_comes_back_on_the_day_is_for_the_care_pool(hospital: Hospital) -> None:
    session_id, holders = sold_out(hospital, day=TODAY)
    give_back(holders[0])
    shown = hospital.channel().get(f"/sessions/{session_id}").json()
    assert (shown["free"], shown["care_free"], shown["window_free"]) == (0, 1, 0)
    assert [(s["state"], s["reserved_for"]) for s in shown["slots"]] == [("reserved", "care")]
    member = hospital.member("13800138040")
    patient_id = hospital.patient_of(member, 40, "王芳")
    asked = {"patient_id": patient_id, "session_id": session_id}
    assert error_of(member.post("/bookings", json=asked))["code"] == "booking.sold_out"
    unproven = member.post("/bookings", json={**asked, "pool": "care"})
    assert (unproven.status_code, error_of(unproven)["code"]) == (409, "booking.care_proof_needed")
    wrong = member.post("/bookings", json={**asked, "pool": "referral"})
    assert (wrong.status_code, error_of(wrong)["field"]) == (422, "pool")
    body = {"kind": "disabled", "proof": "disability_certificate", "reference": "11010519850601001X43"}
    assert hospital.staff("window").post(f"/patients/{patient_id}/care-proofs", json=body).status_code == 201
    booked = member.post("/bookings", json={**asked, "pool": "care"})
    assert (booked.status_code, booked.json()["state"]) == (201, "booked"), booked.text
    assert hospital.channel().get(f"/sessions/{session_id}").json()["care_free"] == 0
    hospital.assert_sound()


def test_slots_kept_for_the_window_are_counted_and_shown_as_reserved(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    parts = {"parts": {"window": 1}, "merge_before_s": {"window": 3600}}
    drawing.set_release(hospital.system.db, {"kind": "mixed", "mixed": parts}, now_us=hospital.clock.now_us() - 1)
    session_id = add_session(hospital, "pm", capacity=3)
    release_due(hospital.system.db, now_us=hospital.clock.now_us())
    shown = hospital.channel().get(f"/sessions/{session_id}").json()
    assert (shown["release"]["kind"], shown["free"], shown["window_free"], shown["capacity"]) == ("mixed", 2, 1, 3)
    assert sorted((s["state"], s["reserved_for"]) for s in shown["slots"] if s["reserved_for"]) == [
        ("reserved", "window")
    ]
    assert not shown["waitlist_open"]


def test_odds_are_told_once_enough_bookings_are_known(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    session_id, _ = sold_out(hospital, seats=2)
    past = [
        {
            "id": f"bk-{n}",
            "slot_id": f"s-{n}",
            "session_id": f"se-{n}",
            "department_id": "CARD",
            "day": "2026-02-20",
            "patient_id": f"pt-{n}",
            "channel": "web",
            "live": False,
            "fee_cents": 0,
            "state": "returned" if n < 12 else "no_show",
            "starts_at_us": 1,
            "created_at_us": 1,
            "ended_at_us": n + 1,
        }
        for n in range(40)
    ]
    put(hospital.system.db, bookings, *past)
    ((member, patient_id),) = members(hospital, 1)
    assert join(member, session_id, patient_id).status_code == 201
    work(hospital, later_s=BATCH_S)
    (wait,) = member.get("/waits").json()["waits"]
    assert wait["odds"]["based_on"] == 40
    # One of two slots comes back with the rate of 12 in 40, as nearly all of the time is still to come.
    assert wait["odds"]["chance"] == pytest.approx(1 - 0.7**2, abs=0.01)
    assert "30%" in wait["odds"]["words"]["en"]
