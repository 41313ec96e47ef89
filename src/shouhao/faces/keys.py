"""Keys of enrolled people: one for each, kept beside the database and never in it.

Photographs and templates in the database, and in every backup of it, are sealed with their person's key. Erasing the
key erases them wherever a copy lies. So the folder of keys is copied by overwriting the last copy, never kept in
generations (docs/how-to/backup-and-check.md). Each purpose has its own folder and its own key over the keys.
"""

import hashlib
import os
import secrets
from pathlib import Path

from shouhao.faces.model import Purpose
from shouhao.kernel.errors import Tampered
from shouhao.store.durable import sync_folder
from shouhao.store.sealed_keys import KEY_BYTES, erase_key, find_key
from shouhao.store.vault import Sealer, Vault


class KeyFolder:
    """The keys of one purpose."""

    def __init__(self, folder: Path, vault: Vault, purpose: Purpose) -> None:
        self.purpose = purpose
        self._folder = folder / purpose
        self._over = vault.sealer(f"faces.{purpose}")

    def make(self, subject_id: str) -> Sealer:
        """The sealer of this person, made now if there is none; it is on disk before this returns."""
        path = self._path(subject_id)
        if not path.exists():
            sealed = self._over.seal(secrets.token_bytes(KEY_BYTES), context=_context(subject_id))
            _write_once(path, sealed)
        sealer = self.find(subject_id)
        if sealer is None:
            raise Tampered("a key that was just written is gone")
        return sealer

    def find(self, subject_id: str) -> Sealer | None:
        """The sealer of this person; None when it was erased.

        Raises:
            Tampered: the key was changed, or belongs to another person, purpose or hospital.
        """
        return find_key(self._path(subject_id), self._over, context=_context(subject_id))

    def erase(self, subject_id: str) -> None:
        """Overwrite and remove the key; a second time does nothing. It is gone from the disk when this returns.

        A drive that remaps sectors may keep the old bytes, which only the hospital's master key would open.
        """
        erase_key(self._path(subject_id))

    def _path(self, subject_id: str) -> Path:
        name = hashlib.sha256(subject_id.encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.key"


def _context(subject_id: str) -> bytes:
    return b"key\0" + subject_id.encode()


def _write_once(path: Path, content: bytes) -> None:
    """Write beside the place and link in, so that two who enrol one person at once agree on one key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass  # another was first; that key is the key
    finally:
        draft.unlink()
    sync_folder(path.parent)
