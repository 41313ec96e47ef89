"""A small morning against the real server, by the command itself; and what happens when a server does not come."""

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from stdnum.cn import ric

from lab.made_up_report import made_up_report
from shouhao.booking.limits import LimitsPolicy
from shouhao.cli import demo as command
from shouhao.kernel.clock import day_of, to_us
from shouhao.kernel.errors import Unavailable
from shouhao.lab.crowd import Habits, plan_wishes, wanted_sessions
from shouhao.lab.hospital import demonstration_hospital
from shouhao.lab.morning import FolderInUse, MorningSettings, run_morning
from shouhao.lab.report_words import REASONS
from shouhao.lab.running_server import RunningServer
from shouhao.store.engine import open_database
from shouhao.store.invariants import check
from shouhao.wiring import INVARIANTS
from web.served import free_port

NOW = to_us(datetime(2026, 11, 22, 1, 0, tzinfo=UTC))
PATIENTS, GANG = 900, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    out: Path
    report: dict[str, Any]
    printed: str


@pytest.fixture(scope="module")
def morning(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    small = partial(MorningSettings, gang_accounts=GANG, places=300, hold_s=4, seeds_compared=0)
    with pytest.MonkeyPatch.context() as patch, (out / "printed.txt").open("w", encoding="utf-8") as printed:
        patch.setattr(command, "MorningSettings", small)
        patch.setattr("sys.stdout", printed)
        command.demo(headless=True, out=out, patients=PATIENTS)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return Held(out=out, report=report, printed=(out / "printed.txt").read_text(encoding="utf-8"))


def test_every_check_holds_and_no_answer_is_lost(morning):
    report = morning.report
    assert report["ok"]
    assert [c["code"] for c in [*report["invariants"], *report["answers"]] if not c["holds"]] == []
    assert report["traffic"]["unanswered"] == 0
    assert report["traffic"]["by_deed"]["book"] > PATIENTS
    assert len(report["invariants"]) == len(INVARIANTS)


def test_the_new_patient_goes_all_the_way_and_is_refused_where_a_rule_says_so(morning):
    steps = morning.report["walk"]["steps"]
    assert [s["status"] for s in steps] == [202, 200, 201, 200, 200, 200, 409, 201, 201, 201, 200, 200]
    assert [s["code"] for s in steps if s["code"]] == ["booking.binding_too_new"]


def test_patients_got_slots_and_paid_returned_or_left_them(morning):
    sold = morning.report["sold"]
    assert len(sold) == 20
    assert sum(s["given"] for s in sold) > morning.report["patients_who_got_one"] > 0
    for fate in ("paid", "returned", "expired"):
        assert sum(s[fate] for s in sold) > 0, fate


def test_what_was_let_go_went_to_those_who_waited_and_nothing_was_open_to_the_fastest(morning):
    found = morning.report["waitlist"]
    assert found["joined"] > 0
    assert found["handed_on"] > 0
    assert found["accepted"] > 0
    assert morning.report["settled"]
    assert sum(s["accepted"] for s in morning.report["sold"]) == found["accepted"]
    looked = {c["code"]: c["looked_at"] for c in morning.report["answers"]}
    assert looked["offers_went_to_who_waited"] == found["offered"]
    assert looked["nothing_came_back_to_the_open"] > 0


def test_more_accounts_and_more_requests_bring_nobody_more_than_the_limit(morning):
    gang = morning.report["gang"]
    assert (gang["accounts"], gang["persons"]) == (GANG, GANG // 4)
    assert 0 < gang["most_per_person"] <= LimitsPolicy().live_per_person
    assert any(r["code"] == "booking.limit_reached" and r["gang"] for r in morning.report["refusals"])


def test_every_refusal_that_was_heard_has_words_on_the_page(morning):
    assert {r["code"] for r in morning.report["refusals"]} <= REASONS.keys()


def test_the_database_that_is_left_is_sound_and_its_server_has_ended(morning):
    database = open_database(f"sqlite:///{morning.out / 'data' / 'shouhao.sqlite3'}")
    with database.read() as connection:
        assert check(connection, INVARIANTS) == []
    database.close()
    assert '"stopped"' in (morning.out / "server.log").read_text(encoding="utf-8")


def test_a_pipe_hears_a_short_summary_and_no_code_no_key_and_no_phone(morning):
    assert str(morning.out / "report.html") in morning.printed
    assert len(morning.printed.splitlines()) < 12
    kept = morning.printed + (morning.out / "server.log").read_text(encoding="utf-8")
    kept += (morning.out / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.-])1[3-9]\d{9}(?![\w.])|Bearer \S{20}", kept)
    assert [number for number in re.findall(r"(?<![\w.-])\d{17}[\dXx](?![\w.])", kept) if ric.is_valid(number)] == []


def test_a_check_that_does_not_hold_ends_the_command_with_one_and_is_named(tmp_path, monkeypatch, capsys):
    broken = {"code": "x", "zh": "一个号源最多一个有效预约", "en": "one", "looked_at": 5, "broken": 3, "holds": False}
    report = made_up_report(ok=False, answers=[broken])

    def bad_morning(_out, _settings, *, tell, then):
        tell("核对", "Checking")
        then(report, None)
        return report

    monkeypatch.setattr(command, "run_morning", bad_morning)
    with pytest.raises(typer.Exit) as ended:
        command.demo(headless=True, out=tmp_path)
    assert ended.value.exit_code == 1
    assert "✗ 一个号源最多一个有效预约" in capsys.readouterr().out
    assert (tmp_path / "report.html").exists()


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").write_text("mine")
    with pytest.raises(FolderInUse):
        run_morning(tmp_path, MorningSettings(), tell=_quiet, then=_nothing)
    assert (tmp_path / "data" / "mine.txt").read_text() == "mine"


def test_a_server_that_ends_at_once_is_told_with_the_end_of_its_log(tmp_path):
    program = ("-c", "import sys; sys.exit('no database today')")
    with _server(tmp_path, program) as server, pytest.raises(Unavailable, match="no database today"):
        server.wait_ready(timeout_s=30)


def test_a_server_is_ended_when_what_uses_it_fails(tmp_path):
    server = _server(tmp_path, ("-c", "import time; print('here', flush=True); time.sleep(600)"))
    with pytest.raises(Unavailable), server:
        server.wait_code(ends_with="0000", timeout_s=0.05)
    assert not server.is_running


def test_codes_go_to_whoever_waits_for_that_phone_and_are_not_kept(tmp_path):
    lines = "[phone code] 138****0001 -> 111111\\n[phone code] 138****1234 -> 482913\\nready"
    with _server(tmp_path, ("-c", f"print('{lines}', flush=True)")) as server:
        assert server.wait_code(ends_with="1234") == "482913"
        server.wait()
    assert server.said == ["ready"]


def test_the_same_seed_plans_the_same_morning_and_another_seed_another():
    wanted = _wanted()
    assert plan_wishes(50, wanted, seed=1) == plan_wishes(50, wanted, seed=1)
    assert plan_wishes(50, wanted, seed=1) != plan_wishes(50, wanted, seed=2)


def test_about_six_hundred_slots_of_twenty_sessions_that_are_not_released_yet():
    wanted = _wanted()
    assert len({s.id for s in wanted}) == 20
    assert 550 <= sum(s.capacity for s in wanted) <= 650
    assert all(s.release_at_us > NOW for s in wanted)


@pytest.mark.parametrize("start", ["2026-01-01", "2026-02-10", "2026-06-12", "2026-09-25", "2027-12-24"])
def test_there_is_a_morning_on_any_day_of_the_year_holidays_too(start):
    now_us = to_us(datetime.fromisoformat(start).replace(tzinfo=UTC))
    plan = demonstration_hospital(seed=MorningSettings().seed, now_us=now_us)
    found = wanted_sessions(plan.sessions, from_day=day_of(now_us) + timedelta(days=9))
    assert found
    assert len({s.id for s in found}) == len(found)
    released = [s for s in plan.sessions if s.release_at_us <= now_us and s.kind != "antenatal"]
    assert {s.hot for s in released} == {True, False}


def test_wishes_follow_the_habits_they_are_given():
    nobody = replace(Habits(), early=0, in_first_second=1, twice=0, repeats=0, hangs_up=0, second_choice=0, pays=1)
    for wish in plan_wishes(200, _wanted(), seed=3, habits=nobody):
        assert 0 <= wish.arrives_s < 1
        assert not any((wish.twice, wish.repeats, wish.hangs_up))
        assert (len(wish.choices), wish.after) == (1, "pays")


def _wanted():
    plan = demonstration_hospital(seed=1, now_us=NOW)
    return wanted_sessions(plan.sessions, from_day=day_of(NOW) + timedelta(days=9))


def _server(folder, program):
    return RunningServer({}, host="127.0.0.1", port=free_port(), log_file=folder / "log", program=program)


def _quiet(_zh, _en):
    pass


def _nothing(_report, _server):
    pass
