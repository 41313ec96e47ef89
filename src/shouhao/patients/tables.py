"""Tables of the patients room. Everything that names a person is sealed; `*_hash` finds it again."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from shouhao.store.schema import identifier, instant, metadata

accounts = Table(
    "accounts",
    metadata,
    identifier("id", primary_key=True),
    identifier("phone_hash", unique=True),
    Column("phone_sealed", Text, nullable=False),
    Column("phone_masked", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    instant("created_at_us"),
    sqlite_with_rowid=False,
)

patients = Table(
    "patients",
    metadata,
    identifier("id", primary_key=True),
    identifier("document_kind"),  # resident_id, passport, hk_macau_permit, taiwan_permit, household_register,
    # permanent_residence_card
    identifier("document_hash", unique=True),  # one document, one patient, for ever
    Column("document_sealed", Text, nullable=False),
    Column("document_masked", Text, nullable=False),
    Column("name_sealed", Text, nullable=False),
    Column("name_masked", Text, nullable=False),
    identifier("phone_hash"),
    Column("phone_sealed", Text, nullable=False),
    Column("phone_masked", Text, nullable=False),
    identifier("birth_day"),  # ISO date
    identifier("sex", nullable=True),
    identifier("person_hash", nullable=True),  # of name and birth day; empty only where an older version wrote the row
    identifier("verification"),  # pending, in_review, verified, rejected
    identifier("verified_by", nullable=True),  # format_only, authority:NAME, photo_review, window
    instant("verified_at_us", nullable=True),
    instant("created_at_us"),
    Column("version", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_patients_phone_hash", patients.c.phone_hash)
Index("ix_patients_person_hash", patients.c.person_hash)

bindings = Table(
    "bindings",
    metadata,
    identifier("id", primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("patient_id", ForeignKey("patients.id"), nullable=False),
    identifier("relation"),  # self, child, parent, spouse, other
    # A guardian must be bound to the same account as long as this lives; kept, because age and policy move on.
    Column("guarded", Boolean, nullable=False, server_default=text("false")),
    instant("bound_at_us"),
    instant("unbound_at_us", nullable=True),
    sqlite_with_rowid=False,
)
Index(
    "uq_bindings_live",
    bindings.c.account_id,
    bindings.c.patient_id,
    unique=True,
    sqlite_where=text("unbound_at_us IS NULL"),
    postgresql_where=text("unbound_at_us IS NULL"),
)
Index("ix_bindings_patient_id", bindings.c.patient_id)

guardianships = Table(
    "guardianships",
    metadata,
    identifier("id", primary_key=True),
    Column("child_id", ForeignKey("patients.id"), nullable=False),
    Column("guardian_id", ForeignKey("patients.id"), nullable=False),
    instant("bound_at_us"),
    UniqueConstraint("child_id", "guardian_id"),
    CheckConstraint("child_id <> guardian_id", name="two_people"),
)
Index("ix_guardianships_guardian_id", guardianships.c.guardian_id)

identity_checks = Table(
    "identity_checks",
    metadata,
    identifier("id", primary_key=True),
    Column("patient_id", ForeignKey("patients.id"), nullable=False),
    identifier("authority"),  # format_only, authority:NAME, photo_review, window
    identifier("verdict"),  # match, mismatch, unknown, unavailable
    identifier("nonce", nullable=True),
    Column("signed_verdict", Text, nullable=True),  # as the authority sent it, so that it can be checked again
    identifier("staff_id", nullable=True),
    Column("reason", Text, nullable=True),  # what staff at a window wrote
    instant("at_us"),
)
Index("ix_identity_checks_patient_id", identity_checks.c.patient_id)

photo_reviews = Table(
    "photo_reviews",
    metadata,
    identifier("id", primary_key=True),
    Column("patient_id", ForeignKey("patients.id"), nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("photo_sealed", Text, nullable=True),  # dropped once decided
    identifier("photo_sha256"),
    identifier("state"),  # waiting, approved, rejected
    instant("submitted_at_us"),
    instant("decided_at_us", nullable=True),
    identifier("staff_id", nullable=True),
    Column("reason", Text, nullable=True),
)
Index(
    "uq_photo_reviews_waiting",
    photo_reviews.c.patient_id,
    unique=True,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)

patient_edits = Table(
    "patient_edits",
    metadata,
    identifier("id", primary_key=True),
    Column("patient_id", ForeignKey("patients.id"), nullable=False),
    identifier("field"),
    Column("old_sealed", Text, nullable=False),
    Column("new_sealed", Text, nullable=False),
    Column("reason", Text, nullable=False),
    identifier("staff_id", nullable=True),  # one of the two is set: staff at a window,
    identifier("account_id", nullable=True),  # or the account, before anybody has confirmed the patient
    instant("at_us"),
    CheckConstraint("(staff_id IS NULL) <> (account_id IS NULL)", name="one_editor"),
)
Index("ix_patient_edits_patient_id", patient_edits.c.patient_id)

care_proofs = Table(
    "care_proofs",
    metadata,
    identifier("id", primary_key=True),
    Column("patient_id", ForeignKey("patients.id"), nullable=False),
    identifier("kind"),  # disabled, pregnant
    identifier("proof"),  # which paper, patients.care.PROOFS
    Column("reference_sealed", Text, nullable=True),  # the number on it
    identifier("valid_until", nullable=True),  # ISO date, the last day on which it counts
    identifier("staff_id"),
    instant("recorded_at_us"),
    instant("revoked_at_us", nullable=True),
    identifier("revoked_by", nullable=True),
    Column("revoke_reason", Text, nullable=True),
    CheckConstraint("kind <> 'pregnant' OR valid_until IS NOT NULL", name="pregnancy_ends"),
    CheckConstraint(
        "(revoked_at_us IS NULL) = (revoked_by IS NULL) AND (revoked_at_us IS NULL) = (revoke_reason IS NULL)",
        name="revoked_by_somebody",
    ),
)
Index("ix_care_proofs_patient_id", care_proofs.c.patient_id)
Index(
    "uq_care_proofs_live",
    care_proofs.c.patient_id,
    care_proofs.c.kind,
    unique=True,
    sqlite_where=text("revoked_at_us IS NULL"),
    postgresql_where=text("revoked_at_us IS NULL"),
)

people_apart = Table(
    "people_apart",
    metadata,
    Column("patient_a", ForeignKey("patients.id"), primary_key=True),
    Column("patient_b", ForeignKey("patients.id"), primary_key=True),
    identifier("staff_id"),
    Column("reason", Text, nullable=False),
    instant("at_us"),
    CheckConstraint("patient_a < patient_b", name="in_order"),  # one pair, one row
)
Index("ix_people_apart_patient_b", people_apart.c.patient_b)
