"""The reference pages say what the code says."""

import json
import runpy
from dataclasses import fields
from pathlib import Path

import pytest

from shouhao.booking.limits import LimitsPolicy
from shouhao.booking.release.antenatal import AntenatalPolicy, antenatal_body
from shouhao.booking.release.policy import DrawRules, ReleasePolicy, ReturnRules, WaitlistRules, release_body
from shouhao.kernel.events import EVENT_KINDS, EXPORT_COLUMNS
from shouhao.patients.policy import BindingPolicy
from shouhao.settings import Settings

TOOL = Path(__file__).resolve().parents[2] / "tools" / "reference.py"
REFERENCE = runpy.run_path(str(TOOL))
NESTED = {"release_policy": release_body(ReleasePolicy()), "antenatal_policy": antenatal_body(AntenatalPolicy())}


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


def test_every_refusal_has_a_row_with_its_status():
    page, kinds = REFERENCE["refusals_page"](), REFERENCE["refusals"]()
    assert len(kinds) > 40
    for kind in kinds:
        assert f"| `{kind.code}` | " in page, kind
    for row in ("`booking.already_booked` | 409", "`not_found` | 404", "`settings.refused` | exit 1"):
        assert f"| {row} |" in page


def test_every_command_has_a_heading():
    page = REFERENCE["cli_page"]()
    words = [words for words, _ in REFERENCE["commands"]()]
    assert {"shouhao up", "shouhao db check", "shouhao events export", "shouhao staff create"} <= set(words)
    for one in words:
        assert f"\n## `{one}" in page


def test_every_event_and_column_is_explained_in_both_languages():
    page = REFERENCE["events_page"]()
    for name in (*EVENT_KINDS, *EXPORT_COLUMNS):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert " · " in row, name


def test_no_words_are_kept_for_what_is_gone():
    rules = {field.name for policy in (LimitsPolicy, BindingPolicy) for field in fields(policy)}
    known = {"event_kinds": set(EVENT_KINDS), "event_columns": set(EXPORT_COLUMNS), "policies": rules}
    known |= {page: {name for name, _ in nested_rules(page)} for page in NESTED}
    for page, names in known.items():
        assert set(REFERENCE["_words"](page)) == names


def nested_rules(page):
    return list(REFERENCE["rules_of"](NESTED[page], REFERENCE["_words"](page)))


def test_both_servers_routes_are_listed_with_what_they_need():
    page = REFERENCE["http_page"]()
    assert "| `POST /api/v1/bookings` | channel_key + sign_in, `Idempotency-Key` | 201 |" in page
    assert "| `GET /api/v1/staff/invariants` | operator_key | 200 |" in page
    assert page.count("\n| `") > 50


def test_every_policy_rule_is_listed_with_its_default():
    page = REFERENCE["policies_page"]()
    for policy in (LimitsPolicy, BindingPolicy):
        for field in fields(policy):
            assert f"| `{field.name}` | `{field.default}` | " in page


@pytest.mark.parametrize("page", NESTED)
def test_every_rule_within_a_policy_is_listed_with_its_default_and_what_it_may_be(page):
    lines = REFERENCE["policies_page"]().splitlines()
    for name, default in nested_rules(page):
        (row,) = [line for line in lines if line.startswith(f"| `{name}` | `{json.dumps(default)}` | ")]
        taken, meaning = row.removesuffix(" |").split(" | ")[-2:]
        assert taken.strip(), name
        assert " · " in meaning, name


def test_a_release_policy_has_a_row_for_each_field_of_its_sections():
    names = {name for name, _ in nested_rules("release_policy")}
    for section, rules in (("draw", DrawRules), ("waitlist", WaitlistRules), ("returns", ReturnRules)):
        assert {f"{section}.{field.name}" for field in fields(rules)} <= names


def test_what_a_rule_may_be_is_what_its_reader_takes():
    page = REFERENCE["policies_page"]()
    assert "| `draw.wishes_max` | `3` | 1 \u2013 20 | " in page
    assert "| `returns.care_pool` | `true` | true 或 false · true or false | " in page
    assert "| `gestation_weeks.to` | `20` | 0 \u2013 40 | " in page
