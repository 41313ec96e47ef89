"""Pull line: one pulling process, from its start to its end, as the process that watches over it sees it.

It is believed in nothing but what it says once a second; when it says nothing, or one of its readers does nothing, it
is killed. FFmpeg's and PyAV's own time-outs do not hold in every case, and a thread that hangs in C cannot be ended.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec
import structlog

from shouhao.watch.pulling import CameraPulse, PullOrder, Pulse, Ready, Said, WantClip, decode_said, read, write

_LOADING_S = 120.0  #: until models are loaded, on a machine that is busy
_GOODBYE_S = 5.0
#: What a process needs of its surroundings; no setting of ours, where keys and passwords are.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "TZ", "TMPDIR", "OMP_NUM_THREADS")

_log = structlog.get_logger()


class PullLine:
    """One running process and what it said last."""

    def __init__(self, command: Sequence[str], order: PullOrder, on_said: Callable[[Said], None]) -> None:
        """Start it.

        Args:
            on_said: handed shots and clips, on a thread of this line.
        """
        self.order, self._on_said = order, on_said
        self.pulses: Mapping[str, CameraPulse] = {}
        self._started_s = self._said_s = time.monotonic()
        self._ready = False
        self._lock = threading.Lock()
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            start_new_session=True,
        )
        self._listening = threading.Thread(target=self._listen, name="pull-line", daemon=True)
        self._listening.start()
        self._tell(order)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def age_s(self) -> float:
        """Since it was started."""
        return time.monotonic() - self._started_s

    def trouble(self, *, stall_s: float) -> tuple[str, list[str]] | None:
        """What is wrong, and which cameras hang; None: all is well.

        Args:
            stall_s: nothing for so long, and it hangs.
        """
        if self._process.poll() is not None:
            return "ended", []
        silent_s = time.monotonic() - self._said_s
        if silent_s > (stall_s if self._ready else _LOADING_S):
            return "silent", []
        hanging = [one.camera_id for one in self.pulses.values() if one.alive_ago_s > stall_s]
        return ("hangs", hanging) if hanging else None

    def want_clip(self, want: WantClip) -> None:
        """Ask for a part of a stream."""
        self._tell(want)

    def end(self, *, kill: bool = False) -> None:
        """End it: by the end of its pipe, or at once; gone when this returns."""
        stdin = self._process.stdin
        if kill:
            self._process.kill()
        if stdin is not None:
            with suppress(OSError):
                stdin.close()
        try:
            self._process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listening.join(_GOODBYE_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _tell(self, message: PullOrder | WantClip) -> None:
        with self._lock, suppress(OSError, ValueError):  # a process that is gone is found by `trouble`
            if self._process.stdin is not None:
                write(self._process.stdin, message)

    def _listen(self) -> None:
        stdout = self._process.stdout
        while stdout is not None and (frame := read(stdout)) is not None:
            try:
                said = decode_said(frame)
            except (msgspec.MsgspecError, ValueError):
                _log.error("pull_process_not_understood", pid=self.pid)
                self._process.kill()  # it decodes hostile bytes; one that speaks otherwise is no longer ours
                return
            self._said_s = time.monotonic()
            if isinstance(said, Ready):
                self._ready = True
            elif isinstance(said, Pulse):
                self.pulses = {one.camera_id: one for one in said.cameras}
            else:
                self._on_said(said)
