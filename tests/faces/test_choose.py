"""Choose: a named pack or none other, and never a silent fallback."""

from types import SimpleNamespace

import pytest

from shouhao.faces.choose import FALLBACKS, choose_pack, told, usable_pack
from shouhao.faces.model import ModelMissing, PackUnknown
from shouhao.faces.packs import PackageMissing


def only(*names):
    """What is usable when these packs have all their files."""

    def usable(name):
        if name not in names:
            raise ModelMissing(pack=name, file=f"{name}.onnx")
        return SimpleNamespace(name=name, for_trying_out=name in FALLBACKS)

    return usable


def test_a_named_pack_is_used_or_refused():
    assert choose_pack("dlib", setting="opencv-zoo", usable=only("dlib", "opencv-zoo")).pack.name == "dlib"
    with pytest.raises(ModelMissing) as caught:
        choose_pack("dlib", setting="opencv-zoo", usable=only("opencv-zoo"))
    assert caught.value.data["pack"] == "dlib"


def test_the_pack_of_the_settings_comes_first_and_needs_no_words():
    choice = choose_pack(None, setting="opencv-zoo", usable=only("opencv-zoo", *FALLBACKS))
    assert (choice.pack.name, choice.instead_of, told(choice)) == ("opencv-zoo", None, None)


@pytest.mark.parametrize(("there", "used"), [(("arcface-onnx", "dlib"), "arcface-onnx"), (("dlib",), "dlib")])
def test_a_fallback_is_told_in_both_languages(there, used):
    choice = choose_pack(None, setting="opencv-zoo", usable=only(*there))
    assert (choice.pack.name, choice.instead_of) == (used, "opencv-zoo")
    zh, en = told(choice)
    assert f"改用 {used}" in zh
    assert "仅供试用" in zh
    assert f"{used} is used" in en
    assert "trying out only" in en


def test_with_nothing_usable_the_pack_of_the_settings_says_what_it_lacks():
    with pytest.raises(ModelMissing) as caught:
        choose_pack(None, setting="opencv-zoo", usable=only())
    assert caught.value.data["pack"] == "opencv-zoo"


def test_a_fallback_that_is_the_setting_itself_is_asked_once():
    asked = []

    def usable(name):
        asked.append(name)
        raise ModelMissing(pack=name, file="x")

    with pytest.raises(ModelMissing):
        choose_pack(None, setting="dlib", usable=usable)
    assert asked == ["dlib", "arcface-onnx"]


def test_an_unknown_pack_is_refused(tmp_path):
    with pytest.raises(PackUnknown):
        usable_pack("nonsense", models_dir=tmp_path)


def test_what_a_pack_needs_is_looked_for(tmp_path, monkeypatch):
    with pytest.raises(ModelMissing) as caught:
        usable_pack("opencv-zoo", models_dir=tmp_path)
    assert caught.value.data["file"] == "face_detection_yunet_2023mar.onnx"
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(PackageMissing):
        usable_pack("dlib", models_dir=tmp_path)


def test_the_pack_for_development_is_usable_where_its_files_are(models_dir):
    assert usable_pack("arcface-onnx", models_dir=models_dir).for_trying_out
