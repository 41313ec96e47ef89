"""Returns: where a slot goes that came back, and when a resting one opens to everyone again.

A slot that is public at once, or at a moment that can be worked out, is for whoever polls fastest. So it goes to those
who wait; if nobody does, to a pool or a place that a script cannot reach, or it rests and opens at a moment that nobody
knows beforehand: not the patient who returned it, not staff, not a reader of the database.
"""

from typing import Literal

from shouhao.booking.release.policy import ReturnRules, WaitlistRules
from shouhao.booking.waitlist import MoveWhy, waitlist_closes_at_us
from shouhao.kernel.clock import SECOND_US, day_of
from shouhao.kernel.randomness import Randomness

Way = Literal["waitlist", "kept", "care", "window", "rest", "withdrawn", "public"]

REST_STEP_S = 15  #: how often chance is asked whether a resting slot opens
_STEP_US = REST_STEP_S * SECOND_US


def way_of(
    *,
    on_site: bool,
    extra: bool,
    anyone_ranked: bool,
    anyone_unranked: bool,
    now_us: int,
    session_starts_at_us: int,
    session_day: str,
    rules: ReturnRules,
    waitlist_rules: WaitlistRules,
) -> tuple[Way, MoveWhy]:
    """Where a slot that came back goes now, and why; never to the public directly.

    Whoever stands on a waitlist is served even if the policy has since switched waitlists off for newcomers.

    Args:
        on_site: it was returned at a window or a kiosk: what somebody standing there gave up is not for scripts.
        anyone_ranked: somebody entitled waits, in an order that is drawn.
        anyone_unranked: somebody has joined, and the order of their batch is not drawn yet.
        session_day: ISO date.
    """
    if extra:
        return "withdrawn", "extra"
    came_back: MoveWhy = "returned_on_site" if on_site else "returned"
    waited_for = now_us < waitlist_closes_at_us(session_starts_at_us=session_starts_at_us, rules=waitlist_rules)
    if waited_for and anyone_ranked:
        return "waitlist", came_back
    if waited_for and anyone_unranked:
        return "kept", came_back
    if on_site:
        return "window", came_back
    untaken: MoveWhy = "session_near" if anyone_ranked or anyone_unranked else "nobody_waits"
    care_ends_at_us = session_starts_at_us - rules.care_until_s * SECOND_US
    return _way_past_the_waitlist(
        now_us, same_day=day_of(now_us).isoformat() == session_day, until_us=care_ends_at_us, why=untaken, rules=rules
    )


def _way_past_the_waitlist(
    now_us: int, *, same_day: bool, until_us: int, why: MoveWhy, rules: ReturnRules
) -> tuple[Way, MoveWhy]:
    """Where a slot goes that nobody waits for.

    Args:
        until_us: from then on the window alone has a use for it.
    """
    if same_day and rules.care_pool and now_us < until_us:
        return "care", why
    if same_day or now_us + rules.rest_most_s * SECOND_US > until_us:
        return "window", "session_near"
    return "rest", why


def rest_steps(rules: ReturnRules) -> int:
    """How many steps a rest has after its least time; at the last of them the slot opens for sure.

    One fewer than fit, so that a worker that looks once a step, whenever it started, is still in time.

    >>> rest_steps(ReturnRules(rest_least_s=3600, rest_most_s=7200))
    239
    """
    return max(1, (rules.rest_most_s - rules.rest_least_s) // REST_STEP_S - 1)


def rest_step_of(*, since_us: int, now_us: int, rules: ReturnRules) -> int:
    """How many whole steps have passed since the least time was over; negative before."""
    return (now_us - since_us - rules.rest_least_s * SECOND_US) // _STEP_US


def next_look_us(*, since_us: int, looked_step: int, rules: ReturnRules) -> int:
    """When chance is asked about a resting slot again: at the end of the step after the last one it was asked for."""
    return since_us + rules.rest_least_s * SECOND_US + (max(0, looked_step) + 1) * _STEP_US


def opens_now(*, looked_step: int, step: int, rules: ReturnRules, randomness: Randomness) -> bool:
    """Whether a resting slot opens at this look; it makes every step of the rest equally likely.

    Chance is asked anew at each look, for just the steps since the last one, and no moment is chosen beforehand: there
    is nothing to read, guess or leak. The caller writes the step down in the same transaction, so that no step is asked
    twice.

    Args:
        looked_step: how far chance has been asked; 0 at first.
        step: as `rest_step_of` says now.
        randomness: the system's own, for a real patient.
    """
    steps, looked = rest_steps(rules), max(0, looked_step)
    if step >= steps:
        return True
    return step > looked and randomness.below(steps - looked) < step - looked
