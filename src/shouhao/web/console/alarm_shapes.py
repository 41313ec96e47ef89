"""Alarm shapes: how an alarm is shown as JSON, on the wall, in the stream, on a phone. No name and no picture."""

from shouhao.watch.alarm import Actor, Alarm, Outcome, State, Step, open_steps
from shouhao.watch.model import Sighting
from shouhao.watch.response import ResponsePolicy, Target, clocks
from shouhao.web.fields import Instant, Shown


class ClockShown(Shown):
    """One running or finished target."""

    target: Target
    since: Instant
    due: Instant
    done: Instant | None
    late: bool


class SightingShown(Shown):
    """One match: a lead, never proof."""

    passage_id: str
    camera_id: str
    place_id: str
    photo_id: str
    seen_at: Instant
    arrived_at: Instant
    similarity: float
    threshold: float
    quality: float
    frames: int
    pack: str
    has_crop: bool
    has_scene: bool
    late: bool


class AlarmShown(Shown):
    """Where an alarm stands."""

    alarm_id: str
    entry_id: str
    list_id: str
    place_id: str
    state: State
    version: int
    late: bool
    outcome: Outcome | None
    guard_id: str | None
    dispatch_id: str | None
    raised_at: Instant
    first_seen_at: Instant
    last_seen_at: Instant
    last_camera_id: str
    sightings: int
    best: SightingShown
    clocks: list[ClockShown]
    steps: list[Step]


def alarm_shown(alarm: Alarm, policy: ResponsePolicy, *, actor: Actor | None, now_us: int) -> AlarmShown:
    """An alarm as one person sees it.

    Args:
        actor: whose steps are offered; None: nobody's, as in the stream that everybody shares.
    """
    return AlarmShown(
        alarm_id=alarm.id,
        entry_id=alarm.best.entry_id,
        list_id=alarm.best.list_id,
        place_id=alarm.best.place_id,
        state=alarm.state,
        version=alarm.version,
        late=alarm.late,
        outcome=alarm.outcome,
        guard_id=alarm.guard_id,
        dispatch_id=alarm.dispatch_id,
        raised_at=alarm.raised_at_us,
        first_seen_at=alarm.first_seen_at_us,
        last_seen_at=alarm.last_seen_at_us,
        last_camera_id=alarm.last_camera_id,
        sightings=alarm.sightings,
        best=sighting_shown(alarm.best),
        clocks=clocks_shown(alarm, policy, now_us=now_us),
        steps=[] if actor is None else list(open_steps(alarm, actor)),
    )


def clocks_shown(alarm: Alarm, policy: ResponsePolicy, *, now_us: int) -> list[ClockShown]:
    """The clocks of an alarm."""
    return [
        ClockShown(
            target=clock.target,
            since=clock.since_us,
            due=clock.due_at_us,
            done=clock.done_at_us,
            late=clock.is_late(now_us),
        )
        for clock in clocks(alarm, policy)
    ]


def sighting_shown(seen: Sighting) -> SightingShown:
    """A sighting."""
    return SightingShown(
        passage_id=seen.passage_id,
        camera_id=seen.camera_id,
        place_id=seen.place_id,
        photo_id=seen.photo_id,
        seen_at=seen.seen_at_us,
        arrived_at=seen.arrived_at_us,
        similarity=round(seen.similarity_cos, 4),
        threshold=round(seen.threshold_cos, 4),
        quality=round(seen.quality, 3),
        frames=seen.frames,
        pack=seen.pack,
        has_crop=seen.crop_id is not None,
        has_scene=seen.scene_id is not None,
        late=seen.late,
    )
