"""Changes: what importing a planned session does to the stored one, decided without touching either.

A session that is only planned follows its plan. Once released it belongs to the patients: it may grow, and nothing
else. A slot that somebody withdrew stays withdrawn; a plan does not know why it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from shouhao.booking.schedule import PlannedSession, PlannedSlot
from shouhao.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSlot:
    """A slot as it stands."""

    id: str
    number: int
    starts_at_us: int
    ends_at_us: int
    state: str
    extra: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session as it stands, with its slots in the order of their numbers."""

    id: str
    department_id: str
    doctor_id: str | None
    day: date
    half: str
    kind: str
    starts_at_us: int
    ends_at_us: int
    fee_cents: int
    state: str
    release_at_us: int
    hot: bool
    in_draw: bool = False  #: its entry window has opened
    slots: tuple[StoredSlot, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is written for one session; all of it or, when every part is empty, nothing."""

    session: PlannedSession | None = None  #: its times, fee, release and mark as hot replace the stored ones
    moved: tuple[StoredSlot, ...] = ()  #: planned slots with their new segment and state
    added: tuple[PlannedSlot, ...] = ()
    added_state: str = "planned"
    removed: tuple[StoredSlot, ...] = ()  #: planned slots that nobody could ever book

    def __bool__(self) -> bool:
        return bool(self.session or self.moved or self.added or self.removed)


#: Field of a report, and the attribute that it names.
_SAME_FOREVER = ("department_id", "doctor_id", "day", "half", "kind")
_UNTIL_RELEASE = {
    "start": "starts_at_us",
    "end": "ends_at_us",
    "fee": "fee_cents",
    "release_at": "release_at_us",
    "hot": "hot",
}


def decide(planned: PlannedSession, stored: StoredSession) -> Change:
    """What importing this plan changes; an empty change when the session already is as planned.

    Slots are matched in order, extra slots left out, so that the segments of a plan may be cut anew while numbers,
    ids and extra slots stay.

    Raises:
        InvalidInput: the plan asks for what may not happen any more; nothing of it is then done.
    """
    for name in _SAME_FOREVER:
        if getattr(planned, name) != getattr(stored, name):
            raise InvalidInput(
                name,
                zh="与已有排班不同，请作为另一场次导入",
                en="differs from the stored session; import it as another",
            )
    regular = [slot for slot in stored.slots if not slot.extra]
    if stored.state == "planned" and stored.in_draw:
        return _keep(planned, stored, regular)
    if stored.state == "planned":
        return _follow(planned, stored, regular)
    return _grow(planned, stored, regular)


def _follow(planned: PlannedSession, stored: StoredSession, regular: Sequence[StoredSlot]) -> Change:
    for slot in stored.slots:
        if slot.extra and not planned.starts_at_us <= slot.starts_at_us < slot.ends_at_us <= planned.ends_at_us:
            raise InvalidInput("start", zh="已有加号在新的出诊时间之外", en="an extra slot lies outside the new hours")
    removed = tuple(regular[planned.capacity :])
    if any(slot.state not in {"planned", "withdrawn"} for slot in removed):
        raise InvalidInput(
            "capacity", zh="不能少于已被占用的号", en="must not fall below the slots that are already taken"
        )
    moved = []
    for slot, plan in zip(regular, planned.slots, strict=False):
        state = "withdrawn" if plan.withheld and slot.state == "planned" else slot.state
        now = replace(slot, starts_at_us=plan.starts_at_us, ends_at_us=plan.ends_at_us, state=state)
        if now != slot and slot.state not in {"planned", "withdrawn"}:
            raise InvalidInput("slots", zh="已被占用的号不能改时段", en="a taken slot keeps its segment")
        if now != slot:
            moved.append(now)
    differs = any(getattr(planned, name) != getattr(stored, name) for name in _UNTIL_RELEASE.values())
    return Change(
        session=planned if differs else None,
        moved=tuple(moved),
        added=_added(planned, stored, len(regular)),
        removed=removed,
    )


def _keep(planned: PlannedSession, stored: StoredSession, regular: Sequence[StoredSlot]) -> Change:
    """People have entered for what was announced: until the draw is made nothing of it changes."""
    for field, name in _UNTIL_RELEASE.items():
        if getattr(planned, name) != getattr(stored, name):
            raise InvalidInput(field, zh="抽签报名已开始，不能更改", en="cannot change once entries are taken")
    if planned.capacity != len(regular):
        raise InvalidInput("capacity", zh="抽签报名已开始，不能更改", en="cannot change once entries are taken")
    return Change()


def _grow(planned: PlannedSession, stored: StoredSession, regular: Sequence[StoredSlot]) -> Change:
    for field, name in _UNTIL_RELEASE.items():
        if getattr(planned, name) != getattr(stored, name):
            raise InvalidInput(field, zh="放号后不能更改", en="cannot change once the session is released")
    if planned.capacity < len(regular):
        raise InvalidInput("capacity", zh="放号后只能增加，不能减少", en="can only grow once the session is released")
    added = _added(planned, stored, len(regular))
    if added and stored.state != "released":
        raise InvalidInput("capacity", zh="场次已关闭，不能增加", en="the session is closed and cannot grow")
    return Change(added=added, added_state="free")


def _added(planned: PlannedSession, stored: StoredSession, known: int) -> tuple[PlannedSlot, ...]:
    """Slots beyond those that are stored, numbered after every number in use, extra slots' too."""
    highest = max((slot.number for slot in stored.slots), default=0)
    return tuple(replace(slot, number=highest + n) for n, slot in enumerate(planned.slots[known:], start=1))
