"""Draw keys: the secret behind each draw, and the signature under each receipt.

The secret of a draw is made from the key and the draw's id, so it is stored nowhere and cannot be another one at the
close than it was at the opening. Receipts are signed with Ed25519: whoever holds one proves with the published key
that the hospital took the entry.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shouhao.booking.release.seal import commitment

_KEY_BYTES = 32


class DrawKeys:
    """What only the hospital knows about its draws."""

    def __init__(self, seed_key: bytes, receipt_key: bytes) -> None:
        """Take two keys of 32 bytes that nobody else knows."""
        if len(seed_key) != _KEY_BYTES or len(receipt_key) != _KEY_BYTES:
            raise ValueError(f"draw keys have {_KEY_BYTES} bytes")
        self._seed_key = seed_key
        self._signing = Ed25519PrivateKey.from_private_bytes(receipt_key)
        self.public_hex = self._signing.public_key().public_bytes_raw().hex()  #: receipts are checked with it

    def secret(self, draw_id: str) -> bytes:
        """The hospital's part of a draw's seed, 32 bytes."""
        return hmac.digest(self._seed_key, f"shouhao.draw-secret\0{draw_id}".encode(), hashlib.sha256)

    def commitment(self, draw_id: str) -> str:
        """What is published of it while entries are taken, as hex."""
        return commitment(draw_id, self.secret(draw_id))

    def sign(self, receipt: bytes) -> str:
        """The signature of a receipt, as hex; the same bytes have the same signature."""
        return self._signing.sign(receipt).hex()


def receipt_holds(receipt: bytes, signature_hex: str, *, public_hex: str) -> bool:
    """Whether a receipt was signed by the holder of this key."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex)).verify(bytes.fromhex(signature_hex), receipt)
    except (InvalidSignature, ValueError):
        return False
    return True
