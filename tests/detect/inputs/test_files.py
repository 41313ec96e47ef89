"""Files: plain, gzip and zstd are one run of bytes each; what breaks off is read up to there."""

import gzip
import hashlib
import os
import resource
import zlib
from pathlib import Path

import pytest
import zstandard

from shouhao.detect.inputs.files import open_files
from shouhao.detect.inputs.problems import Problems
from shouhao.kernel.errors import InvalidInput

TEXT = b"".join(b"line %06d of a log that repeats itself\n" % n for n in range(60_000))


def opened(path, **kwargs):
    problems = Problems()
    (file,) = open_files([(path, "access_log")], problems=problems, **kwargs)
    return file, problems


@pytest.mark.parametrize(
    "packed",
    [
        TEXT,
        gzip.compress(TEXT),
        gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]),
        gzip.compress(TEXT) + bytes(512),
        gzip.compress(b"") + gzip.compress(TEXT),
        zstandard.compress(TEXT),
        zstandard.compress(TEXT[:1000]) + zstandard.compress(TEXT[1000:]),
    ],
    ids=["plain", "gzip", "two members", "padded", "empty member", "zstd", "two frames"],
)
def test_every_packing_gives_the_same_bytes(write, packed):
    path = write("access.log", packed)
    file, problems = opened(path)
    assert file.text[:] == TEXT
    assert not problems.counts
    source = file.source(3)
    assert (source.number, source.name, source.size_bytes) == (3, "access.log", len(packed))
    assert source.sha256 == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_file_cut_off_is_read_up_to_the_cut(write, compress):
    whole = compress(os.urandom(500_000).hex().encode())
    file, problems = opened(write("a.log.gz", whole[: len(whole) // 2]))
    assert 350_000 < len(file.text) < 600_000  # zstd gives whole blocks of 128 KiB
    assert file.stopped.at == len(file.text)
    (problem,) = problems
    assert (problem.rule, problem.byte) == ("stopped", len(file.text))
    assert "cut off" in problem.en
    assert "截断" in problem.zh
    assert problems.loses


def test_a_wrong_checksum_costs_no_byte(write):
    packed = bytearray(gzip.compress(TEXT))
    packed[-6] ^= 1
    file, problems = opened(write("a.gz", bytes(packed)))
    assert file.text[:] == TEXT
    assert problems.counts == {"stopped": 1}


def test_what_stands_behind_the_compressed_data_is_told(write):
    file, problems = opened(write("a.gz", gzip.compress(TEXT) + b"not gzip"))
    assert file.text[:] == TEXT
    (problem,) = problems
    assert problem.rule == "after_the_end"
    assert "8 bytes" in problem.en


def test_a_line_without_end_takes_no_room_when_unpacked(tmp_path):
    """128 MiB of one line, which is next to nothing as gzip: what is over the limit becomes a hole."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    path = tmp_path / "bomb.gz"
    with path.open("wb") as out:
        out.write(packer.compress(b"first\n"))
        for _ in range(128):
            out.write(packer.compress(b"x" * (1 << 20)))
        out.write(packer.compress(b"\nlast\n") + packer.flush())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    file, _ = opened(path)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert len(file.text) == (128 << 20) + 12
    assert file.text[-6:] == b"\nlast\n"
    assert file.text[64 << 20] == 0  # not kept
    assert grown_mb < 60


def test_files_are_named_by_as_little_as_tells_them_apart_and_sorted(write):
    problems = Problems()
    paths = [write(name, b"x\n") for name in ("b/access.log", "a/access.log", "only.log")]
    again = Path(os.path.relpath(paths[2]))
    files = open_files([(path, "access_log") for path in [*paths, again]], problems=problems)
    assert [file.name for file in files] == ["a/access.log", "b/access.log", "only.log"]
    assert problems.counts == {"given_twice": 1}
    turned = open_files([(path, "access_log") for path in [again, *reversed(paths)]], problems=Problems())
    assert [file.name for file in turned] == [file.name for file in files]


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"PK\x03\x04rest", "xlsx"), (b"BZh91AY", "bzip2"), ("a,b".encode("utf-16"), "UTF-16"), (None, "No such file")],
)
def test_what_is_not_read_is_refused_by_name(tmp_path, content, what):
    path = tmp_path / "x.log"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput) as refused:
        opened(path)
    assert "x.log" in refused.value.says("en")
    assert what in refused.value.says("en")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InvalidInput) as refused:
        opened(tmp_path)
    assert str(tmp_path) in refused.value.says("zh")


def test_an_empty_file_is_told(write):
    file, problems = opened(write("empty.log", b""))
    assert len(file.text) == 0
    assert problems.counts == {"empty_file": 1}
    assert not problems.loses


def test_a_zstd_window_that_would_take_too_much_memory_is_told_as_such(write):
    parameters = zstandard.ZstdCompressionParameters(window_log=28)
    packing = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    file, problems = opened(write("access.log.zst", packing.compress(TEXT) + packing.flush()))
    assert not len(file.text)
    assert [(p.rule, "--long" in p.zh) for p in problems] == [("stopped", True)]
