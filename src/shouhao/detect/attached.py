"""Attached: a DuckDB file of our own beside a connection, for one process at a time."""

from pathlib import Path
from typing import TYPE_CHECKING

from shouhao.detect.inputs.sql import literal
from shouhao.kernel.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def attach(connection: "DuckDBPyConnection", path: Path, name: str, *, refusal: InvalidInput) -> None:
    """Attach a file under a name; file and folder are made where there are none.

    Args:
        refusal: what is raised when the file is no database.

    Raises:
        Unavailable: another run holds it.
        InvalidInput: the refusal.
    """
    import duckdb  # noqa: PLC0415 - takes a second, and other commands would wait for it

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS {name}")
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise Unavailable(str(path)) from None
        raise refusal from None
