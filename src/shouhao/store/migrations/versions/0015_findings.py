"""What detectors found: runs, findings sealed, what people judged."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "finding_runs",
        sa.Column("id", _id(), nullable=False),
        sa.Column("key", _id(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("taken_at_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("from_at_us", sa.BigInteger(), nullable=True),
        sa.Column("to_at_us", sa.BigInteger(), nullable=True),
        sa.Column("certain", sa.Integer(), nullable=False),
        sa.Column("strong", sa.Integer(), nullable=False),
        sa.Column("leads", sa.Integer(), nullable=False),
        sa.Column("rings", sa.Integer(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("level_from", sa.Text(), nullable=False),
        sa.Column("findings_sha256", _id(), nullable=False),
        sa.Column("report_sha256", _id(), nullable=False),
        sa.Column("agree", sa.Boolean(), nullable=False),
        sa.Column("erased_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_runs")),
        sa.UniqueConstraint("key", name=op.f("uq_finding_runs_key")),
    )
    op.create_table(
        "findings",
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("finding_id", _id(), nullable=False),
        sa.Column("subject_kind", _id(), nullable=False),
        sa.Column("subject_hash", _id(), nullable=False),
        sa.Column("level", _id(), nullable=False),
        sa.Column("score_milli", sa.Integer(), nullable=False),
        sa.Column("first_at_us", sa.BigInteger(), nullable=False),
        sa.Column("last_at_us", sa.BigInteger(), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("speaks_for", sa.Integer(), nullable=False),
        sa.Column("state", _id(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("stands", sa.Boolean(), nullable=False),
        sa.Column("said_at_us", sa.BigInteger(), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["finding_runs.id"], name=op.f("fk_findings_run_id")),
        sa.PrimaryKeyConstraint("run_id", "finding_id", name=op.f("pk_findings")),
    )
    op.create_index("ix_findings_finding_id", "findings", ["finding_id"])
    op.create_index("ix_findings_run_id_score", "findings", ["run_id", "score_milli", "finding_id"])
    op.create_index("ix_findings_said_at_us", "findings", ["said_at_us"])
    op.create_index("ix_findings_subject_hash", "findings", ["subject_hash"])
    op.create_table(
        "finding_bodies",
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("finding_id", _id(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "finding_id", name=op.f("pk_finding_bodies")),
    )
    op.create_table(
        "finding_reasons",
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("code", _id(), nullable=False),
        sa.Column("finding_id", _id(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "code", "finding_id", name=op.f("pk_finding_reasons")),
    )
    op.create_index("ix_finding_reasons_finding_id", "finding_reasons", ["run_id", "finding_id"])
    op.create_table(
        "finding_members",
        sa.Column("run_id", _id(), nullable=False),
        sa.Column("member_hash", _id(), nullable=False),
        sa.Column("finding_id", _id(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "member_hash", "finding_id", name=op.f("pk_finding_members")),
    )
    op.create_index("ix_finding_members_finding_id", "finding_members", ["run_id", "finding_id"])
    op.create_table(
        "finding_judgements",
        sa.Column("id", _id(), nullable=False),
        sa.Column("finding_id", _id(), nullable=False),
        sa.Column("judgement", _id(), nullable=False),
        sa.Column("operator_id", _id(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_judgements")),
    )
    op.create_index("ix_finding_judgements_finding_id", "finding_judgements", ["finding_id", "at_us"])
