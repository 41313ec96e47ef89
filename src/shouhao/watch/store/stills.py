"""Stills: pictures and clips that are kept, each frozen with its SHA-256 at once and sealed under a key of its own.

The hash stands in the row and in the event log, so that whoever holds the log can tell whether a picture is the one
that was frozen. Erasing the key erases the picture wherever a copy of the folder lies. Who may look is not decided
here: callers go through the access register first.
"""

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from shouhao.kernel.clock import DAY_US, HOUR_US
from shouhao.kernel.errors import NotFound, Tampered
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.store import event_log
from shouhao.store.durable import sync_folder
from shouhao.store.sealed_keys import erase_key, find_key, make_key
from shouhao.store.vault import Sealer
from shouhao.watch.store.capture_tables import stills as _stills

StillKind = Literal["crop", "scene", "clip", "sign"]

_ORPHAN_US, _LOOKED_AT_US = HOUR_US, 7 * DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class StillFolder:
    """Where stills and their keys lie; the keys never beside backups of the stills."""

    folder: Path
    keys_folder: Path
    sealer: Sealer  #: of the keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """What is known of a still without looking at it."""

    id: str
    kind: StillKind
    camera_id: str | None
    sha256: str
    size_bytes: int
    taken_at_us: int
    frozen_at_us: int
    erased_at_us: int | None


def freeze(
    connection: Connection,
    stills: StillFolder,
    data: bytes,
    *,
    kind: StillKind,
    camera_id: str | None,
    taken_at_us: int,
    now_us: int,
) -> str:
    """Keep these bytes; sealed and on disk when this returns, and known once the unit of work ends.

    Returns:
        The id of the still.
    """
    still_id, sha256 = new_id("st"), hashlib.sha256(data).hexdigest()
    key = _key_path(stills, still_id)
    key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    sealer = make_key(key, stills.sealer, context=_key_context(still_id))
    _write(_path(stills, still_id), sealer.seal(data, context=_context(still_id)))
    row = {"kind": kind, "camera_id": camera_id, "sha256": sha256, "size_bytes": len(data)}
    connection.execute(insert(_stills).values(id=still_id, **row, taken_at_us=taken_at_us, frozen_at_us=now_us))
    detail = {"act": "frozen", "still_id": still_id, **row, "taken_at_us": taken_at_us}
    event_log.append(connection, [Event(at_us=now_us, kind="still_frozen", detail=detail)])
    return still_id


def open_still(connection: Connection, stills: StillFolder, still_id: str) -> bytes:
    """The bytes as they were frozen.

    Raises:
        NotFound: there is none of this id, or it was erased.
        Tampered: they are not those that were frozen.
    """
    still = find_still(connection, still_id)
    if still is None or still.erased_at_us is not None:
        raise NotFound("still", "still_id")
    sealer = find_key(_key_path(stills, still_id), stills.sealer, context=_key_context(still_id))
    if sealer is None:
        raise Tampered("the key of a still is gone")
    try:
        sealed = _path(stills, still_id).read_bytes()
    except FileNotFoundError:
        raise Tampered("a still is gone") from None
    data = sealer.open(sealed, context=_context(still_id))
    if hashlib.sha256(data).hexdigest() != still.sha256:
        raise Tampered("a still is another one than was frozen")
    return data


def find_still(connection: Connection, still_id: str) -> Still | None:
    """What is known of a still."""
    row = connection.execute(select(_stills).where(_stills.c.id == still_id)).mappings().one_or_none()
    return None if row is None else Still(**row)


def erase_still(
    connection: Connection, stills: StillFolder, still_id: str, *, now_us: int, staff_id: str | None = None
) -> None:
    """Erase a still: its key first, then its bytes; row and hash stay. A second time does nothing.

    Raises:
        NotFound: there is none of this id.
    """
    still = find_still(connection, still_id)
    if still is None:
        raise NotFound("still", "still_id")
    erase_key(_key_path(stills, still_id))
    _path(stills, still_id).unlink(missing_ok=True)
    known = update(_stills).where(_stills.c.id == still_id, _stills.c.erased_at_us.is_(None))
    if connection.execute(known.values(erased_at_us=now_us)).rowcount:
        detail = {"act": "erased", "still_id": still_id, "sha256": still.sha256}
        event_log.append(connection, [Event(at_us=now_us, kind="still_frozen", staff_id=staff_id, detail=detail)])


def stills_before(connection: Connection, before_us: int, *, most: int = 1000) -> list[Still]:
    """Those frozen before this and not erased, the oldest first: for whoever keeps to the time of retention."""
    query = select(_stills).where(_stills.c.frozen_at_us < before_us, _stills.c.erased_at_us.is_(None))
    rows = connection.execute(query.order_by(_stills.c.frozen_at_us, _stills.c.id).limit(most)).mappings()
    return [Still(**row) for row in rows]


def forget_unfrozen(connection: Connection, stills: StillFolder, *, now_us: int) -> int:
    """Erase what units of work left that did not end: bytes and keys without a row; how many.

    Only those between an hour and a week old: younger ones may be on their way, older ones were looked at before.
    """
    erased = 0
    for path in stills.keys_folder.glob("??/st_*.key"):
        age_us = now_us - path.stat().st_mtime_ns // 1000
        if _ORPHAN_US <= age_us <= _LOOKED_AT_US and find_still(connection, path.stem) is None:
            erase_key(path)
            _path(stills, path.stem).unlink(missing_ok=True)
            erased += 1
    return erased


def _write(path: Path, sealed: bytes) -> None:
    """Write beside the place and rename, so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _path(stills: StillFolder, still_id: str) -> Path:
    return stills.folder / still_id[-2:] / f"{still_id}.sealed"


def _key_path(stills: StillFolder, still_id: str) -> Path:
    return stills.keys_folder / still_id[-2:] / f"{still_id}.key"


def _key_context(still_id: str) -> bytes:
    return b"still key\0" + still_id.encode()


def _context(still_id: str) -> bytes:
    return b"still\0" + still_id.encode()
