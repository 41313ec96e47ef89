"""Vault: names, ID numbers and phones are sealed before they reach the database, and found by keyed hash.

Profile `intl` uses AES-256-GCM and HMAC-SHA-256; profile `sm` uses SM4-GCM and HMAC-SM3 (GB/T 32907, 32905), for
hospitals whose cryptography is assessed. A sealed text carries its profile and key number, so keys can change.
The purpose is authenticated with it: a sealed phone put in the place of a sealed name does not open.
"""

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shouhao.kernel.errors import Tampered

CryptoProfile = Literal["intl", "sm"]

_NONCE_BYTES = 12
_TAG_BYTES = 16
_MASTER_BYTES = 32
_KEY_NUMBER = "1"
_MARKS: Mapping[str, bytes] = {"intl": b"\x01", "sm": b"\x02"}


class Sealer:
    """Seals bytes under one key, in either profile; sealed bytes begin with the profile and the nonce."""

    def __init__(self, *, aes_key: bytes, sm4_key: bytes, profile: CryptoProfile) -> None:
        """Take the keys, 32 and 16 bytes."""
        self.profile = profile
        self._aes = AESGCM(aes_key)
        self._sm4 = algorithms.SM4(sm4_key)

    def seal(self, plain: bytes, *, context: bytes) -> bytes:
        """Encrypt; what is sealed for one context does not open in another."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        mark = _MARKS[self.profile]
        if self.profile == "intl":
            return mark + nonce + self._aes.encrypt(nonce, plain, context)
        encryptor = Cipher(self._sm4, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(context)
        return mark + nonce + encryptor.update(plain) + encryptor.finalize() + encryptor.tag

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """Decrypt.

        Raises:
            Tampered: it was changed, moved from another context, or sealed under another key.
        """
        plain = bytearray(opened_size(sealed))
        self.open_into(sealed, memoryview(plain), context=context)
        return bytes(plain)

    def open_into(self, sealed: bytes, place: memoryview, *, context: bytes) -> None:
        """Decrypt into memory of the caller's choosing, so that with `intl` no copy is left elsewhere.

        Args:
            place: writable bytes, `opened_size(sealed)` of them.
        Raises:
            Tampered: as `open`.
        """
        mark, nonce, body = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if mark == _MARKS["intl"]:
                self._aes.decrypt_into(nonce, body, context, place)
            elif mark == _MARKS["sm"]:
                decryptor = Cipher(self._sm4, modes.GCM(nonce, body[-_TAG_BYTES:])).decryptor()
                decryptor.authenticate_additional_data(context)
                place[:] = decryptor.update(body[:-_TAG_BYTES]) + decryptor.finalize()
            else:
                raise ValueError("no such profile")  # noqa: TRY301 - as any other change to it
        except (ValueError, InvalidTag) as error:
            raise Tampered("sealed bytes do not open") from error


def opened_size(sealed: bytes) -> int:
    """How many bytes are sealed in there."""
    return max(0, len(sealed) - 1 - _NONCE_BYTES - _TAG_BYTES)


class Vault:
    """Seals, opens and hashes with keys derived from one master key."""

    def __init__(self, master: bytes, profile: CryptoProfile = "intl") -> None:
        """Derive the keys.

        Args:
            master: 32 bytes.
            profile: what new texts are sealed with; texts of either profile can be opened.
        """
        if len(master) != _MASTER_BYTES:
            raise ValueError(f"the master key has {len(master)} bytes, not {_MASTER_BYTES}")
        self._master = master
        self.profile = profile
        self._aes = AESGCM(self.derive("seal.intl", 32))
        self._sm4 = self.derive("seal.sm", 16)
        self._hash_key = self.derive(f"hash.{profile}", 32)

    def derive(self, purpose: str, size_bytes: int) -> bytes:
        """A key of its own for each purpose (HKDF, RFC 5869)."""
        return HKDF(algorithm=hashes.SHA256(), length=size_bytes, salt=None, info=f"shouhao.{purpose}".encode()).derive(
            self._master
        )

    def sealer(self, purpose: str) -> Sealer:
        """What seals bytes under keys of this purpose alone."""
        return Sealer(
            aes_key=self.derive(f"{purpose}.intl", 32), sm4_key=self.derive(f"{purpose}.sm", 16), profile=self.profile
        )

    def seal(self, plain: str, *, purpose: str) -> str:
        """Encrypt a text for one purpose, as printable text."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._encrypt(nonce, plain.encode(), purpose.encode())
        return f"{self.profile}.{_KEY_NUMBER}." + base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, sealed: str, *, purpose: str) -> str:
        """Decrypt a text that was sealed for the same purpose.

        Raises:
            Tampered: it was changed, moved from another purpose, or sealed under another key.
        """
        try:
            profile, key_number, packed = sealed.split(".", 2)
            raw = base64.urlsafe_b64decode(packed)
            if key_number != _KEY_NUMBER or base64.urlsafe_b64encode(raw).decode() != packed:
                raise ValueError("not as it was sealed")  # noqa: TRY301 - as any other change to it
            return self._decrypt(profile, raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode()).decode()
        except (ValueError, InvalidTag) as error:
            raise Tampered(f"a sealed {purpose} does not open") from error

    def hash(self, plain: str, *, purpose: str) -> str:
        """A keyed hash by which an equal text is found again; useless without the key."""
        algorithm = hashes.SM3() if self.profile == "sm" else hashes.SHA256()
        mac = hmac.HMAC(self._hash_key, algorithm)
        mac.update(f"{purpose}\0{plain}".encode())
        return mac.finalize().hex()

    def _encrypt(self, nonce: bytes, plain: bytes, purpose: bytes) -> bytes:
        if self.profile == "intl":
            return self._aes.encrypt(nonce, plain, purpose)
        encryptor = Cipher(algorithms.SM4(self._sm4), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(purpose)
        return encryptor.update(plain) + encryptor.finalize() + encryptor.tag

    def _decrypt(self, profile: str, nonce: bytes, sealed: bytes, purpose: bytes) -> bytes:
        if profile == "intl":
            return self._aes.decrypt(nonce, sealed, purpose)
        if profile != "sm":
            raise ValueError(f"unknown profile {profile}")
        body, tag = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
        decryptor = Cipher(algorithms.SM4(self._sm4), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(purpose)
        return decryptor.update(body) + decryptor.finalize()


def read_master_key(path: Path, *, create: bool) -> bytes:
    """The master key kept in a file that only its owner can read.

    Args:
        create: make one on first use (embedded); otherwise a missing file is an error (production).
    Raises:
        FileNotFoundError: there is none and none may be made.
        PermissionError: others can read the file.
    """
    if create and not path.exists():
        _create_master_key(path)
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} can be read by others; its mode must be 0600")
    return path.read_bytes()


def _create_master_key(path: Path) -> None:
    """Write a key beside its place and link it in, so that nobody ever reads half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_MASTER_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass  # another process was first; its key is the key
    finally:
        draft.unlink()
