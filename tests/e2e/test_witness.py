"""A second party's programme against a served hospital: it commits once and reveals for one root alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from shouhao.booking.draw_tables import draw_contributions, draws
from shouhao.booking.release.seal import commitment
from shouhao.cli.witness import Did, Shelf, Witness, read_key
from shouhao.cli.witness_line import Console, WitnessRefused
from shouhao.kernel.clock import SECOND_US, Clock, ManualClock
from shouhao.kernel.errors import Unavailable
from warm_command import run_command
from web.drawn import WINDOW_S, close, plan_draw, the_draw
from web.served import NOW_US, Hospital, served

WITNESSED = {"witnesses": 1}


@pytest.fixture
def hospital(db_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(db_url, tmp_path / "hospital") as running:
        yield running


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "witness"


def address(hospital: Hospital) -> str:
    return hospital.console.removesuffix("/api/v1/staff")


def key_file(hospital: Hospital, folder: Path, role: str = "witness") -> Path:
    path = folder / f"{role}.key"
    path.write_text(hospital.operator_keys[role] + "\n")
    path.chmod(0o600)
    return path


def command(hospital: Hospital, folder: Path, shelf: Path, *more: str, role: str = "witness") -> Any:
    asked = ["draw", "witness", "--console", address(hospital), "--dir", str(shelf), "--once"]
    asked += ["--key-file", str(key_file(hospital, folder, role)), *more]
    return run_command(asked)


def look(hospital: Hospital, shelf: Path, clock: Clock | None = None) -> list[Did]:
    """One look of a programme that was just started."""
    console = Console(address(hospital), hospital.operator_keys["witness"])
    try:
        return Witness(console, Shelf(shelf), clock or hospital.clock).look()
    finally:
        console.close()


def did(hospital: Hospital, shelf: Path, clock: Clock | None = None) -> list[str]:
    return [one.what for one in look(hospital, shelf, clock)]


def kept(shelf: Path, what: str) -> dict[str, Any]:
    (path,) = shelf.glob(f"*.{what}.json")
    assert path.stat().st_mode & 0o777 == 0o600
    return dict(json.loads(path.read_text()))


def test_the_command_commits_before_the_close_and_reveals_after_the_seal(
    hospital: Hospital, shelf: Path, tmp_path: Path
) -> None:
    plan_draw(hospital, WITNESSED)
    draw_id = the_draw(hospital).id
    said = command(hospital, tmp_path, shelf)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.split()[1:] == [draw_id, "committed"]
    secret = kept(shelf, "secret")
    assert secret["commitment"] == commitment(draw_id, bytes.fromhex(secret["value"]), who=secret["who"])
    assert command(hospital, tmp_path, shelf).stdout == ""
    close(hospital)
    assert "revealed" in command(hospital, tmp_path, shelf).stdout
    assert kept(shelf, "root")["root"] == the_draw(hospital).root
    close(hospital, after_s=1)
    assert the_draw(hospital).state == "made"
    assert "done" in command(hospital, tmp_path, shelf).stdout
    last = command(hospital, tmp_path, shelf)
    assert (last.returncode, last.stdout, last.stderr) == (0, "", "")
    shown = hospital.staff("auditor").get(f"/draws/{draw_id}").json()
    assert [one["value"] for one in shown["contributions"]] == [secret["value"]]
    hospital.assert_sound()


def test_a_restart_between_keeping_and_committing_commits_to_the_same(hospital: Hospital, shelf: Path) -> None:
    plan_draw(hospital, WITNESSED)
    console = Console(address(hospital), hospital.operator_keys["witness"])
    console.commit = _down  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        Witness(console, Shelf(shelf), hospital.clock).look()
    console.close()
    before = kept(shelf, "secret")
    assert did(hospital, shelf) == ["committed"]
    assert kept(shelf, "secret") == before


def test_a_restart_between_keeping_the_root_and_revealing_reveals_for_the_same(hospital: Hospital, shelf: Path) -> None:
    plan_draw(hospital, WITNESSED)
    assert did(hospital, shelf) == ["committed"]
    close(hospital)
    console = Console(address(hospital), hospital.operator_keys["witness"])
    console.reveal = _down  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        Witness(console, Shelf(shelf), hospital.clock).look()
    console.close()
    before = kept(shelf, "root")
    hospital.clock.advance(seconds=5)
    assert did(hospital, shelf) == ["revealed"]
    assert kept(shelf, "root") == before


def _down(*_: str) -> None:
    raise Unavailable("console")


def test_nothing_is_revealed_before_the_close_by_the_witnesss_own_clock(hospital: Hospital, shelf: Path) -> None:
    plan_draw(hospital, WITNESSED)
    assert did(hospital, shelf) == ["committed"]
    close(hospital)
    behind = ManualClock(NOW_US + (WINDOW_S - 1) * SECOND_US)
    assert did(hospital, shelf, behind) == []
    assert not list(shelf.glob("*.root.json"))
    assert did(hospital, shelf) == ["revealed"]


@pytest.mark.parametrize(
    ("lie", "alarm"),
    [
        ({"sealed_at_us": NOW_US + 1}, "sealed_early"),
        ({"closes_at_us": NOW_US + 1}, "other_close"),
        ({"root": "xyz"}, "unreadable"),
    ],
)
def test_a_hospital_that_moves_the_seal_gets_no_value(
    sqlite_url: str, tmp_path: Path, shelf: Path, lie: dict[str, Any], alarm: str
) -> None:
    with served(sqlite_url, tmp_path / "hospital") as hospital:
        plan_draw(hospital, WITNESSED)
        assert did(hospital, shelf) == ["committed"]
        close(hospital)
        with hospital.system.db.write() as connection:
            connection.execute(update(draws).values(**lie))
        assert did(hospital, shelf) == [alarm]
        said = command(hospital, tmp_path, shelf)
        assert (said.returncode, said.stdout) == (1, "")
        assert alarm in said.stderr
        (given,) = hospital.staff("auditor").get(f"/draws/{the_draw(hospital).id}").json()["contributions"]
        assert not given["given"]


def test_another_root_after_the_reveal_is_an_alarm_and_nothing_is_revealed_for_it(
    hospital: Hospital, shelf: Path
) -> None:
    plan_draw(hospital, WITNESSED)
    did(hospital, shelf)
    close(hospital)
    assert did(hospital, shelf) == ["revealed"]
    first = kept(shelf, "root")
    with hospital.system.db.write() as connection:
        connection.execute(update(draws).values(root="11" * 32))
        connection.execute(update(draw_contributions).values(value=None, given_at_us=None))
    assert did(hospital, shelf) == ["other_root"]
    assert kept(shelf, "root") == first
    with hospital.system.db.read() as connection:
        assert connection.execute(draw_contributions.select()).one().value is None


def test_a_value_that_was_revealed_and_left_out_is_an_alarm(hospital: Hospital, shelf: Path) -> None:
    plan_draw(hospital, WITNESSED)
    did(hospital, shelf)
    close(hospital)
    did(hospital, shelf)
    with hospital.system.db.write() as connection:
        connection.execute(update(draw_contributions).values(value=None, given_at_us=None))
        connection.execute(update(draws).values(state="made"))
    assert did(hospital, shelf) == ["left_out"]


def test_a_commitment_that_this_machine_did_not_make_is_an_alarm(hospital: Hospital, shelf: Path) -> None:
    plan_draw(hospital, WITNESSED)
    path = f"/draws/{the_draw(hospital).id}/commitment"
    assert hospital.staff("witness").post(path, json={"commitment": "ab" * 32}).status_code == 201
    assert did(hospital, shelf) == ["other_commitment"]
    assert not list(shelf.iterdir())


def test_a_draw_that_wants_no_witness_gets_none(hospital: Hospital, shelf: Path) -> None:
    plan_draw(hospital)
    assert did(hospital, shelf) == []
    close(hospital)
    assert did(hospital, shelf) == []
    assert not list(shelf.iterdir())


def test_a_commitment_that_came_too_late_ends_there(hospital: Hospital, shelf: Path) -> None:
    plan_draw(hospital, WITNESSED)
    console = Console(address(hospital), hospital.operator_keys["witness"])
    console.commit = _down  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        Witness(console, Shelf(shelf), hospital.clock).look()
    console.close()
    close(hospital)
    assert did(hospital, shelf) == []
    assert Shelf(shelf).unfinished() == []


def test_what_the_command_cannot_work_with_is_said(hospital: Hospital, shelf: Path, tmp_path: Path) -> None:
    wrong_role = command(hospital, tmp_path, shelf, role="auditor")
    assert (wrong_role.returncode, "not a witness's" in wrong_role.stderr) == (1, True)
    gone = command(hospital, tmp_path, shelf, "--console", "http://127.0.0.1:1")
    assert gone.returncode == 3
    open_key = key_file(hospital, tmp_path)
    open_key.chmod(0o644)
    empty = tmp_path / "empty"
    empty.touch(mode=0o600)
    for path in (open_key, empty, tmp_path / "none"):
        with pytest.raises(WitnessRefused):
            read_key(path)
    with pytest.raises(WitnessRefused):
        Console("http://hospital.example", "key")
