"""Spark: the same counting on a cluster, when a city's logs outgrow one machine.

Files are read here as always; the two tables go to the cluster as Parquet, in a folder that every worker can reach, and
what the detectors' expressions count comes back. No detector knows of it, and findings are the same, byte for byte.
Needs the extra `spark` and a Java runtime.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from ibis.backends.pyspark import Backend
from ibis.formats.pyarrow import PyArrowData
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from shouhao.detect.model import Tables
from shouhao.detect.run import tables_in
from shouhao.kernel.errors import Unavailable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Decide what an expression means, whatever a cluster's own defaults are.
_MEANING: Mapping[str, str] = {
    "spark.sql.ansi.enabled": "false",  # what cannot be cast is null, as the expressions have it
    "spark.sql.session.timeZone": "UTC",
}


class ArrowBackend(Backend):  # type: ignore[misc] # Ibis has no types
    """Ibis on Spark with Arrow both ways; by way of pandas, integers beside a null would turn into floats."""

    def to_pyarrow(self, expr: Any, /, *, params: Any = None, limit: Any = None, **_: Any) -> Any:
        """What an expression gives."""
        self._run_pre_execute_hooks(expr)
        table = expr.as_table()
        rows = self.raw_sql(self.compile(table, params=params, limit=limit)).toArrow()
        return expr.__pyarrow_result__(PyArrowData.convert_table(rows, table.schema()))

    def _register_in_memory_table(self, op: Any) -> None:
        rows: pa.Table = op.data.to_pyarrow(op.schema)
        self._session.createDataFrame(rows).createOrReplaceTempView(op.name)


@contextmanager
def spark_session(master: str | None = None, *, settings: Mapping[str, str] | None = None) -> Iterator[SparkSession]:
    """A session that ends with the block.

    Args:
        master: of the cluster, as `spark-submit --master` takes it; None for what Spark's own configuration names.
        settings: Spark properties beside those of its configuration.
    Raises:
        Unavailable: there is no Java runtime, or no such cluster.
    """
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise Unavailable("java")
    builder = SparkSession.builder.appName("shouhao analyze")
    for name, value in {**(settings or {}), **_MEANING}.items():
        builder = builder.config(name, value)
    if master is not None:
        builder = builder.master(master)
    try:
        session = builder.getOrCreate()
    except (PySparkException, Py4JError) as error:
        raise Unavailable(f"spark: {error}") from error
    try:
        yield session
    finally:
        session.stop()


def tables_on(session: SparkSession, connection: "DuckDBPyConnection", folder: Path) -> Tables:
    """The relations `hits` and `events` of a connection, as detectors count in them on a cluster.

    Args:
        folder: empty, and under the same path on every worker; it is needed as long as the tables are.
    """
    ArrowBackend.register_options()
    backend = ArrowBackend().connect(session)
    for name in ("hits", "events"):
        (folder / name).mkdir()
        connection.execute(f"COPY {name} TO '{_quoted(folder / name / 'rows.parquet')}' (FORMAT parquet)")

    def kept(name: str, counted: Any) -> Any:
        backend.to_parquet(counted, folder / name)
        return backend.read_parquet(folder / name)

    return tables_in(backend.read_parquet(folder / "hits"), backend.read_parquet(folder / "events"), keep=kept)


def _quoted(path: Path) -> str:
    return str(path.resolve()).replace("'", "''")
