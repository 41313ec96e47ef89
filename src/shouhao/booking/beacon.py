"""Beacon: the port to a public source of chance that publishes one number a round. Adapters stand in `protocols/`.

The rule of a draw names one round in advance (`seal.beacon_round`), so nobody chooses among several.
"""

from typing import Protocol

from shouhao.booking.release.policy import DrawRules
from shouhao.kernel.clock import SECOND_US


class RandomnessBeacon(Protocol):
    """Publishes numbers that nobody can know before their time."""

    @property
    def name(self) -> str:
        """Under which policies name it."""
        ...

    def value(self, number: int) -> bytes | None:
        """What the beacon published in a round; None while it has not.

        Raises:
            Unavailable: it does not answer; ask again later.
            Tampered: what came back is not this round of the beacon.
        """
        ...


def published_at_us(number: int, rules: DrawRules) -> int:
    """When a round of the beacon that a policy names is published.

    >>> published_at_us(2, DrawRules(beacon_genesis_s=1000, beacon_period_s=30))
    1030000000
    """
    return (rules.beacon_genesis_s + (number - 1) * rules.beacon_period_s) * SECOND_US
