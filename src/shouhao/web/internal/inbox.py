"""Inbox: what arrived is durable before it is answered, and all who wait share one write to the disk."""

import asyncio
from collections.abc import Callable, Sequence

from shouhao.kernel.errors import Unavailable
from shouhao.watch.model import Arrival

_TOGETHER_MOST = 256

Append = Callable[[Sequence[Arrival]], None]


class Inbox:
    """Between the event loop and the spool, whose writing blocks. Used by one event loop."""

    def __init__(self, append: Append) -> None:
        self._append = append
        self._waiting: list[tuple[Arrival, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def put(self, arrival: Arrival) -> None:
        """Keep an arrival; it is on disk when this returns, also when the caller has hung up meanwhile.

        Raises:
            Unavailable: the spool cannot take it; nothing of it was kept.
        """
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, kept))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await kept

    async def drained(self) -> None:
        """Wait until everything that was put is written or refused."""
        while self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        try:
            while self._waiting:
                together, self._waiting = self._waiting[:_TOGETHER_MOST], self._waiting[_TOGETHER_MOST:]
                await self._write_these(together)
        finally:
            self._writing = None

    async def _write_these(self, together: Sequence[tuple[Arrival, asyncio.Future[None]]]) -> None:
        refused: Exception | None = None
        try:
            await asyncio.to_thread(self._append, [arrival for arrival, _ in together])
        except Unavailable as error:
            refused = error
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait, who would wait for ever
            refused = error
        for _, kept in together:
            if kept.cancelled():
                continue
            if refused is None:
                kept.set_result(None)
            else:
                kept.set_exception(refused)
