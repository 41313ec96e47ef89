"""Second factor: codes by time (TOTP) from an app on the operator's phone; each code counts once.

The secret lies sealed in the vault; a copy of the database signs nobody in.
Source: RFC 6238; its section 5.2 asks that a code is not taken twice.
"""

import hmac
from dataclasses import dataclass

import pyotp
import segno

from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.randomness import Randomness
from shouhao.store.vault import Vault

PURPOSE = "staff.factor"
_STEP_S = 30
_WINDOW = 1  #: steps that a phone's clock may be off, either way
_DIGITS = 6
_SECRET_BYTES = 20  #: as RFC 4226 recommends
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A new secret as it is shown to its owner, once."""

    secret: str  #: base32, for typing
    uri: str  #: otpauth://...
    qr_svg: str


def new_secret(randomness: Randomness) -> str:
    """A random secret in base32."""
    number = int.from_bytes(randomness.token(_SECRET_BYTES), "big")
    return "".join(_BASE32[number >> 5 * place & 31] for place in range(_SECRET_BYTES * 8 // 5))


def offered(secret: str, *, login: str, hospital: str) -> Offered:
    """The secret as an app reads it. The picture holds the secret: it is shown to its owner and kept nowhere."""
    uri = pyotp.TOTP(secret, digits=_DIGITS, interval=_STEP_S).provisioning_uri(
        name=login, issuer_name=f"Shouhao {hospital}".strip()
    )
    picture = segno.make(uri, error="m", micro=False).svg_inline(scale=4, border=4, light="#fff", dark="#000")
    return Offered(secret=secret, uri=uri, qr_svg=picture)


def step_of(secret: str, code: str, *, now_us: int, last_step: int | None) -> int | None:
    """The step that this code belongs to, or None where it is wrong, too old, or was used before.

    Args:
        last_step: the newest step that was used; no code of it or of an earlier one counts.
    """
    if len(code) != _DIGITS or not (code.isascii() and code.isdigit()):
        return None
    totp = pyotp.TOTP(secret, digits=_DIGITS, interval=_STEP_S)
    now = now_us // SECOND_US // _STEP_S
    found = None
    for step in range(now - _WINDOW, now + _WINDOW + 1):  # all of them, so that time tells nothing
        if hmac.compare_digest(totp.at(step * _STEP_S), code) and (last_step is None or step > last_step):
            found = step
    return found


def sealed(vault: Vault, secret: str) -> str:
    """The secret as it is stored."""
    return vault.seal(secret, purpose=PURPOSE)


def opened(vault: Vault, stored: str) -> str:
    """The secret as it was.

    Raises:
        Tampered: somebody changed what is stored.
    """
    return vault.open(stored, purpose=PURPOSE)
