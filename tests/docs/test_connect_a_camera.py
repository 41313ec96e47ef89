"""docs/how-to/connect-a-camera.md as it stands: its two commands, over real HTTP, and what they leave on disk."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shouhao.settings import PREFIX
from web.served import free_port

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "connect-a-camera.md"
SOON_S = 60.0


def walk(part: str) -> list[str]:
    """The words of the one command of a part."""
    (block,) = re.findall(
        rf"^<!-- walk: {part} -->\n```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (line,) = block.splitlines()
    assert line.startswith("shouhao ")
    return [str(Path(sys.executable).parent / "shouhao"), *line.split()[1:]]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[dict[str, str], int]]:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ports = ["--port", str(free_port()), "--console-port", str(free_port()), "--internal-port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*walk("up"), *ports], cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + SOON_S
        while not _ready(port):
            assert process.poll() is None, (tmp_path / "log").read_text("utf-8")
            assert time.monotonic() < until
            time.sleep(0.1)
        yield environment, port
        process.terminate()
        assert process.wait(SOON_S) == 0, (tmp_path / "log").read_text("utf-8")
    finally:
        process.kill()
        process.wait()


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def test_a_newcomer_sees_cameras_register_and_push(served: tuple[dict[str, str], int], tmp_path: Path) -> None:
    environment, port = served
    command = [*walk("simulate"), "--to", f"http://127.0.0.1:{port}", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=SOON_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    report = httpx.Response(200, content=done.stdout.splitlines()[-1]).json()
    assert report["registrations"] == 4
    assert report["posts"] > 0
    assert report["answered"] == {"200": report["posts"]}
    segments = list((tmp_path / "try-cameras" / "spool" / "receiver").glob("*.seg"))
    assert sum(path.stat().st_size for path in segments) > 100_000  # there are no face models, so they wait
