"""Captures: how far the spool was worked off, frozen stills, what was not understood, counts below thresholds."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    code = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    _spool_and_stills(code)
    op.create_table(
        "watch_not_understood",
        sa.Column("day", code, nullable=False),
        sa.Column("device_id", code, nullable=False),
        sa.Column("source", code, nullable=False),
        sa.Column("place", code, nullable=False),
        sa.Column("why_en", code, nullable=False),
        sa.Column("why_zh", sa.Text(), nullable=False),
        sa.Column("camera_id", code, nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at_us", sa.BigInteger(), nullable=False),
        sa.Column("last_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "device_id", "source", "place", "why_en", name=op.f("pk_watch_not_understood")),
    )
    op.create_table(
        "watch_traffic",
        sa.Column("camera_id", code, nullable=False),
        sa.Column("day", code, nullable=False),
        sa.Column("passages", sa.Integer(), nullable=False),
        sa.Column("shots", sa.Integer(), nullable=False),
        sa.Column("faceless", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.Integer(), nullable=False),
        sa.Column("late", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "day", name=op.f("pk_watch_traffic")),
    )
    op.create_table(
        "watch_shadow",
        sa.Column("list_id", code, nullable=False),
        sa.Column("camera_id", code, nullable=False),
        sa.Column("day", code, nullable=False),
        sa.Column("passages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "camera_id", "day", name=op.f("pk_watch_shadow")),
    )


def _spool_and_stills(code: sa.types.TypeEngine[str]) -> None:
    op.create_table(
        "watch_spool_positions",
        sa.Column("writer", code, nullable=False),
        sa.Column("done_segment", sa.BigInteger(), nullable=False),
        sa.Column("done_offset", sa.BigInteger(), nullable=False),
        sa.Column("kept_segment", sa.BigInteger(), nullable=False),
        sa.Column("kept_offset", sa.BigInteger(), nullable=False),
        sa.Column("swept_to_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("writer", name=op.f("pk_watch_spool_positions")),
    )
    op.create_table(
        "watch_stills",
        sa.Column("id", code, nullable=False),
        sa.Column("kind", code, nullable=False),
        sa.Column("camera_id", code, nullable=True),
        sa.Column("sha256", code, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("taken_at_us", sa.BigInteger(), nullable=False),
        sa.Column("frozen_at_us", sa.BigInteger(), nullable=False),
        sa.Column("erased_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_stills")),
    )
    op.create_index("ix_watch_stills_frozen_at_us", "watch_stills", ["frozen_at_us"])
