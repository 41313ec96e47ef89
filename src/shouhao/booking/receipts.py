"""Receipts: how an entry's receipt is signed and shown. Pure; what it says is made where the entry is (entering.py).

What is signed is the receipt as JSON with sorted names, no spaces, in UTF-8: whoever takes `signature` and
`receipt_key` out of what they were shown and writes the rest that way has the signed bytes. The signature is made when
the receipt is shown, from the answer that was kept, so the desk needs no key and a retry is shown the same bytes.
"""

import msgspec

from shouhao.booking.draw_keys import DrawKeys
from shouhao.booking.entering import Receipt

_sorted = msgspec.json.Encoder(order="sorted").encode
_read = msgspec.json.Decoder(Receipt).decode


class SignedReceipt(Receipt, frozen=True, kw_only=True):
    """A receipt with what proves that the hospital gave it."""

    signature: str  #: Ed25519, hex
    receipt_key: str  #: the hospital's public key, hex


def signed_bytes(receipt: Receipt) -> bytes:
    """What the signature of a receipt is made over."""
    return _sorted({name: getattr(receipt, name) for name in Receipt.__struct_fields__})


def show_receipt(kept: str, keys: DrawKeys) -> bytes:
    """A kept receipt as its owner is shown it, signed."""
    return sign_receipt(_read(kept), keys)


def sign_receipt(receipt: Receipt, keys: DrawKeys) -> bytes:
    """A receipt as its owner is shown it, signed."""
    fields = {name: getattr(receipt, name) for name in Receipt.__struct_fields__}
    return _sorted({**fields, "signature": keys.sign(_sorted(fields)), "receipt_key": keys.public_hex})
