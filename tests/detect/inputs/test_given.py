"""Given: folders and patterns become files, and what is in a folder is never left out in silence."""

import gzip
import os
import tarfile

import pytest

from shouhao.detect.inputs.files import open_files
from shouhao.detect.inputs.given import given_files
from shouhao.detect.inputs.problems import Problems
from shouhao.kernel.errors import InvalidInput


def test_a_folder_and_a_pattern_are_their_files(write, tmp_path):
    names = ["logs/.hidden", "logs/access.log", "logs/access.log.1", "logs/访问 日志.log"]
    paths = [write(name, [name]) for name in names]
    assert given_files([tmp_path / "logs"], "access_log") == paths[1:]
    assert given_files([tmp_path / "logs" / "access.log*"], "access_log") == paths[1:3]
    assert given_files([tmp_path / "none*"], "access_log") == [tmp_path / "none*"]  # refused when it is opened
    odd = write("access[1].log", ["x"])
    assert given_files([odd], "access_log") == [odd]


def test_a_folder_with_folders_or_nothing_in_it_is_refused(write, tmp_path):
    write("logs/old/access.log", ["x"])
    with pytest.raises(InvalidInput) as refused:
        given_files([tmp_path / "logs"], "access_log")
    assert "old" in refused.value.says("zh")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(InvalidInput):
        given_files([tmp_path / "hollow"], "events")


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput) as refused:
        open_files([(tmp_path / "pipe", "access_log")], problems=Problems())
    assert "cite" in refused.value.says("en")


def test_archives_are_refused_whether_packed_or_not(write, tmp_path):
    log = write("access.log", ["x"] * 100)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(log, "access.log")
    archive = (tmp_path / "a.tar").read_bytes()
    for name, content in (
        ("b.tar", archive),
        ("b.tgz", gzip.compress(archive)),
        ("b.gz", gzip.compress(gzip.compress(b"x\n"))),
    ):
        with pytest.raises(InvalidInput) as refused:
            open_files([(write(name, content), "access_log")], problems=Problems())
        assert "unpack" in refused.value.says("en")


def test_one_file_is_not_both_a_log_and_events(write):
    path = write("a.csv", ["x"])
    with pytest.raises(InvalidInput):
        open_files([(path, "access_log"), (path, "events")], problems=Problems())
