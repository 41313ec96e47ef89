"""Desk apart: the desk in a process of its own, spoken to over two pipes, for servers that share no GIL with it.

Deciding and serving HTTP are both Python. In one process they take turns at the interpreter and each waits for the
other after every statement; in two they run side by side, and the rate doubles (docs/decisions/0010-desk-apart.md).

A frame is four bytes of length and MessagePack: first the `Order`, which an empty list of answers acknowledges once the
process is warm, then batches of requests one way and their answers the other. When the process dies, what it had is
answered as unavailable, the retry finds out whether it was committed, and another process takes its place.
"""

import asyncio
import struct
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from shouhao.booking.desk import DeskSettings, Reply
from shouhao.booking.model import DeskFull, DeskRequest
from shouhao.kernel.errors import Unavailable
from shouhao.store.answers import Answer

FRAMES_AHEAD = 2  #: one is decided while the next one already lies in the pipe
_AHEAD_MIN = 64  #: requests that are worth sending ahead
_RESTART_PAUSES_S = (0.0, 0.2, 1.0, 5.0)

LENGTH = struct.Struct(">I")

_log = structlog.get_logger()


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame: what the process works on. It goes through the pipe, since arguments can be read by others."""

    database_url: str
    hold_s: int
    hold_cap_s: int
    log_level: str
    log_format: str


class Said(msgspec.Struct, frozen=True, array_like=True):
    """One answer: what was decided, or why there is none."""

    answer: Answer | None = None
    unavailable: str | None = None
    retry_after_s: float = 1.0
    bug: str | None = None


encode = msgspec.msgpack.Encoder().encode
_decode_said = msgspec.msgpack.Decoder(list[Said]).decode

_Waiting = tuple[DeskRequest, Reply[Any]]


class DeskApart:
    """Takes requests from any thread, answers each exactly once, on the event loop that opened it."""

    def __init__(self, command: Sequence[str], order: Order, settings: DeskSettings) -> None:
        """Set up; `open` starts the process.

        Args:
            command: starts a process that reads and writes frames on its standard streams.
        """
        self._command = command
        self._order = order
        self._settings = settings
        self._queue_max = settings.queue_max * settings.lanes
        self._waiting: deque[_Waiting] = deque()
        self._sent: deque[list[_Waiting]] = deque()
        self._process: asyncio.subprocess.Process | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._gathering = False
        self._open = False
        self._serving: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._warm = asyncio.Event()

    async def open(self) -> None:
        """Start the process, wait until it is warm or has failed to start, and open the desk."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._open = True
        self._serving = asyncio.create_task(self._serve())
        await self._warm.wait()

    async def close(self) -> None:
        """Have what waits decided, then end the process; what comes later is refused as busy."""
        self._open = False
        while self._waiting or self._sent:
            self._idle.clear()
            self._pump()
            await self._idle.wait()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if self._serving is not None:
            await self._serving

    def submit(self, asked: DeskRequest, reply: Reply[Any], *, lane_key: str) -> None:  # noqa: ARG002 - one lane
        """Put a request in the queue; as `Desk.submit`.

        Raises:
            DeskFull: too many wait already, or the desk is closed.
        """
        loop = self._loop
        if not self._open or loop is None or len(self._waiting) >= self._queue_max:
            raise DeskFull("desk", retry_after_s=1.0)
        self._waiting.append((asked, reply))
        if threading.get_ident() == self._thread:
            self._wake()
        else:
            loop.call_soon_threadsafe(self._wake)

    def depth(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def _wake(self) -> None:
        """A request came: gather company first when nothing is under way, send ahead when there is enough of it."""
        under_way = len(self._sent)
        if under_way == 0:
            if not self._gathering and self._loop is not None:
                self._gathering = True
                self._loop.call_later(self._settings.gather_ms / 1000, self._pump)
        elif under_way < FRAMES_AHEAD and len(self._waiting) >= _AHEAD_MIN:
            self._pump()

    def _pump(self) -> None:
        """Send a batch, if there is one and the process can take it."""
        self._gathering = False
        process = self._process
        if process is None or process.stdin is None or not self._waiting or len(self._sent) >= FRAMES_AHEAD:
            return
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._settings.batch_max))]
        self._sent.append(batch)
        _write(process.stdin, encode([asked for asked, _ in batch]))

    async def _serve(self) -> None:
        """Keep a process running as long as the desk is open, or owes answers."""
        deaths = 0
        while True:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            if process.stdin is not None:
                _write(process.stdin, encode(self._order))
            was_warm = await self._listen(process)
            code = await process.wait()
            self._warm.set()
            self._process = None
            if process.stdin is not None:
                process.stdin.close()
                with suppress(ConnectionError):
                    await process.stdin.wait_closed()
            self._give_up()
            if not self._open and not self._waiting:
                return
            deaths = 1 if was_warm else deaths + 1
            _log.error("desk_process_ended", exit_code=code, times=deaths)
            if not was_warm or not self._open:
                self._refuse_all()  # the next one may fail to start as well: nobody waits for that
            if not self._open:
                return
            await asyncio.sleep(_RESTART_PAUSES_S[min(deaths - 1, len(_RESTART_PAUSES_S) - 1)])
            if not self._open and not self._waiting:
                return  # closed during the pause

    async def _listen(self, process: asyncio.subprocess.Process) -> bool:
        """Hand answers over until the process ends; whether it ever became warm."""
        was_warm = False
        if process.stdout is None:
            return was_warm
        try:
            (size,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
            await process.stdout.readexactly(size)
            was_warm = True
            self._warm.set()
            self._pump()
            while True:
                (size,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
                said = _decode_said(await process.stdout.readexactly(size))
                batch = self._sent.popleft()
                self._pump()  # before the answers go out: the process must not wait for them
                _hand_over(batch, said)
                if not self._waiting and not self._sent:
                    self._idle.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            return was_warm

    def _give_up(self) -> None:
        """The process is gone: nobody knows what became of what it had, and its callers are told to ask again."""
        lost = [reply for batch in self._sent for _, reply in batch]
        self._sent.clear()
        _fail(lost)
        self._idle.set()

    def _refuse_all(self) -> None:
        waiting = [reply for _, reply in self._waiting]
        self._waiting.clear()
        _fail(waiting)
        self._idle.set()


def _write(pipe: asyncio.StreamWriter, frame: bytes) -> None:
    pipe.write(LENGTH.pack(len(frame)) + frame)


def _hand_over(batch: Sequence[_Waiting], said: Sequence[Said]) -> None:
    for (_, reply), one in zip(batch, said, strict=True):
        if _gone(reply):
            continue
        if one.answer is not None:
            reply.set_result(one.answer)
        elif one.unavailable is not None:
            reply.set_exception(Unavailable(one.unavailable, retry_after_s=one.retry_after_s))
        else:
            reply.set_exception(RuntimeError(f"the desk failed: {one.bug}"))


def _fail(replies: Sequence[Reply[Any]]) -> None:
    for reply in replies:
        if not _gone(reply):
            reply.set_exception(Unavailable("desk"))


def _gone(reply: Any) -> bool:
    """Whether whoever asked gave up; what was decided stands, and a retry with the same key hears it."""
    return bool(reply.done())
