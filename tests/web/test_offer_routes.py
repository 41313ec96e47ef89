"""Offers over HTTP: accepted once, by their own account, declined through the desk; and the notices of a channel."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from web.served import Caller, Hospital, error_of
from web.waiting import BATCH_S, WINDOW_S, enter, join, members, open_draw, sessions_of, sold_out, work

SETTLED_S = 20


def won(hospital: Hospital, *, capacity: int = 1) -> tuple[Caller, dict[str, Any]]:
    """Somebody who won a draw alone, and the offer."""
    draw_id = open_draw(hospital, capacity=capacity)
    ((member, patient_id),) = members(hospital, 1)
    assert enter(member, draw_id, [patient_id], sessions_of(member, draw_id)).status_code == 201
    work(hospital, later_s=WINDOW_S)
    (offer,) = member.get("/bookings").json()["bookings"]
    assert offer["state"] == "offered"
    return member, dict(offer)


def test_an_offer_is_accepted_once_and_then_paid(hospital: Hospital) -> None:
    member, offer = won(hospital)
    path = f"/bookings/{offer['id']}/accept"
    first, replayed = (member.post(path, key="a1") for _ in range(2))
    assert first.status_code == 200, first.text
    assert [(b["id"], b["state"]) for b in first.json()["bookings"]] == [(offer["id"], "held")]
    assert replayed.json() == first.json()
    before = hospital.state()
    again = member.post(path, key="a2")
    assert (again.status_code, error_of(again)["code"]) == (409, "booking.wrong_state")
    assert hospital.state() == before
    assert len(hospital.events("accepted")) == 1
    assert member.post(f"/bookings/{offer['id']}/payment").status_code == 201
    (entry,) = member.get("/entries").json()["entries"]
    assert (entry["state"], entry["accept_by"], entry["booking_ids"]) == ("won", None, [offer["id"]])
    assert "待支付" in entry["what"]["zh"]
    hospital.assert_sound()


def test_another_accounts_offer_is_unknown(hospital: Hospital) -> None:
    _, offer = won(hospital)
    ((other, _),) = members(hospital, 1, first=2)
    before = hospital.state()
    for way in ("accept", "return"):
        said = other.post(f"/bookings/{offer['id']}/{way}")
        assert (said.status_code, error_of(said)["code"]) == (404, "booking.unknown")
        assert error_of(other.post(f"/bookings/bk_nothing/{way}"))["code"] == "booking.unknown"
    assert error_of(other.get(f"/bookings/{offer['id']}"))["code"] == "booking.unknown"
    assert hospital.state() == before


def test_an_offer_that_is_over_cannot_be_accepted(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    draw_id = open_draw(hospital, confirm_s=60)
    ((member, patient_id),) = members(hospital, 1)
    enter(member, draw_id, [patient_id], sessions_of(member, draw_id))
    work(hospital, later_s=WINDOW_S)
    (offer,) = member.get("/bookings").json()["bookings"]
    hospital.clock.advance(seconds=60)
    said = member.post(f"/bookings/{offer['id']}/accept")
    assert (said.status_code, error_of(said)["code"]) == (409, "booking.offer_expired")
    work(hospital)
    said = member.post(f"/bookings/{offer['id']}/accept")
    assert (said.status_code, error_of(said)["code"]) == (409, "booking.offer_expired")
    (entry,) = member.get("/entries").json()["entries"]
    assert "not accepted" in entry["what"]["en"]


def test_a_family_accepts_together(hospital: Hospital) -> None:
    draw_id = open_draw(hospital, capacity=2)
    parent = hospital.member("13800138010")
    ids = [hospital.patient_of(parent, 10), hospital.patient_of(parent, 11, "李四")]
    assert enter(parent, draw_id, ids, sessions_of(parent, draw_id)).status_code == 201
    work(hospital, later_s=WINDOW_S)
    offers = parent.get("/bookings").json()["bookings"]
    assert sorted(b["patient_id"] for b in offers) == sorted(ids)
    accepted = parent.post(f"/bookings/{offers[0]['id']}/accept").json()["bookings"]
    assert {(b["id"], b["state"], b["party_id"]) for b in accepted} == {
        (b["id"], "held", offers[0]["party_id"]) for b in offers
    }


def test_declining_hands_on_to_the_next_at_once(hospital: Hospital) -> None:
    session_id, ((holder, booking_id),) = sold_out(hospital)
    people = members(hospital, 2)
    for member, patient_id in people:
        assert join(member, session_id, patient_id).status_code == 201
    work(hospital, later_s=BATCH_S)
    first, replayed = (holder.post(f"/bookings/{booking_id}/return", key="r1") for _ in range(2))
    assert (first.status_code, first.json()["state"]) == (200, "returned")
    assert first.json() == replayed.json()
    again = holder.post(f"/bookings/{booking_id}/return", key="r2")
    assert (again.status_code, error_of(again)["code"]) == (409, "booking.wrong_state")
    offered = [(m, b) for m, _ in people for b in m.get("/bookings").json()["bookings"]]
    ((decliner, offer),) = offered
    said = decliner.post(f"/bookings/{offer['id']}/return")
    assert (said.status_code, said.json()["state"]) == (200, "returned")
    (other,) = [m for m, _ in people if m is not decliner]
    assert [b["state"] for b in other.get("/bookings").json()["bookings"]] == ["offered"]
    assert other.get("/waits").json()["waits"][0]["state"] == "offered"
    assert decliner.get("/waits").json()["waits"][0]["state"] == "left"
    hospital.assert_sound()


def test_many_return_at_once_and_each_hears_its_own_answer(hospital: Hospital) -> None:
    session_id, holders = sold_out(hospital, seats=6)
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(lambda one: one[0].post(f"/bookings/{one[1]}/return"), holders))
    assert [(s.status_code, s.json()["id"], s.json()["state"]) for s in said] == [
        (200, booking_id, "returned") for _, booking_id in holders
    ]
    assert len(hospital.events("cancelled")) == 6
    assert hospital.channel().get(f"/sessions/{session_id}").json()["free"] == 0
    hospital.assert_sound()


def test_who_is_signed_out_neither_accepts_nor_returns(sqlite_hospital: Hospital) -> None:
    member, offer = won(sqlite_hospital)
    assert member.post("/sign-out").status_code in {200, 204}
    before = sqlite_hospital.state()
    for way in ("accept", "return"):
        said = member.post(f"/bookings/{offer['id']}/{way}")
        assert (said.status_code, error_of(said)["code"]) == (401, "gate.signed_out")
    assert sqlite_hospital.state() == before


def wants_messages(member: Caller) -> None:
    said = member.post("/consents", json={"kind": "messages", "text_version": "2026-1", "agree": True})
    assert said.status_code == 201, said.text


def notices(caller: Caller, after: str | None = None, *, limit: int = 200) -> tuple[list[dict[str, Any]], str]:
    """Everything a channel is told until there is no more, and the cursor after it."""
    told: list[dict[str, Any]] = []
    while True:
        asked: dict[str, Any] = {"limit": limit} if after is None else {"after": after, "limit": limit}
        said = caller.get("/channel/notices", params=asked)
        assert said.status_code == 200, said.text
        told += said.json()["notices"]
        after = said.json()["cursor"]
        if not said.json()["more"]:
            return told, str(after)


@pytest.mark.parametrize("limit", [1, 2, 200])
def test_a_channel_is_told_once_of_the_offers_and_results_of_its_own_people(hospital: Hospital, limit: int) -> None:
    web, app = hospital.channel("web"), hospital.channel("app")
    hospital.clock.advance(seconds=SETTLED_S)
    nothing, start = notices(web)
    assert nothing == []
    draw_id = open_draw(hospital, capacity=1)
    people = [*members(hospital, 3), *members(hospital, 1, first=4, channel="app")]
    for who, _ in people:
        wants_messages(who)
    receipts = [enter(m, draw_id, [p], sessions_of(m, draw_id)).json() for m, p in people]
    work(hospital, later_s=WINDOW_S)
    assert notices(web, start, limit=limit)[0] == []  # too young to be told
    hospital.clock.advance(seconds=SETTLED_S)
    told, cursor = notices(web, start, limit=limit)
    of_app, _ = notices(app, start, limit=limit)
    results = {n["entry_id"]: n["outcome"] for n in (*told, *of_app) if n["kind"] == "draw_result"}
    assert set(results) == {r["entry_id"] for r in receipts}
    assert sorted(results.values()) == ["lost", "lost", "lost", "won"]
    assert {n["entry_id"] for n in of_app if n["kind"] == "draw_result"} == {receipts[3]["entry_id"]}
    (offer,) = [n for n in (*told, *of_app) if n["kind"] == "offer"]
    (booking,) = [b for m, _ in people for b in m.get("/bookings").json()["bookings"]]
    assert (offer["booking_id"], offer["accept_by"]) == (booking["id"], booking["hold_expires_at"])
    ids = [n["id"] for n in (*told, *of_app)]
    assert len(set(ids)) == len(ids) == 5
    assert notices(web, cursor, limit=limit) == ([], cursor)
    text = repr((told, of_app))
    assert "张" not in text
    assert "13800" not in re.sub(r"[a-z]{2}_[0-9a-f]+", "", text)  # ids are of chance and may hold any digits


def test_a_channel_that_lost_its_cursor_is_told_the_offers_that_stand(hospital: Hospital) -> None:
    member, offer = won(hospital)
    wants_messages(member)
    told, cursor = notices(hospital.channel())
    assert [(n["kind"], n["booking_id"]) for n in told] == [("offer", offer["id"])]
    assert notices(hospital.channel("app"))[0] == []
    hospital.clock.advance(seconds=SETTLED_S)
    again, later = notices(hospital.channel(), cursor)
    assert [n["id"] for n in again if n["kind"] == "offer"] == [told[0]["id"]]  # twice, never not at all
    assert member.post(f"/bookings/{offer['id']}/accept").status_code == 200
    assert notices(hospital.channel())[0] == []
    session_id, holders = sold_out(hospital)
    ((waiter, patient_id),) = members(hospital, 1, first=2)
    wants_messages(waiter)
    assert join(waiter, session_id, patient_id).status_code == 201
    work(hospital, later_s=BATCH_S)
    assert holders[0][0].post(f"/bookings/{holders[0][1]}/return").status_code == 200
    hospital.clock.advance(seconds=SETTLED_S)
    told, _ = notices(hospital.channel(), later)
    assert [(n["kind"], n["outcome"], n["session_id"]) for n in told] == [
        ("batch_result", "lost", None),
        ("offer", None, session_id),
    ]


@pytest.mark.parametrize("after", ["x", "!!!!", "MXx8fA", "é", ""])
def test_a_cursor_that_was_not_given_is_refused(sqlite_hospital: Hospital, after: str) -> None:
    said = sqlite_hospital.channel().get("/channel/notices", params={"after": after})
    assert (said.status_code, error_of(said)["field"]) == (422, "after")
    stranger = Caller(sqlite_hospital.public, {})
    assert stranger.get("/channel/notices").status_code == 401
