"""A small day of the demo against the real server, by the command itself; and what happens where a part cannot be."""

import fcntl
import json
import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import select
from stdnum.cn import ric

from conftest import ROOT
from lab.made_up_report import made_up_report
from shouhao.booking.limits import LimitsPolicy
from shouhao.booking.release.draw_file import read, verify
from shouhao.cli import demo as command
from shouhao.detect.store.tables import findings
from shouhao.kernel.errors import Unavailable
from shouhao.lab import morning, night, photographs, story, watch_ready
from shouhao.lab.chapters import quiet
from shouhao.lab.known_face_section import known_face_section
from shouhao.lab.morning import MorningSettings
from shouhao.lab.night import Night, NightSettings
from shouhao.lab.photographs import NoPhotographs
from shouhao.lab.report import page
from shouhao.lab.report_words import REASONS
from shouhao.lab.running_server import RunningServer
from shouhao.lab.story import DemoRuns, FolderInUse, StorySettings, run_story
from shouhao.lab.watch_ready import fetch_photographs, ready_watch
from shouhao.store import event_log
from shouhao.store.engine import Database, open_database
from shouhao.store.invariants import check
from shouhao.wiring import INVARIANTS
from web.served import free_port

PATIENTS, GANG = 1200, 8
KINDS = ("crude_script", "series")
FACES, MODELS = ROOT / "../shared/faces/lfw-dev", ROOT / "../shared/models"
HAS_FACES = FACES.is_dir() and (MODELS / "face_detection_yunet_2023mar.onnx").is_file()
needs_faces = pytest.mark.skipif(not HAS_FACES, reason="there are no models or no photographs of faces beside this")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    out: Path
    report: dict[str, Any]
    printed: str

    @property
    def checks(self) -> dict[str, dict[str, Any]]:
        return {c["code"]: c for c in self.report["answers"]}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    small = partial(MorningSettings, gang_accounts=GANG, places=300, hold_s=4)
    short = partial(StorySettings, night=NightSettings(days=3, kinds=KINDS))
    with pytest.MonkeyPatch.context() as patch, (out / "printed.txt").open("w", encoding="utf-8") as printed:
        patch.setattr(morning, "MorningSettings", small)
        patch.setattr(story, "StorySettings", short)
        patch.setattr("sys.stdout", printed)
        patch.setenv("SHOUHAO_MODELS", str(MODELS))
        faces = _a_few_people(out / "people") if HAS_FACES else None
        command.demo(headless=True, out=out, patients=PATIENTS, faces=faces, known_face=HAS_FACES)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return Told(out=out, report=report, printed=(out / "printed.txt").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def left(told) -> Database:
    """The one database that is left."""
    database = open_database(f"sqlite:///{told.out / 'data' / 'shouhao.sqlite3'}")
    yield database
    database.close()


def test_every_check_holds_and_no_answer_is_lost(told):
    report = told.report
    assert report["ok"]
    assert [c["code"] for c in [*report["invariants"], *report["answers"]] if not c["holds"]] == []
    assert report["traffic"]["unanswered"] == 0
    deeds = report["traffic"]["by_deed"]
    assert deeds["book"] + deeds["enter"] > PATIENTS
    assert len(report["invariants"]) == len(INVARIANTS)


def test_the_chapters_are_told_in_their_order_each_with_its_time(told):
    chapters = told.report["chapters"]
    assert [one["code"] for one in chapters] == ["setting", "night", "morning", "watch"]
    assert [one["when"] for one in chapters] == ["", "昨夜", "07:58", "09:50"]
    assert all(one["took_s"] > 0 for one in chapters[:3])
    assert all(one["says"]["zh"] and one["says"]["en"] for one in chapters)


def test_one_database_holds_the_whole_day_and_is_sound(told, left):
    with left.read() as connection:
        assert check(connection, INVARIANTS) == []
        kinds = {row["kind"] for rows in event_log.read(connection) for row in rows}
        kept = connection.execute(select(findings.c.finding_id)).scalars().all()
    assert {"draw_made", "booked", "offered", "accepted"} <= kinds
    assert ("waitlisted" in kinds) == (told.report["waitlist"]["joined"] > 0)  # in so small a crowd few come too late
    assert not HAS_FACES or {"alarm_raised", "alarm_step", "still_frozen"} <= kinds
    assert len(kept) == sum(told.report["night"]["findings"].values())
    assert told.report["night"]["strongest"] in kept
    assert '"stopped"' in (told.out / "server.log").read_text(encoding="utf-8")


# Last night


def test_the_night_is_held_against_its_labels_as_it_is(told):
    slept = told.report["night"]
    assert {one["kind"] for one in slept["gangs"]} == set(KINDS)
    assert slept["found"]["lead"] + slept["missed"] == slept["accounts"]["gang"]
    assert slept["found"]["strong"] > slept["accounts"]["gang"] / 2
    assert slept["honest"] | {"high_per_10_000": 0} == {
        "count": 0,
        "of": slept["accounts"]["honest"],
        "high_per_10_000": 0,
    }
    assert told.checks["night_cited_lines_read_back"]["looked_at"] > 0
    assert (told.out / slept["page"]).is_file()


def test_an_honest_account_that_is_accused_or_a_line_that_is_gone_does_not_pass(told):
    accused = {**told.report["night"], "honest": {"count": 1, "of": 900}}
    gone = {**told.report["night"], "cited": {"looked_at": 9, "broken": 2}, "taken_in": 0}
    assert {c.code for c in night.night_checks(accused) if not c.holds} == {"night_no_honest_accused"}
    assert {c.code for c in night.night_checks(gone) if not c.holds} == {
        "night_cited_lines_read_back",
        "night_findings_taken_in",
    }


def test_a_night_whose_command_fails_is_told_with_its_last_words(tmp_path, told):
    settings = NightSettings(kinds=("no_such_kind",))
    with Night(tmp_path, last_day=_day(told), settings=settings) as failing, pytest.raises(Unavailable, match="kind"):
        failing.wait()


# The morning


def test_the_new_patient_goes_all_the_way_and_is_refused_where_a_rule_says_so(told):
    steps = told.report["walk"]["steps"]
    assert [s["status"] for s in steps] == [202, 200, 201, 200, 200, 200, 409, 201, 201, 201, 200, 200]
    assert [s["code"] for s in steps if s["code"]] == ["booking.binding_too_new"]


def test_experts_go_by_draw_and_the_others_to_whoever_comes_first(told):
    sold = told.report["sold"]
    assert len(sold) == 20
    assert {s["drawn"] for s in sold} == {True, False}
    assert all(s["drawn"] for s in sold if s["hot"])
    for fate in ("paid", "returned", "expired"):
        assert sum(s[fate] for s in sold) > 0, fate


def test_anyone_can_repeat_each_draw_from_its_file_alone(told):
    for draw in told.report["draws"]:
        content = read((told.out / draw["file"]).read_bytes())
        assert all(one.holds for one in verify(content))
        assert content["root"] == draw["root"]
        assert sum(draw["entries"].values()) == len(content["entries"])
        assert sum(draw["won"].values()) <= draw["seats"]


def test_many_accounts_are_one_entry_a_person_in_a_draw(told):
    assert {draw["entries"]["gang"] for draw in told.report["draws"]} == {GANG // 4}
    assert any(r["code"] == "booking.duplicate_entry" and r["gang"] for r in told.report["refusals"])
    gang = told.report["gang"]
    assert (gang["accounts"], gang["persons"]) == (GANG, GANG // 4)
    assert 0 < gang["most_per_person"] <= LimitsPolicy().live_per_person


def test_what_was_let_go_went_to_those_who_waited_and_nothing_was_open_to_the_fastest(told):
    found = told.report["waitlist"]
    assert told.report["settled"]
    for what in ("drawn", "handed_on", "accepted"):
        assert found[what] > 0, what
    assert sum(s["accepted"] for s in told.report["sold"]) == found["accepted"]
    assert told.checks["offers_went_to_who_waited"]["looked_at"] == found["offered"] + found["drawn"]
    assert told.checks["nothing_came_back_to_the_open"]["looked_at"] > 0


def test_every_refusal_that_was_heard_has_words_on_the_page(told):
    assert {r["code"] for r in told.report["refusals"]} <= REASONS.keys()


# The known face


@needs_faces
def test_the_listed_person_is_found_answered_and_of_the_others_nothing_stays(told):
    seen = told.report["known_face"]
    assert seen["ran"], seen
    assert seen["places_of_listed"] > 0
    assert (seen["found"], seen["missed"], seen["false"]) == (seen["places_of_listed"], 0, 0)
    assert [one["outcome"] for one in seen["alarms"]][:2] == ["removed", "genuine_visit"][: len(seen["alarms"])]
    assert [step["step"] for step in seen["alarms"][0]["steps"]] == [
        "raised",
        "acknowledged",
        "confirmed",
        "dispatched",
        "accepted",
        "arrived",
        "outcome",
        "handed_to_police",
        "closed",
    ]
    assert (seen["left"]["open_pictures"], seen["left"]["stills"] > 0) == (0, True)
    for one in seen["alarms"]:
        assert "<html" in (told.out / one["timeline"]).read_text(encoding="utf-8")


def test_without_photographs_the_demo_says_so_and_how_to_name_some(tmp_path, monkeypatch):
    def none(_into):
        raise NoPhotographs(why="pip: TimeoutExpired")

    monkeypatch.setattr(watch_ready, "get_photographs", none)
    with ExitStack() as given_back:
        seen = ready_watch(None, None, fetch_photographs(given_back, tmp_path / "photographs"))
    assert seen["ran"] is False
    assert "--faces" in seen["why"]["zh"]
    assert "--faces" in known_face_section(seen)
    assert "--faces" in page(made_up_report(known_face=seen))


def test_another_file_than_the_pinned_one_is_not_opened(tmp_path, monkeypatch):
    def swapped(command, **_more):
        (tmp_path / "got").mkdir(exist_ok=True)
        folder = command[command.index("--dest") + 1]
        with open(f"{folder}/face_recognition-1.3.0.tar.gz", "wb") as file:  # noqa: PTH123 - as pip writes it
            file.write(b"something else")

    monkeypatch.setattr(photographs.subprocess, "run", swapped)
    with pytest.raises(NoPhotographs):
        photographs.get_photographs(tmp_path / "photographs")
    assert not (tmp_path / "photographs").exists()


# What is printed, and what is left alone


def test_a_pipe_hears_a_short_summary_and_no_code_no_key_no_login_and_no_phone(told):
    assert str(told.out / "report.html") in told.printed
    assert len(told.printed.splitlines()) < 14
    kept = told.printed + (told.out / "server.log").read_text(encoding="utf-8")
    kept += (told.out / "report.html").read_text(encoding="utf-8")
    kept += (told.out / "report.json").read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.-])1[3-9]\d{9}(?![\w.])|Bearer \S{20}|(?:[A-Z2-7]{4}-){5}", kept)
    assert [number for number in re.findall(r"(?<![\w.-])\d{17}[\dXx](?![\w.])", kept) if ric.is_valid(number)] == []


def test_a_check_that_does_not_hold_ends_the_command_with_one_and_is_named(tmp_path, monkeypatch, capsys):
    broken = {"code": "x", "zh": "一个号源最多一个有效预约", "en": "one", "looked_at": 5, "broken": 3, "holds": False}
    report = made_up_report(ok=False, answers=[broken])

    def bad_day(_out, _settings, *, teller, then):
        teller.now("核对", "Checking")
        then(report, None)
        return report

    monkeypatch.setattr(story, "run_story", bad_day)
    with pytest.raises(typer.Exit) as ended:
        command.demo(headless=True, out=tmp_path)
    assert ended.value.exit_code == 1
    assert "✗ 一个号源最多一个有效预约" in capsys.readouterr().out
    assert (tmp_path / "report.html").exists()


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").write_text("mine")
    with pytest.raises(FolderInUse):
        run_story(tmp_path, StorySettings(), teller=quiet(), then=lambda _report, _stage: None)
    assert (tmp_path / "data" / "mine.txt").read_text() == "mine"


def test_a_folder_on_which_a_demo_runs_is_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    mark = tmp_path / "data" / "made-by-shouhao-demo"
    with mark.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DemoRuns):
            run_story(tmp_path, StorySettings(), teller=quiet(), then=lambda _report, _stage: None)
    assert mark.exists()


# The server in its own process


def test_a_server_that_ends_at_once_is_told_with_the_end_of_its_log(tmp_path):
    program = ("-c", "import sys; sys.exit('no database today')")
    with _server(tmp_path, program) as server, pytest.raises(Unavailable, match="no database today"):
        server.wait_ready(timeout_s=30)


def test_a_server_is_ended_when_what_uses_it_fails(tmp_path):
    server = _server(tmp_path, ("-c", "import time; print('here', flush=True); time.sleep(600)"))
    with pytest.raises(Unavailable), server:
        server.wait_code(ends_with="0000", timeout_s=0.05)
    assert not server.is_running


def test_codes_go_to_whoever_waits_for_that_phone_the_rest_as_they_come_and_none_is_kept(tmp_path):
    lines = "[phone code] 138****0001 -> 111111\\n[phone code] 138****1234 -> 482913\\nready"
    last = "[phone code] 139****0002 -> 222222"
    with _server(tmp_path, ("-c", f"print('{lines}\\n{last}', flush=True)")) as server:
        assert server.wait_code(ends_with="1234") == "482913"
        assert list(server.codes()) == [("139****0002", "222222")]
    assert server.said == ["ready"]


def _a_few_people(folder: Path) -> Path:
    """A few people of the folder of photographs, one of them with several."""
    by_photos = sorted(FACES.iterdir(), key=lambda one: (-len(list(one.iterdir())), one.name))
    for one in (by_photos[0], *by_photos[-4:]):
        shutil.copytree(one, folder / one.name)
    return folder


def _day(told):
    return date.fromisoformat(told.report["night"]["day"])


def _server(folder, program):
    return RunningServer({}, host="127.0.0.1", port=free_port(), log_file=folder / "log", program=program)
