"""Opening: what each command does first: settings, logs, the parts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from shouhao.log import configure_log
from shouhao.settings import Settings, check_start, load_settings
from shouhao.store.migrate import upgrade
from shouhao.wiring import System, assemble

_log = structlog.get_logger()


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
    """In embedded mode the data folder and the schema come by themselves; production runs `shouhao db upgrade`."""
    if settings.mode == "embedded":
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        os.umask(0o077)
        upgrade(settings.open_url())


@contextmanager
def opened(settings: Settings) -> Iterator[System]:
    """The parts, given back at the end."""
    prepare(settings)
    system = assemble(settings)
    try:
        yield system
    finally:
        system.close()
