"""Tables of the watchlist. What names or shows a person is sealed with that person's own key, which ends with them.

The key is the one of the gallery of faces (`faces/keys.py`), kept beside the database: erasing it erases name,
document, photographs and source documents wherever a copy of the database lies.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from shouhao.store.schema import Serial, identifier, instant, metadata

lists = Table(
    "watch_lists",
    metadata,
    identifier("id", primary_key=True),
    Column("name", Text, nullable=False),
    Column("ground", Text, nullable=False),  # by what right the list is kept at all
    Column("false_alarms_a_day", Float, nullable=False),
    Column("shadow_band_cos", Float, nullable=False),
    Column("version", Integer, nullable=False),
    Column("open", Boolean, nullable=False),  # closed: nobody is added
    instant("created_at_us"),
    instant("changed_at_us"),
)

issuers = Table(
    "watch_issuers",
    metadata,
    identifier("id", primary_key=True),  # fingerprint of the key
    Column("name", Text, nullable=False),
    identifier("source"),  # police, hospital
    identifier("public_key"),  # Ed25519, hexadecimal
    Column("active", Boolean, nullable=False),
    Column("highest_number", BigInteger, nullable=False),  # of its bundles that were received
    identifier("approval_id"),
    instant("registered_at_us"),
)

bundles = Table(
    "watch_bundles",
    metadata,
    identifier("id", primary_key=True),
    Column("issuer_id", ForeignKey(issuers.c.id), nullable=False),
    Column("list_id", ForeignKey(lists.c.id), nullable=False),
    Column("number", BigInteger, nullable=False),
    identifier("sha256"),
    identifier("state"),  # received, checked, accepted, listed, refused, recalled, over
    Column("report", Text, nullable=True),  # JSON: the difference and what was refused; names nobody
    identifier("report_sha256", nullable=True),
    identifier("received_by", nullable=True),
    instant("received_at_us"),
    instant("issued_at_us"),
    instant("expires_at_us"),
    instant("decided_at_us", nullable=True),
    identifier("approval_id", nullable=True),
)
Index("uq_watch_bundles_issuer_id_number", bundles.c.issuer_id, bundles.c.number, unique=True)

entries = Table(
    "watch_entries",
    metadata,
    identifier("id", primary_key=True),
    Column("list_id", ForeignKey(lists.c.id), nullable=False),
    identifier("state"),
    identifier("source"),
    identifier("ground_code"),
    Column("sealed_person", LargeBinary, nullable=True),  # JSON; empty once it has ended
    Column("sealed_ground", LargeBinary, nullable=True),  # in words
    identifier("name_hash", nullable=True),
    identifier("document_hash", nullable=True),
    identifier("proposed_by", nullable=True),
    instant("proposed_at_us"),
    identifier("approval_id", nullable=True),
    identifier("approvers", nullable=True),  # operators, separated by commas
    instant("listed_at_us", nullable=True),
    instant("review_at_us", nullable=True),
    instant("reminded_at_us", nullable=True),
    instant("expires_at_us"),
    instant("ended_at_us", nullable=True),
    identifier("ended_why", nullable=True),
    instant("wiped_at_us", nullable=True),  # key, photographs and templates are gone
    identifier("appeal"),  # none, open, upheld, rejected
    instant("appealed_at_us", nullable=True),
    identifier("issuer_id", nullable=True),
    identifier("foreign_id", nullable=True),
    identifier("foreign_digest", nullable=True),
    identifier("bundle_id", nullable=True),
    identifier("replaces", nullable=True),
    instant("held_against_at_us", nullable=True),  # when it was last held against the list and against staff
)
Index("ix_watch_entries_list_id_state", entries.c.list_id, entries.c.state)
Index("ix_watch_entries_name_hash", entries.c.name_hash)
Index("ix_watch_entries_document_hash", entries.c.document_hash)
Index("ix_watch_entries_issuer_id_foreign_id", entries.c.issuer_id, entries.c.foreign_id)
Index("ix_watch_entries_expires_at_us", entries.c.expires_at_us)

photos = Table(
    "watch_entry_photos",
    metadata,
    identifier("id", primary_key=True),  # of the photograph in the gallery too
    Column("entry_id", ForeignKey(entries.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    identifier("sha256"),
    Column("sealed", LargeBinary, nullable=True),  # until it is enrolled; the gallery keeps it from then on
    Column("report", Text, nullable=False),  # JSON: the quality that was measured, and what a person let pass
    instant("enrolled_at_us", nullable=True),
)
Index("ix_watch_entry_photos_entry_id", photos.c.entry_id)

documents = Table(
    "watch_entry_documents",
    metadata,
    identifier("id", primary_key=True),
    Column("entry_id", ForeignKey(entries.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    identifier("sha256"),  # stays: what the listing rested on can be proven by whoever has the original
    identifier("media_type"),
    Column("size_bytes", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=True),
)
Index("ix_watch_entry_documents_entry_id", documents.c.entry_id)

steps = Table(
    "watch_entry_steps",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("entry_id", ForeignKey(entries.c.id), nullable=False),
    instant("at_us"),
    identifier("act"),
    identifier("staff_id", nullable=True),
    Column("sealed_reason", LargeBinary, nullable=True),
)
Index("ix_watch_entry_steps_entry_id", steps.c.entry_id)

#: What two people have yet to approve, or have approved and nobody has done yet.
asks = Table(
    "watch_asks",
    metadata,
    identifier("approval_id", primary_key=True),
    identifier("act"),  # list, renew, resume, erase, list_change, issuer, import, export
    identifier("kind"),  # of the approval
    identifier("subject"),
    instant("asked_at_us"),
    instant("done_at_us", nullable=True),
    identifier("became", nullable=True),  # done, refused, over
)
Index("ix_watch_asks_done_at_us", asks.c.done_at_us)

close_pairs = Table(
    "watch_close_pairs",
    metadata,
    identifier("id", primary_key=True),
    Column("entry_id", ForeignKey(entries.c.id), nullable=False),
    identifier("other_entry_id", nullable=True),
    identifier("operator_id", nullable=True),  # a member of staff who gave a photograph
    identifier("pack"),
    Column("similarity_cos", Float, nullable=False),
    Column("asked_cos", Float, nullable=False),  # from which likeness on pairs were looked for
    instant("found_at_us"),
    identifier("decision", nullable=True),
    identifier("decided_by", nullable=True),
    instant("decided_at_us", nullable=True),
)
Index("ix_watch_close_pairs_entry_id", close_pairs.c.entry_id)

calibrations = Table(
    "watch_calibrations",
    metadata,
    identifier("id", primary_key=True),
    identifier("pack"),
    identifier("sha256"),  # of the file
    Column("known", Text, nullable=False),  # JSON: what thresholds are derived from
    identifier("made_at"),
    identifier("staff_id", nullable=True),
    instant("added_at_us"),
)
Index("ix_watch_calibrations_pack", calibrations.c.pack)

exports = Table(
    "watch_exports",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("list_id", ForeignKey(lists.c.id), nullable=False),
    identifier("approval_id"),
    identifier("staff_id"),
    Column("entries", Integer, nullable=False),
    Column("recipient", Text, nullable=False),
    identifier("sha256", nullable=True),
    instant("at_us"),
)

staff_photos = Table(
    "watch_staff_photos",
    metadata,
    identifier("id", primary_key=True),
    identifier("operator_id"),
    Column("sealed", LargeBinary, nullable=False),
    instant("given_at_us"),
)
Index("ix_watch_staff_photos_operator_id", staff_photos.c.operator_id)
