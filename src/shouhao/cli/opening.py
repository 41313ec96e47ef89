"""Opening: what each command does first: settings, logs, the parts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from shouhao.kernel.errors import Refused
from shouhao.log import configure_log
from shouhao.settings import Settings, check_start, load_settings
from shouhao.store.migrate import is_current, upgrade
from shouhao.wiring import System, assemble

_log = structlog.get_logger()


class SchemaNotCurrent(Refused):
    """The database does not have the schema of this version, and production never changes it by itself."""

    code = "settings.schema_not_current"
    zh = "数据库结构与本版本不符，请先运行 shouhao db upgrade"
    en = "The database does not have this version's schema; run shouhao db upgrade first"


def read_settings(file: Path | None, **given: Any) -> Settings:
    """The settings, checked, with the log set up as they say.

    Raises:
        SettingsRefused: they are wrong, or not fit for production.
    """
    settings = load_settings(file, **{name: value for name, value in given.items() if value is not None})
    configure_log(level=settings.log_level, form=settings.log_format)
    for warning in check_start(settings):
        _log.warning("settings_warning", setting=warning.setting, message=warning.en)
    return settings


def prepare(settings: Settings) -> None:
    """In embedded mode the data folder and the schema come by themselves; production runs `shouhao db upgrade`.

    Raises:
        SchemaNotCurrent: in production, before it was run.
    """
    if settings.mode == "embedded":
        os.umask(0o077)  # the folder too is its owner's alone
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        upgrade(settings.open_url())
    elif not is_current(settings.open_url()):
        raise SchemaNotCurrent


@contextmanager
def opened(settings: Settings) -> Iterator[System]:
    """The parts, given back at the end."""
    prepare(settings)
    system = assemble(settings)
    try:
        yield system
    finally:
        system.close()
