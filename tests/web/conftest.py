"""A served hospital for each test of the web."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from web.served import Hospital, served


@pytest.fixture
def hospital(db_url: str, tmp_path: Path) -> Iterator[Hospital]:
    """Once on each database."""
    with served(db_url, tmp_path) as running:
        yield running


@pytest.fixture
def sqlite_hospital(sqlite_url: str, tmp_path: Path) -> Iterator[Hospital]:
    """Where the kind of database does not matter."""
    with served(sqlite_url, tmp_path) as running:
        yield running
