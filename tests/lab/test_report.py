"""The report: its figures, its checks that can fail, and a page that stands by itself."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from lab.made_up_report import RELEASE_US, SLOTS, asked, booked, entered, made_up_report, offer, refused
from published_draw import EVERYBODY, file_of
from shouhao.booking.release.draw_file import canonical, read
from shouhao.lab import checks, figures
from shouhao.lab.clients import HungUp, connect
from shouhao.lab.drawn import DrawFile, draw_checks
from shouhao.lab.heard import Visit
from shouhao.lab.report import page, write_report
from shouhao.lab.report_words import REASONS


def test_percentiles_are_values_that_were_measured():
    found = figures.percentiles(float(n) for n in range(1, 1001))
    assert (found["p50"], found["p90"], found["p99"], found["p999"], found["max"]) == (500, 900, 990, 999, 1000)
    assert figures.percentiles([]) == {"count": 0}


def test_every_answer_stands_in_one_bar_of_the_histogram():
    answers = [asked(n, took_us=us) for n, us in enumerate((2_000, 2_001, 1_999_000, 2_000_000, 2_000_001))]
    assert figures.latency(answers)["histogram"]["counts"] == [1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1]


def test_a_session_is_sold_out_when_its_last_slot_is_taken_and_not_when_one_comes_back():
    released = booked(0, kind="released", at_us=RELEASE_US)
    given = [booked(n, at_us=RELEASE_US + n * 1_000_000) for n in (1, 2, 3)]
    back = booked(1, kind="cancelled", at_us=RELEASE_US + 2_500_000)
    (early,) = figures.sold([offer(capacity=2)], [released, *given[:2], back, given[2]])
    assert early["sold_out_s"] == 2.0
    assert (early["given"], early["returned"], early["taken_at_the_end"]) == (3, 1, 2)
    (never,) = figures.sold([offer(capacity=3)], [released, *given[:2], back, given[2]])
    assert never["sold_out_s"] is None


def test_the_busiest_second_counts_every_answer_that_falls_in_it():
    answers = [asked(n, sent_us=RELEASE_US + n * 10_000, took_us=1_000) for n in range(150)]
    assert figures.throughput(answers, release_us=RELEASE_US, until_s=5.0)["peak_per_s"] == 100


def test_an_answer_that_never_came_is_counted_and_one_that_came_at_last_is_not():
    lost = [asked(1, status=0), asked(1, status=503)]
    found = [asked(2, status=0), asked(2)]
    traffic = figures.traffic([*lost, *found])
    assert (traffic["unanswered"], traffic["busy"], traffic["line_broken"]) == (1, 1, 2)


def test_the_gang_is_counted_by_persons_and_not_by_accounts():
    answers = [asked(n, group="gang", who="pt_x") for n in range(4)]
    held = figures.most_held([booked(1, patient_id="pt_x"), booked(2, patient_id="pt_x")])
    found = figures.gang(answers, held)
    assert (found["accounts"], found["persons"], found["most_per_person"]) == (4, 1, 2)


def test_a_slot_that_is_given_while_it_is_held_is_found():
    assert checks.given_twice([booked(1), booked(1, patient_id="pt_2")]) == 1
    assert checks.given_twice([booked(1), booked(1, kind="expired"), booked(1, patient_id="pt_2")]) == 0
    assert checks.given_twice([booked(1), booked(1, kind="cancelled", patient_id="pt_2")]) == 1


def test_a_key_that_heard_two_answers_is_found():
    assert checks.differing_answers([asked(1), asked(1, deed="repeat")]) == 0
    assert checks.differing_answers([asked(1, status=503), asked(1)]) == 0
    assert checks.differing_answers([asked(1), asked(1, booking_id="bk_other")]) == 1


def test_an_offered_slot_has_a_holder_and_one_that_came_back_to_the_open_is_found():
    let_go, taken = booked(1, kind="expired"), booked(1, patient_id="pt_2")
    offered = booked(1, kind="offered", patient_id="pt_2")
    assert checks.given_twice([booked(1), let_go, offered, booked(1, kind="accepted", patient_id="pt_2")]) == 0
    assert checks.given_twice([booked(1), let_go, offered, booked(1, patient_id="pt_3")]) == 1
    assert checks.booked_after_return([booked(1), let_go, taken]) == 1
    assert checks.booked_after_return([booked(1), let_go, offered, booked(2)]) == 0


def test_what_became_of_the_waitlist_is_counted():
    heard = [asked(n, deed="join", key=f"j{n}", booking_id="", slot_id="") for n in (2, 3)]
    heard += [asked(2, deed="decline", key="d", status=200), asked(3, deed="accept", key="a", status=200)]
    happened = [booked(1), booked(1, kind="expired"), booked(1, kind="offered", patient_id="pt_2")]
    happened += [booked(1, kind="cancelled", patient_id="pt_2"), booked(1, kind="offered", patient_id="pt_3")]
    happened += [booked(1, kind="accepted", patient_id="pt_3"), booked(9), booked(9, kind="cancelled")]
    found = figures.waitlist(heard, happened, resting=1)
    assert (found["joined"], found["came_back"], found["handed_on"]) == (2, 2, 1)
    assert (found["offered"], found["accepted"], found["declined"], found["resting"]) == (2, 1, 1, 1)


def test_a_slot_that_was_won_in_a_draw_is_given_and_is_not_handed_on():
    won = booked(1, kind="offered", why="draw_won", patient_id="pt_1")
    taken = booked(1, kind="accepted", patient_id="pt_1")
    let_go = booked(1, kind="expired", patient_id="pt_1")
    next_one = booked(1, kind="offered", booking_id="bk_next", patient_id="pt_2", why="hold_expired")
    happened = [won, taken, let_go, next_one]
    (row,) = figures.sold([offer(capacity=2, drawn=True)], happened)
    assert (row["given"], row["offered"], row["accepted"], row["sold_out_s"]) == (1, 1, 0, None)
    found = figures.waitlist([], happened, resting=0)
    assert (found["drawn"], found["offered"], found["handed_on"], found["accepted"]) == (1, 1, 1, 0)


def test_chances_by_arrival_follow_the_order_in_which_people_came():
    visits = [Visit(group="patient", arrived_us=n, answered_us=n + 1, got=n < 50) for n in reversed(range(100))]
    came = [entered(n) for n in range(20)] + [entered(0, at_us=99), entered(50, group="gang")]
    found = figures.by_arrival(visits, came, {("dr_1", "en_0"), ("dr_1", "en_19"), ("dr_1", "en_50")})
    assert found["first_come"] == [1.0] * 5 + [0.0] * 5
    assert found["draw"] == [0.5] + [0.0] * 8 + [0.5]


def test_a_draw_that_cannot_be_repeated_an_entry_left_out_and_a_stranger_who_is_offered_are_found():
    content = read(canonical(file_of(contributions=EVERYBODY)))
    winner = content["wins"][0]["id"]
    kept = DrawFile(draw_id="dr_1", path=Path("draw.json"), content=content)
    mine = [entered(n, entry_id=one["id"]) for n, one in enumerate(content["entries"])]
    offered = [
        booked(n, kind="offered", why="draw_won", patient_id=e.who) for n, e in enumerate(mine) if e.entry_id == winner
    ]
    assert [c.code for c in draw_checks([kept], mine, offered) if not c.holds] == []
    twisted = replace(kept, content={**content, "seed": "00" * 32})
    outsider = booked(9, kind="offered", why="draw_won", patient_id="pt_nobody")
    twice = entered(0, entry_id="en_missing")
    found = {c.code for c in draw_checks([twisted], [*mine, twice], [outsider]) if not c.holds}
    assert found == {
        "draw_file_repeats",
        "receipts_are_in_the_list",
        "winners_are_who_was_offered",
        "one_entry_a_person",
    }


def test_one_slot_too_many_in_a_week_is_found():
    days = {"se_1": "2026-12-01", "se_2": "2026-12-08"}
    mine = [booked(n, patient_id="pt_x") for n in range(2)]
    next_week = booked(9, patient_id="pt_x", session_id="se_2")
    assert checks.over_the_week([*mine, next_week], days, most=2) == 0
    assert checks.over_the_week([*mine, next_week], days, most=1) == 1


def test_lost_and_invented_bookings_are_found_in_the_database(db):
    heard = [asked(1), refused(2, "booking.sold_out"), asked(3, status=0, booking_id="")]
    with db.read() as connection:
        rows = checks.check_answers(connection, heard, [booked(7)], days={"se_1": "2026-12-01"}, now_us=1)
    found = {row.code: row.broken for row in rows}
    assert found["every_confirmed_slot_is_stored"] == 1  # a client was told of one that the database does not have
    assert found["every_stored_booking_was_told"] == 1  # the log has one that nobody was told of
    assert found["every_request_was_answered"] == 1


def test_an_offer_to_somebody_who_never_waited_is_found(db):
    heard = [asked(1, deed="join", booking_id="", slot_id=""), asked(2, deed="join", status=409, code="x")]
    offers = [booked(n, kind="offered", patient_id=f"pt_{n}") for n in (1, 2)]
    with db.read() as connection:
        rows = checks.check_answers(connection, heard, offers, days={"se_1": "2026-12-01"}, now_us=1)
    (found,) = [row for row in rows if row.code == "offers_went_to_who_waited"]
    assert (found.looked_at, found.broken) == (2, 1)


def test_the_page_is_one_file_without_scripts_and_without_network():
    html = page(made_up_report())
    assert "<script" not in html
    leads_to = re.findall(r"(?:src|href)=\"(?!#)([^\"]*)\"", html)
    assert {Path(one).suffix for one in leads_to} == {".html", ".json"}
    assert not [one for one in leads_to if re.match(r"/|\.\.|\w+:", one)], "files beside the page, and nothing else"
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+|http-equiv", "", html)


def test_what_holds_and_what_does_not_is_said_first():
    assert "没有一号两约" in page(made_up_report())
    broken = {"code": "x", "zh": "一个号源最多一个有效预约", "en": "one", "looked_at": 5, "broken": 3, "holds": False}
    html = page(made_up_report(ok=False, answers=[broken]))
    assert "没有一号两约" not in html
    assert "有 1 项核对未通过" in html
    assert 'class="mark bad"' in html


def test_text_from_outside_is_text_and_never_markup():
    html = page(made_up_report(hospital={"zh": "<img src=x>", "en": "&"}, machine={"cpu": "<b>"}))
    assert "<img" not in html
    assert "&lt;img src=x&gt;" in html
    assert "<dd><b>" not in html


def test_a_morning_on_which_nothing_was_answered_still_has_its_page():
    nothing = {
        "traffic": {**figures.traffic([]), "hung_up": 0},
        "latency": figures.latency([]),
        "waits_s": figures.waits([], release_us=0),
        "throughput": figures.throughput([], release_us=0, until_s=1.0),
        "sold": figures.sold([offer()], []),
        "refusals": [],
        "waitlist": {**figures.waitlist([], [], resting=0), "batch_s": 10, "offer_s": 60, "window_s": 10},
        "draws": [],
        "by_arrival": figures.by_arrival([], [], set()),
        "known_face": {"ran": False, "why": {"zh": "拿不到照片", "en": "no photographs"}},
        "gang": figures.gang([], {}),
        "walk": {"ok": False, "steps": []},
        "answers": [],
        "ok": False,
    }
    assert "新患者的流程没有走完" in page(made_up_report(**nothing))


def test_both_files_are_written_and_the_json_says_the_same(tmp_path):
    report = made_up_report()
    as_json, as_page = write_report(report, tmp_path / "deep" / "er")
    assert json.loads(as_json.read_text(encoding="utf-8")) == report
    assert as_page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert report["sold"][0]["sold_out_s"] == pytest.approx(SLOTS * 0.02)


def test_every_reason_has_words_in_both_languages():
    assert all(zh and en and zh != en for zh, en in REASONS.values())


# The light client


def test_one_connection_carries_many_requests_whole_or_in_chunks():
    async def talk() -> list[tuple[int, bytes]]:
        async with await _server(_answers_in_turn) as server:
            connection = await connect("127.0.0.1", server.sockets[0].getsockname()[1])
            replies = [await connection.ask("GET", f"/{n}", headers={"X-N": str(n)}) for n in range(4)]
            connection.close()
            return [(r.status, r.body) for r in replies]

    assert asyncio.run(talk()) == [(200, b"whole"), (409, b"in parts")] * 2


def test_a_line_that_breaks_before_the_answer_is_told():
    async def talk() -> None:
        async with await _server(_hangs_up) as server:
            connection = await connect("127.0.0.1", server.sockets[0].getsockname()[1])
            with pytest.raises(HungUp):
                await connection.ask("GET", "/", headers={})
            assert not connection.is_open

    asyncio.run(talk())


def test_an_answer_that_does_not_come_ends_the_wait_and_the_line():
    async def talk() -> None:
        async with await _server(_never_answers) as server:
            connection = await connect("127.0.0.1", server.sockets[0].getsockname()[1])
            with pytest.raises(TimeoutError):
                await connection.ask("GET", "/", headers={}, timeout_s=0.05)
            assert not connection.is_open

    asyncio.run(talk())


async def _server(handler):
    async def serve(reader, writer):
        try:
            await handler(reader, writer)
        finally:
            writer.close()  # also when the test is over first

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def _answers_in_turn(reader, writer):
    for n in range(4):
        await reader.readuntil(b"\r\n\r\n")
        if n % 2 == 0:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")
        else:
            parts = b"3\r\nin \r\n5\r\nparts\r\n0\r\n\r\n"
            writer.write(b"HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\n" + parts)
        await writer.drain()


async def _hangs_up(reader, _writer):
    await reader.readuntil(b"\r\n\r\n")


async def _never_answers(reader, _writer):
    await reader.read()
