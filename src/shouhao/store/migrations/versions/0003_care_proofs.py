"""care proofs, and whom staff declared two people."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "care_proofs",
        sa.Column("id", _id(), nullable=False),
        sa.Column("patient_id", _id(), nullable=False),
        sa.Column("kind", _id(), nullable=False),
        sa.Column("proof", _id(), nullable=False),
        sa.Column("reference_sealed", sa.Text(), nullable=True),
        sa.Column("valid_until", _id(), nullable=True),
        sa.Column("staff_id", _id(), nullable=False),
        sa.Column("recorded_at_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_by", _id(), nullable=True),
        sa.Column("revoke_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("kind <> 'pregnant' OR valid_until IS NOT NULL", name=op.f("ck_care_proofs_pregnancy_ends")),
        sa.CheckConstraint(
            "(revoked_at_us IS NULL) = (revoked_by IS NULL) AND (revoked_at_us IS NULL) = (revoke_reason IS NULL)",
            name=op.f("ck_care_proofs_revoked_by_somebody"),
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_care_proofs_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_care_proofs")),
    )
    op.create_index("ix_care_proofs_patient_id", "care_proofs", ["patient_id"])
    live = sa.text("revoked_at_us IS NULL")
    op.create_index(
        "uq_care_proofs_live",
        "care_proofs",
        ["patient_id", "kind"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_table(
        "people_apart",
        sa.Column("patient_a", _id(), nullable=False),
        sa.Column("patient_b", _id(), nullable=False),
        sa.Column("staff_id", _id(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("patient_a < patient_b", name=op.f("ck_people_apart_in_order")),
        sa.ForeignKeyConstraint(["patient_a"], ["patients.id"], name=op.f("fk_people_apart_patient_a")),
        sa.ForeignKeyConstraint(["patient_b"], ["patients.id"], name=op.f("fk_people_apart_patient_b")),
        sa.PrimaryKeyConstraint("patient_a", "patient_b", name=op.f("pk_people_apart")),
    )
    op.create_index("ix_people_apart_patient_b", "people_apart", ["patient_b"])
    op.add_column("patients", sa.Column("person_hash", _id(), nullable=True))
    op.create_index("ix_patients_person_hash", "patients", ["person_hash"])


def _id() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
