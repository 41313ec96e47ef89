"""Tables of consents. Rows are only ever added: triggers of the migration refuse every change, whoever asks."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text, UniqueConstraint

from shouhao.store.schema import identifier, instant, metadata

consent_acts = Table(
    "consent_acts",
    metadata,
    identifier("id", primary_key=True),
    identifier("subject_id"),  # an account, or a patient
    identifier("kind"),  # patients.consent_texts.KINDS
    Column("turn", Integer, nullable=False),  # of this subject and kind, from 1
    identifier("act"),  # given, withdrawn
    identifier("text_version"),
    identifier("text_sha256"),
    identifier("language"),  # zh, en
    identifier("account_id", nullable=True),  # one of the two is set: the account,
    identifier("staff_id", nullable=True),  # or staff for the person before them
    identifier("channel"),
    Column("note", Text, nullable=True),
    instant("at_us"),
    UniqueConstraint("subject_id", "kind", "turn"),
    CheckConstraint("act IN ('given', 'withdrawn')", name="act_known"),
    CheckConstraint("(account_id IS NULL) <> (staff_id IS NULL)", name="one_giver"),
)
Index("ix_consent_acts_kind", consent_acts.c.kind, consent_acts.c.text_version)
