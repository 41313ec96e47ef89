"""Channels: each has its own key, so a partner that leaks or cheats is closed alone.

A key is random, shown once, and stored as a hash. A caller presents `NAME.KEY`.
"""

import base64
import hmac
import threading
from dataclasses import dataclass, field

from sqlalchemy import Connection

from shouhao.gate import store
from shouhao.gate.model import Channel, ChannelExists, ChannelRefused, check_channel_name, key_hash
from shouhao.kernel.clock import SECOND_US, Clock
from shouhao.kernel.errors import NotFound, Unavailable
from shouhao.kernel.events import Event
from shouhao.kernel.randomness import Randomness
from shouhao.store import event_log
from shouhao.store.engine import Database

_KEY_BYTES = 32
_MAX_HEADER = 256
_NOBODYS_HASH = "0" * 64  # an unknown name is compared too, so that it takes as long as a wrong key


def create_channel(
    connection: Connection, name: str, *, now_us: int, randomness: Randomness, staff_id: str | None = None
) -> str:
    """Open a channel and return its key, which is not stored and cannot be shown again.

    Raises:
        InvalidInput: no channel may have this name.
        ChannelExists: there is one, active or not.
    """
    key = _new_key(randomness)
    if not store.insert_channel(connection, check_channel_name(name), key_hash=key_hash(key), now_us=now_us):
        raise ChannelExists("channel", channel=name)
    _append(connection, name, "created", now_us=now_us, staff_id=staff_id)
    return key


def rotate_channel_key(
    connection: Connection, name: str, *, now_us: int, randomness: Randomness, staff_id: str | None = None
) -> str:
    """Give a channel a new key and return it; the old one ends as soon as each process has looked again.

    Raises:
        NotFound: there is no active channel of this name.
    """
    key = _new_key(randomness)
    if not store.update_channel_key(connection, name, key_hash=key_hash(key), now_us=now_us):
        raise NotFound("channel", "channel")
    _append(connection, name, "key_rotated", now_us=now_us, staff_id=staff_id)
    return key


def deactivate_channel(connection: Connection, name: str, *, now_us: int, staff_id: str | None = None) -> None:
    """Close a channel for good.

    Raises:
        NotFound: there is no active channel of this name.
    """
    if not store.deactivate_channel(connection, name, now_us=now_us):
        raise NotFound("channel", "channel")
    _append(connection, name, "deactivated", now_us=now_us, staff_id=staff_id)


def list_channels(connection: Connection) -> list[Channel]:
    """All channels, by name."""
    return store.list_channels(connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeyTable:
    """What was read at one moment; threads swap whole tables, so each sees one of them."""

    hashes: dict[str, str]
    read_at_us: int
    #: Headers that were right. A channel has one key, so there are never more of them than channels.
    accepted: dict[str, str] = field(default_factory=dict)


class ChannelKeys:
    """Tells channels by their keys, from memory; safe to share between threads.

    What the database says is looked at again every `refresh_s`. When the database is away, keys known already
    stay good for `serve_stale_s`; after that every caller gets `Unavailable`.
    """

    def __init__(self, db: Database, clock: Clock, refresh_s: float = 5, serve_stale_s: float = 60) -> None:
        self._own: tuple[str, str] | None = None
        self._db = db
        self._clock = clock
        self._refresh_us = round(refresh_s * SECOND_US)
        self._stale_us = round(serve_stale_s * SECOND_US)
        self._reading = threading.Lock()
        self._table: _KeyTable | None = None
        self._looked_at_us = -self._refresh_us

    def authenticate(self, header_value: str) -> str:
        """The channel that presents this `NAME.KEY`.

        Raises:
            ChannelRefused: no active channel has this key.
            Unavailable: the keys are not known and the database does not answer.
        """
        table = self._table
        now_us = self._clock.now_us()
        # The distance counts, not the order: a clock that was set back must not keep an old key alive.
        if table is None or abs(now_us - self._looked_at_us) >= self._refresh_us:
            table = self._refreshed(now_us)
        channel = table.accepted.get(header_value)
        if channel is None:
            own = self._own
            if own is not None and hmac.compare_digest(key_hash(header_value), own[0]):
                return own[1]
            channel = _verified(table.hashes, header_value)
            table.accepted[header_value] = channel
        return channel

    def make_own(self, channel: str, randomness: Randomness) -> str:
        """A key of this process alone, for pages that it serves itself as a channel; kept in memory and nowhere else.

        Raises:
            InvalidInput: no channel may have this name.
        """
        key = f"{check_channel_name(channel)}.{_new_key(randomness)}"
        self._own = key_hash(key), channel
        return key

    def refresh(self) -> None:
        """Look at the database now, so that this process need not wait to see a change it made.

        Raises:
            Unavailable: the database does not answer.
        """
        with self._reading:
            self._read(self._clock.now_us())

    def _refreshed(self, now_us: int) -> _KeyTable:
        # One thread reads; the others go on with the table they have, unless there is none that is good.
        table = self._table
        if not self._reading.acquire(blocking=not self._is_good(table, now_us)) and table is not None:
            return table
        try:
            if abs(now_us - self._looked_at_us) >= self._refresh_us:
                return self._read(now_us)
        except Unavailable:
            self._looked_at_us = now_us  # a database that is away is not asked again by every caller
        finally:
            self._reading.release()
        table = self._table
        if table is None or not self._is_good(table, now_us):
            self._table = None
            raise Unavailable("channels")
        return table

    def _is_good(self, table: _KeyTable | None, now_us: int) -> bool:
        return table is not None and abs(now_us - table.read_at_us) <= self._stale_us

    def _read(self, now_us: int) -> _KeyTable:
        with self._db.read() as connection:
            hashes = store.active_key_hashes(connection)
        table = _KeyTable(hashes=hashes, read_at_us=now_us)
        self._table = table
        self._looked_at_us = now_us
        return table


def _verified(hashes: dict[str, str], header_value: str) -> str:
    name, _, key = header_value.partition(".")
    expected = hashes.get(name, _NOBODYS_HASH)
    if len(header_value) > _MAX_HEADER or not header_value.isascii():
        raise ChannelRefused
    if not hmac.compare_digest(key_hash(key), expected):
        raise ChannelRefused
    return name


def _new_key(randomness: Randomness) -> str:
    return base64.urlsafe_b64encode(randomness.token(_KEY_BYTES)).rstrip(b"=").decode()


def _append(connection: Connection, name: str, change: str, *, now_us: int, staff_id: str | None) -> None:
    event_log.append(
        connection,
        [Event(at_us=now_us, kind="channel_changed", channel=name, staff_id=staff_id, detail={"change": change})],
    )
