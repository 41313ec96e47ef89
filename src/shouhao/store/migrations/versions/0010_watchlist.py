"""The watchlist: lists with their budgets, entries with ground, term and approvers, bundles; restricted faces."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    code = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "watch_asks",
        sa.Column("approval_id", code, nullable=False),
        sa.Column("act", code, nullable=False),
        sa.Column("kind", code, nullable=False),
        sa.Column("subject", code, nullable=False),
        sa.Column("asked_at_us", sa.BigInteger(), nullable=False),
        sa.Column("done_at_us", sa.BigInteger(), nullable=True),
        sa.Column("became", code, nullable=True),
        sa.PrimaryKeyConstraint("approval_id", name=op.f("pk_watch_asks")),
    )
    op.create_index("ix_watch_asks_done_at_us", "watch_asks", ["done_at_us"])
    op.create_table(
        "watch_calibrations",
        sa.Column("id", code, nullable=False),
        sa.Column("pack", code, nullable=False),
        sa.Column("sha256", code, nullable=False),
        sa.Column("known", sa.Text(), nullable=False),
        sa.Column("made_at", code, nullable=False),
        sa.Column("staff_id", code, nullable=True),
        sa.Column("added_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_calibrations")),
    )
    op.create_index("ix_watch_calibrations_pack", "watch_calibrations", ["pack"])
    op.create_table(
        "watch_issuers",
        sa.Column("id", code, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", code, nullable=False),
        sa.Column("public_key", code, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("highest_number", sa.BigInteger(), nullable=False),
        sa.Column("approval_id", code, nullable=False),
        sa.Column("registered_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_issuers")),
    )
    op.create_table(
        "watch_lists",
        sa.Column("id", code, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("false_alarms_a_day", sa.Float(), nullable=False),
        sa.Column("shadow_band_cos", sa.Float(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_lists")),
    )
    op.create_table(
        "watch_staff_photos",
        sa.Column("id", code, nullable=False),
        sa.Column("operator_id", code, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("given_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_staff_photos")),
    )
    op.create_index("ix_watch_staff_photos_operator_id", "watch_staff_photos", ["operator_id"])
    op.create_table(
        "watch_bundles",
        sa.Column("id", code, nullable=False),
        sa.Column("issuer_id", code, nullable=False),
        sa.Column("list_id", code, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sha256", code, nullable=False),
        sa.Column("state", code, nullable=False),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("report_sha256", code, nullable=True),
        sa.Column("received_by", code, nullable=True),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
        sa.Column("issued_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("decided_at_us", sa.BigInteger(), nullable=True),
        sa.Column("approval_id", code, nullable=True),
        sa.ForeignKeyConstraint(["issuer_id"], ["watch_issuers.id"], name=op.f("fk_watch_bundles_issuer_id")),
        sa.ForeignKeyConstraint(["list_id"], ["watch_lists.id"], name=op.f("fk_watch_bundles_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_bundles")),
    )
    op.create_index("uq_watch_bundles_issuer_id_number", "watch_bundles", ["issuer_id", "number"], unique=True)
    op.create_table(
        "watch_entries",
        sa.Column("id", code, nullable=False),
        sa.Column("list_id", code, nullable=False),
        sa.Column("state", code, nullable=False),
        sa.Column("source", code, nullable=False),
        sa.Column("ground_code", code, nullable=False),
        sa.Column("sealed_person", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_ground", sa.LargeBinary(), nullable=True),
        sa.Column("name_hash", code, nullable=True),
        sa.Column("document_hash", code, nullable=True),
        sa.Column("proposed_by", code, nullable=True),
        sa.Column("proposed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("approval_id", code, nullable=True),
        sa.Column("approvers", code, nullable=True),
        sa.Column("listed_at_us", sa.BigInteger(), nullable=True),
        sa.Column("review_at_us", sa.BigInteger(), nullable=True),
        sa.Column("reminded_at_us", sa.BigInteger(), nullable=True),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_why", code, nullable=True),
        sa.Column("wiped_at_us", sa.BigInteger(), nullable=True),
        sa.Column("appeal", code, nullable=False),
        sa.Column("appealed_at_us", sa.BigInteger(), nullable=True),
        sa.Column("issuer_id", code, nullable=True),
        sa.Column("foreign_id", code, nullable=True),
        sa.Column("foreign_digest", code, nullable=True),
        sa.Column("bundle_id", code, nullable=True),
        sa.Column("replaces", code, nullable=True),
        sa.Column("held_against_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["list_id"], ["watch_lists.id"], name=op.f("fk_watch_entries_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_entries")),
    )
    op.create_index("ix_watch_entries_document_hash", "watch_entries", ["document_hash"])
    op.create_index("ix_watch_entries_expires_at_us", "watch_entries", ["expires_at_us"])
    op.create_index("ix_watch_entries_issuer_id_foreign_id", "watch_entries", ["issuer_id", "foreign_id"])
    op.create_index("ix_watch_entries_list_id_state", "watch_entries", ["list_id", "state"])
    op.create_index("ix_watch_entries_name_hash", "watch_entries", ["name_hash"])
    op.create_table(
        "watch_exports",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("list_id", code, nullable=False),
        sa.Column("approval_id", code, nullable=False),
        sa.Column("staff_id", code, nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("sha256", code, nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["list_id"], ["watch_lists.id"], name=op.f("fk_watch_exports_list_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_watch_exports")),
    )
    op.create_table(
        "watch_close_pairs",
        sa.Column("id", code, nullable=False),
        sa.Column("entry_id", code, nullable=False),
        sa.Column("other_entry_id", code, nullable=True),
        sa.Column("operator_id", code, nullable=True),
        sa.Column("pack", code, nullable=False),
        sa.Column("similarity_cos", sa.Float(), nullable=False),
        sa.Column("asked_cos", sa.Float(), nullable=False),
        sa.Column("found_at_us", sa.BigInteger(), nullable=False),
        sa.Column("decision", code, nullable=True),
        sa.Column("decided_by", code, nullable=True),
        sa.Column("decided_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["watch_entries.id"], name=op.f("fk_watch_close_pairs_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_close_pairs")),
    )
    op.create_index("ix_watch_close_pairs_entry_id", "watch_close_pairs", ["entry_id"])
    op.create_table(
        "watch_entry_documents",
        sa.Column("id", code, nullable=False),
        sa.Column("entry_id", code, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", code, nullable=False),
        sa.Column("media_type", code, nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["watch_entries.id"], name=op.f("fk_watch_entry_documents_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_entry_documents")),
    )
    op.create_index("ix_watch_entry_documents_entry_id", "watch_entry_documents", ["entry_id"])
    op.create_table(
        "watch_entry_photos",
        sa.Column("id", code, nullable=False),
        sa.Column("entry_id", code, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", code, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("enrolled_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["watch_entries.id"], name=op.f("fk_watch_entry_photos_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_entry_photos")),
    )
    op.create_index("ix_watch_entry_photos_entry_id", "watch_entry_photos", ["entry_id"])
    op.create_table(
        "watch_entry_steps",
        sa.Column("seq", serial, autoincrement=True, nullable=False),
        sa.Column("entry_id", code, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("act", code, nullable=False),
        sa.Column("staff_id", code, nullable=True),
        sa.Column("sealed_reason", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["watch_entries.id"], name=op.f("fk_watch_entry_steps_entry_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_watch_entry_steps")),
    )
    op.create_index("ix_watch_entry_steps_entry_id", "watch_entry_steps", ["entry_id"])
    for prefix in ("watch_faces", "consented_faces"):
        op.add_column(f"{prefix}_subjects", sa.Column("restricted_at_us", sa.BigInteger(), nullable=True))
