"""Running server: the real program in a process of its own, started, watched and always ended."""

import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Self

from shouhao.kernel.errors import Unavailable
from shouhao.settings import PREFIX

_CODE = re.compile(r"\[phone code\] (?P<phone>\S+) -> (?P<code>\d{4,8})\s*$")
_OK = 200
_STOP_S = 20.0
_LOOKS_EVERY_S = 0.5  #: whether it still runs
_TAIL_LINES = 12


class RunningServer:
    """`shouhao up` with its settings in the environment; a context that ends it, whatever happens."""

    def __init__(
        self,
        settings: Mapping[str, str],
        *,
        host: str,
        port: int,
        log_file: Path,
        program: Sequence[str] = ("-m", "shouhao.cli.main", "up"),
    ) -> None:
        """Say what to run.

        Args:
            settings: settings by their names, such as `public_port`.
            log_file: takes what the server logs.
            program: what this Python is given to run.
        """
        self._program = tuple(program)
        self._settings = dict(settings)
        self._log_file = log_file
        self.host = host
        self.port = port
        self.said: list[str] = []  #: what it printed, codes for phones apart
        self._codes: queue.Queue[tuple[str, str]] = queue.Queue()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        given = {f"{PREFIX}{name.upper()}": value for name, value in self._settings.items()}
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no input from outside
                [sys.executable, *self._program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env={**kept, **given, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Ctrl-C reaches this process, which then ends that one
            )
        self._reader = threading.Thread(target=self._read, name="server-output", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def wait_ready(self, *, timeout_s: float = 40.0) -> float:
        """Wait until it says that it is ready; how many seconds that took.

        Raises:
            Unavailable: it ended, or did not become ready in time; the end of its log is in the message.
        """
        started = time.monotonic()
        while time.monotonic() - started < timeout_s:
            if not self.is_running:
                break
            if self._is_ready():
                return time.monotonic() - started
            time.sleep(0.05)
        raise Unavailable(f"server:\n{self._end_of_log()}")

    def wait_code(self, *, ends_with: str, timeout_s: float = 10.0) -> str:
        """The next code that was sent to a phone with this ending.

        Raises:
            Unavailable: none was sent in time.
        """
        until = time.monotonic() + timeout_s
        while (left_s := until - time.monotonic()) > 0:
            try:
                phone, code = self._codes.get(timeout=left_s)
            except queue.Empty:
                break
            if phone.endswith(ends_with):
                return code
        raise Unavailable("phone code")

    def codes(self) -> Iterator[tuple[str, str]]:
        """Phones and the codes that are sent to them, as they come, until the server ends by itself."""
        while self.is_running or not self._codes.empty():
            try:
                yield self._codes.get(timeout=_LOOKS_EVERY_S)
            except queue.Empty:
                continue

    def stop(self) -> None:
        """Ask it to end, and insist when it does not."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._reader is not None:
            self._reader.join(timeout=5)
        if process.stdout is not None:
            process.stdout.close()

    def _read(self) -> None:
        stdout = None if self._process is None else self._process.stdout
        if stdout is None:
            return
        for line in stdout:
            found = _CODE.search(line)
            if found:
                self._codes.put((found["phone"], found["code"]))
            else:
                self.said.append(line.rstrip())

    def _is_ready(self) -> bool:
        connection = HTTPConnection(self.host, self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == _OK
        except OSError:
            return False
        finally:
            connection.close()

    def _end_of_log(self) -> str:
        lines = self._log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])


@contextmanager
def reserved_port(host: str = "127.0.0.1") -> Iterator[int]:
    """A port that the system gives to nobody else within the block; whoever is told its number may listen on it.

    A port that was only looked up may be taken by anybody's outgoing connection before the server listens. One that is
    bound but not listened on is not, and a server that asks for the address again (SO_REUSEADDR) gets it.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((host, 0))
        yield holder.getsockname()[1]
