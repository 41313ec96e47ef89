"""Subscriptions: which platform asked to be told of what cameras saw."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    code = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "camera_subscriptions",
        sa.Column("device_id", code, nullable=False),
        sa.Column("subscription_id", code, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("receive_addr", sa.Text(), nullable=False),
        sa.Column("begin_us", sa.BigInteger(), nullable=True),
        sa.Column("end_us", sa.BigInteger(), nullable=True),
        sa.Column("state", code, nullable=False),
        sa.Column("asked_at_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('asked', 'cancelled')", name=op.f("ck_camera_subscriptions_state_known")),
        sa.PrimaryKeyConstraint("device_id", "subscription_id", name=op.f("pk_camera_subscriptions")),
    )
