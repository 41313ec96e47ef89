"""The reference pages say what the code says."""

import runpy
from pathlib import Path

import pytest

from shouhao.settings import Settings

TOOL = Path(__file__).resolve().parents[2] / "tools" / "reference.py"
REFERENCE = runpy.run_path(str(TOOL))


@pytest.mark.parametrize("path", REFERENCE["PAGES"], ids=lambda path: path.name)
def test_no_reference_page_is_stale(path):
    written = path.read_text(encoding="utf-8")
    assert written == REFERENCE["PAGES"][path](), "run `make docs`"


def test_every_setting_is_explained_in_both_languages():
    for name, field in Settings.model_fields.items():
        assert any("\u4e00" <= character <= "\u9fff" for character in field.json_schema_extra["zh"]), name
        assert field.description, name
        assert f"| `{name}` | `SHOUHAO_{name.upper()}` |" in REFERENCE["settings_page"]()


def test_a_stale_page_is_noticed(tmp_path):
    page = tmp_path / "settings.md"
    REFERENCE["stale"].__globals__["PAGES"] = {page: REFERENCE["settings_page"]}
    assert REFERENCE["stale"]() == [page]
    page.write_text(REFERENCE["settings_page"]() + "x", encoding="utf-8")
    assert REFERENCE["stale"]() == [page]
    page.write_text(REFERENCE["settings_page"](), encoding="utf-8")
    assert REFERENCE["stale"]() == []
