"""Nights: what `shouhao analyze` wrote of made-up days with known scalpers, by the real engine.

Making one takes ten seconds, so it is kept beside pytest's own cache while neither engine nor generator change, and
test processes that want it at once make it once.
"""

import fcntl
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import resources
from pathlib import Path

from shouhao.cli.analyze_batch import BatchOptions, analyze_files
from shouhao.detect.run import tables_of
from shouhao.lab.scalping.generate import INPUTS, NGINX, generate
from shouhao.lab.scalping.options import GangKind, Options

#: Who is about in a night that is made without asking for anybody.
ABOUT: tuple[GangKind, ...] = ("crude_script", "quick_handover", "face_batch", "payer_ring")
_KEPT = Path(__file__).resolve().parents[2] / ".pytest_cache" / "nights"
_DAY_S = 86_400


def make_night(folder: Path, *, kinds: tuple[GangKind, ...] = ABOUT, days: int = 4, seed: int = 2026) -> Path:
    """An analysed night in a folder that is not there yet; the folder.

    Without asking: four rings of 28 to 43 members, findings of every level, things that speak for people, raw lines.
    """
    shutil.copytree(_kept(kinds, days, seed), folder)
    return folder


def _kept(kinds: tuple[GangKind, ...], days: int, seed: int) -> Path:
    name = hashlib.sha256(repr((_source(), kinds, days, seed)).encode()).hexdigest()[:16]
    place = _KEPT / name
    with _alone(_KEPT / f"{name}.lock"):
        if not place.exists():
            for old in _KEPT.iterdir():
                if old.is_dir() and old.stat().st_mtime < time.time() - _DAY_S:
                    shutil.rmtree(old)
            with tempfile.TemporaryDirectory(dir=_KEPT) as made:
                _make(Path(made), kinds, days, seed).rename(place)
    return place


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@lru_cache(maxsize=1)
def _source() -> str:
    """A digest of everything that a night is made by."""
    package = Path(str(resources.files("shouhao")))
    files = [*(package / "detect").rglob("*.py"), *(package / "lab" / "scalping").rglob("*.py")]
    files += [*(package / "cli").glob("analyze*.py"), Path(__file__)]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _make(out: Path, kinds: tuple[GangKind, ...], days: int, seed: int) -> Path:
    made = generate(Options(seed=seed, kinds=kinds, days=days, forms=("csv",)), out / "days")
    newest = [one.path for one in made.logs if one.path.name == "api.access.log"]
    options = BatchOptions(
        out=out / "found",
        access_logs=newest,
        log_formats=[f"{out / 'days' / INPUTS / NGINX}:api"],
        events=[made.events[0].path],
        mapping={},
        trusted_proxies=(),
        networks=None,
        state=None,
        keep_days=30,
        shadow=(),
    )
    analyze_files(options, lambda connection, _: tables_of(connection))
    return out / "found"
