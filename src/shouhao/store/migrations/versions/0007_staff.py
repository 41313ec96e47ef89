"""Operators as people: passwords, second factors, sessions, approvals, the access register."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("operators", sa.Column("unit", sa.Text(), nullable=True))
    _sign_ins()
    _approvals()
    _register()
    _only_added("access_register")


def _code() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _sign_ins() -> None:
    code = _code()
    op.create_table(
        "staff_logins",
        sa.Column("operator_id", code, nullable=False),
        sa.Column("login", code, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("password_set_at_us", sa.BigInteger(), nullable=True),
        sa.Column("one_time_hash", code, nullable=True),
        sa.Column("one_time_until_us", sa.BigInteger(), nullable=True),
        sa.Column("factor_sealed", sa.Text(), nullable=True),
        sa.Column("factor_offered_sealed", sa.Text(), nullable=True),
        sa.Column("factor_last_step", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_staff_logins_operator_id")),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_staff_logins")),
        sa.UniqueConstraint("login", name=op.f("uq_staff_logins_login")),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("id_hash", code, nullable=False),
        sa.Column("public_id", code, nullable=False),
        sa.Column("operator_id", code, nullable=False),
        sa.Column("stage", code, nullable=False),
        sa.Column("zone", code, nullable=False),
        sa.Column("began_at_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_staff_sessions_operator_id")),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_staff_sessions")),
        sa.UniqueConstraint("public_id", name=op.f("uq_staff_sessions_public_id")),
    )
    op.create_index("ix_staff_sessions_operator_id", "staff_sessions", ["operator_id"])
    op.create_table(
        "staff_throttles",
        sa.Column("key", code, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_staff_throttles")),
    )
    op.create_table(
        "staff_known_addresses",
        sa.Column("key", code, nullable=False),
        sa.Column("signed_in_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_staff_known_addresses")),
    )
    op.create_table(
        "staff_trainings",
        sa.Column("id", code, nullable=False),
        sa.Column("operator_id", code, nullable=False),
        sa.Column("trained_by", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at_us", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", code, nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_staff_trainings_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_trainings")),
    )
    op.create_index("ix_staff_trainings_operator_id", "staff_trainings", ["operator_id"])


def _approvals() -> None:
    code = _code()
    op.create_table(
        "approvals",
        sa.Column("id", code, nullable=False),
        sa.Column("kind", code, nullable=False),
        sa.Column("subject", code, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("payload_sha256", code, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", code, nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("state", code, nullable=False),
        sa.Column("asked_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_at_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index("ix_approvals_state", "approvals", ["state", "ends_at_us"])
    op.create_table(
        "approval_decisions",
        sa.Column("approval_id", code, nullable=False),
        sa.Column("operator_id", code, nullable=False),
        sa.Column("approve", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload_sha256", code, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"], name=op.f("fk_approval_decisions_approval_id")),
        sa.PrimaryKeyConstraint("approval_id", "operator_id", name=op.f("pk_approval_decisions")),
    )


def _register() -> None:
    code = _code()
    op.create_table(
        "access_register",
        sa.Column("id", code, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("operator_id", code, nullable=False),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("data_class", code, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("canary", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_register")),
    )
    op.create_index(
        "ix_access_register_operator_id", "access_register", ["operator_id", "at_us", "data_class", "records"]
    )
    op.create_table(
        "look_warnings",
        sa.Column("id", code, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("operator_id", code, nullable=False),
        sa.Column("counter", code, nullable=False),
        sa.Column("span", code, nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("warn_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_look_warnings")),
    )
    op.create_index("ix_look_warnings_operator_id", "look_warnings", ["operator_id", "at_us"])
    op.create_table(
        "canaries",
        sa.Column("record_id", code, nullable=False),
        sa.Column("marked_by", code, nullable=False),
        sa.Column("marked_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_canaries")),
    )


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
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
            f" WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, '{said}'); END"
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
