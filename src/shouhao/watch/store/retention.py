"""Retention's store: which stills have served their time.

Kept beyond it are those of an alarm that is not closed or went to the police, and the newest photograph of each
camera's sign, which is what shows that the sign hangs there.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, or_, select

from shouhao.watch.store.alarm_tables import alarms, sightings
from shouhao.watch.store.camera_tables import cameras
from shouhao.watch.store.capture_tables import stills
from shouhao.watch.store.recordings_tables import clips

#: Of one look; the rest is for the next.
MOST = 500


def served_stills(connection: Connection, *, before_us: int, most: int = MOST) -> Sequence[str]:
    """Stills frozen before this that nothing keeps, the oldest first."""
    holds = or_(alarms.c.closed_at_us.is_(None), alarms.c.handed_to_police_at_us.is_not(None))
    shown = or_(sightings.c.crop_id == stills.c.id, sightings.c.scene_id == stills.c.id)
    of_alarm = select(sightings.c.passage_id).join(alarms, alarms.c.id == sightings.c.alarm_id).where(shown, holds)
    clip = select(clips.c.still_id).join(alarms, alarms.c.id == clips.c.alarm_id)
    clip = clip.where(clips.c.still_id == stills.c.id, holds)
    sign = select(cameras.c.id).where(cameras.c.sign_photo_id == stills.c.id)
    query = select(stills.c.id).where(
        stills.c.frozen_at_us < before_us,
        stills.c.erased_at_us.is_(None),
        *(~kept.exists() for kept in (of_alarm, clip, sign)),
    )
    return connection.scalars(query.order_by(stills.c.frozen_at_us, stills.c.id).limit(most)).all()
