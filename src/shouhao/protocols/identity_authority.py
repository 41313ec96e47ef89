"""Identity authority over HTTPS: mutual TLS, a pinned authority, and answers signed for the very question.

The JSON is described in docs/reference/identity-authority.md. TLS says who is at the other end of the line; the
signature says so later too, to somebody who was not on the line, and keeps a proxy in between from answering.
An answer whose signature, nonce or time is wrong raises `Tampered` and is never asked for again in the same call.
"""

import base64
import binascii
import hashlib
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import httpx
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from shouhao.kernel.clock import SECOND_US, Clock, iso, to_us
from shouhao.kernel.errors import Tampered, Unavailable
from shouhao.kernel.randomness import Randomness
from shouhao.patients.authority import AuthorityKind, IdentityQuestion, Outcome, Verdict
from shouhao.protocols.circuit_breaker import BreakerSettings, CircuitBreaker

VERSION = 1
_DOMAIN = "shouhao identity verdict v1"  #: what is signed here can be mistaken for nothing else
_ANSWER_MAX_BYTES = 64 * 1024
_KEY_BYTES = 32
_RETRIED_STATUSES = {408, 425, 429, 500, 502, 503, 504}
_JITTER_STEPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPIdentityAuthoritySettings:
    """Where the authority is, how both ends prove themselves, and every time limit."""

    name: str  #: kept with each verdict as `authority:NAME`
    url: str  #: https only
    ca_file: Path  #: the one certificate authority that may vouch for the server; the system's are not asked
    client_cert_file: Path
    client_key_file: Path
    verdict_key: bytes  #: Ed25519 public key, 32 bytes, handed over apart from this line
    connect_timeout_s: float = 2.0
    read_timeout_s: float = 5.0
    attempt_timeout_s: float = 8.0  #: for one attempt as a whole: a server that drips bytes is cut off
    attempts: int = 3
    backoff_s: float = 0.2  #: before the second attempt at most; doubles, and chance takes up to half of it away
    backoff_max_s: float = 2.0
    answer_max_age_s: float = 30.0  #: an answer given longer ago is a replay
    clock_skew_s: float = 5.0  #: how far the authority's clock may be ahead or behind
    connections: int = 8
    breaker: BreakerSettings = field(default_factory=BreakerSettings)

    def __post_init__(self) -> None:
        if not self.url.startswith("https://"):
            raise ValueError("an identity authority is asked over https only")
        if self.attempts < 1:
            raise ValueError("at least one attempt is needed")


def read_verdict_key(file: Path) -> bytes:
    """The authority's Ed25519 public key from a file: 32 raw bytes, or PEM.

    Raises:
        ValueError: it is not one.
        OSError: it cannot be read.
    """
    raw = file.read_bytes()
    if len(raw) == _KEY_BYTES:
        return raw
    key = load_pem_public_key(raw)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{file} is not an Ed25519 public key")  # noqa: TRY004 - the file's content, not a type
    return key.public_bytes_raw()


class _Document(msgspec.Struct, frozen=True):
    kind: str
    number: str


class _Question(msgspec.Struct, frozen=True):
    version: int
    nonce: str
    asked_at: str
    name: str
    document: _Document


class _Answer(msgspec.Struct, frozen=True):
    version: int
    nonce: str
    verdict: Literal["match", "mismatch", "unknown"]
    answered_at: str
    signature: str


class HTTPIdentityAuthority:
    """Asks an authority over the network. Safe to share between threads."""

    kind: AuthorityKind = "authority"

    def __init__(
        self,
        settings: HTTPIdentityAuthoritySettings,
        *,
        clock: Clock,
        randomness: Randomness,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Read the certificates and keep a pool of connections.

        Args:
            randomness: for the jitter between attempts only.
            sleep: waits between attempts.
        Raises:
            OSError: a certificate or key cannot be read.
            ValueError: a key is not one.
        """
        self.name = settings.name
        self.breaker = CircuitBreaker(settings.breaker, clock)
        self._settings = settings
        self._clock = clock
        self._randomness = randomness
        self._sleep = sleep
        self._key = Ed25519PublicKey.from_public_bytes(settings.verdict_key)
        self._client = httpx.Client(
            verify=_tls(settings),
            trust_env=False,  # a proxy from the environment would see names and numbers
            follow_redirects=False,
            timeout=httpx.Timeout(
                settings.read_timeout_s, connect=settings.connect_timeout_s, pool=settings.read_timeout_s
            ),
            limits=httpx.Limits(max_connections=settings.connections),
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def verify(self, question: IdentityQuestion) -> Verdict:
        """Ask, again where that may help, and check what comes back.

        Raises:
            Unavailable: no answer in time, or the breaker is open.
            Tampered: an answer came that the authority did not give to this question now.
        """
        for attempt in range(self._settings.attempts):
            if attempt:
                self._sleep(self._pause_s(attempt))
            if not self.breaker.may_call():
                raise Unavailable(self.name, retry_after_s=self.breaker.wait_s())
            try:
                verdict = self._ask(question)
            except _Retried:
                self.breaker.failed()
            except BaseException:
                self.breaker.failed()
                raise
            else:
                self.breaker.succeeded()
                return verdict
        raise Unavailable(self.name, retry_after_s=self.breaker.wait_s() or 1.0)

    def _ask(self, question: IdentityQuestion) -> Verdict:
        asked_at_us = self._clock.now_us()
        body = question_bytes(question, asked_at=iso(asked_at_us))
        answer = self._decode(self._post(body))
        signed = signed_bytes(
            nonce=answer.nonce,
            verdict=answer.verdict,
            answered_at=answer.answered_at,
            question_sha256=hashlib.sha256(body).hexdigest(),
        )
        try:
            self._key.verify(base64.b64decode(answer.signature, validate=True), signed)
        except (InvalidSignature, binascii.Error) as error:
            raise Tampered(f"an answer of {self.name} does not bear its signature for this question") from error
        if answer.nonce != question.nonce:
            raise Tampered(f"an answer of {self.name} belongs to another question")
        self._check_fresh(answer.answered_at, asked_at_us=asked_at_us)
        return Verdict(outcome=answer.verdict, signed_text=f"{signed.decode()}\n{answer.signature}")

    def _post(self, body: bytes) -> bytes:
        give_up_at = time.monotonic() + self._settings.attempt_timeout_s
        received = bytearray()
        try:
            with self._client.stream(
                "POST", self._settings.url, content=body, headers={"content-type": "application/json"}
            ) as response:
                for chunk in response.iter_bytes():
                    received += chunk
                    if len(received) > _ANSWER_MAX_BYTES:
                        raise Unavailable(self.name)
                    if time.monotonic() > give_up_at:
                        raise _Retried
                status = response.status_code
        except httpx.TransportError as error:
            raise _Retried from error
        except httpx.HTTPError as error:
            raise Unavailable(self.name) from error
        if status in _RETRIED_STATUSES:
            raise _Retried
        if status != httpx.codes.OK:
            raise Unavailable(self.name)  # it understood and will not: asking again changes nothing
        return bytes(received)

    def _decode(self, body: bytes) -> _Answer:
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable(self.name) from error
        if answer.version != VERSION:
            raise Unavailable(self.name)
        return answer

    def _check_fresh(self, answered_at: str, *, asked_at_us: int) -> None:
        try:
            answered_at_us = to_us(datetime.fromisoformat(answered_at))
        except ValueError as error:
            raise Tampered(f"an answer of {self.name} does not say when it was given") from error
        skew_us = round(self._settings.clock_skew_s * SECOND_US)
        oldest_us = self._clock.now_us() - round(self._settings.answer_max_age_s * SECOND_US)
        if not max(oldest_us, asked_at_us) - skew_us <= answered_at_us <= self._clock.now_us() + skew_us:
            raise Tampered(f"an answer of {self.name} was not given now")

    def _pause_s(self, attempt: int) -> float:
        longest: float = min(self._settings.backoff_s * 2 ** (attempt - 1), self._settings.backoff_max_s)
        return longest * (1 - self._randomness.below(_JITTER_STEPS) / _JITTER_STEPS / 2)


def question_bytes(question: IdentityQuestion, *, asked_at: str) -> bytes:
    """The body of the request; its SHA-256 over these very bytes goes into the signature."""
    return msgspec.json.encode(
        _Question(
            version=VERSION,
            nonce=question.nonce,
            asked_at=asked_at,
            name=question.name,
            document=_Document(kind=question.document_kind, number=question.document_number),
        )
    )


def signed_bytes(*, nonce: str, verdict: Outcome, answered_at: str, question_sha256: str) -> bytes:
    """What the authority signs: five lines, UTF-8, no line end after the last."""
    return f"{_DOMAIN}\n{nonce}\n{question_sha256}\n{verdict}\n{answered_at}".encode()


def check_again(signed_text: str, *, verdict_key: bytes) -> Outcome:
    """Read a kept verdict again, long after, with nothing but the authority's public key.

    Raises:
        Tampered: it is not what the authority signed.
    """
    signed, _, signature = signed_text.rpartition("\n")
    lines = signed.split("\n")
    try:
        Ed25519PublicKey.from_public_bytes(verdict_key).verify(
            base64.b64decode(signature, validate=True), signed.encode()
        )
        domain, _nonce, _question_sha256, verdict, _answered_at = lines
        if domain == _DOMAIN:
            outcome: Outcome = msgspec.convert(verdict, type=Outcome)
            return outcome
    except (InvalidSignature, ValueError) as error:
        raise Tampered("a kept verdict does not bear its signature") from error
    raise Tampered("a kept verdict was signed for something else")


class _Retried(Exception):  # noqa: N818 - it never leaves this file
    """No answer this time; asking again may help."""


def _tls(settings: HTTPIdentityAuthoritySettings) -> ssl.SSLContext:
    # With a file of its own the context trusts that file alone.
    context = ssl.create_default_context(cafile=str(settings.ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(str(settings.client_cert_file), str(settings.client_key_file))
    return context
