"""Releases seen: how the slots of a session reach patients, as everybody may know it beforehand. Pure.

What is said follows from the policy and the public state alone. When a resting slot opens follows from neither, and no
state that is shown tells that one rests.
"""

from dataclasses import dataclass

from shouhao.booking.release.policy import InForce, ReleaseKind
from shouhao.booking.waitlist import joins_until_us
from shouhao.kernel.clock import SECOND_US

#: Kept for one who waits, or resting until chance opens it: to everybody else, taken.
_AS_TAKEN = frozenset({"waitlist", "rest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSeen:
    """How a session is released, and when its draw takes entries."""

    kind: ReleaseKind
    scope: str
    version: int
    opens_at_us: int | None  #: of the entry window; None: nothing goes by draw
    closes_at_us: int | None


def release_seen(
    ruled_by: InForce, *, release_at_us: int, draw_opens_at_us: int | None, draw_closes_at_us: int | None
) -> ReleaseSeen:
    """What is said of a session's release.

    Args:
        draw_opens_at_us: of its draw, once there is one; before that the window follows from the policy.
    """
    opens, closes = draw_opens_at_us, draw_closes_at_us
    if closes is None and ruled_by.policy.draws():
        opens, closes = release_at_us - ruled_by.policy.draw.entry_window_s * SECOND_US, release_at_us
    return ReleaseSeen(
        kind=ruled_by.policy.kind,
        scope=ruled_by.scope,
        version=ruled_by.version,
        opens_at_us=opens,
        closes_at_us=closes,
    )


def waitlist_open(ruled_by: InForce, *, state: str, starts_at_us: int, ends_at_us: int, free: int, now_us: int) -> bool:
    """Whether one may join the waitlist now; the desk asks the same, and more of the people.

    Args:
        free: slots that anyone may still book, or that a draw is still to allot.
    """
    rules = ruled_by.policy.waitlist
    return (
        state == "released"
        and rules.open
        and free == 0
        and now_us < min(ends_at_us, joins_until_us(session_starts_at_us=starts_at_us, rules=rules))
    )


def public_state(state: str, reserved_for: str | None) -> tuple[str, str | None]:
    """A slot's state and whom it is for, as everybody may see it.

    >>> public_state("reserved", "rest"), public_state("reserved", "care"), public_state("free", None)
    (('taken', None), ('reserved', 'care'), ('free', None))
    """
    return ("taken", None) if reserved_for in _AS_TAKEN else (state, reserved_for)
