"""Alarm: what becomes of a sighting, step by step, and who may take each step. A machine only ever raises.

No step leads to a guard except through a person's confirmation: `take` refuses every other way, and asks of whom acts a
role that no machine has (invariant 9). Storing is in store/alarms.py, targets and cool-down in response.py, the choice
of a guard in dispatch.py; which operator stands behind an `Actor` is known in flows/respond.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.watch.alarm_words import OUTCOME_WORDS, STATE_WORDS, STEP_WORDS
from shouhao.watch.model import Sighting

State = Literal[
    "raised",
    "acknowledged",
    "confirmed",
    "rejected",
    "dispatched",
    "accepted",
    "arrived",
    "outcome",
    "handed_to_police",
    "closed",
]
#: What a person does. `dispatched` once more sends another guard; `declined` gives the alarm back to the centre.
Step = Literal[
    "acknowledged",
    "confirmed",
    "rejected",
    "dispatched",
    "declined",
    "accepted",
    "arrived",
    "outcome",
    "handed_to_police",
    "closed",
]
STATES: tuple[State, ...] = get_args(State)
STEPS: tuple[Step, ...] = get_args(Step)

#: genuine_visit: a listed person who is a patient today and was walked along with; mistaken_identity: somebody else.
Outcome = Literal["removed", "warned", "genuine_visit", "lost", "mistaken_identity"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

OPEN: frozenset[State] = frozenset({"raised", "acknowledged", "confirmed", "dispatched", "accepted", "arrived"})
UNDER_WAY: frozenset[State] = frozenset({"dispatched", "accepted", "arrived"})  #: a guard is at it

#: Whether the two faces were of one person, as a person on the spot found out; `lost` found out nothing.
SAME_PERSON: Mapping[Outcome, bool] = {
    "removed": True,
    "warned": True,
    "genuine_visit": True,
    "mistaken_identity": False,
}
_FOR_POLICE: frozenset[Outcome] = frozenset({"removed", "warned"})
_BEFORE_LOST: frozenset[State] = UNDER_WAY | {"confirmed"}

_CENTRE = frozenset({"monitoring", "security"})
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person at work. The machine is none of these: it has no roles, and no step is open to it."""

    id: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One step that somebody wants to take."""

    step: Step
    expected_version: int | None = None  #: of the alarm as this person saw it; the centre must say it
    reason: str = ""
    outcome: Outcome | None = None
    guard_id: str | None = None  #: whom to send
    dispatch_id: str | None = None  #: on which dispatch a guard acts
    said_at_us: int | None = None  #: by the clock of the phone on which the step waited
    sent_at_us: int | None = None  #: by the same clock, when it was sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One listed person at one place, from the sighting that raised it to its end."""

    id: str
    best: Sighting  #: the best sighting so far
    state: State
    version: int  #: grows by one with each step
    late: bool  #: what was seen is past; it needs no guard
    raised_at_us: int
    first_seen_at_us: int
    last_seen_at_us: int
    last_camera_id: str
    sightings: int
    outcome: Outcome | None = None
    dispatch_id: str | None = None  #: of the guard who is sent, accepted or there
    guard_id: str | None = None
    reached: Mapping[Step, int] = field(default_factory=dict)  #: when each step was first taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Where a step leads."""

    state: State
    outcome: Outcome | None
    reason: str
    same_person: bool | None  #: a labelled pair for calibration, or None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    after: frozenset[State]
    to: State
    roles: frozenset[str] = frozenset()  #: who may, whoever was sent
    own: bool = False  #: the guard who was sent may
    reason: bool = False


def _after(*states: State) -> frozenset[State]:
    return frozenset(states)


#: `security` stands in for a guard who reports by radio, and says so in the reason.
_RULES: Mapping[Step, _Rule] = {
    "acknowledged": _Rule(after=_after("raised"), to="acknowledged", roles=_CENTRE),
    "confirmed": _Rule(after=_after("acknowledged"), to="confirmed", roles=_CENTRE),
    # Also while a guard is on the way or there: it calls him back from somebody who is not meant.
    "rejected": _Rule(
        after=_after("acknowledged", "confirmed", "dispatched", "accepted", "arrived"),
        to="rejected",
        roles=_CENTRE,
        reason=True,
    ),
    "dispatched": _Rule(after=_after("confirmed", "dispatched", "accepted"), to="dispatched", roles=_CENTRE),
    "declined": _Rule(after=_after("dispatched", "accepted"), to="confirmed", own=True, reason=True),
    "accepted": _Rule(after=_after("dispatched"), to="accepted", roles=frozenset({"security"}), own=True),
    "arrived": _Rule(after=_after("accepted"), to="arrived", roles=frozenset({"security"}), own=True),
    "outcome": _Rule(after=_after("arrived"), to="outcome", roles=frozenset({"security"}), own=True),
    "handed_to_police": _Rule(
        after=_after("outcome"), to="handed_to_police", roles=frozenset({"police_liaison", "security"})
    ),
    "closed": _Rule(
        after=_after("rejected", "outcome", "handed_to_police"), to="closed", roles=_CENTRE | {"police_liaison"}
    ),
}
_GUARDS_STEPS: frozenset[Step] = frozenset(step for step, rule in _RULES.items() if rule.own)


class AlarmChanged(Refused):
    """Somebody else was first; this person decided on what is no longer so."""

    code = "watch.alarm_changed"
    zh = "报警已被他人处理，请按最新状态重新操作（当前：{state_zh}，版本 {version}）"
    en = "Somebody else has acted on this alarm: look again (now {state_en}, version {version})"

    def __init__(self, *, state: str, version: int) -> None:
        super().__init__("version", version=version, **_words("state", STATE_WORDS, state))


class StepRefused(Refused):
    """The alarm is not where this step begins."""

    code = "watch.step_refused"
    zh = "当前状态（{state_zh}）不能执行此操作：{step_zh}"
    en = "In this state ({state_en}) the step cannot be taken: {step_en}"

    def __init__(self, *, state: str, step: str) -> None:
        words = {**STATE_WORDS, **OUTCOME_WORDS}
        super().__init__(None, **_words("state", words, state), **_words("step", STEP_WORDS, step))


class StepNotYours(Refused):
    """The step is for others: another role, or the guard of another dispatch."""

    code = "watch.step_not_yours"
    zh = "您不能执行此操作：{step_zh}"
    en = "This step is not yours to take: {step_en}"

    def __init__(self, *, step: str) -> None:
        super().__init__(None, **_words("step", STEP_WORDS, step))


class TaskEnded(Refused):
    """The guard's task was taken back, given to somebody else, or is done."""

    code = "watch.task_ended"
    zh = "该任务已收回或已结束，无需前往"
    en = "This task was taken back or is done; you need not go"


def _words(name: str, words: Mapping[str, tuple[str, str]], key: str) -> dict[str, str]:
    zh, en = words[key]
    return {name: key, f"{name}_zh": zh, f"{name}_en": en}


def take(alarm: Alarm, asked: Asked, actor: Actor) -> Taken:
    """Where this step leads, if this person may take it now.

    Raises:
        StepNotYours: another role's step, or another guard's dispatch.
        AlarmChanged: the alarm is no longer as this person saw it.
        StepRefused: the alarm is not where the step begins.
        InvalidInput: a reason, an outcome or a guard is missing.
    """
    rule = _RULES[asked.step]
    _authorise(alarm, asked, actor, rule)
    if asked.expected_version is not None and asked.expected_version != alarm.version:
        raise AlarmChanged(state=alarm.state, version=alarm.version)
    if alarm.state not in _begins(alarm, asked, rule):
        raise StepRefused(state=alarm.state, step=asked.step)
    reason = _reason(asked, needed=rule.reason or _explains(alarm, asked, actor))
    outcome = _outcome(alarm, asked)
    if asked.step == "dispatched" and asked.guard_id is None:
        raise InvalidInput("guard_id", zh="须指定保安员", en="names the guard who is sent")
    if asked.step == "handed_to_police" and outcome not in _FOR_POLICE:
        raise StepRefused(state=outcome or alarm.state, step=asked.step)
    return Taken(state=rule.to, outcome=outcome, reason=reason, same_person=_same_person(asked))


def open_steps(alarm: Alarm, actor: Actor) -> tuple[Step, ...]:
    """The steps that this person could take now: what a page offers."""
    found = []
    for step, rule in _RULES.items():
        asked = Asked(step=step, outcome="lost" if step == "outcome" else None, dispatch_id=alarm.dispatch_id)
        if alarm.state not in _begins(alarm, asked, rule) or not _may(alarm, asked, actor, rule):
            continue
        if step == "handed_to_police" and alarm.outcome not in _FOR_POLICE:
            continue
        found.append(step)
    return tuple(found)


def _authorise(alarm: Alarm, asked: Asked, actor: Actor, rule: _Rule) -> None:
    if not _may(alarm, asked, actor, rule):
        raise StepNotYours(step=asked.step)
    if asked.expected_version is None and (asked.step not in _GUARDS_STEPS or alarm.guard_id != actor.id):
        raise InvalidInput("version", zh="须带上所见报警的版本", en="the version of the alarm as you saw it")


def _may(alarm: Alarm, asked: Asked, actor: Actor, rule: _Rule) -> bool:
    if rule.roles & actor.roles:
        return True
    if asked.step == "outcome" and asked.outcome == "lost" and _CENTRE & actor.roles:
        return True  # the centre sees on its cameras that the person has gone
    mine = "guard" in actor.roles and alarm.guard_id == actor.id and alarm.state in UNDER_WAY
    return rule.own and mine and asked.dispatch_id == alarm.dispatch_id


def _begins(alarm: Alarm, asked: Asked, rule: _Rule) -> frozenset[State]:
    if asked.step == "outcome" and asked.outcome == "lost":
        return _BEFORE_LOST
    if asked.step == "closed" and alarm.late:
        return rule.after | {"confirmed"}  # nobody is there any more, so nobody is sent
    return rule.after


def _explains(alarm: Alarm, asked: Asked, actor: Actor) -> bool:
    """Whether this step says why although its rule does not: another guard is sent, or radio stands in for a phone."""
    if asked.step == "dispatched":
        return alarm.state != "confirmed"
    return asked.step in _GUARDS_STEPS and alarm.guard_id != actor.id


def _reason(asked: Asked, *, needed: bool) -> str:
    reason = asked.reason.strip()
    if needed and not reason:
        raise InvalidInput("reason", zh="须写明理由", en="says why")
    seen = reason.replace("\n", " ").replace("\r", " ").replace("\t", " ")
    if len(reason) > _LONGEST_REASON or not seen.isprintable():
        zh, en = f"最多 {_LONGEST_REASON} 个可见字符", f"at most {_LONGEST_REASON} printable characters"
        raise InvalidInput("reason", zh=zh, en=en)
    return reason


def _outcome(alarm: Alarm, asked: Asked) -> Outcome | None:
    if asked.step != "outcome":
        return alarm.outcome
    if asked.outcome is None:
        raise InvalidInput("outcome", zh="须写明处置结果", en="says what came of it")
    return asked.outcome


def _same_person(asked: Asked) -> bool | None:
    if asked.step == "rejected":
        return False
    return SAME_PERSON.get(asked.outcome) if asked.step == "outcome" and asked.outcome is not None else None
