"""Video local: files and folders that stand in for a camera: a folder into which one lays pictures, a file for trials.

They lie below one folder that the settings name, and nowhere else, whatever an address says. Recordings of the past are
not pulled but searched (flows/search_recordings.py): what is pulled happens now.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from shouhao.kernel.clock import SECOND_US
from shouhao.protocols.video import StreamSettings
from shouhao.protocols.video_files import FileSource, files_in
from shouhao.watch.pulling import ClipCut, WantClip
from shouhao.watch.video import Frame, VideoBroken

_POLL_S = 0.5
_SETTLED_US = SECOND_US // 2  #: since it was last written to: a camera may be at it still
_OLDEST_US = 60 * SECOND_US  #: at the start: what lay there before is no news
_REMEMBERED = 20_000


class LocalSource:
    """A file, played once at the pace at which it was taken, or a folder, looked into for new pictures."""

    def __init__(
        self,
        address: str,
        *,
        below: Path,
        settings: StreamSettings,
        now_us: Callable[[], int],
        on_packet: Callable[[int], None],
        on_clip: Callable[[ClipCut], None],
    ) -> None:
        """Open nothing yet.

        Args:
            address: `file:NAME` or `folder:NAME`, a path below the folder.

        Raises:
            ValueError: it is no such address, or leads elsewhere.
        """
        kind, _, name = address.partition(":")
        path = (below / name).resolve()
        if kind not in {"file", "folder"} or not name or not path.is_relative_to(below.resolve()):
            raise ValueError("no address of a file or folder here")
        self._path, self._is_folder = path, kind == "folder"
        self._settings, self._now_us = settings, now_us
        self._on_packet, self._on_clip = on_packet, on_clip
        self._stop = threading.Event()
        self.decoded = 0
        self.corrupt = 0

    def want_clip(self, clip: WantClip) -> None:
        """There is none: nothing of a file is held in memory."""
        self._on_clip(ClipCut(id=clip.id, camera_id=clip.camera_id, mp4=None))

    def close(self) -> None:
        """Stop at the next picture."""
        self._stop.set()

    def frames(self) -> Iterator[Frame]:
        """The pictures that are to be looked at, when it is their time.

        Raises:
            VideoBroken: the file is over, or cannot be read.
        """
        return self._followed() if self._is_folder else self._played()

    def _played(self) -> Iterator[Frame]:
        source = FileSource(self._path, settings=self._settings)
        began_us, began_s = self._now_us(), time.monotonic()
        for frame in source.frames():
            if self._stop.wait(max(0.0, began_s + frame.position_s - time.monotonic())):
                raise VideoBroken("ended")
            now_us = self._now_us()
            self._on_packet(now_us)
            self.decoded, self.corrupt = self.decoded + 1, source.corrupt
            yield Frame(
                pixels=frame.pixels,
                at_us=began_us + round(frame.position_s * SECOND_US),
                position_s=frame.position_s,
                arrived_at_us=now_us,
            )

    def _followed(self) -> Iterator[Frame]:
        """New pictures of the folder, in the order in which they were written."""
        seen: dict[tuple[str, int], None] = {}
        since_us = self._now_us() - _OLDEST_US
        while not self._stop.wait(_POLL_S):
            now_us = self._now_us()
            for written_us, file in sorted(self._listed()):
                known = (file.name, written_us)
                if known in seen or written_us < since_us or now_us - written_us < _SETTLED_US:
                    continue
                seen[known] = None
                yield from self._one(file, written_us)
            while len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]
            if self._path.is_dir():
                self._on_packet(now_us)
            else:
                raise VideoBroken("refused")

    def _listed(self) -> list[tuple[int, Path]]:
        listed = []
        for file in files_in(self._path) if self._path.is_dir() else []:
            try:
                listed.append((file.stat().st_mtime_ns // 1000, file))
            except OSError:
                continue  # taken away meanwhile
        return listed

    def _one(self, file: Path, written_us: int) -> Iterator[Frame]:
        source = FileSource(file, settings=self._settings, began_us=written_us)
        try:
            for frame in source.frames():
                self.decoded += 1
                yield Frame(pixels=frame.pixels, at_us=frame.at_us, arrived_at_us=self._now_us())
                if self._stop.is_set():
                    return
        except VideoBroken as broken:
            self.corrupt += broken.why != "ended"
