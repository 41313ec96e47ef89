"""Desk: requests are gathered for a few milliseconds and decided together in one transaction.

A commit costs the same for one booking as for five hundred, so under a rush the desk is as fast as the database
can write rows. An answer leaves after the commit and never before. The queue is bounded: when it is full the
answer is an immediate, honest "busy", not a time-out. The desk knows nothing of what it decides; that is the
`decide` it is given.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import InvalidStateError
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

import structlog

from shouhao.booking.model import DeskFull
from shouhao.kernel.errors import Refused, Unavailable

Asked = TypeVar("Asked")
Said = TypeVar("Said")
Say = TypeVar("Say", contravariant=True)

_log = structlog.get_logger()


class Reply(Protocol[Say]):
    """Where one answer goes; `concurrent.futures.Future` and `asyncio.Future` are such."""

    def set_result(self, result: Say, /) -> None:
        """Take the answer."""
        ...

    def set_exception(self, exception: BaseException, /) -> None:
        """Take the news that there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSettings:
    """How requests are gathered."""

    batch_max: int = 512  #: requests in one transaction
    gather_ms: float = 2.0  #: how long the first of a batch waits for others
    queue_max: int = 4096  #: requests that may wait in one lane
    lanes: int = 2  #: transactions under way at once; SQLite has one writer, so one


class _Lane(Generic[Asked, Said]):
    """One thread that decides one batch after another."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.waiting: deque[tuple[Asked, Reply[Said]]] = deque()
        self.arrived = threading.Event()
        self.thread: threading.Thread | None = None


Deliver = Callable[[Sequence[tuple[Reply[Said], Said | Exception]]], None]


class Desk(Generic[Asked, Said]):
    """Takes requests from any thread and answers each exactly once."""

    def __init__(
        self,
        decide: Callable[[Sequence[Asked]], Sequence[Said | Exception]],
        settings: DeskSettings,
        *,
        deliver: Deliver[Said] | None = None,
    ) -> None:
        """Set up a desk; `start` opens it.

        Args:
            decide: decides a batch in one durable transaction; one answer a request, in order. An exception in the
                place of an answer is that request's alone.
            settings: how requests are gathered.
            deliver: hands answers over, once a batch; by default on the lane's own thread.
        """
        self._decide = decide
        self._settings = settings
        self._deliver: Deliver[Said] = deliver or deliver_here
        self._lanes: list[_Lane[Asked, Said]] = [_Lane(n) for n in range(settings.lanes)]
        self._open = False
        self._door = threading.Lock()  # whoever got in before it closed is answered

    def deliver_with(self, deliver: Deliver[Said]) -> None:
        """Hand answers over another way: a server does so once its event loop runs, before `start`."""
        self._deliver = deliver

    def start(self) -> None:
        """Open the desk."""
        with self._door:
            self._open = True
        for lane in self._lanes:
            lane.thread = threading.Thread(target=self._run, args=(lane,), name=f"desk-{lane.number}", daemon=True)
            lane.thread.start()

    def stop(self) -> None:
        """Decide what waits, then close; what comes later is refused as busy."""
        with self._door:
            self._open = False
        for lane in self._lanes:
            lane.arrived.set()
        for lane in self._lanes:
            if lane.thread is not None:
                lane.thread.join()

    def submit(self, asked: Asked, reply: Reply[Said], *, lane_key: str) -> None:
        """Put a request in the queue.

        Args:
            lane_key: requests with the same key are decided in the order they came.
        Raises:
            DeskFull: too many wait already, or the desk is closed.
        """
        lane = self._lanes[hash(lane_key) % len(self._lanes)]
        waiting = lane.waiting
        with self._door:
            if len(waiting) >= self._settings.queue_max or not self._open:
                raise DeskFull("desk", retry_after_s=1.0)
            waiting.append((asked, reply))
        if not lane.arrived.is_set():
            lane.arrived.set()

    def depth(self) -> int:
        """How many requests wait."""
        return sum(len(lane.waiting) for lane in self._lanes)

    def _run(self, lane: _Lane[Asked, Said]) -> None:
        waiting, settings = lane.waiting, self._settings
        idle = True
        while self._open or waiting:
            if not waiting:
                lane.arrived.clear()
                if not waiting and self._open:
                    lane.arrived.wait()
                idle = True
                continue
            # After a pause the first request waits a moment for company. While batches follow each other, company
            # has come on its own during the last commit.
            if idle and len(waiting) < settings.batch_max and self._open:
                time.sleep(settings.gather_ms / 1000)
            idle = False
            batch = [waiting.popleft() for _ in range(min(len(waiting), settings.batch_max))]
            self._answer(batch)

    def _answer(self, batch: Sequence[tuple[Asked, Reply[Said]]]) -> None:
        answers: Sequence[Said | Exception]
        try:
            answers = self._decide([asked for asked, _ in batch])
            if len(answers) != len(batch):
                raise ValueError(f"{len(answers)} answers to {len(batch)} requests")  # noqa: TRY301 - as any other bug
        except Unavailable as error:
            _log.warning("desk_unavailable", waiting=self.depth(), batch=len(batch), what=error.what)
            answers = [error] * len(batch)
        except Exception as error:  # noqa: BLE001 - a bug in one batch must not close the desk for all
            _log.error("desk_failed", batch=len(batch), error=type(error).__name__, exc_info=True)
            answers = [error] * len(batch)
        try:
            self._deliver([(reply, answer) for (_, reply), answer in zip(batch, answers, strict=True)])
        except Exception as error:  # noqa: BLE001 - the next batch is still to be decided
            _log.error("desk_delivery_failed", batch=len(batch), error=type(error).__name__, exc_info=True)


def deliver_here(answers: Sequence[tuple[Reply[Said], Said | Exception]]) -> None:
    """Hand answers over on this thread."""
    for reply, answer in answers:
        try:
            if isinstance(answer, Exception) and not isinstance(answer, Refused):
                reply.set_exception(answer)
            else:
                reply.set_result(cast("Said", answer))  # a refusal is an answer like others
        except InvalidStateError:
            continue  # whoever asked gave up; what was decided stands, and the others of the batch are answered
