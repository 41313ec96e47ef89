"""Calibration report: strict JSON, a page that fetches nothing, honest about what it is, silent on names if asked."""

import hashlib
import json
import re
from dataclasses import replace

import pytest

from faces.made_calibration import HOSTILE, a_report
from shouhao.faces.calibration_report import FORMAT, page, write_calibration


def test_the_json_can_be_read_by_any_machine(tmp_path):
    report, data = a_report()
    as_json, _ = write_calibration(report, tmp_path / "out")
    told = json.loads(as_json.read_text("utf-8"), parse_constant=pytest.fail)
    assert told["format"] == FORMAT
    assert (told["pack"]["id"], told["measured"]["seed"]) == ("own@0123456789ab", 1)
    assert told["data"]["files_sha256"] == data.digest
    assert told["measured"]["decision"]["chosen"]["extrapolated"] is True
    assert [one["code"] for one in told["unusable"]] == ["faces.picture_refused", "faces.no_face"]
    assert told["measured"]["decision"]["fmr_needed"] == pytest.approx(1 / 1000 / 50)


def test_the_digest_is_that_of_the_sorted_hashes_whatever_the_order():
    _, data = a_report(20)
    assert data.digest == hashlib.sha256("\n".join(sorted(data.sha256)).encode()).hexdigest()
    assert replace(data, sha256=tuple(reversed(data.sha256))).digest == data.digest


@pytest.mark.parametrize("people", [12, 300])
def test_the_page_fetches_nothing_and_runs_nothing(people):
    written = page(a_report(people)[0])
    bare = re.sub(r'xmlns(:xlink)?="http://www\.w3\.org/[^"]*"', "", written)
    assert "default-src 'none'" in bare
    assert not re.search(r"<script|<link|<img|<iframe|@import|@font-face|javascript:", bare)
    assert not re.search(r'(?:src|href)="(?!#)', bare)
    assert not re.search(r"url\((?!#)", bare)


def test_a_folder_s_name_is_text_and_never_markup():
    report, _ = a_report(twice=True)
    assert any(HOSTILE in (pair["first"], pair["second"]) for pair in report["measured"]["too_close"])
    written = page(report)
    assert HOSTILE not in written
    assert "&lt;img src=" in written


@pytest.mark.parametrize("twice", [True, False])
def test_without_names_no_folder_and_no_file_is_named(twice, tmp_path):
    report, _ = a_report(names=False, twice=twice)
    for path in write_calibration(report, tmp_path):
        written = path.read_text("utf-8")
        assert "evil" not in written
        assert "person" not in re.sub(r"person[s]?\b(?! \d)", "", written)
        assert "wall.jpg" not in written
    if twice:
        assert report["measured"]["too_close"][0]["first"] == "#3"
        assert report["measured"]["too_close"][0]["first_photograph"].startswith("#3/")


def test_a_pack_for_trying_out_is_said_in_red_before_anything_else():
    alarm = '<div class="alarm" role="alert">'
    written = page(a_report(for_trying_out=True)[0])
    assert written.index(alarm) < written.index("<h1>")
    assert "仅供试用" in written
    assert alarm not in page(a_report()[0])


def test_an_extrapolated_threshold_is_never_shown_as_counted():
    fitted, counted = (page(a_report(alarms=alarms)[0]) for alarms in (1.0, 60.0))
    assert "这是外推所得，未经实测" in fitted
    assert "This is extrapolated, not counted" in fitted
    assert "这是外推所得" not in counted


def test_a_folder_that_is_too_small_says_what_it_cannot_tell():
    report, _ = a_report(12)
    assert report["measured"]["decision"]["chosen"] is None
    written = page(report)
    assert "得不出满足预算的阈值" in written
    assert "数据不足" in written


def test_one_person_under_two_names_makes_the_page_warn():
    report, _ = a_report(twice=True, alarms=0.005)
    assert report["measured"]["decision"]["surprise"]["contradicts"]
    assert "曲线只预计" in page(report)


def test_everything_is_said_in_both_languages():
    written = page(a_report(for_trying_out=True, twice=True)[0])
    chinese, english = (re.findall(rf'lang="{code}"[^>]*>([^<]*)<', written) for code in ("zh", "en"))
    assert len(chinese) == len(english) > 60
    assert all(chinese)
    assert all(english)
    assert not [said for said in english if re.search(r"[\u4e00-\u9fff]", said.replace("自有模型", ""))]
