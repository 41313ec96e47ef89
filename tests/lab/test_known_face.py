"""The known face of the demo: really pushed, found, answered and forgotten; and honest where it cannot be shown."""

import shutil

import pytest

from shouhao.lab import known_face, photographs
from shouhao.lab.known_face import run_known_face
from shouhao.lab.known_face_section import known_face_section
from shouhao.lab.photographs import NoPhotographs


def quiet(_zh: str, _en: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture
def people(tmp_path, faces_dir):
    """A few people of the folder, one of them with several photographs."""
    folder = tmp_path / "people"
    by_photos = sorted((faces_dir / "lfw-dev").iterdir(), key=lambda one: (-len(list(one.iterdir())), one.name))
    for one in (by_photos[0], *by_photos[-4:]):
        shutil.copytree(one, folder / one.name)
    return folder


def test_the_listed_person_is_found_answered_and_of_the_others_nothing_stays(tmp_path, people, models_dir, monkeypatch):
    monkeypatch.setenv("SHOUHAO_MODELS", str(models_dir))
    told = run_known_face(tmp_path, faces=people, host="127.0.0.1", tell=quiet)
    assert told["ran"], told
    assert told["places_of_listed"] > 0
    assert (told["found"], told["missed"], told["false"]) == (told["places_of_listed"], 0, 0)
    assert [one["outcome"] for one in told["alarms"]][:2] == ["removed", "genuine_visit"][: len(told["alarms"])]
    assert told["left"]["open_pictures"] == 0
    assert told["left"]["stills"] > 0
    for one in told["alarms"]:
        assert "<html" in (tmp_path / one["timeline"]).read_text(encoding="utf-8")
    shown = known_face_section(told)
    assert "已驱离，移交警方" in shown
    assert f"{told['found']} / 0 / 0" in shown


def test_without_photographs_the_demo_says_so_and_how_to_name_some(tmp_path, monkeypatch):
    def none(_into):
        raise NoPhotographs(why="pip: TimeoutExpired")

    monkeypatch.setattr(known_face, "get_photographs", none)
    told = run_known_face(tmp_path, faces=None, host="127.0.0.1", tell=quiet)
    assert told["ran"] is False
    assert "--faces" in told["why"]["zh"]
    assert "--faces" in known_face_section(told)


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
