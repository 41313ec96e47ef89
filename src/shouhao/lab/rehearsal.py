"""Rehearsal: ids and salts that follow from a seed, so that a virtual day can be repeated to the last slot.

The house takes them from the operating system, as it must: whoever could foresee them could foresee a draw. A rehearsal
guards nobody, so within `repeatable`, and only there, they come from a seed. The switch lives in the lab; nothing that
serves patients can import it, because arrows point down.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from shouhao.booking.store import entries
from shouhao.kernel import ids
from shouhao.kernel.clock import Clock
from shouhao.kernel.randomness import SeededRandomness

_MS_US = 1000


class _Numbered:
    """What ids are made of: the time of a clock that is moved by hand, and the next number."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._number = 0

    def take(self, count: int) -> tuple[int, int]:
        """The millisecond and the first of `count` numbers in it."""
        first = self._number
        self._number += count
        return self._clock.now_us() // _MS_US, first


class _Salts:
    """What a draw's salt is made of."""

    def __init__(self, seed: int) -> None:
        self._chance = SeededRandomness(seed)

    def token_hex(self, size_bytes: int) -> str:
        """That many bytes of the sequence, as hex."""
        return self._chance.token(size_bytes).hex()


@contextmanager
def repeatable(seed: int, clock: Clock) -> Iterator[None]:
    """Within it, what this process makes has ids and salts that follow from the seed; never beside real patients."""
    switched: list[tuple[ModuleType, str, Any]] = [
        (ids, "_sequence", _Numbered(clock)),
        (entries, "secrets", _Salts(seed)),
    ]
    before = [getattr(module, name) for module, name, _ in switched]
    try:
        for module, name, stand_in in switched:
            setattr(module, name, stand_in)
        yield
    finally:
        for (module, name, _), real in zip(switched, before, strict=True):
            setattr(module, name, real)
