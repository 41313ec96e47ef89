"""Watchlist export: this hospital's own cases for others, as a signed bundle that only its recipient opens.

Another person agrees first, the access register has its row before anything is read, and each export has a number that
only grows. What came from others is theirs to hand on and is left out.
"""

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection

from shouhao.flows.watch_desk import WatchDesk
from shouhao.kernel.clock import DAY_US, iso
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.staff import approvals
from shouhao.staff.model import Operator
from shouhao.staff.register import look
from shouhao.watch.bundle import (
    ENTRIES_MOST,
    FORMAT,
    DocumentGiven,
    EntryGiven,
    IssuerGiven,
    ListGiven,
    Manifest,
    RevokedGiven,
    public_key_of,
    write_bundle,
)
from shouhao.watch.bundle_seal import seal_to_key, seal_with_passphrase
from shouhao.watch.store import asks
from shouhao.watch.store import bundles as store
from shouhao.watch.store import lists as list_store
from shouhao.watch.store import watchlist as entry_store
from shouhao.watch.watchlist import Entry

EXPORT_TERM_DAYS = 90
_KEY_PURPOSES = ("watch.bundle-signing", "watch.bundle-opening")


def own_keys(desk: WatchDesk) -> tuple[Ed25519PrivateKey, X25519PrivateKey]:
    """What this hospital signs its bundles with, and what opens bundles that are sealed to it."""
    signing, opening = (desk.vault.derive(purpose, 32) for purpose in _KEY_PURPOSES)
    return Ed25519PrivateKey.from_private_bytes(signing), X25519PrivateKey.from_private_bytes(opening)


def own_public_keys(desk: WatchDesk) -> tuple[bytes, bytes]:
    """What others register this hospital by, and what they seal to."""
    signing, opening = own_keys(desk)
    return public_key_of(signing), opening.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def ask_export(
    connection: Connection, list_id: str, *, recipient: str, reason: str, operator: Operator, now_us: int
) -> str:
    """Ask that another lets a list be handed over; the approval's id.

    Raises:
        NotFound: there is no such list.
    """
    list_store.find_list(connection, list_id)
    if not recipient.strip() or not recipient.isprintable():
        raise InvalidInput("recipient", zh="须写明接收方", en="must name the recipient")
    approval = approvals.ask(
        connection,
        kind="export",
        subject=list_id,
        payload={"act": "export", "list_id": list_id, "recipient": recipient.strip()},
        reason=reason,
        operator=operator,
        now_us=now_us,
    )
    asks.add_ask(connection, approval.id, act="export", kind="export", subject=list_id, now_us=now_us)
    return approval.id


def export_bundle(
    desk: WatchDesk,
    approval_id: str,
    *,
    issuer_name: str,
    operator: Operator,
    now_us: int,
    passphrase: str | None = None,
    recipient_key: bytes | None = None,
    revoke_all: bool = False,
) -> bytes:
    """Our own cases of a list as a signed bundle, sealed to its recipient; the approval is used by it.

    Entries that came from others are theirs to hand on, and are left out. Those of ours that have ended are named as
    revoked, so that they end at once wherever an earlier bundle was accepted.

    Args:
        revoke_all: take everything back that this hospital ever handed over, and hand over nobody.
    Raises:
        NotApproved, ApprovalEnded: nobody agreed, or it was used.
        InvalidInput: it is sealed to nobody, or with a passphrase that is guessed too soon.
        NotTrained: whoever exports faces is trained for it.
    """
    _sealed(b"", passphrase, recipient_key)  # refuses before the approval is used
    with desk.db.read() as connection:
        asked = approvals.find(connection, approval_id)
        state = asked.state_at(now_us)
        if asked.kind != "export" or asked.asked_by != operator.id or state == "asked":
            raise approvals.NotApproved
        if state != "approved":
            raise approvals.ApprovalEnded(state=state)
        ours = [
            one for one in _all_of(connection, asked.subject) if one.source == "own" and one.listed_at_us is not None
        ]
    listed = [one for one in ours if one.is_live(now_us=now_us) and not revoke_all]
    look(
        desk.db,
        operator,
        data_class="face",
        what=f"watch list {asked.subject}",
        reason=asked.reason,
        authority=approval_id,
        records=max(1, len(listed)),
        now_us=now_us,
    )
    with desk.db.write() as connection:
        approval = approvals.use(connection, approval_id, kind="export", subject=asked.subject, now_us=now_us)
        asks.close_ask(connection, approval_id, "done", now_us=now_us)
        number = store.add_export(
            connection,
            list_id=asked.subject,
            approval_id=approval_id,
            staff_id=operator.id,
            entries=len(listed),
            recipient=str(approval.payload["recipient"]),
            now_us=now_us,
        )
        terms = list_store.find_list(connection, asked.subject).terms
    entries, photos, papers = _gathered(desk, [one.id for one in listed])
    signing, _ = own_keys(desk)
    manifest = Manifest(
        format=FORMAT,
        issuer=IssuerGiven(name=issuer_name, key=public_key_of(signing).hex()),
        number=number,
        issued_at=iso(now_us),
        expires_at=iso(now_us + EXPORT_TERM_DAYS * DAY_US),
        list=ListGiven(name=terms.name, ground=terms.ground),
        entries=tuple(entries),
        revoked=tuple(RevokedGiven(id=one.id) for one in ours if one.over)[-ENTRIES_MOST:],
        revokes_all=revoke_all,
    )
    written = write_bundle(manifest, photos=photos, documents=papers, key=signing)
    with desk.db.write() as connection:
        store.note_export(connection, number, hashlib.sha256(written).hexdigest())
    return _sealed(written, passphrase, recipient_key)


def _sealed(data: bytes, passphrase: str | None, recipient_key: bytes | None) -> bytes:
    if passphrase is not None and recipient_key is None:
        return seal_with_passphrase(data, passphrase)
    if recipient_key is not None and passphrase is None:
        return seal_to_key(data, recipient_key)
    raise InvalidInput("passphrase", zh="须以口令或接收方公钥之一加密", en="seal it with a passphrase or to a key")


def _all_of(connection: Connection, list_id: str) -> list[Entry]:
    """Every entry that a list ever had, in the order in which they were made."""
    found: list[Entry] = []
    while page := entry_store.list_entries(
        connection, list_id=list_id, after=found[-1].id if found else "", limit=1000
    ):
        found += page
    return found


def _gathered(desk: WatchDesk, entry_ids: Sequence[str]) -> tuple[list[EntryGiven], dict[str, bytes], dict[str, bytes]]:
    """Entries as others are told of them, with their photographs and documents by SHA-256."""
    entries: list[EntryGiven] = []
    photos: dict[str, bytes] = {}
    papers: dict[str, bytes] = {}
    for entry_id in entry_ids:
        with desk.db.read() as connection:
            entry = entry_store.entry_of(connection, entry_id)
            try:
                person, ground = desk.person_of(connection, entry_id)
                mine = {
                    one.sha256: desk.photo_of(connection, entry_id, one.id)
                    for one in entry_store.photos_of(connection, entry_id)
                }
                given = {
                    one.sha256: desk.document_of(connection, entry_id, one.id)[0]
                    for one in entry_store.documents_of(connection, entry_id)
                }
            except NotFound:  # it ended while this went on
                continue
        photos |= mine
        papers |= given
        document = None
        if person.document_kind is not None and person.document_number is not None:
            document = DocumentGiven(kind=person.document_kind, number=person.document_number)
        entries.append(
            EntryGiven(
                id=entry_id,
                name=person.name,
                aliases=person.aliases,
                document=document,
                ground_code=entry.ground_code,
                ground=ground,
                listed_at=iso(entry.listed_at_us or entry.proposed_at_us),
                expires_at=iso(entry.expires_at_us),
                photos=tuple(mine),
                documents=tuple(given),
            )
        )
    return entries, photos, papers
