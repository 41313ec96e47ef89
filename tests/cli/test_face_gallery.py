"""`shouhao faces gallery | threshold | change-pack`: a gallery of real faces, looked after from the command line."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shouhao.cli.main import app, main
from shouhao.faces.enrolment import begin, set_threshold
from shouhao.faces.images import read_picture
from shouhao.faces.model import PoorFace
from shouhao.faces.packs import load_pack
from shouhao.faces.pipeline import open_engine
from shouhao.kernel.clock import SystemClock
from shouhao.settings import Settings
from shouhao.wiring import assemble
from shouhao.wiring.faces import consented_gallery, gallery_setup, watchlist_gallery

RUN = CliRunner()
OLD, NEW = "arcface-onnx", "dlib"


@pytest.fixture
def settings(tmp_path, models_dir, monkeypatch):
    monkeypatch.setenv("SHOUHAO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SHOUHAO_MODELS", str(models_dir))
    monkeypatch.setenv("SHOUHAO_LOG_LEVEL", "ERROR")
    assert RUN.invoke(app, ["db", "upgrade"]).exit_code == 0
    return Settings(data_dir=tmp_path / "data", models=models_dir)


@pytest.fixture
def photographs(faces_dir):
    """Two photographs each of three people."""
    several = [one for one in sorted((faces_dir / "lfw-dev").iterdir()) if len(list(one.iterdir())) > 1]
    return {one.name: sorted(one.iterdir())[:2] for one in several[:3]}


@pytest.fixture
def enrolled(settings, photographs):
    """Three people on the list, by their first photograph."""
    pack = load_pack(OLD, models_dir=settings.models_dir)
    engine = open_engine(pack, models_dir=settings.models_dir)
    system = assemble(settings)
    setup, now_us = gallery_setup(system, "watchlist", {pack.id: engine}), SystemClock().now_us()
    begin(setup, pack=pack.id, now_us=now_us)
    set_threshold(setup, list_id="own", pack=pack.id, similarity_cos=0.3, derived_from={"why": "a test"}, now_us=now_us)
    with watchlist_gallery(system, {pack.id: engine}) as gallery:
        for name, (first, _) in photographs.items():
            gallery.enrol(
                subject_id=name,
                list_id="own",
                ground_id="gr_1",
                photo=first.read_bytes(),
                now_us=now_us,
                accepted=frozenset({"small", "blurred", "turned", "cut", "uncertain"}),
            )
    system.close()
    return pack.id


def state():
    said = RUN.invoke(app, ["faces", "gallery", "--json"])
    assert said.exit_code == 0, said.output
    return json.loads(said.stdout)


def calibration(folder: Path, pack_id, threshold):
    chosen = None if threshold is None else {"threshold_cos": threshold, "extrapolated": True}
    report = {
        "pack": {"id": pack_id},
        "measured": {"decision": {"chosen": chosen}, "budget": {"false_alarms_a_day": 1}},
        "data": {"files_sha256": "00"},
        "made_at": "2026-01-05T08:00:00+08:00",
    }
    file = folder / f"calibration-{threshold}.json"
    file.write_text(json.dumps(report), encoding="utf-8")
    return str(file)


def main_says(words, monkeypatch, capsys):
    """Exit status and words of the command as a shell hears them."""
    monkeypatch.setattr("sys.argv", ["shouhao", *words])
    status = main()
    heard = capsys.readouterr()
    return status, heard.out + heard.err


def test_both_galleries_are_shown(enrolled):
    found = state()
    assert found["consented"] == {"people": 0, "photographs": 0, "packs": []}
    assert (found["watchlist"]["people"], found["watchlist"]["photographs"]) == (3, 3)
    (pack,) = found["watchlist"]["packs"]
    assert (pack["pack"], pack["state"], pack["templates"]) == (enrolled, "live", 3)
    assert pack["thresholds_cos"] == {"own": 0.3}
    assert "3 人" in RUN.invoke(app, ["faces", "gallery"]).output


def test_a_threshold_is_set_from_a_calibration_and_from_nothing_else(enrolled, tmp_path, monkeypatch, capsys):
    good = calibration(tmp_path, enrolled, 0.44)
    said = RUN.invoke(app, ["faces", "threshold", "watchlist", "own", "--from", good])
    assert said.exit_code == 0, said.output
    assert state()["watchlist"]["packs"][0]["thresholds_cos"] == {"own": 0.44}
    for content, why in (
        (calibration(tmp_path, enrolled, None), "没有得出"),
        (str(tmp_path / "no.json"), "不是校准结果"),
    ):
        Path(tmp_path / "no.json").write_text("[]", encoding="utf-8")
        status, told = main_says(["faces", "threshold", "watchlist", "own", "--from", content], monkeypatch, capsys)
        assert (status, why in told) == (1, True), told
    assert RUN.invoke(app, ["faces", "threshold", "everybody", "own", "--from", good]).exit_code == 2
    assert state()["watchlist"]["packs"][0]["thresholds_cos"] == {"own": 0.44}


def test_a_gallery_moves_to_another_pack_and_finds_the_same_people(
    enrolled, settings, photographs, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("dlib")
    words = ["faces", "change-pack", "watchlist", "--to", NEW]
    said = RUN.invoke(app, words)
    assert said.exit_code == 0, said.output
    assert {pack["state"] for pack in state()["watchlist"]["packs"]} == {"live", "building"}
    status, told = main_says([*words, "--switch", "--without-unseen"], monkeypatch, capsys)
    assert (status, "阈值" in told) == (1, True), told  # the list has none for the new pack yet
    new = load_pack(NEW, models_dir=settings.models_dir)
    threshold = ["faces", "threshold", "watchlist", "own", "--from", calibration(tmp_path, new.id, 0.92)]
    assert RUN.invoke(app, threshold).exit_code == 0
    said = RUN.invoke(app, [*words, "--switch", "--without-unseen"])
    assert said.exit_code == 0, said.output
    system = assemble(settings)
    engine = open_engine(new, models_dir=settings.models_dir)
    with watchlist_gallery(system, {new.id: engine}) as gallery:
        found = 0
        for name, (_, second) in photographs.items():
            with suppress(PoorFace):  # dlib sees frontal faces only
                probe = engine.probe(read_picture(second.read_bytes()), purpose="watchlist")
                (nearest,) = gallery.nearest(probe)
                assert nearest.subject_id == name
                found += 1
    assert found >= 2
    system.close()
    assert RUN.invoke(app, ["db", "check"]).exit_code == 0


@pytest.mark.parametrize(("chosen", "asked"), [("required", True), ("best_effort", False)])
def test_galleries_lock_their_memory_as_the_setting_says(settings, chosen, asked, monkeypatch):
    system = assemble(settings.model_copy(update={"face_memory_lock": chosen}))
    heard = []
    for kind in ("watchlist_gallery.WatchlistGallery", "consented_gallery.ConsentedGallery"):
        monkeypatch.setattr(f"shouhao.faces.{kind}", lambda *_, lock_required, **__: heard.append(lock_required))
    watchlist_gallery(system, {})
    consented_gallery(system, {})
    system.close()
    assert heard == [asked, asked]
