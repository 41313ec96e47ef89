"""The server as a process: it answers what was asked before it goes, and goes cleanly."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from shouhao.web.asgi import Edge, Message, Receive, Scope, Send, read_body
from shouhao.web.errors import BodyIncomplete, BodyTooLarge
from shouhao.web.server import serve
from shouhao.wiring import assemble
from web.served import free_port, settings_for

SCRIPT = """
import sys
from pathlib import Path
from shouhao.settings import Settings
from shouhao.web.server import serve
from shouhao.wiring import assemble
url, folder, port, console = sys.argv[1:]
settings = Settings(database_url=url, data_dir=Path(folder), public_port=int(port), console_port=int(console))
serve(assemble(settings), {"public", "console", "worker"}, on_listening=lambda: print("listening", flush=True))
print("closed", flush=True)
"""


def test_a_server_that_is_stopped_answers_what_was_asked_and_closes(sqlite_url: str, tmp_path: Path) -> None:
    port, console = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, sqlite_url, str(tmp_path), str(port), str(console)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": "src"},
    )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout)
        assert any("listening" in line for line in lines)
        assert httpx.get(f"http://127.0.0.1:{console}/readyz").status_code == 200
        body = b'{"phone": "1"}'
        with socket.create_connection(("127.0.0.1", port), timeout=20) as caller:
            caller.sendall(
                b"POST /api/v1/bookings HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
            )
            assert b"100 Continue" in caller.recv(1000)
            process.send_signal(signal.SIGTERM)
            caller.sendall(body)
            assert b" 401 " in caller.recv(1000)
        rest = process.communicate(timeout=30)[0]
        assert process.returncode == 0, rest
        assert "closed" in rest
    finally:
        process.kill()
        process.wait()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_port_that_is_taken_is_an_error_and_not_a_silence(sqlite_url: str, tmp_path: Path) -> None:
    settings = settings_for(sqlite_url, tmp_path)
    with socket.create_server(("127.0.0.1", settings.public_port)), pytest.raises(OSError, match="in use"):
        serve(assemble(settings), {"public"})


def test_a_role_that_does_not_exist_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    system = assemble(settings_for(sqlite_url, tmp_path))
    for roles in ({"kitchen"}, set[str]()):
        with pytest.raises(ValueError, match="roles"):
            serve(system, roles)
    system.close()


def _messages(*messages: Message) -> Receive:
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting)

    return receive


def test_half_a_body_is_never_taken_for_a_whole_one() -> None:
    half = {"type": "http.request", "body": b"half", "more_body": True}
    gone = {"type": "http.disconnect"}
    with pytest.raises(BodyIncomplete):
        asyncio.run(read_body(_messages(half, gone), limit=100))
    with pytest.raises(BodyIncomplete):
        asyncio.run(read_body(_messages(gone), limit=100))
    rest = {"type": "http.request", "body": b" and half", "more_body": False}
    assert asyncio.run(read_body(_messages(half, rest), limit=100)) == b"half and half"
    with pytest.raises(BodyTooLarge):
        asyncio.run(read_body(_messages(half, rest), limit=5))


def test_a_body_without_end_is_not_read_without_end() -> None:
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 1_000_000, "more_body": True}

    with pytest.raises(BodyTooLarge):
        asyncio.run(read_body(receive, limit=10))
    assert taken < 30


def test_a_bug_is_told_in_one_word_and_once() -> None:
    sent: list[Message] = []

    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("name, phone, everything")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    whole = _messages({"type": "http.request", "body": b""})
    asyncio.run(Edge(broken, limit=10)(scope, whole, send))
    assert [m["type"] for m in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 500
    assert b"everything" not in sent[1]["body"]
