"""report.json: written last and whole, the same each time but for when it was made, and believed in nothing."""

import json
import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from detect.report.example import example_report
from detect.test_real_log import LOGS
from shouhao.cli.analyze_batch import BatchOptions, analyze_files
from shouhao.detect.report.file import NAME, read_plain, read_report_file, report_from, write_report_file
from shouhao.detect.report.model import Ring, RingEdge, RingNode
from shouhao.detect.run import tables_of
from shouhao.kernel.errors import InvalidInput


def refused(raw: bytes) -> str:
    with pytest.raises(InvalidInput) as said:
        report_from(raw)
    return str(said.value.field)


def changed(at: str, value: object) -> bytes:
    """The example's file with one value put in the place of another."""
    told = json.loads(msgspec.json.encode(example_report()))
    *way, last = [int(part) if part.isdigit() else part for part in at.split(".")]
    place = told
    for part in way:
        place = place[part]
    place[last] = value
    return json.dumps(told).encode()


def test_a_report_is_read_back_as_it_was_written(tmp_path):
    report = example_report()
    read = read_report_file(write_report_file(report, tmp_path))
    assert read.report == replace(report, findings=())
    assert [json.loads(one) for one in map(bytes, read.findings)] == [dict(one) for one in report.findings]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """The real log, analysed twice into one folder; what lay there in between."""
    out = tmp_path_factory.mktemp("twice") / "out"
    options = BatchOptions(
        out=out,
        access_logs=[LOGS / "nginx-desk.log"],
        log_formats=[f"{LOGS / 'nginx.conf'}:desk"],
        events=[],
        mapping={},
        trusted_proxies=(),
        networks=None,
        state=None,
        keep_days=30,
        shadow=(),
    )
    analyze_files(options, lambda connection, _: tables_of(connection))
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    seen: list[bool] = []

    def counting(connection, _folder):
        seen.append((out / NAME).exists())
        return tables_of(connection)

    analyze_files(options, counting)
    return first, {path.name: path.read_bytes() for path in out.iterdir()}, seen, out


def test_the_same_files_give_the_same_report_but_for_when_it_was_made(twice):
    first, second, _, _ = twice
    assert first["findings.jsonl"] == second["findings.jsonl"]
    before, after = (json.loads(one[NAME]) for one in (first, second))
    before.pop("made_at")
    after.pop("made_at")
    assert before == after


def test_its_findings_are_the_lines_of_findings_jsonl_to_the_byte(twice):
    first, _, _, out = twice
    assert b"".join(bytes(one) + b"\n" for one in read_report_file(out / NAME).findings) == first["findings.jsonl"]
    assert first["findings.jsonl"]


def test_a_folder_that_is_being_written_anew_is_not_whole(twice):
    _, second, seen, _ = twice
    assert seen == [False]
    assert NAME in second


def test_bytes_that_belong_to_no_character_are_written_visibly(tmp_path):
    report = replace(example_report(), command=("shouhao", "caf\udce9"))
    read = read_report_file(write_report_file(report, tmp_path))
    assert read.report.command == ("shouhao", "caf\\xe9")


def test_a_file_that_is_cut_off_anywhere_is_refused():
    raw = msgspec.json.encode(example_report())
    for share in range(1, 20):
        assert refused(raw[: len(raw) * share // 20]) == NAME
    assert refused(b"") == NAME
    assert refused(b"null") == NAME
    assert refused(b"[" * 100_000) == NAME


@pytest.mark.parametrize(
    ("at", "value", "named"),
    [
        ("version", 2, "version"),
        ("counts.hits", "many", "counts.hits"),
        ("counts.hits", 1 << 63, "counts.hits"),
        ("sources.0.kind", "database", "sources[0].kind"),
        ("sources.0.first_at_us", -(1 << 80), "sources[0].first_at_us"),
        ("rings.0.edges.0.a", 10_000, "rings[0].edges[0]"),
        ("rings.0.edges.0.b", -1, "rings[0].edges[0]"),
        ("rings.0.nodes.0.id", None, "rings[0].nodes[0].id"),
        ("level_from", {"guilty": 1.0}, "level_from"),
        ("findings", {}, "findings"),
    ],
)
def test_what_breaks_a_rule_is_named(at, value, named):
    assert refused(changed(at, value)).startswith(f"{NAME}:{named}")


def test_a_field_that_is_missing_is_named():
    told = json.loads(msgspec.json.encode(example_report()))
    del told["counts"]["events"]
    assert refused(json.dumps(told).encode()) == f"{NAME}:counts.events"
    del told["version"]
    assert refused(json.dumps(told).encode()) == f"{NAME}:version"


def test_only_a_plain_file_is_read(tmp_path):
    kept = tmp_path / "kept"
    kept.write_bytes(b"x" * 10)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(kept)
    (tmp_path / "folder").mkdir()
    for name in ("none", "pipe", "link", "folder"):
        with pytest.raises(InvalidInput) as said:
            read_plain(tmp_path / name, most_bytes=10)
        assert said.value.field == name
    assert read_plain(kept, most_bytes=10) == b"x" * 10
    with pytest.raises(InvalidInput):
        read_plain(kept, most_bytes=9)


def test_a_great_ring_is_read(tmp_path: Path):
    nodes = tuple(RingNode(kind="account", id=f"a{n}") for n in range(3_001))
    edges = tuple(RingEdge(a=n, b=3_000, weight=1.0, n=n) for n in range(3_000))
    report = replace(example_report(), rings=(Ring(finding_id="f", nodes=nodes, edges=edges),))
    assert len(read_report_file(write_report_file(report, tmp_path)).report.rings[0].edges) == 3_000
