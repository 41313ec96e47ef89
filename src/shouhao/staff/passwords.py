"""Passwords: argon2id with stated parameters, and a rule of length alone.

No rule of composition and no forced change: they make people write passwords down. What is refused is short, tried
first by everybody, or made of the person's own login. Verifying takes tens of milliseconds and 64 MiB on purpose, so
only a few run at once: a flood of sign-ins waits for memory and does not take it all.
Source: RFC 9106 section 4 (second recommended option); NIST SP 800-63B section 3.1.1.
"""

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shouhao.kernel.errors import InvalidInput, Unavailable

LEAST = 12
LONGEST = 128
_ROUNDS = 3
_MEMORY_KIB = 64 * 1024
_LANES = 4
_AT_ONCE = 2
_LONGEST_WAIT_S = 5.0

#: What is tried first by everybody who sprays, as far as it is long enough to be taken at all.
_KNOWN = frozenset(
    {
        "123456789012",
        "1234567890123",
        "12345678901234",
        "123123123123",
        "112233445566",
        "abcdefghijkl",
        "abcd12345678",
        "password1234",
        "password12345",
        "passw0rd1234",
        "password@123",
        "p@ssw0rd1234",
        "qwertyuiop12",
        "qwertyuiop123",
        "qwerty123456",
        "1qaz2wsx3edc",
        "1q2w3e4r5t6y",
        "q1w2e3r4t5y6",
        "admin1234567",
        "admin12345678",
        "administrator",
        "administrator1",
        "hospital1234",
        "shouhao12345",
        "shouhao123456",
        "welcome12345",
        "iloveyou1234",
        "woaini1314520",
        "woaini5201314",
        "5201314520131",
        "zaq12wsxcde3",
        "letmein12345",
        "changeme1234",
    }
)
_RUNS = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
_FEW = 4  #: different characters, at least


class Passwords:
    """Hashes and verifies, a few at a time."""

    def __init__(
        self, *, rounds: int = _ROUNDS, memory_kib: int = _MEMORY_KIB, lanes: int = _LANES, at_once: int = _AT_ONCE
    ) -> None:
        """Take the parameters of argon2id; those that are not given are what the hospital runs with."""
        self._hasher = PasswordHasher(time_cost=rounds, memory_cost=memory_kib, parallelism=lanes)
        self._turns = threading.BoundedSemaphore(at_once)
        self._nobodys: str | None = None

    def hash(self, password: str) -> str:
        """What is stored: the parameters, a random salt, the hash.

        Raises:
            Unavailable: too many wait, here and when verifying.
        """
        with self._turn():
            return self._hasher.hash(_normal(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is the password; where nobody has one, it takes as long to say no."""
        hashed = stored or self._nobody()
        with self._turn():
            try:
                self._hasher.verify(hashed, _normal(password))
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def is_old(self, stored: str) -> bool:
        """Whether it was hashed with other parameters than are used now."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=_LONGEST_WAIT_S):
            raise Unavailable("sign-in")
        try:
            yield
        finally:
            self._turns.release()

    def _nobody(self) -> str:
        if self._nobodys is None:
            self._nobodys = self.hash("nobody has this one")
        return self._nobodys


def check_password(password: str, *, login: str) -> None:
    """Let a new password pass when it is long enough and not one that is tried first.

    Raises:
        InvalidInput: too short, too long, known, or made of the login.
    """
    normal = _normal(password)
    if not LEAST <= len(normal) <= LONGEST:
        raise InvalidInput(
            "new_password", zh=f"须为 {LEAST} 到 {LONGEST} 个字符", en=f"must be {LEAST} to {LONGEST} characters"
        )
    lower = normal.lower()
    rest = lower.replace(login.lower(), "") if login else lower
    easy = lower in _KNOWN or len(set(lower)) < _FEW or any(lower in run or lower in run[::-1] for run in _RUNS)
    if easy or len(rest) < LEAST // 2:
        raise InvalidInput(
            "new_password",
            zh="过于常见，或由登录名组成，请换一个",
            en="is too common, or made of the login name; choose another",
        )


def _normal(password: str) -> str:
    """The same password from every keyboard (NFKC), and nothing that UTF-8 cannot write."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()
