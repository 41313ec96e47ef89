"""`shouhao cameras` and `shouhao law`, as a security office uses them from a script."""

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from lawful import body_of, device
from shouhao.cli.main import app
from shouhao.kernel.clock import SystemClock
from shouhao.kernel.errors import InvalidInput, NotFound, Refused
from shouhao.protocols.camera_csv import FileRefused
from shouhao.staff.approvals import NotApproved

HEAD = "摄像机编号,设备编号,摄像机名称,位置编号,楼宇,楼层,位置,区域类型,平面图横坐标,平面图纵坐标,接入方式,口令\n"
ROW = f"CAM1,{device(1)},大门,P1,门诊楼,1F,大厅,出入口,0.1,0.2,gat1400,a-secret-password\n"


@pytest.fixture
def shouhao(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOUHAO_DATA_DIR", str(tmp_path / "data"))

    def run(*words):
        said = CliRunner().invoke(app, [str(word) for word in words])
        if said.exception is not None and not isinstance(said.exception, SystemExit):
            raise said.exception
        return said

    return run


def test_cameras_come_from_a_file_and_are_listed(shouhao, tmp_path):
    file, ways = tmp_path / "cameras.csv", tmp_path / "ways.csv"
    file.write_bytes((HEAD + ROW + ROW.replace("CAM1", "CAM2").replace(device(1), device(2))).encode("gb18030"))
    ways.write_text("起点,终点,最短秒数,通常秒数\nCAM1,CAM2,20,30\n", encoding="utf-8")
    assert shouhao("cameras", "import", file, "--ways", ways, "--symmetric").exit_code == 0
    told = json.loads(shouhao("cameras", "list", "--json").stdout)
    assert [(one["id"], one["state"], one["has_password"]) for one in told] == [
        ("CAM1", "planned", True),
        ("CAM2", "planned", True),
    ]
    assert "CAM2,CAM1,20,30" in shouhao("cameras", "export", "--ways").stdout
    out = shouhao("cameras", "export").stdout
    assert "a-secret-password" not in out
    assert device(1) in out
    assert "CAM1\tplanned\t-" in shouhao("cameras", "signs").stdout


def test_a_file_with_a_mistake_is_refused_with_its_line(shouhao, tmp_path):
    file = tmp_path / "cameras.csv"
    file.write_text(HEAD + ROW + ROW, encoding="utf-8")
    with pytest.raises(FileRefused) as refused:
        shouhao("cameras", "import", file)
    assert "第 3 行" in refused.value.says("zh")


def test_one_camera_its_sign_and_a_plan(shouhao, tmp_path):
    where = ["--place-id", "P1", "--building", "门诊楼", "--floor", "1F", "--place", "大厅", "--x", "0.5", "--y", "0.5"]
    made = shouhao("cameras", "add", "CAM1", "--device", device(1), "--name", "大门", "--zone", "entrance", *where)
    assert made.exit_code == 0
    with pytest.raises(Refused):
        shouhao("cameras", "add", "CAM2", "--device", device(2), "--name", "卫生间", "--zone", "other", *where)
    picture, plan = tmp_path / "sign.jpg", tmp_path / "plan.svg"
    picture.write_bytes(cv2.imencode(".jpg", np.full((200, 200, 3), 90, np.uint8))[1].tobytes())
    assert shouhao("cameras", "signs", "--camera", "CAM1", "--picture", picture).stdout.startswith("st_")
    plan.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"/>', encoding="utf-8")
    assert "40x20" in shouhao("cameras", "plan", plan, "--building", "门诊楼", "--floor", "1F").stdout
    with pytest.raises(NotFound):
        shouhao("cameras", "plan", plan, "--building", "门诊楼", "--floor", "9F")


def test_the_law_says_what_is_missing_and_a_record_changes_it(shouhao, tmp_path):
    first = shouhao("law", "status")
    assert first.exit_code == 1
    assert "○ 布控比对" in first.stdout
    assert "个人信息保护法第26条" in first.stdout
    body = tmp_path / "memo.json"
    body.write_text(json.dumps(body_of("necessity_memo", now_us=SystemClock().now_us())), encoding="utf-8")
    assert shouhao("law", "record", "necessity_memo", body, "--switch", "watchlist").stdout.startswith("law_")
    told = json.loads(shouhao("law", "status", "--json").stdout)
    met = {one["switch"]: next(n["met"] for n in one["needs"] if n["code"] == "necessity_memo") for one in told}
    assert met == {"watchlist": True, "recordings_search": False, "frequent_visitors": False}
    assert "备案表" in shouhao("law", "filing").stdout


def test_no_switch_goes_on_from_a_command_line_without_two_people(shouhao, tmp_path):
    with pytest.raises(InvalidInput):
        shouhao("law", "switch", "watchlist", "--on")
    with pytest.raises((NotApproved, NotFound)):
        shouhao("law", "switch", "watchlist", "--on", "--approval", "ap_1")
    with pytest.raises(InvalidInput):
        shouhao("law", "switch", "watchlist", "--off")
    assert "停用 off" in shouhao("law", "switch", "watchlist", "--off", "--reason", "检修").stdout
    bad = tmp_path / "bad.json"
    bad.write_text("[]", encoding="utf-8")
    with pytest.raises(InvalidInput):
        shouhao("law", "record", "retention", bad)
