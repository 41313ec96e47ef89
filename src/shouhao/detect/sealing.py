"""Sealing: whom a finding is about, and its raw lines, as they are kept: packed and sealed, and found by keyed hash."""

import base64
import zlib

import msgspec

from shouhao.detect.found_lines import Found, found_of
from shouhao.detect.report.model import FindingExcerpts, Rhythm, Ring
from shouhao.kernel.errors import Tampered
from shouhao.store.vault import Sealer, Vault

SUBJECT = "finding_subject"  #: what the vault hashes subjects for
_PURPOSE = "findings"
_LEVEL = 1  # of packing: the lines are long and much alike, and more takes longer than it saves
_MOST_UNPACKED = 256 << 20


class Card(msgspec.Struct, frozen=True, array_like=True):
    """What a list shows of a finding."""

    subject_id: str
    zh: str  #: its headline, ids masked
    en: str


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of a finding."""

    line: msgspec.Raw  #: as findings.jsonl holds it
    ring: Ring | None = None
    rhythm: Rhythm | None = None
    excerpts: FindingExcerpts | None = None

    @property
    def found(self) -> Found:
        """The finding itself."""
        return found_of(bytes(self.line))


class FindingSeals:
    """Seals and opens what is kept of findings; each opens for its own finding alone."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._sealer: Sealer = vault.sealer(_PURPOSE)

    def subject_hash(self, kind: str, subject_id: str) -> str:
        """A keyed hash by which the same subject is found again on another night."""
        return self._vault.hash(f"{kind}\0{subject_id}", purpose=SUBJECT)

    def seal_card(self, card: Card, finding_id: str) -> str:
        """A card, sealed."""
        return self._seal(msgspec.json.encode(card), f"card {finding_id}")

    def open_card(self, sealed: str, finding_id: str) -> Card:
        """A card, opened.

        Raises:
            Tampered: it was changed, or is another finding's.
        """
        return msgspec.json.decode(self._open(sealed, f"card {finding_id}"), type=Card)

    def seal_body(self, body: Body, finding_id: str) -> str:
        """A body, sealed."""
        return self._seal(zlib.compress(msgspec.json.encode(body), _LEVEL), f"body {finding_id}")

    def open_body(self, sealed: str, finding_id: str) -> Body:
        """A body, opened; as `open_card`."""
        unpacked = zlib.decompressobj().decompress(self._open(sealed, f"body {finding_id}"), _MOST_UNPACKED)
        return msgspec.json.decode(unpacked, type=Body)

    def _seal(self, plain: bytes, context: str) -> str:
        return base64.b64encode(self._sealer.seal(plain, context=context.encode())).decode()

    def _open(self, sealed: str, context: str) -> bytes:
        try:
            raw = base64.b64decode(sealed, validate=True)
        except ValueError as error:
            raise Tampered("a sealed finding does not open") from error
        return self._sealer.open(raw, context=context.encode())
