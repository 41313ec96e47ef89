"""What tests of inputs stand on: a DuckDB in memory, and files written where nobody else writes."""

import duckdb
import pytest


@pytest.fixture
def connection():
    """An empty database."""
    with duckdb.connect() as one:
        one.execute("SET threads = 2")
        yield one


@pytest.fixture
def write(tmp_path):
    """Write bytes, or lines of text, to a file of a name; its path."""

    def _write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, bytes):
            content = "".join(f"{line}\n" for line in content).encode()
        path.write_bytes(content)
        return path

    return _write


@pytest.fixture
def rows(connection):
    """Rows of a query as dicts."""

    def _rows(query):
        return connection.sql(query).to_arrow_table().to_pylist()

    return _rows
