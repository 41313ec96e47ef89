"""Watch bundle files: bundles lie sealed beside the database until they are decided, and are read anew each time."""

import os
from pathlib import Path

from shouhao.flows.watch_desk import WatchDesk
from shouhao.kernel.errors import NotFound
from shouhao.watch.bundle import Bundle, BundleRefused, read_bundle
from shouhao.watch.store import bundles as store


def write_file(desk: WatchDesk, bundle_id: str, data: bytes) -> None:
    """Keep an opened bundle under the hospital's own seal; it is on disk when this returns."""
    desk.bundles_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    sealed = desk.vault.sealer("watch.bundles").seal(data, context=bundle_id.encode())
    with os.fdopen(os.open(_file(desk, bundle_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(sealed)
        file.flush()
        os.fsync(file.fileno())


def opened(desk: WatchDesk, bundle_id: str) -> tuple[store.StoredBundle, Bundle]:
    """A bundle that came, read again with all its checks.

    Raises:
        NotFound: there is none, or its file is not needed any more.
        BundleRefused: it is not what was received.
    """
    with desk.db.read() as connection:
        stored = store.find_bundle(connection, bundle_id)
        keys = {one.id: one.public_key for one in store.all_issuers(connection)}
    try:
        sealed = _file(desk, bundle_id).read_bytes()
    except FileNotFoundError:
        raise NotFound("bundle", "bundle_id") from None
    plain = desk.vault.sealer("watch.bundles").open(sealed, context=bundle_id.encode())
    bundle = read_bundle(plain, key_of=keys.get)
    if bundle.sha256 != stored.sha256:
        raise BundleRefused(place="file", why_zh="与收到时不一致", why_en="is not what was received")
    return stored, bundle


def forget_files(desk: WatchDesk) -> int:
    """Delete the files of bundles that nobody needs any more; how many."""
    if not desk.bundles_dir.is_dir():
        return 0
    with desk.db.read() as connection:
        needed = {f"{one}.sealed" for one in store.in_state(connection, "received", "checked", "accepted")}
    gone = [path for path in desk.bundles_dir.glob("wb_*.sealed") if path.name not in needed]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def drop_file(desk: WatchDesk, bundle_id: str) -> None:
    """Delete a file that came to nothing."""
    _file(desk, bundle_id).unlink(missing_ok=True)


def _file(desk: WatchDesk, bundle_id: str) -> Path:
    return desk.bundles_dir / f"{bundle_id}.sealed"
