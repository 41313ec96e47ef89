"""Digest: whether a device knows its password, without the password on the line.

Nonces are made so that they prove themselves (time, chance, and a keyed hash over both): a stranger who asks for a
million leaves nothing behind. What is kept is only how far each proven nonce was counted, so that a request that was
listened to cannot be sent again. MD5 is what GA/T 1400 devices speak; SHA-256 is checked where it is what was offered.

What it leaves to others: which device it is, its password, and what a right answer opens (web/internal).
Source: RFC 7616 and RFC 2617, sections 3.2 to 3.4; GA/T 1400.4.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from shouhao.kernel.clock import SECOND_US

Algorithm = Literal["MD5", "SHA-256"]
Verdict = Literal["right", "wrong", "stale"]

_LONGEST_HEADER = 4096
_PARAMETER = re.compile(r'([A-Za-z*_-]{1,32})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))\s*(?:,|$)')
_NC = re.compile(r"[0-9a-fA-F]{8}")
_NONCES_KEPT = 10_000
_AHEAD_MOST = 64  #: requests on several connections may overtake each other by so many
_TIME_BYTES, _CHANCE_BYTES, _MAC_BYTES = 8, 12, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What an Authorization header says."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = ""
    qop: str = ""
    nc: str = ""
    cnonce: str = ""


@dataclass(slots=True)
class _Counted:
    """How far a nonce was counted: the greatest number, and which of those just below it came."""

    greatest: int = 0
    seen: int = 0  #: bit n: greatest - n came
    expires_at_us: int = 0


def read_credentials(header: str) -> Credentials | None:
    """The parts of an Authorization header, or None where it is no whole Digest."""
    scheme, _, rest = header[:_LONGEST_HEADER].partition(" ")
    if scheme.lower() != "digest" or len(header) > _LONGEST_HEADER:
        return None
    said: dict[str, str] = {}
    at, rest = 0, rest.strip()
    while at < len(rest):
        found = _PARAMETER.match(rest, at)
        if found is None or found[1].lower() in said:
            return None  # two of one kind: what one of us reads another might not
        said[found[1].lower()] = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
        at = found.end()
        while at < len(rest) and rest[at] == " ":
            at += 1
    if not all(said.get(name) for name in ("nonce", "uri", "response")):
        return None
    known = {name: said.get(name, "") for name in Credentials.__dataclass_fields__}
    return Credentials(**known)


def response_of(
    credentials: Credentials, *, password: str, method: str, uri: str | None = None, algorithm: Algorithm = "MD5"
) -> str:
    """What somebody who knows the password answers (RFC 7616, 3.4.1); an empty method gives the server's answer.

    >>> told = Credentials(username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
    ...     uri="/dir/index.html", response="", qop="auth", nc="00000001", cnonce="0a4f113b")
    >>> response_of(told, password="Circle Of Life", method="GET")
    '6629fae49393a05397450978507c4ef1'
    """
    c = credentials
    secret = _hash(f"{c.username}:{c.realm}:{password}", algorithm)
    asked = _hash(f"{method}:{c.uri if uri is None else uri}", algorithm)
    middle = f"{c.nonce}:{c.nc}:{c.cnonce}:{c.qop}" if c.qop else c.nonce
    return _hash(f"{secret}:{middle}:{asked}", algorithm)


class DigestGate:
    """Challenges and checks; one a process, used by one thread at a time."""

    def __init__(self, *, realm: str, algorithm: Algorithm = "MD5", nonce_s: float = 300.0) -> None:
        """Make the key that nonces prove themselves with; it lives as long as this process.

        Args:
            nonce_s: how long a nonce is good for.
        """
        self.realm = realm
        self.algorithm = algorithm
        self._nonce_us = round(nonce_s * SECOND_US)
        self._key = secrets.token_bytes(32)
        self._counted: OrderedDict[str, _Counted] = OrderedDict()
        self._opaque = secrets.token_hex(8)

    def challenge(self, *, now_us: int, stale: bool = False) -> str:
        """What WWW-Authenticate says; `stale` asks to try again with the new nonce and the same password."""
        parts = [
            f'realm="{self.realm}"',
            f'nonce="{self._new_nonce(now_us)}"',
            f'opaque="{self._opaque}"',
            f'algorithm="{self.algorithm}"' if self.algorithm == "MD5" else f"algorithm={self.algorithm}",
            'qop="auth"',
        ]
        return "Digest " + ", ".join([*parts, *(["stale=true"] if stale else [])])

    def check(
        self, credentials: Credentials, *, password: str | None, method: str, path: str, query: str = "", now_us: int
    ) -> Verdict:
        """Whether this request comes from somebody who knows the password, and for the first time.

        A stranger's password is None; checking takes as long for one.

        Returns:
            `stale` where the answer is right but its nonce is over, or was counted as far before: a replay.
        """
        issued_at_us = self._issued_at_us(credentials.nonce)
        right = hmac.compare_digest(
            response_of(
                credentials, password=password or secrets.token_hex(8), method=method, algorithm=self.algorithm
            ),
            credentials.response.lower(),
        )
        known = password is not None and issued_at_us is not None and right
        if not known or not self._is_well_formed(credentials) or not _same_target(credentials.uri, path, query):
            # A nonce of an earlier process: the device tries again by itself when it is told so.
            return "stale" if right and password is not None and issued_at_us is None else "wrong"
        if issued_at_us is None or not 0 <= now_us - issued_at_us <= self._nonce_us:
            return "stale"
        return "right" if self._count(credentials, issued_at_us, now_us) else "stale"

    def answer(self, credentials: Credentials, *, password: str) -> str:
        """What Authentication-Info says: that the server knows the password too."""
        if not credentials.qop:
            return ""
        proof = response_of(credentials, password=password, method="", algorithm=self.algorithm)
        return f'qop="auth", rspauth="{proof}", cnonce="{credentials.cnonce}", nc={credentials.nc}'

    def _is_well_formed(self, credentials: Credentials) -> bool:
        if credentials.realm != self.realm or (credentials.algorithm or "MD5").upper() != self.algorithm:
            return False  # another hash than was offered is a way down to the weaker one
        if not credentials.qop:
            return True  # RFC 2069, without a count: its nonce serves once
        return credentials.qop == "auth" and _NC.fullmatch(credentials.nc) is not None and bool(credentials.cnonce)

    def _count(self, credentials: Credentials, issued_at_us: int, now_us: int) -> bool:
        """Whether this number of the nonce comes for the first time."""
        self._forget(now_us)
        counted = self._counted.get(credentials.nonce)
        if counted is None:
            counted = _Counted(expires_at_us=issued_at_us + self._nonce_us)
            self._counted[credentials.nonce] = counted
        number = int(credentials.nc, 16) if credentials.qop else counted.greatest + 1
        if not credentials.qop and counted.greatest:
            return False
        behind = counted.greatest - number
        if behind < 0:
            counted.seen = (counted.seen << min(-behind, _AHEAD_MOST) | 1) & ((1 << _AHEAD_MOST) - 1)
            counted.greatest = number
            return True
        if behind >= _AHEAD_MOST or counted.seen >> behind & 1 or number == 0:
            return False
        counted.seen |= 1 << behind
        return True

    def _forget(self, now_us: int) -> None:
        """Drop counts of nonces that are over; while too many are live the oldest goes, and with it its nonce's use."""
        while self._counted:
            nonce, oldest = next(iter(self._counted.items()))
            if oldest.expires_at_us >= now_us:
                break
            del self._counted[nonce]
        if len(self._counted) >= _NONCES_KEPT:
            # Only devices that proved their password come here; to forget a live count would let it be replayed.
            self._key = secrets.token_bytes(32)
            self._counted.clear()

    def _new_nonce(self, now_us: int) -> str:
        told = now_us.to_bytes(_TIME_BYTES) + secrets.token_bytes(_CHANCE_BYTES)
        return base64.urlsafe_b64encode(told + self._mac(told)).decode().rstrip("=")

    def _issued_at_us(self, nonce: str) -> int | None:
        """When this process issued a nonce; None where it did not."""
        try:
            raw = base64.urlsafe_b64decode(nonce.encode("ascii") + b"=" * (-len(nonce) % 4))
        except (UnicodeEncodeError, binascii.Error):
            return None
        told, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        canonical = base64.urlsafe_b64encode(raw).decode().rstrip("=") == nonce  # or one nonce had several spellings
        if len(told) != _TIME_BYTES + _CHANCE_BYTES or not canonical or not hmac.compare_digest(mac, self._mac(told)):
            return None
        return int.from_bytes(told[:_TIME_BYTES])

    def _mac(self, told: bytes) -> bytes:
        return hmac.digest(self._key, told, "sha256")[:_MAC_BYTES]


def _hash(text: str, algorithm: Algorithm) -> str:
    data = text.encode()
    if algorithm == "SHA-256":
        return hashlib.sha256(data).hexdigest()
    return hashlib.md5(data, usedforsecurity=False).hexdigest()  # what the protocol fixes; no fingerprint of ours


def _same_target(uri: str, path: str, query: str) -> bool:
    """The answer is for this very request; some devices write the whole URL."""
    if "://" in uri[:8]:
        uri = "/" + uri.partition("://")[2].partition("/")[2]
    return uri in {path, f"{path}?{query}"} if query else uri == path
