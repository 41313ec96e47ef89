"""Response: how fast an alarm is answered, when one is raised anew, and which time of a guard's phone is believed.

The numbers are a policy of the hospital, versioned data with defaults (store/policies.py). The two targets that people
know come from Huashan Hospital's case of 25 September 2024: seen at 9:50, removed at 10:06, with the police at 10:40.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.errors import InvalidInput
from shouhao.watch.alarm import OPEN, Alarm, Step
from shouhao.watch.model import Sighting

KIND = "alarm_response"  #: of the policy
_HIGHEST_S = 7 * 86_400

Target = Literal["acknowledge", "decide", "dispatch", "accept", "arrive", "outcome", "police"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePolicy:
    """The numbers in force, in seconds. A target of nought has no clock and is never late."""

    acknowledge_s: int = 60  #: from raised
    decide_s: int = 180  #: from acknowledged to confirmed or rejected
    dispatch_s: int = 120  #: from confirmed
    accept_s: int = 90  #: from dispatched
    arrive_s: int = 480  #: from accepted
    outcome_s: int = 20 * 60  #: from raised to the guard's outcome
    police_s: int = 60 * 60  #: from raised, where the outcome is one for the police
    cool_down_s: int = 600  #: one alarm per person and place, counted from when the person was last seen there
    longest_alarm_s: int = 3600  #: somebody who stays in front of a camera is raised anew after this
    leaving_s: int = 120  #: after an outcome: walking out past the camera raises nothing
    phone_queue_s: int = 1800  #: how long a step may have waited on a guard's phone and keep its own time
    post_s: int = 12 * 3600  #: how long a guard's check-in at a place holds
    rejected_kept_s: int = 86_400  #: pictures of somebody who was not the one are erased so long after that was found

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant.

        Raises:
            InvalidInput: names the field.
        """
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _HIGHEST_S:
                raise InvalidInput(f.name, zh=f"应为 0 至 {_HIGHEST_S} 的整数", en=f"a whole number, 0 to {_HIGHEST_S}")
        if self.cool_down_s > self.longest_alarm_s:
            raise InvalidInput("cool_down_s", zh="不能大于 longest_alarm_s", en="at most longest_alarm_s")


def response_from(body: Mapping[str, Any]) -> ResponsePolicy:
    """Typed policy from its stored body.

    Raises:
        InvalidInput: an unknown field, or a number that cannot be meant.
    """
    known = {f.name for f in fields(ResponsePolicy)}
    for name in body:
        if name not in known:
            raise InvalidInput(str(name), zh="未知的策略项", en="is not part of this policy")
    return ResponsePolicy(**dict(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningClock:
    """One target of one alarm."""

    target: Target
    since_us: int
    due_at_us: int
    done_at_us: int | None  #: None: it is running

    def is_late(self, now_us: int) -> bool:
        """Whether the target is missed, or was."""
        return (self.done_at_us if self.done_at_us is not None else now_us) > self.due_at_us


#: target: what it is counted from (None: raised), what ends it, and which number of the policy it is.
_CLOCKS: tuple[tuple[Target, Step | None, tuple[Step, ...], str], ...] = (
    ("acknowledge", None, ("acknowledged",), "acknowledge_s"),
    ("decide", "acknowledged", ("confirmed", "rejected"), "decide_s"),
    ("dispatch", "confirmed", ("dispatched", "outcome", "rejected"), "dispatch_s"),
    ("accept", "dispatched", ("accepted", "outcome", "rejected"), "accept_s"),
    ("arrive", "accepted", ("arrived", "outcome", "rejected"), "arrive_s"),
    ("outcome", None, ("outcome", "rejected"), "outcome_s"),
    ("police", None, ("handed_to_police", "rejected"), "police_s"),
)


def clocks(alarm: Alarm, policy: ResponsePolicy) -> list[RunningClock]:
    """The clocks that have begun, done or running. A late alarm has none: nobody is there to be reached.

    A guard who declines stops his clocks; those of the next guard begin with the next dispatch. The clock to the police
    runs for every alarm until it is known to be none of theirs.
    """
    if alarm.late:
        return []
    found = []
    for target, start, ends, number in _CLOCKS:
        allowed_s: int = getattr(policy, number)
        since_us = alarm.raised_at_us if start is None else alarm.reached.get(start)
        if target == "dispatch" and since_us is not None:
            since_us = max(since_us, alarm.reached.get("declined", 0))
        if allowed_s == 0 or since_us is None:
            continue
        if target == "police" and alarm.outcome not in {None, "removed", "warned"}:
            continue
        done = [alarm.reached[end] for end in ends if end in alarm.reached]
        if not done and "closed" in alarm.reached:
            done = [alarm.reached["closed"]]
        due_at_us = since_us + allowed_s * SECOND_US
        found.append(
            RunningClock(target=target, since_us=since_us, due_at_us=due_at_us, done_at_us=min(done) if done else None)
        )
    return found


def overdue(alarm: Alarm, policy: ResponsePolicy, *, now_us: int) -> list[RunningClock]:
    """The running clocks that have run out."""
    return [clock for clock in clocks(alarm, policy) if clock.done_at_us is None and clock.is_late(now_us)]


def absorbing(alarms: Sequence[Alarm], sighting: Sighting, policy: ResponsePolicy) -> Alarm | None:
    """The alarm that this sighting belongs to, among those of the same person and place; None: it raises one.

    A fresh sighting never disappears into a late alarm, for that one sends nobody.
    """
    for alarm in sorted(alarms, key=lambda a: a.raised_at_us, reverse=True):
        if (alarm.late and not sighting.late) or not _near(alarm, sighting, policy):
            continue
        return alarm
    return None


def _near(alarm: Alarm, sighting: Sighting, policy: ResponsePolicy) -> bool:
    seen_us, cool_us = sighting.seen_at_us, policy.cool_down_s * SECOND_US
    if not alarm.first_seen_at_us - cool_us <= seen_us <= alarm.last_seen_at_us + cool_us:
        return False
    if seen_us > alarm.first_seen_at_us + policy.longest_alarm_s * SECOND_US:
        return False
    ended_at_us = alarm.reached.get("outcome")
    if alarm.state in OPEN or ended_at_us is None:
        return True
    # Who was removed and comes back is a new alarm; a visit that was accompanied keeps its cool-down.
    return alarm.outcome == "genuine_visit" or seen_us <= ended_at_us + policy.leaving_s * SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """When a step happened, and why that is believed."""

    at_us: int
    believed: bool  #: the phone's account was plausible


def step_time(
    *, said_at_us: int | None, sent_at_us: int | None, not_before_us: int, policy: ResponsePolicy, now_us: int
) -> StepTime:
    """When a step that may have waited on a phone happened.

    The phone's clock may be wrong, so only how long the step waited there counts, and only as far as it can be: not
    before the alarm's last step and not longer than the policy allows. Nobody arrives before being sent, nor later than
    now.

    Args:
        said_at_us, sent_at_us: both by the phone's clock.
        not_before_us: the time of the step before.
    """
    if said_at_us is None or sent_at_us is None:
        return StepTime(at_us=max(now_us, not_before_us), believed=said_at_us is None)
    waited_us = sent_at_us - said_at_us
    at_us = now_us - waited_us
    if not 0 <= waited_us <= policy.phone_queue_s * SECOND_US or at_us < not_before_us:
        return StepTime(at_us=max(now_us, not_before_us), believed=False)
    return StepTime(at_us=at_us, believed=True)
