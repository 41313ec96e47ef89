"""The command in a process of its own, forked from one that has imported it already.

Starting anew costs a processor two seconds of importing, and tests start the command some hundred times. What differs:
all of them order sets alike. What is about starting itself starts the program as people do.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NoReturn


def run_command(
    words: Sequence[object],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
) -> "subprocess.CompletedProcess[str]":
    """`shouhao WORDS`, as `subprocess.run` would run it.

    Raises:
        subprocess.TimeoutExpired: it took too long, and was killed.
    """
    argv = ["shouhao", *map(str, words)]
    asked = {"argv": argv, "cwd": str(cwd or Path.cwd()), "env": dict(os.environ if env is None else env)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, socket.socket(socket.AF_UNIX) as line:
        line.connect(_warm())
        socket.send_fds(line, [b"."], [out.fileno(), err.fileno()])
        line.sendall(json.dumps(asked).encode())
        line.shutdown(socket.SHUT_WR)
        line.settimeout(timeout)
        with line.makefile("r") as told:
            pid = int(told.readline())
            try:
                status = int(told.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(argv, timeout) from None
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(argv, status, out.read().decode(), err.read().decode())


@cache
def _warm() -> str:
    """Where the process listens that forks; it ends with this one."""
    folder = tempfile.mkdtemp(prefix="shouhao-warm-")
    address = f"{folder}/line"
    process = subprocess.Popen([sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def end() -> None:
        process.kill()
        process.communicate()
        Path(address).unlink(missing_ok=True)
        Path(folder).rmdir()

    atexit.register(end)
    until = time.monotonic() + 60
    while not Path(address).exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    return address


def _serve(address: str) -> None:
    """Fork for each that asks; returns in the forked process that is to be the command."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address + ".new")
        listener.listen(16)
        Path(address + ".new").rename(address)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:  # whoever started this is gone
                sys.exit(0)
            line, _ = listener.accept()
            if os.fork() == 0:
                break
            line.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _become(line)


def _become(line: socket.socket) -> None:
    """Be the command, or wait for it and say how it ended."""
    _, files, _, _ = socket.recv_fds(line, 1, 2)
    with line.makefile("rb") as said:
        asked = json.load(said)
    pid = os.fork()
    if pid:
        _tell(line, pid)
    line.close()
    for number, file in enumerate([os.open(os.devnull, os.O_RDONLY), *files]):
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    sys.argv[:] = asked["argv"]
    sys.path[0] = asked["cwd"]  # as `python -m` has it


def _tell(line: socket.socket, pid: int) -> NoReturn:
    with suppress(OSError):  # whoever asked may be gone
        line.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    from shouhao.cli.main import main

    gc.freeze()
    _serve(sys.argv[1])
    sys.exit(main())
