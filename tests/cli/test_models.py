"""`shouhao models` as an operator uses it: with a mirror behind https, without one, and with files brought by hand."""

import hashlib
import json
import os
import pty
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import trustme
from typer.testing import CliRunner

from shouhao.cli.main import app
from shouhao.settings import PREFIX
from warm_command import run_command

SOON_S = 60
DONE, NO, USAGE, AWAY = 0, 1, 2, 3
MAIN = "import sys; from shouhao.cli.main import main; sys.exit(main())"
FILES = {"finds.onnx": b"a net that finds " * 5_000, "knows.onnx": b"a net that knows " * 70_000}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def manifest(**changed: str) -> str:
    said = {
        "mirror": "https://127.0.0.1:1/nobody",
        "knows_url": 'url = "nets/knows.onnx"',
        "knows_hash": sha256(FILES["knows.onnx"]),
        **changed,
    }
    return f"""
name = "ours"
zh = "本院模型"
en = "our own model"
source = "here"
licence = "contract 7"
for_trying_out = false
mirror = "{said["mirror"]}"
[detector]
kind = "yunet"
score_at_least = 0.6
[detector.file]
name = "finds.onnx"
sha256 = "{sha256(FILES["finds.onnx"])}"
size_bytes = {len(FILES["finds.onnx"])}
url = "nets/finds.onnx"
licence = "ours"
[embedder]
kind = "onnx"
dims = 4
chip_px = 112
template_px = [[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]]
channels = "rgb"
mean = 0
scale = 1
mirrored_too = false
[embedder.file]
name = "knows.onnx"
sha256 = "{said["knows_hash"]}"
size_bytes = {len(FILES["knows.onnx"])}
{said["knows_url"]}
licence = "ours"
[[liveness]]
crop_scale = 2.7
[liveness.file]
name = "lives.onnx"
sha256 = "{"1" * 64}"
licence = "ours"
"""


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """A terminal in which nobody has set anything but where the models and the data lie."""

    folder: Path

    @property
    def models(self) -> Path:
        return self.folder / "models"

    def surroundings(self, **settings: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(PREFIX) and not name.lower().endswith("_proxy")
        }
        given = {"data_dir": str(self.folder / "data"), "models": str(self.models), **settings}
        return {**kept, "COLUMNS": "200", **{PREFIX + name.upper(): value for name, value in given.items()}}

    def __call__(self, *words: str, **settings: str) -> Said:
        surroundings = self.surroundings(**settings)
        done = run_command(["models", *words], cwd=self.folder, env=surroundings, timeout=SOON_S)
        assert "Traceback" not in done.stderr, done.stderr
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def shouhao(tmp_path: Path) -> Shell:
    (tmp_path / "models").mkdir()
    return Shell(tmp_path)


@pytest.fixture
def ours(shouhao: Shell) -> Path:
    """The hospital's own pack, whose files lie on the mirror."""
    path = shouhao.models / "ours.toml"
    path.write_text(manifest(), encoding="utf-8")
    return path


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mirror behind https, with the files of `ours`."""
    nets = tmp_path / "mirror" / "nets"
    nets.mkdir(parents=True)
    for name, content in FILES.items():
        (nets / name).write_bytes(content)
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "mirror")))
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_packs_are_listed_with_licence_and_what_is_missing(shouhao: Shell, ours: Path) -> None:
    said = shouhao("list")
    assert (said.status, said.err) == (DONE, "")
    for expected in ("opencv-zoo", "使用中 in use", "Apache-2.0", "仅供试用", "contract 7", "缺少 missing knows.onnx"):
        assert expected in said.out
    told = {pack["name"]: pack for pack in json.loads(shouhao("list", "--json").out)["packs"]}
    assert sorted(told) == ["arcface-onnx", "dlib", "opencv-zoo", "ours"]
    assert [told[name]["for_trying_out"] for name in sorted(told)] == [True, True, False, False]
    assert told["opencv-zoo"]["in_use"]
    assert told["opencv-zoo"]["published_threshold"]["similarity_cos"] == 0.363
    assert [(file["name"], file["required"]) for file in told["ours"]["files"]] == [
        ("finds.onnx", True),
        ("knows.onnx", True),
        ("lives.onnx", False),
    ]
    assert not told["ours"]["complete"]


def test_a_broken_manifest_is_shown_with_its_rule_and_hides_no_other(shouhao: Shell, ours: Path) -> None:
    ours.write_text(manifest().replace("dims = 4", "dims = 0"), encoding="utf-8")
    said = shouhao("list")
    assert said.status == DONE
    assert "ours.toml embedder.dims" in said.out
    assert "opencv-zoo" in said.out
    verified = shouhao("verify", "ours")
    assert (verified.status, "embedder.dims" in verified.err) == (NO, True)


def test_a_pack_is_pulled_from_the_mirror_of_the_settings(shouhao: Shell, ours: Path, mirror: str) -> None:
    said = shouhao("pull", "ours", models_mirror=mirror)
    assert (said.status, said.err) == (DONE, "")  # a pipe sees no progress
    assert "可以使用 usable" in said.out
    assert {name: (shouhao.models / name).read_bytes() for name in FILES} == FILES
    assert sorted(path.name for path in shouhao.models.iterdir()) == ["finds.onnx", "knows.onnx", "ours.toml"]
    told = json.loads(shouhao("pull", "ours", "--json").out)  # nothing is asked for any more
    assert (told["pack"], told["usable"]) == ("ours", True)
    assert [file["state"] for file in told["files"]] == ["ok", "ok", "missing"]


def test_a_pack_is_pulled_from_where_its_manifest_says(shouhao: Shell, ours: Path, mirror: str) -> None:
    ours.write_text(manifest(mirror=mirror), encoding="utf-8")
    assert shouhao("pull", "ours").status == DONE


def test_a_terminal_sees_progress(shouhao: Shell, ours: Path, mirror: str) -> None:
    ours_end, its_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "models", "pull", "ours"],
        env=shouhao.surroundings(models_mirror=mirror) | {"TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=its_end,
    )
    os.close(its_end)
    seen = b""
    try:
        while more := os.read(ours_end, 4096):
            seen += more
    except OSError:  # the other end of a terminal is gone: all is read
        pass
    finally:
        os.close(ours_end)
    assert process.wait(SOON_S) == DONE
    assert b"knows.onnx" in seen


def test_a_file_of_another_hash_is_refused_and_not_left(shouhao: Shell, ours: Path, mirror: str) -> None:
    ours.write_text(manifest(knows_hash="0" * 64), encoding="utf-8")
    said = shouhao("pull", "ours", models_mirror=mirror)
    assert (said.status, "knows.onnx" in said.err) == (NO, True)
    assert not (shouhao.models / "knows.onnx").exists()


def test_without_a_mirror_one_is_told_what_to_do(shouhao: Shell, ours: Path) -> None:
    said = shouhao("pull", "ours")
    assert said.status == AWAY
    assert "models_mirror" in said.err
    assert str(shouhao.models) in said.err


def test_what_the_hospital_brings_is_asked_for_and_then_found(shouhao: Shell, ours: Path, mirror: str) -> None:
    ours.write_text(manifest(knows_url=""), encoding="utf-8")
    said = shouhao("pull", "ours", models_mirror=mirror)
    assert said.status == NO
    assert "by the hospital: knows.onnx" in said.out
    (shouhao.models / "knows.onnx").write_bytes(FILES["knows.onnx"])
    assert shouhao("verify", "ours").status == DONE


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "缺少 missing  knows.onnx"),
        (FILES["knows.onnx"][:-1], "大小不符 wrong size  knows.onnx"),
        (FILES["knows.onnx"].upper(), "SHA-256 不符 wrong SHA-256  knows.onnx"),
    ],
)
def test_verifying_finds_what_is_missing_or_wrong(
    shouhao: Shell, ours: Path, content: bytes | None, words: str
) -> None:
    (shouhao.models / "finds.onnx").write_bytes(FILES["finds.onnx"])
    if content is not None:
        (shouhao.models / "knows.onnx").write_bytes(content)
    said = shouhao("verify", "ours")
    assert said.status == NO
    assert words in said.out
    assert "正确 ok  finds.onnx" in said.out
    told = json.loads(shouhao("verify", "ours", "--json").out)
    assert not told["usable"]


def test_a_wrong_optional_file_is_not_passed_over(shouhao: Shell, ours: Path) -> None:
    for name, content in FILES.items():
        (shouhao.models / name).write_bytes(content)
    assert shouhao("verify", "ours").status == DONE
    (shouhao.models / "lives.onnx").write_bytes(b"another net")
    assert shouhao("verify", "ours").status == NO


def test_without_a_name_the_pack_of_the_settings_is_verified(shouhao: Shell, ours: Path) -> None:
    assert "opencv-zoo@" in shouhao("verify").out
    assert "ours@" in shouhao("verify", face_pack="ours").out


def test_for_dlib_nothing_is_to_be_pulled(shouhao: Shell) -> None:
    if find_spec("dlib") is None or find_spec("face_recognition_models") is None:
        pytest.skip("the extra dlib is not installed")
    said = shouhao("pull", "dlib")
    assert said.status == DONE
    assert "无需下载" in said.out
    assert "仅供试用" in said.out
    assert list(shouhao.models.iterdir()) == []


def test_an_unknown_pack_is_a_no_and_a_missing_word_is_wrong_usage(shouhao: Shell) -> None:
    for name in ("nothing", "../ours", ""):
        said = shouhao("pull", name)
        assert (said.status, "opencv-zoo" in said.err) == (NO, True)
    assert shouhao("pull").status == USAGE


@pytest.mark.parametrize("pack", ["arcface-onnx", "dlib"])
def test_a_pack_is_measured_step_by_step(pack, models_dir, faces_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOUHAO_MODELS", str(models_dir))
    shown = tmp_path / "shown"
    shown.mkdir()
    for file in sorted((faces_dir / "lfw-dev").glob("*/*_0001.jpg"))[:3]:
        (shown / file.name).symlink_to(file)
    said = CliRunner().invoke(app, ["models", "bench", "--pack", pack, "--pictures", str(shown), "--json"])
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert told["pack"].startswith(f"{pack}@")
    assert told["pictures"] >= 3
    assert told["faces"] >= 1
    assert min(told[f"{step}_per_s"] for step in ("detect_pictures", "embed_faces", "faces")) > 0
    assert told["search_ms"] > 0
