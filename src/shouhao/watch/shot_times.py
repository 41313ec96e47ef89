"""Shot times: when a shot was taken, as far as its device is believed about it.

A device's clock is corrected by what was measured of it. What is left must lie between the longest outage after which
a device may flush what it kept, and now; a device that says anything else is not believed, and its shot counts as
taken when it arrived. That raises an alarm where nobody may stand any more, rather than none where somebody does.
"""

from dataclasses import dataclass

from shouhao.kernel.clock import SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRules:
    """What is believed."""

    ahead_s: float = 5.0  #: of our clock, after correction
    late_after_s: float = 60.0  #: between shot and arrival; nobody need run any more
    oldest_s: float = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotTime:
    """When a shot was taken."""

    at_us: int
    late: bool
    believed: bool  #: False: the device said something that cannot be


def shot_time(said_at_us: int | None, *, arrived_at_us: int, clock_offset_us: int, rules: TimeRules) -> ShotTime:
    """When a shot was taken.

    Args:
        said_at_us: by the device's clock; None: it did not say.
        clock_offset_us: the device's clock less ours.

    >>> shot_time(990_000_000, arrived_at_us=1_000_000_000, clock_offset_us=-9_000_000, rules=TimeRules())
    ShotTime(at_us=999000000, late=False, believed=True)
    """
    if said_at_us is None:
        return ShotTime(at_us=arrived_at_us, late=False, believed=True)
    at_us = said_at_us - clock_offset_us
    waited_us = arrived_at_us - at_us
    if not -rules.ahead_s * SECOND_US <= waited_us <= rules.oldest_s * SECOND_US:
        return ShotTime(at_us=arrived_at_us, late=False, believed=False)
    return ShotTime(at_us=min(at_us, arrived_at_us), late=waited_us > rules.late_after_s * SECOND_US, believed=True)
