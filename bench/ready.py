"""A server that was started answers, so that starting is not what is measured."""

import contextlib
import socket
import subprocess
import time


def wait_until_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the server answers; a port is open before that."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            if connection.recv(64):
                return
        time.sleep(0.05)
    raise SystemExit("the server did not start")
