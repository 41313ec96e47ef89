"""Tips: what people tell of scalpers, sealed, with its pictures and history; counters that forget."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    code = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "tips",
        sa.Column("id", code, nullable=False),
        sa.Column("reference", code, nullable=False),
        sa.Column("code_hash", code, nullable=False),
        sa.Column("state", code, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("department_id", code, nullable=True),
        sa.Column("doctor_id", code, nullable=True),
        sa.Column("session_id", code, nullable=True),
        sa.Column("link_kind", code, nullable=True),
        sa.Column("link_id", code, nullable=True),
        sa.Column("filled", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("week", sa.Integer(), nullable=False),
        sa.Column("told_at_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('new', 'looked_at', 'passed_on', 'linked', 'no_use')", name=op.f("ck_tips_state_known")
        ),
        sa.CheckConstraint("state <> 'linked' OR link_id IS NOT NULL", name=op.f("ck_tips_linked_to_something")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tips")),
        sa.UniqueConstraint("reference", name=op.f("uq_tips_reference")),
    )
    op.create_index("ix_tips_state_told_at_us", "tips", ["state", "told_at_us"])
    op.create_index("ix_tips_told_at_us", "tips", ["told_at_us"])
    op.create_table(
        "tip_steps",
        sa.Column("tip_id", code, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("act", code, nullable=False),
        sa.Column("state", code, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("staff_id", code, nullable=True),
        sa.Column("link_kind", code, nullable=True),
        sa.Column("link_id", code, nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["tip_id"], ["tips.id"], name=op.f("fk_tip_steps_tip_id")),
        sa.PrimaryKeyConstraint("tip_id", "version", name=op.f("pk_tip_steps")),
    )
    op.create_table(
        "tip_pictures",
        sa.Column("id", code, nullable=False),
        sa.Column("tip_id", code, nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("added_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tip_id"], ["tips.id"], name=op.f("fk_tip_pictures_tip_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tip_pictures")),
    )
    op.create_index("ix_tip_pictures_tip_id", "tip_pictures", ["tip_id"])
    op.create_table(
        "tip_counters",
        sa.Column("key", code, nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("ends_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_tip_counters")),
    )
