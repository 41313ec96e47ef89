"""Spark: a cluster of two workers counts the same as DuckDB, for every detector, for evidence and for the command."""

import gc
import importlib
import shutil

import pyarrow as pa
import pytest

from conftest import REQUIRE
from detect.detector_checks import as_text, example_of, told
from detect.people import Rows, honest_week
from detect.tables import tables
from shouhao.detect import evidence
from shouhao.detect.counted.releases import with_releases
from shouhao.detect.model import Suspicion
from shouhao.detect.rings.joining import edges_in
from shouhao.detect.rings.workdays import workdays
from shouhao.detect.rules import DETECTORS
from shouhao.detect.speaks_for import SpeaksFor

pytestmark = [
    # Py4J leaves the sockets to its JVM to the collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning"),
]

_CLUSTER = "local-cluster[2,1,1024]"
_SMALL = {  # what suits some thousands of rows, not what decides a result
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",  # compiling would take longer than all rows do
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.constraintPropagation.enabled": "false",  # looks through every plan for filters that might save rows
    "spark.sql.maxPlanStringLength": "1000",  # nobody reads them
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_PEOPLE = 120


def _everything() -> Rows:
    """An honest week with the pattern of every detector in it."""
    rows = honest_week(people=_PEOPLE)
    for kind in DETECTORS:
        rows = rows.plus(example_of(kind).guilty)
    return rows


def _work(over):
    return workdays(over, [one["account_id"] for one in honest_week(people=_PEOPLE).events if one.get("account_id")])


@pytest.fixture(scope="module")
def spark():
    """The module that needs pyspark, on a machine that has it and Java."""
    if REQUIRE == "all":
        return importlib.import_module("shouhao.detect.spark")
    if shutil.which("java") is None:
        pytest.skip("there is no Java runtime")
    pytest.importorskip("pyspark")
    return importlib.import_module("shouhao.detect.spark")


@pytest.fixture(scope="module")
def both(spark, tmp_path_factory):
    """The same rows in DuckDB and on the cluster."""
    rows = _everything()
    here = tables(hits=rows.hits, events=rows.events)
    connection = here.hits.get_backend().con
    with spark.spark_session(_CLUSTER, settings=_SMALL) as session:
        there = spark.tables_on(session, connection, tmp_path_factory.mktemp("spark"))
        workers = session.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1
        assert workers == 2
        gateway = session.sparkContext._gateway
        yield here, there
    gateway.shutdown()
    gc.collect()


def test_both_engines_know_the_same_columns(both):
    here, there = both
    assert there.has == here.has


@pytest.mark.parametrize("kind", DETECTORS, ids=lambda kind: kind.__name__)
def test_a_detector_counts_and_says_the_same_on_a_cluster(both, kind):
    detector = kind()
    here, there = ({name: one.to_pyarrow() for name, one in detector.count(over).items()} for over in both)
    assert any(len(table) for table in here.values())
    assert {name: _rows(table) for name, table in there.items()} == {name: _rows(table) for name, table in here.items()}
    assert as_text(list(detector.judge(there))) == as_text(list(detector.judge(here)))


def test_what_ties_accounts_is_the_same_on_a_cluster(both):
    here, there = both
    assert _rows(edges_in(there).to_pyarrow()) == _rows(edges_in(here).to_pyarrow())


def test_releases_that_nobody_wrote_down_are_the_same_on_a_cluster(both):
    here, there = (_releases(over.events) for over in both)
    assert {released_at_us is None for _, released_at_us in here} == {True, False}
    assert there == here


def test_when_accounts_worked_is_the_same_on_a_cluster(both):
    here, there = ({name: _rows(one.to_pyarrow()) for name, one in _work(over).items()} for over in both)
    assert all(here.values())
    assert there == here


def test_what_speaks_for_people_is_the_same_on_a_cluster(both):
    here, there = both
    accused = {one.subject for kind in DETECTORS[-4:] for one in told(kind(), here)}
    assert as_text(told(SpeaksFor(about=accused), there)) == as_text(told(SpeaksFor(about=accused), here))


def test_evidence_is_found_at_the_same_bytes_on_a_cluster(both):
    here, there = both
    said = [one for kind in DETECTORS for one in told(kind(), here) if isinstance(one, Suspicion)]
    wanted = [one.wanted for one in said[::5]]
    places = evidence.find(here, wanted)
    assert sum(one.total for one in places)
    assert evidence.find(there, wanted) == places


def _releases(events):
    found = with_releases(events).to_pyarrow()
    return sorted(zip(found["event_id"].to_pylist(), found["released_at_us"].to_pylist(), strict=True))


def _rows(table: pa.Table) -> list[str]:
    return sorted(map(repr, table.to_pylist()))
