"""Who comes too often: short-lived, salted templates without identity."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    code = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "frequent_salts",
        sa.Column("id", code, nullable=False),
        sa.Column("pack", code, nullable=False),
        sa.Column("dims", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frequent_salts")),
    )
    op.create_table(
        "frequent_days",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("made_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_frequent_days")),
    )
    op.create_table(
        "frequent_visits",
        sa.Column("id", code, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("salt_id", code, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["frequent_days.day"], name=op.f("fk_frequent_visits_day")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frequent_visits")),
    )
    op.create_index("ix_frequent_visits_day", "frequent_visits", ["day"])
    op.create_table(
        "frequent_leads",
        sa.Column("id", code, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("state", code, nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("approval_id", code, nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("raised_at_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["frequent_days.day"], name=op.f("fk_frequent_leads_day")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frequent_leads")),
    )
    op.create_index("ix_frequent_leads_day", "frequent_leads", ["day"])
    op.create_table(
        "frequent_stills",
        sa.Column("lead_id", code, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["frequent_days.day"], name=op.f("fk_frequent_stills_day")),
        sa.ForeignKeyConstraint(["lead_id"], ["frequent_leads.id"], name=op.f("fk_frequent_stills_lead_id")),
        sa.PrimaryKeyConstraint("lead_id", "day", name=op.f("pk_frequent_stills")),
    )
