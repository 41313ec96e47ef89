"""Finding duty: folders that appear are taken in, a live run's is followed, and what has served its time is erased.

What is there is decided by the database. What was seen of a folder is remembered only to leave alone what has not
changed since, and to complain of a broken one once.
"""

import os
from pathlib import Path

import structlog

from shouhao.detect import found_lines
from shouhao.detect.night import read_files
from shouhao.detect.report import file as report_file
from shouhao.detect.store.findings import erase_said_before
from shouhao.flows.findings import Taken, checked_name, is_done, known_of, prepare, put, taken_before
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.vault import Vault

_log = structlog.get_logger()
Seen = tuple[tuple[int, int, int], ...]


class FindingFolders:
    """Takes in what lies in the folders of one folder."""

    def __init__(self, db: Database, vault: Vault, folder: Path, *, keep_days: int) -> None:
        self._db, self._vault, self._folder = db, vault, folder
        self._keep_us = keep_days * DAY_US
        self._seen: dict[Path, Seen] = {}

    def __call__(self, now_us: int) -> int:
        """Take in what is new; how many findings that were."""
        new = 0
        for folder, seen in self._changed():
            try:
                new += self._take(folder, now_us).new
            except InvalidInput as refusal:
                _log.warning("findings_not_taken", folder=folder.name, field=refusal.field, rule=refusal.says("en"))
            self._seen[folder] = seen
        return new

    def _take(self, folder: Path, now_us: int) -> Taken:
        return take(self._db, self._vault, folder, name=None, now_us=now_us, keep_us=self._keep_us)

    def _changed(self) -> list[tuple[Path, Seen]]:
        """Whole folders that are not as they were when they were last looked at."""
        if not self._folder.is_dir():
            return []
        with os.scandir(self._folder) as found:
            folders = sorted(Path(one.path) for one in found if one.is_dir(follow_symlinks=False))
        self._seen = {folder: seen for folder, seen in self._seen.items() if folder in folders}
        now = [(folder, seen) for folder in folders if (seen := _seen(folder))]
        return [(folder, seen) for folder, seen in now if self._seen.get(folder) != seen]


def take(db: Database, vault: Vault, folder: Path, *, name: str | None, now_us: int, keep_us: int) -> Taken:
    """As `findings.take_in`, with units of work of its own that are as short as can be.

    Raises:
        InvalidInput: as there.
    """
    called = checked_name(name, folder)
    files = read_files(folder)
    with db.read() as connection:
        known = known_of(connection, files)
    if is_done(files, known.run):
        return taken_before(known.run)
    prepared = prepare(vault, files, known, name=called, now_us=now_us, keep_us=keep_us)
    with db.write() as connection:
        return put(connection, prepared, now_us=now_us)


def erase_old_findings(db: Database, *, keep_days: int, now_us: int) -> int:
    """Erase findings that have served their time; how many."""
    total = 0
    while True:
        with db.write() as connection:
            gone = erase_said_before(connection, now_us - keep_days * DAY_US, now_us=now_us)
            if gone:
                event_log.append(connection, [Event(at_us=now_us, kind="findings_erased", detail={"count": gone})])
        total += gone
        if not gone:
            return total


def _seen(folder: Path) -> Seen:
    """Size, time and number of both files; nothing where the folder is not whole."""
    try:
        found = [(folder / name).lstat() for name in (report_file.NAME, found_lines.NAME)]
    except OSError:
        return ()
    return tuple((one.st_size, one.st_mtime_ns, one.st_ino) for one in found)
