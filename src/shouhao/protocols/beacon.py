"""Randomness beacon over HTTPS: a round of drand, by its public HTTP interface.

`GET URL/public/ROUND` answers `{"round", "randomness", "signature", ...}`; the randomness is SHA-256 of the signature.
That relation and the round are checked; the signature itself is not (docs/decisions/0011-draw.md), so the value stands
in the published file to be compared with the beacon's own.

Source: the drand HTTP interface; its scheme `randomness = SHA-256(signature)` for chained and unchained networks.
"""

import hashlib
import re
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec

from shouhao.kernel.clock import Clock
from shouhao.kernel.errors import Tampered, Unavailable
from shouhao.protocols.circuit_breaker import BreakerSettings, CircuitBreaker

_ANSWER_MAX_BYTES = 16 * 1024
_NOT_YET = {404, 425}
_HEX = re.compile(r"(?:[0-9a-f]{2}){32,512}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrandBeaconSettings:
    """Where the beacon is, and every time limit."""

    name: str  #: as policies name it
    url: str  #: https only; with the chain's hash where it is not the server's default chain
    ca_file: Path | None = None  #: the one certificate authority that may vouch for the server; None: the system's
    timeout_s: float = 3.0  #: for the whole answer: the worker has more to do, and a server may drip bytes
    breaker: BreakerSettings = field(default_factory=lambda: BreakerSettings(failures=2, open_s=15.0))

    def __post_init__(self) -> None:
        if not self.url.startswith("https://"):
            raise ValueError("a beacon is asked over https only")


class _Round(msgspec.Struct, frozen=True):
    round: int
    randomness: str
    signature: str


class DrandBeacon:
    """Asks a drand server. Safe to share between threads."""

    def __init__(self, settings: DrandBeaconSettings, *, clock: Clock) -> None:
        """Read the certificate authority; a connection is made for each question.

        Raises:
            OSError: its file cannot be read.
        """
        self.name = settings.name
        self.breaker = CircuitBreaker(settings.breaker, clock)
        self._settings = settings
        ca_file = settings.ca_file
        self._tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def value(self, number: int) -> bytes | None:
        """What the beacon published in a round, 32 bytes; None while it has not.

        Raises:
            Unavailable: no answer in time, one that cannot be read, or the breaker is open.
            Tampered: another round, or a value that does not follow from its signature.
        """
        if not self.breaker.may_call():
            raise Unavailable(self._what, retry_after_s=self.breaker.wait_s())
        try:
            value = self._ask(number)
        except BaseException:
            self.breaker.failed()
            raise
        self.breaker.succeeded()
        return value

    @property
    def _what(self) -> str:
        return f"beacon {self.name}"

    def _ask(self, number: int) -> bytes | None:
        status, body = self._get(f"{self._settings.url.rstrip('/')}/public/{number}")
        if status in _NOT_YET:
            return None
        if status != httpx.codes.OK:  # a redirect too: it would name another server
            raise Unavailable(self._what)
        try:
            said = msgspec.json.decode(body, type=_Round)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable(self._what) from error
        if not _HEX.fullmatch(said.signature):
            raise Unavailable(self._what)
        if said.round != number:
            raise Tampered(f"{self._what} was asked for round {number} and answered another")
        randomness = hashlib.sha256(bytes.fromhex(said.signature))
        if said.randomness != randomness.hexdigest():
            raise Tampered(f"{self._what}: round {number} does not follow from its signature")
        return randomness.digest()

    def _get(self, url: str) -> tuple[int, bytes]:
        timeout_s = self._settings.timeout_s
        give_up_at = time.monotonic() + timeout_s
        received = bytearray()
        try:
            with (
                httpx.Client(verify=self._tls, trust_env=False, follow_redirects=False, timeout=timeout_s) as client,
                client.stream("GET", url, headers={"accept-encoding": "identity"}) as response,
            ):
                for chunk in response.iter_raw():
                    received += chunk
                    if len(received) > _ANSWER_MAX_BYTES or time.monotonic() > give_up_at:
                        raise Unavailable(self._what)
                return response.status_code, bytes(received)
        except httpx.HTTPError as error:
            raise Unavailable(self._what) from error
