"""Handover: one shift gives the wall to the next, with a note and how everything stood at that moment.

How it stood is fixed when it is handed over and never changed: what an alarm became later does not alter what the next
shift was told. People are ids here; their names are those who own them know. Storing is in store/handovers.py.
"""

from dataclasses import dataclass

from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.watch.alarm import State
from shouhao.watch.cameras import HealthState
from shouhao.watch.response import Target

NOTE_MAX = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockThen:
    """A target that was running."""

    target: Target
    due_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmThen:
    """An alarm that was not closed."""

    alarm_id: str
    place_id: str
    state: State
    late: bool
    raised_at_us: int
    guard_id: str | None
    clocks: tuple[ClockThen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraOut:
    """A camera in service that was not heard of."""

    camera_id: str
    name: str
    place_id: str
    state: HealthState
    heard_at_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardThen:
    """A guard who was on duty."""

    guard_id: str
    place_id: str
    busy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How everything stands, or stood."""

    alarms: tuple[AlarmThen, ...]
    cameras_out: tuple[CameraOut, ...]
    guards: tuple[GuardThen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One handing over, and who took over, once somebody has."""

    id: str
    turn: int  #: the first is 1
    handed_by: str
    handed_at_us: int
    note: str
    standing: Standing
    taken_by: str | None = None
    taken_at_us: int | None = None
    remark: str = ""  #: of whoever took over; empty: it is as it was told


class HandoverWaits(Refused):
    """One waits to be taken over; a second would bury it."""

    code = "watch.handover_waits"
    zh = "已有一次交班等待接班，须先接班"
    en = "A handover waits already: somebody takes it over first"


class HandoverTaken(Refused):
    """Somebody else took it over."""

    code = "watch.handover_taken"
    zh = "已由他人接班"
    en = "Somebody else has taken over"


class OwnHandover(Refused):
    """A shift is taken over by another person."""

    code = "watch.own_handover"
    zh = "交班人不能自己接班，须由另一人用自己的登录接班"
    en = "Nobody takes over from themselves: another person does, signed in by their own name"


def check_note(text: str) -> str:
    """The note as it is kept.

    Raises:
        InvalidInput: nothing is said, or more than anybody reads.
    """
    note = _checked("note", text)
    if not note:
        raise InvalidInput("note", zh="请写一句交班说明", en="say in a line what the next shift should know")
    return note


def check_remark(text: str) -> str:
    """The remark as it is kept; it may be empty.

    Raises:
        InvalidInput: more than anybody reads.
    """
    return _checked("remark", text)


def may_take(handover: Handover, operator_id: str) -> bool:
    """Whether this person's taking over changes anything; False: it was theirs already.

    Raises:
        OwnHandover: it is who handed over.
        HandoverTaken: somebody else was first.
    """
    if handover.handed_by == operator_id:
        raise OwnHandover
    if handover.taken_by is None:
        return True
    if handover.taken_by != operator_id:
        raise HandoverTaken
    return False


def _checked(field: str, text: str) -> str:
    kept = text.strip()
    if len(kept) > NOTE_MAX:
        raise InvalidInput(field, zh=f"最多 {NOTE_MAX} 字", en=f"{NOTE_MAX} characters at most")
    return kept
