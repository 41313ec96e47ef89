"""Settings: read once, from one place after another, and nothing unsafe starts in production."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from shouhao.settings import PREFIX, Settings, SettingsRefused, check_start, load_settings


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def private(path: Path, content: bytes = b"k" * 32) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.fixture
def fit(tmp_path: Path) -> dict[str, object]:
    """Settings with which production starts."""
    return {
        "mode": "production",
        "database_url": "postgresql+psycopg://shouhao:secret-word@db/shouhao",
        "master_key_file": private(tmp_path / "master"),
        "identity_authority": "http",
        "identity_url": "https://authority.example",
        "identity_client_cert_file": private(tmp_path / "cert"),
        "identity_client_key_file": private(tmp_path / "key"),
        "identity_ca_file": private(tmp_path / "ca"),
        "identity_public_key_file": private(tmp_path / "pub"),
        "phone_code_sender": "hospital.sms:Sender",
        "payment_gateway": "hospital.pay:gateway",
        "payment_key_file": private(tmp_path / "pay"),
        "console_zones": "10.20.0.0/16, fd00:20::/32",
    }


def blamed(settings: Settings) -> set[str]:
    with pytest.raises(SettingsRefused) as refusal:
        check_start(settings)
    return {problem.setting for problem in refusal.value.problems}


def test_trying_out_needs_no_setting():
    settings = load_settings()
    assert check_start(settings) == []
    assert settings.open_url() == "sqlite:///data/shouhao.sqlite3"
    assert (settings.public_host, settings.public_port, settings.console_port) == ("127.0.0.1", 8080, 8081)


def test_embedded_makes_its_key_once_and_for_its_owner_alone(tmp_path):
    settings = load_settings(data_dir=tmp_path / "new")
    key = settings.master_key()
    assert len(key) == 32
    assert settings.master_key() == key
    assert settings.master_key_path().stat().st_mode & 0o777 == 0o600
    assert check_start(settings) == []


def test_production_makes_no_key(tmp_path):
    settings = load_settings(mode="production", master_key_file=tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        settings.master_key()


def test_production_starts_with_everything_in_place(fit):
    assert check_start(load_settings(**fit)) == []


def test_production_names_every_problem_at_once():
    assert blamed(load_settings(mode="production")) == {
        "master_key_file",
        "identity_authority",
        "phone_code_sender",
        "payment_gateway",
        "payment_key_file",
        "console_zones",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("master_key_file", None),
        ("master_key_file", "nowhere"),
        ("identity_authority", "format_only"),
        ("phone_code_sender", "console"),
        ("payment_gateway", "reference"),
        ("payment_key_file", None),
        ("identity_url", None),
        ("identity_ca_file", "nowhere"),
        ("identity_client_key_file", None),
        ("database_url", "mysql://db/x"),
        ("database_url", "not a url"),
        ("hold_cap_s", 899),
        ("console_zones", ""),
        ("console_zones", "10.20.0.0/16, 0.0.0.0/0"),
    ],
)
def test_one_unsafe_setting_keeps_production_from_starting(fit, name, value):
    assert blamed(load_settings(**{**fit, name: value})) == {name}


@pytest.mark.parametrize("name", ["master_key_file", "identity_client_key_file", "payment_key_file"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_can_read_keeps_production_from_starting(fit, name, mode):
    fit[name].chmod(mode)
    assert blamed(load_settings(**fit)) == {name}


def test_an_open_key_keeps_trying_out_from_starting_too(tmp_path):
    (tmp_path / "master.key").write_bytes(b"k" * 32)
    (tmp_path / "master.key").chmod(0o644)
    assert blamed(load_settings(data_dir=tmp_path)) == {"master_key_file"}


def test_production_on_sqlite_is_warned(fit):
    (warning,) = check_start(load_settings(**{**fit, "database_url": "sqlite:///x.sqlite3"}))
    assert warning.setting == "database_url"


def test_a_problem_names_the_variable_and_not_the_value(fit):
    with pytest.raises(SettingsRefused) as refusal:
        check_start(
            load_settings(**{**fit, "phone_code_sender": "console", "database_url": "mysql://u:secret-word@x/y"})
        )
    for language in ("zh", "en"):
        said = refusal.value.says(language)
        assert "SHOUHAO_PHONE_CODE_SENDER" in said
        assert "SHOUHAO_DATABASE_URL" in said
        assert "secret-word" not in said


def test_the_database_password_is_not_shown(fit):
    settings = load_settings(**fit)
    assert "secret-word" not in repr(settings)
    assert "secret-word" not in settings.model_dump_json()
    assert "secret-word" in settings.open_url()


def test_the_stronger_place_wins(monkeypatch, tmp_path):
    file = tmp_path / "shouhao.toml"
    file.write_text("public_port = 1001\nconsole_port = 1001\nhold_s = 1001\n", encoding="utf-8")
    monkeypatch.setenv("SHOUHAO_PUBLIC_PORT", "1002")
    monkeypatch.setenv("SHOUHAO_CONSOLE_PORT", "1002")
    settings = load_settings(file, public_port=1003)
    assert (settings.public_port, settings.console_port, settings.hold_s) == (1003, 1002, 1001)


def test_the_environment_names_the_file(monkeypatch, tmp_path):
    file = tmp_path / "shouhao.env"
    file.write_text("SHOUHAO_HOSPITAL_NAME_ZH=市一医院\n", encoding="utf-8")
    monkeypatch.setenv("SHOUHAO_SETTINGS_FILE", str(file))
    assert load_settings().hospital_name_zh == "市一医院"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.toml", 'hold_s = "secret-word"'),
        ("a.toml", 'unknown = "secret-word"'),
        ("a.toml", "secret-word = = ="),
        ("a.env", "SHOUHAO_HOLD_S=secret-word"),
        ("a.env", "SHOUHAO_UNKNOWN=secret-word"),
        ("a.toml", None),
    ],
)
def test_a_file_with_a_mistake_is_refused_without_quoting_it(tmp_path, name, content):
    file = tmp_path / name
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsRefused) as refusal:
        load_settings(file)
    assert "secret-word" not in refusal.value.says("zh") + refusal.value.says("en") + repr(refusal.value)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_PORT", "0"),
        ("MODE", "prod"),
        ("HOLD_S", "-1"),
        ("PHONE_CODE_SENDER", "rm -rf"),
        ("PAYMENT_GATEWAY", "none"),
        ("IDENTITY_URL", "http://authority.example"),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused(monkeypatch, name, value):
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsRefused) as refusal:
        load_settings()
    assert [problem.setting for problem in refusal.value.problems] == [name.lower()]


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        load_settings().public_port = 1


def test_each_room_gets_its_own(fit):
    settings = load_settings(**fit, sign_in_s=600, phone_code_attempts=3, desk_lanes=4, desk_gather_ms=1)
    assert settings.sign_in().life_s == 600
    assert settings.phone_codes().attempts == 3
    assert (settings.holds().hold_s, settings.holds().cap_s) == (900, 1800)
    assert (settings.desk().lanes, settings.desk().gather_ms) == (4, 1.0)


def test_sqlite_has_one_lane():
    assert load_settings(desk_lanes=4).desk().lanes == 1


def test_no_secret_has_a_default():
    for name, field in Settings.model_fields.items():
        if field.json_schema_extra["secret"] or name.endswith("_key_file"):
            assert field.default is None, name
