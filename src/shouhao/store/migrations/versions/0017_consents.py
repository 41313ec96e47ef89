"""Consents: what people agreed to and withdrew; rows are only ever added."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    code = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "consent_acts",
        sa.Column("id", code, nullable=False),
        sa.Column("subject_id", code, nullable=False),
        sa.Column("kind", code, nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("act", code, nullable=False),
        sa.Column("text_version", code, nullable=False),
        sa.Column("text_sha256", code, nullable=False),
        sa.Column("language", code, nullable=False),
        sa.Column("account_id", code, nullable=True),
        sa.Column("staff_id", code, nullable=True),
        sa.Column("channel", code, nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("act IN ('given', 'withdrawn')", name=op.f("ck_consent_acts_act_known")),
        sa.CheckConstraint("(account_id IS NULL) <> (staff_id IS NULL)", name=op.f("ck_consent_acts_one_giver")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_acts")),
        sa.UniqueConstraint("subject_id", "kind", "turn", name=op.f("uq_consent_acts_subject_id_kind_turn")),
    )
    op.create_index("ix_consent_acts_kind", "consent_acts", ["kind", "text_version"])
    _only_added("consent_acts")


def _only_added(table: str) -> None:
    """Rows of this table are never changed and never go: the database itself says no."""
    said = f"rows of {table} are only ever added"
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{said}'); END"
            )
        op.execute(  # INSERT OR REPLACE deletes a row without asking the trigger above
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table}"
            f" WHERE id = NEW.id OR (subject_id = NEW.subject_id AND kind = NEW.kind AND turn = NEW.turn))"
            f" BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {table}_only_added() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{said}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_only_added()"
    )
