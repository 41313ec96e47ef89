"""Live alarms: one poller a process reads what changed and hands it to every watcher, as server-sent events.

The database is asked a few times a second however many watch. Each message holds the whole alarm with its version, so a
watcher who hears one twice, or after a newer one, loses nothing. Whoever connects hears of all open alarms first, and
with `Last-Event-ID` of those that changed since too; a stream ends after a few minutes, so that who is signed out is,
and the browser comes back by itself. When nothing can be read any more all streams end, and the pages say so: signs of
life without alarms would be a lie.
Source: WHATWG HTML, 9.2 Server-sent events.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass

import msgspec
import structlog
from sqlalchemy import Connection

from shouhao.kernel.clock import SECOND_US, Clock, iso
from shouhao.kernel.errors import Unavailable
from shouhao.store.engine import Database
from shouhao.watch.store import alarm_feed
from shouhao.watch.store.alarm_feed import Change, Follower
from shouhao.watch.store.alarms import find_alarms, list_alarms, response_in_force
from shouhao.web.console.alarm_shapes import alarm_shown

POLL_S = 0.2
BEAT_S = 10.0
UNREAD_S = 3.0  #: how long the database may be away before the streams end
STREAM_S = 300.0
MOST_WATCHERS = 400
_RETRY_MS = 1000
_QUEUE_MOST = 200  #: messages a watcher may be behind; who is slower is sent away and comes back
_SNAPSHOT_MOST = 200

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """All open alarms as messages, for a second or until something changes."""

    seq: int
    made_at_us: int
    ids: Collection[str]
    data: bytes


class LiveAlarms:
    """Who watches, and the poller that tells them; all of it in one event loop."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._watchers: set[asyncio.Queue[bytes | None]] = set()
        self._poller: asyncio.Task[None] | None = None
        self._ended = False
        self._one_starts = asyncio.Lock()
        self._one_at_a_time = asyncio.Lock()
        self._open: _Open | None = None

    def watch(self, *, after_seq: int | None) -> AsyncIterator[bytes]:
        """The stream of one watcher.

        Args:
            after_seq: the last number this watcher heard.
        Raises:
            Unavailable: too many watch, or the server is going.
        """
        if self._ended or len(self._watchers) >= MOST_WATCHERS:
            raise Unavailable("alarm stream", retry_after_s=5.0)
        return self._stream(after_seq)

    def end(self) -> None:
        """End every stream: the server stops, and waits for nobody who watches."""
        self._ended = True
        self._send_away()
        if self._poller is not None:
            self._poller.cancel()

    async def _stream(self, after_seq: int | None) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield f"retry: {_RETRY_MS}\n\n".encode()
            try:
                yield await self._first(after_seq)
            except Unavailable as error:
                _log.warning("alarm_feed_unavailable", what=error.what)
                return
            loop = asyncio.get_running_loop()
            ends_at = loop.time() + STREAM_S
            while not self._ended and loop.time() < ends_at:
                try:
                    message = await asyncio.wait_for(queue.get(), timeout=BEAT_S)
                except TimeoutError:
                    message = self._beat()
                if message is None:
                    return
                yield message
        finally:
            self._watchers.discard(queue)

    async def _first(self, after_seq: int | None) -> bytes:
        """What a watcher hears first; from there on the poller tells."""
        async with self._one_starts:  # fifty come at once, and one poller is enough
            if self._poller is None or self._poller.done():
                self._poller = asyncio.create_task(self._poll(await asyncio.to_thread(self._read_newest)))
        async with self._one_at_a_time:  # who waits here holds no thread that the poller needs
            return await asyncio.to_thread(self._snapshot, after_seq)

    def _read_newest(self) -> int:
        with self._db.read() as connection:
            return alarm_feed.newest_seq(connection)

    async def _poll(self, floor: int) -> None:
        """Read and tell, as long as somebody watches."""
        try:
            await self._read_and_tell(Follower(floor))
        finally:
            self._send_away()

    async def _read_and_tell(self, follower: Follower) -> None:
        loop = asyncio.get_running_loop()
        read_at = loop.time()
        while self._watchers and not self._ended:
            try:
                messages = await asyncio.to_thread(self._read, follower)
                read_at = loop.time()
            except Unavailable as error:
                _log.warning("alarm_feed_unavailable", what=error.what)
                if loop.time() - read_at > UNREAD_S:
                    return
                messages = b""
            if messages:
                for queue in tuple(self._watchers):
                    if queue.qsize() >= _QUEUE_MOST:
                        self._watchers.discard(queue)
                        queue.put_nowait(None)
                    else:
                        queue.put_nowait(messages)
            await asyncio.sleep(POLL_S)

    def _send_away(self) -> None:
        """End every stream; whoever is not signed out comes back by itself."""
        for queue in self._watchers:
            queue.put_nowait(None)

    def _read(self, follower: Follower) -> bytes:
        """What changed, as messages; an alarm that changed twice is told once."""
        with self._db.read() as connection:
            changes = follower.take(alarm_feed.changes_after(connection, follower.floor), now_us=self._clock.now_us())
            return self._messages(connection, changes) if changes else b""

    def _snapshot(self, after_seq: int | None) -> bytes:
        """All open alarms, and those that were closed since this watcher last heard.

        When a server comes back, all consoles come at once: what is the same for all of them is made once.
        """
        with self._db.read() as connection:
            newest = alarm_feed.newest_seq(connection)
            now_us = self._clock.now_us()
            kept = self._open
            if kept is None or kept.seq != newest or now_us - kept.made_at_us > SECOND_US:
                found = list_alarms(connection, open_only=True, most=_SNAPSHOT_MOST)
                changes = [Change(seq=newest, alarm_id=alarm.id, what="snapshot") for alarm in reversed(found)]
                made = self._messages(connection, changes)
                kept = self._open = _Open(seq=newest, made_at_us=now_us, ids={c.alarm_id for c in changes}, data=made)
            # Numbers come up out of order within seconds, so a little is told again.
            since = [] if after_seq is None else alarm_feed.changes_after(connection, max(0, after_seq - 100))
            closed = {c.alarm_id: c for c in since if c.alarm_id not in kept.ids}
            return kept.data + self._messages(connection, list(closed.values())) + self._beat(newest)

    def _messages(self, connection: Connection, changes: Sequence[Change]) -> bytes:
        latest: dict[str, Change] = {}
        raised = {change.alarm_id for change in changes if change.what == "raised"}
        for change in changes:
            latest[change.alarm_id] = change
        alarms = find_alarms(connection, latest.keys())
        now_us = self._clock.now_us()
        policy = response_in_force(connection, now_us=now_us)
        told = []
        for change in sorted(latest.values(), key=lambda c: c.seq):
            alarm = alarms.get(change.alarm_id)
            if alarm is None:
                continue
            shown = alarm_shown(alarm, policy, actor=None, now_us=now_us).model_dump(mode="json")
            what = "raised" if change.alarm_id in raised else change.what
            data = msgspec.json.encode({"what": what, "alarm": shown, "now": iso(now_us)})
            told.append(b"id: %d\nevent: alarm\ndata: %s\n\n" % (change.seq, data))
        return b"".join(told)

    def _beat(self, seq: int | None = None) -> bytes:
        """A sign of life with the server's time; with it a page says by itself that it has gone deaf."""
        data = msgspec.json.encode({"now": iso(self._clock.now_us())}).decode()
        number = "" if seq is None else f"id: {seq}\n"
        return f"{number}event: beat\ndata: {data}\n\n".encode()
