"""Sealed keys: a random key in a file of its own, sealed by the hospital's; erasing the file erases what it sealed.

Enrolled people, spool segments and stills each have theirs. The folder of such keys is copied by overwriting the last
copy, never kept in generations. A drive that remaps sectors may keep the old bytes, which only the hospital's master
key would open.
"""

import os
import secrets
from pathlib import Path

from shouhao.kernel.errors import Tampered
from shouhao.store.durable import sync_folder
from shouhao.store.vault import CryptoProfile, Sealer

_AES_BYTES, _SM4_BYTES = 32, 16
KEY_BYTES = _AES_BYTES + _SM4_BYTES


def make_key(path: Path, over: Sealer, *, context: bytes) -> Sealer:
    """Make a key; it is on disk, readable to its owner alone, before this returns.

    Raises:
        FileExistsError: there is one.
        OSError: the disk is full.
    """
    key = secrets.token_bytes(KEY_BYTES)
    sealed = over.seal(key, context=context)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError:
        path.unlink(missing_ok=True)  # half a key opens nothing and would be in the way
        raise
    return _sealer(key, over.profile)


def find_key(path: Path, over: Sealer, *, context: bytes) -> Sealer | None:
    """The sealer of this key; None when it was erased.

    Raises:
        Tampered: the key was changed, or belongs to something else.
    """
    try:
        sealed = path.read_bytes()
    except FileNotFoundError:
        return None
    key = over.open(sealed, context=context)
    if len(key) != KEY_BYTES:
        raise Tampered("a key has the wrong size")
    return _sealer(key, over.profile)


def erase_key(path: Path) -> None:
    """Overwrite and remove the key; a second time does nothing. It is gone from the disk when this returns."""
    try:
        with path.open("r+b", buffering=0) as file:
            file.write(secrets.token_bytes(path.stat().st_size))
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return
    sync_folder(path.parent)


def _sealer(key: bytes, profile: CryptoProfile) -> Sealer:
    return Sealer(aes_key=key[:_AES_BYTES], sm4_key=key[_AES_BYTES:], profile=profile)
