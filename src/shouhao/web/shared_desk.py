"""Shared desk: the booking desk is open as long as one app of this process serves, and answers to its event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shouhao.booking.desk_apart import DeskApart
from shouhao.web.public.at_desk import LoopDelivery
from shouhao.wiring import BookDesk


class SharedDesk:
    """Opens the desk for the first app and closes it after the last; all of them run in one event loop."""

    def __init__(self, desk: BookDesk) -> None:
        self._desk = desk
        self._apps = 0
        self._turn = asyncio.Lock()  # opening takes a while, and the second app must not open it again

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep the desk open within the block. Closing decides what waits, while the loop hands the answers over."""
        async with self._turn:
            if self._apps == 0:
                await self._open()
            self._apps += 1
        try:
            yield
        finally:
            async with self._turn:
                self._apps -= 1
                if self._apps == 0:
                    await self._close()

    async def _open(self) -> None:
        if isinstance(self._desk, DeskApart):
            await self._desk.open()
        else:
            self._desk.deliver_with(LoopDelivery(asyncio.get_running_loop()))
            self._desk.start()

    async def _close(self) -> None:
        if isinstance(self._desk, DeskApart):
            await self._desk.close()
        else:
            await asyncio.to_thread(self._desk.stop)
