"""Clips: for an alarm on a camera that is pulled, the stream from ten seconds before to ten seconds after.

Streams are kept in memory alone, and only their last seconds; what is frozen is what the camera sent, repacked and not
encoded anew. The database is asked once a second, since alarms are raised by another process.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import structlog

from shouhao.kernel.clock import SECOND_US
from shouhao.store.engine import Database
from shouhao.watch.pulling import ClipCut, WantClip
from shouhao.watch.store.clips import SeenOn, add_clip, to_be_clipped
from shouhao.watch.store.stills import StillFolder, freeze

BEFORE_US = 10 * SECOND_US
AFTER_US = 10 * SECOND_US
_RAISED_US = 60 * SECOND_US  #: an alarm that was raised longer ago has no clip in memory any more
_GIVEN_UP_US = 120 * SECOND_US  #: after which a clip that did not come may be asked for again, in vain as a rule

_log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class ClipKeeper:
    """Asks for clips and freezes them."""

    db: Database
    stills: StillFolder
    _asked: dict[str, tuple[SeenOn, int]] = field(default_factory=dict)  #: by clip, with when it was asked for

    def ask(self, camera_ids: Collection[str], want: Callable[[WantClip], None], *, now_us: int) -> int:
        """Ask for what new alarms want; how many."""
        self._asked = {key: one for key, one in self._asked.items() if now_us - one[1] < _GIVEN_UP_US}
        if not camera_ids:
            return 0
        with self.db.read() as connection:
            found = to_be_clipped(connection, camera_ids, since_us=now_us - _RAISED_US)
        new = [(f"{seen.alarm_id}/{seen.camera_id}", seen) for seen in found]
        new = [(key, seen) for key, seen in new if key not in self._asked]
        for key, seen in new:
            self._asked[key] = (seen, now_us)
            want(
                WantClip(
                    id=key,
                    camera_id=seen.camera_id,
                    from_us=seen.seen_at_us - BEFORE_US,
                    to_us=seen.seen_at_us + AFTER_US,
                )
            )
        return len(new)

    def keep(self, cut: ClipCut, *, now_us: int) -> str | None:
        """Freeze a clip; its still's id, or None where there was nothing, or nobody asked."""
        asked = self._asked.get(cut.id)
        if asked is None or cut.mp4 is None:
            _log.info("clip_not_kept", camera_id=cut.camera_id, asked=asked is not None)
            return None
        seen, _ = asked
        with self.db.write() as connection:
            still_id = freeze(
                connection,
                self.stills,
                cut.mp4,
                kind="clip",
                camera_id=seen.camera_id,
                taken_at_us=cut.from_us,
                now_us=now_us,
            )
            add_clip(
                connection,
                still_id,
                alarm_id=seen.alarm_id,
                camera_id=seen.camera_id,
                from_us=cut.from_us,
                to_us=cut.to_us,
            )
        return still_id
