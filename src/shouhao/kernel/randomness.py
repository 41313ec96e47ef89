"""Randomness: secrets come from the operating system; rehearsals come from a seed.

Rooms take a `Randomness` as an argument. Only `SeededRandomness` may be repeated, and nothing that guards a
patient is ever drawn from it.
"""

import random
import secrets
from typing import Protocol


class Randomness(Protocol):
    """Where chance comes from."""

    def token(self, size_bytes: int) -> bytes:
        """That many unpredictable bytes."""
        ...

    def below(self, limit: int) -> int:
        """A uniform whole number in [0, limit)."""
        ...


class SystemRandomness:
    """The operating system's cryptographic source."""

    def token(self, size_bytes: int) -> bytes:
        """That many unpredictable bytes."""
        return secrets.token_bytes(size_bytes)

    def below(self, limit: int) -> int:
        """A uniform whole number in [0, limit)."""
        return secrets.randbelow(limit)


class SeededRandomness:
    """The same sequence for the same seed: for tests, rehearsals and demos, never for a real patient."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def token(self, size_bytes: int) -> bytes:
        """That many bytes of the sequence."""
        return self._random.randbytes(size_bytes)

    def below(self, limit: int) -> int:
        """A uniform whole number in [0, limit)."""
        return self._random.randrange(limit)
