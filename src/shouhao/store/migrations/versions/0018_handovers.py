"""Handovers: one shift gives the wall to the next, by two people."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    code = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "shift_handovers",
        sa.Column("id", code, nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("handed_by", code, nullable=False),
        sa.Column("handed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("taken_by", code, nullable=True),
        sa.Column("taken_at_us", sa.BigInteger(), nullable=True),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(taken_by IS NULL) = (taken_at_us IS NULL)", name=op.f("ck_shift_handovers_taken_by_somebody")
        ),
        sa.CheckConstraint("taken_by IS NULL OR taken_by <> handed_by", name=op.f("ck_shift_handovers_two_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift_handovers")),
        sa.UniqueConstraint("turn", name=op.f("uq_shift_handovers_turn")),
    )
    op.create_index("ix_shift_handovers_handed_at_us", "shift_handovers", ["handed_at_us"])
