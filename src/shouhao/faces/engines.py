"""Engines: the engine of each pack that a gallery works with, opened when it is first asked for.

A process that runs for months meets packs that did not exist when it started: as soon as a gallery builds one, it must
see whoever is enrolled.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from shouhao.faces.packs import Pack, known_packs, load_pack
from shouhao.faces.pipeline import FaceEngine
from shouhao.kernel.errors import InvalidInput


class Engines(Mapping[str, FaceEngine]):
    """Engines by pack id. Several threads may ask; each engine is opened once and stays."""

    def __init__(self, models_dir: Path, open_one: Callable[[Pack], FaceEngine]) -> None:
        """Open nothing yet.

        Args:
            models_dir: where packs lie, looked at anew for each pack that is not open.
        """
        self._models_dir, self._open_one = models_dir, open_one
        self._opened: dict[str, FaceEngine] = {}
        self._opening = threading.Lock()

    def __getitem__(self, pack_id: str) -> FaceEngine:
        """The engine of this pack.

        Raises:
            KeyError: no pack here has this id.
            ModelMissing, ModelRefused: a file of it is not here, or is another one.
        """
        with self._opening:
            if pack_id not in self._opened:
                self._opened[pack_id] = self._open_one(self._packs()[pack_id])
            return self._opened[pack_id]

    def __iter__(self) -> Iterator[str]:
        """The ids of all packs whose manifests can be read."""
        return iter(self._packs())

    def __len__(self) -> int:
        return len(self._packs())

    def _packs(self) -> dict[str, Pack]:
        packs = {}
        for name in known_packs(self._models_dir):
            with suppress(InvalidInput):  # a manifest that breaks a rule hides no other
                pack = load_pack(name, models_dir=self._models_dir)
                packs[pack.id] = pack
        return packs
