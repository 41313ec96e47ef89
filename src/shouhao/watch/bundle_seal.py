"""Bundle seal: a bundle that only its recipient opens, by a passphrase or by the recipient's key. Pure.

A mark, the way it is sealed, what the key is made with, a nonce, AES-256-GCM over the whole file; all but the content
is authenticated with it. Costs of the passphrase are fixed here and never read from the file, so that no file can ask
for more memory or time than that.
"""

import secrets

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shouhao.kernel.errors import InvalidInput, Refused

MARK = b"SHOUHAO-SEALED-1\n"
_BY_PASSPHRASE, _BY_KEY = b"P", b"K"
_SALT_BYTES, _POINT_BYTES, _NONCE_BYTES, _KEY_BYTES = 16, 32, 12, 32
_PASSPHRASE_LEAST, _PASSPHRASE_MOST = 12, 200
_TIME, _MEMORY_KIB, _LANES = 3, 64 * 1024, 1


class NotOpened(Refused):
    """The passphrase or key does not open this file, or it was changed."""

    code = "watch.bundle_sealed"
    zh = "无法解开名单包：口令或密钥不对，或文件被改动"
    en = "The bundle does not open: another passphrase or key, or it was changed"


class SealNeedsPassphrase(Refused):
    """The file is sealed with a passphrase and none was given."""

    code = "watch.bundle_needs_passphrase"
    zh = "名单包以口令加密，请提供口令"
    en = "The bundle is sealed with a passphrase; give it"


def is_sealed(data: bytes) -> bool:
    """Whether this is a sealed bundle."""
    return data.startswith(MARK)


def seal_with_passphrase(data: bytes, passphrase: str) -> bytes:
    """Seal for whoever is told the passphrase by another way.

    Raises:
        InvalidInput: a passphrase that is guessed too soon.
    """
    if not _PASSPHRASE_LEAST <= len(passphrase) <= _PASSPHRASE_MOST:
        least = _PASSPHRASE_LEAST
        raise InvalidInput("passphrase", zh=f"至少 {least} 个字符", en=f"{least} characters at least")
    salt = secrets.token_bytes(_SALT_BYTES)
    return _sealed(data, MARK + _BY_PASSPHRASE + salt, _from_passphrase(passphrase, salt))


def seal_to_key(data: bytes, recipient: bytes) -> bytes:
    """Seal for whoever holds the private part of this key.

    Args:
        recipient: X25519, 32 bytes.
    Raises:
        InvalidInput: this is no key.
    """
    ours = X25519PrivateKey.generate()
    point = ours.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    try:
        shared = ours.exchange(X25519PublicKey.from_public_bytes(recipient))
    except ValueError:
        raise InvalidInput("recipient", zh="不是有效的 X25519 公钥", en="is no X25519 key") from None
    return _sealed(data, MARK + _BY_KEY + point, _from_shared(shared, point, recipient))


def unseal(data: bytes, *, passphrase: str | None = None, key: X25519PrivateKey | None = None) -> bytes:
    """The bundle inside; one that is not sealed comes back as it is.

    Raises:
        SealNeedsPassphrase: it is sealed with one and none was given.
        NotOpened: this passphrase or key does not open it.
    """
    if not is_sealed(data):
        return data
    how, rest = data[len(MARK) : len(MARK) + 1], data[len(MARK) + 1 :]
    if how == _BY_PASSPHRASE:
        if passphrase is None:
            raise SealNeedsPassphrase("passphrase")
        made_with = rest[:_SALT_BYTES]
        secret = _from_passphrase(passphrase[:_PASSPHRASE_MOST], made_with)
    elif how == _BY_KEY and key is not None:
        made_with = rest[:_POINT_BYTES]
        ours = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        try:
            secret = _from_shared(key.exchange(X25519PublicKey.from_public_bytes(made_with)), made_with, ours)
        except ValueError:
            raise NotOpened from None
    else:
        raise NotOpened
    begun = len(MARK) + 1 + len(made_with)
    nonce, body = data[begun : begun + _NONCE_BYTES], data[begun + _NONCE_BYTES :]
    try:
        return AESGCM(secret).decrypt(nonce, body, data[:begun])
    except (InvalidTag, ValueError):
        raise NotOpened from None


def _sealed(data: bytes, head: bytes, secret: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return head + nonce + AESGCM(secret).encrypt(nonce, data, head)


def _from_passphrase(passphrase: str, salt: bytes) -> bytes:
    if len(salt) < _SALT_BYTES:
        raise NotOpened
    return hash_secret_raw(
        passphrase.encode(),
        salt,
        time_cost=_TIME,
        memory_cost=_MEMORY_KIB,
        parallelism=_LANES,
        hash_len=_KEY_BYTES,
        type=Type.ID,
    )


def _from_shared(shared: bytes, point: bytes, recipient: bytes) -> bytes:
    info = b"shouhao.watch-bundle" + point + recipient
    return HKDF(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(shared)
