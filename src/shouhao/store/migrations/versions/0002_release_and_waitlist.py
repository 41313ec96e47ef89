"""release and waitlist."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "draw_contributions",
        sa.Column("id", _id(), nullable=False),
        sa.Column("draw_id", _id(), nullable=False),
        sa.Column("kind", _id(), nullable=False),
        sa.Column("who", _id(), nullable=False),
        sa.Column("commitment", _id(), nullable=True),
        sa.Column("committed_at_us", sa.BigInteger(), nullable=True),
        sa.Column("value", _id(), nullable=True),
        sa.Column("given_at_us", sa.BigInteger(), nullable=True),
        sa.Column("staff_id", _id(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draw_contributions")),
        sa.UniqueConstraint("draw_id", "kind", "who", name=op.f("uq_draw_contributions_draw_id_kind_who")),
    )
    op.create_table(
        "draw_entries",
        sa.Column("id", _id(), nullable=False),
        sa.Column("draw_id", _id(), nullable=False),
        sa.Column("account_id", _id(), nullable=True),
        sa.Column("channel", _id(), nullable=False),
        sa.Column("people", sa.Text(), nullable=False),
        sa.Column("wishes", sa.Text(), nullable=False),
        sa.Column("state", _id(), nullable=False),
        sa.Column("left_out", _id(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("session_id", _id(), nullable=True),
        sa.Column("entered_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draw_entries")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("draw_entries", schema=None) as batch_op:
        batch_op.create_index("ix_draw_entries_draw_id", ["draw_id", "id"], unique=False)

    op.create_table(
        "draw_files",
        sa.Column("draw_id", _id(), nullable=False),
        sa.Column("sha256", _id(), nullable=False),
        sa.Column("body_gz", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("draw_id", name=op.f("pk_draw_files")),
    )
    op.create_table(
        "draw_members",
        sa.Column("draw_id", _id(), nullable=False),
        sa.Column("patient_id", _id(), nullable=False),
        sa.Column("entry_id", _id(), nullable=False),
        sa.UniqueConstraint("draw_id", "patient_id", name=op.f("uq_draw_members_draw_id_patient_id")),
    )
    with op.batch_alter_table("draw_members", schema=None) as batch_op:
        batch_op.create_index("ix_draw_members_entry_id", ["entry_id"], unique=False)
        batch_op.create_index("ix_draw_members_patient_id", ["patient_id"], unique=False)

    op.create_table(
        "draw_targets",
        sa.Column("draw_id", _id(), nullable=False),
        sa.Column("session_id", _id(), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.UniqueConstraint("draw_id", "session_id", name=op.f("uq_draw_targets_draw_id_session_id")),
    )
    with op.batch_alter_table("draw_targets", schema=None) as batch_op:
        batch_op.create_index("ix_draw_targets_session_id", ["session_id"], unique=False)

    op.create_table(
        "draws",
        sa.Column("id", _id(), nullable=False),
        sa.Column("kind", _id(), nullable=False),
        sa.Column("department_id", _id(), nullable=False),
        sa.Column("scope", _id(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("state", _id(), nullable=False),
        sa.Column("opens_at_us", sa.BigInteger(), nullable=False),
        sa.Column("closes_at_us", sa.BigInteger(), nullable=False),
        sa.Column("salt", _id(), nullable=False),
        sa.Column("commitment", _id(), nullable=True),
        sa.Column("root", _id(), nullable=True),
        sa.Column("terms", sa.Text(), nullable=True),
        sa.Column("sealed_at_us", sa.BigInteger(), nullable=True),
        sa.Column("beacon_round", sa.Integer(), nullable=True),
        sa.Column("made_at_us", sa.BigInteger(), nullable=True),
        sa.Column("fallen_back", sa.Text(), nullable=True),
        sa.Column("hot", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draws")),
    )
    with op.batch_alter_table("draws", schema=None) as batch_op:
        batch_op.create_index("ix_draws_department_id", ["department_id", "closes_at_us"], unique=False)
        batch_op.create_index("ix_draws_state_closes_at_us", ["state", "closes_at_us"], unique=False)

    op.create_table(
        "slot_moves",
        sa.Column("id", _id(), nullable=False),
        sa.Column("slot_id", _id(), nullable=False),
        sa.Column("session_id", _id(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("way", _id(), nullable=False),
        sa.Column("why", _id(), nullable=False),
        sa.Column("wait_id", _id(), nullable=True),
        sa.Column("booking_id", _id(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot_moves")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("slot_moves", schema=None) as batch_op:
        batch_op.create_index(
            "ix_slot_moves_on_site",
            ["slot_id"],
            unique=False,
            sqlite_where=sa.text("why = 'returned_on_site'"),
            postgresql_where=sa.text("why = 'returned_on_site'"),
        )
        batch_op.create_index("ix_slot_moves_session_id", ["session_id", "at_us"], unique=False)

    op.create_table(
        "slot_rests",
        sa.Column("slot_id", _id(), nullable=False),
        sa.Column("session_id", _id(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("looked_step", sa.Integer(), nullable=False),
        sa.Column("next_look_us", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("slot_id", name=op.f("pk_slot_rests")),
    )
    op.create_index("ix_slot_rests_next_look_us", "slot_rests", ["next_look_us"])
    op.create_table(
        "wait_members",
        sa.Column("wait_id", _id(), nullable=False),
        sa.Column("session_id", _id(), nullable=False),
        sa.Column("patient_id", _id(), nullable=False),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint(
            "patient_id", "session_id", "ended_at_us", name=op.f("uq_wait_members_patient_id_session_id_ended_at_us")
        ),
    )
    with op.batch_alter_table("wait_members", schema=None) as batch_op:
        batch_op.create_index("ix_wait_members_wait_id", ["wait_id"], unique=False)

    op.create_table(
        "waits",
        sa.Column("id", _id(), nullable=False),
        sa.Column("session_id", _id(), nullable=False),
        sa.Column("draw_id", _id(), nullable=False),
        sa.Column("entry_id", _id(), nullable=False),
        sa.Column("account_id", _id(), nullable=True),
        sa.Column("channel", _id(), nullable=False),
        sa.Column("people", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("drawn_at_us", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("state", _id(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(ended_at_us = 0) = (state IN ('waiting', 'offered'))", name=op.f("ck_waits_live_has_no_end")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waits")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("waits", schema=None) as batch_op:
        batch_op.create_index("ix_waits_entry_id", ["entry_id"], unique=False)
        batch_op.create_index(
            "ix_waits_next",
            ["session_id", "drawn_at_us", "place"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )

    op.add_column("sessions", sa.Column("draw_id", _id(), nullable=True))
    op.add_column("sessions", sa.Column("release_policy", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("revisit_at_us", sa.BigInteger(), nullable=True))
    _index("ix_sessions_draw_id", "sessions", "draw_id", "draw_id IS NOT NULL")
    _index("ix_sessions_revisit", "sessions", "revisit_at_us", "revisit_at_us IS NOT NULL")
    op.add_column("slots", sa.Column("reserved_for", _id(), nullable=True))
    where = sa.text("reserved_for IS NOT NULL")
    columns = ["reserved_for", "session_id"]
    op.create_index("ix_slots_reserved_for", "slots", columns, sqlite_where=where, postgresql_where=where)
    op.add_column("bookings", sa.Column("party_id", _id(), nullable=True))
    op.add_column("bookings", sa.Column("wait_id", _id(), nullable=True))
    _let_bookings_be_offered()
    _index("ix_bookings_offered_until", "bookings", "hold_expires_at_us", "state = 'offered'")
    _index("ix_bookings_party_id", "bookings", "party_id", "party_id IS NOT NULL")


def _id() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _index(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _let_bookings_be_offered() -> None:
    """A live booking may be an offer. SQLite changes a table's rule by making the table anew."""
    rule, name = "live = (state IN ('offered', 'held', 'booked', 'checked_in'))", op.f("ck_bookings_live")
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(name, "bookings", type_="check")
        op.create_check_constraint(name, "bookings", sa.text(rule))
        return
    columns: list[sa.Column[object]] = [
        sa.Column(column, _id(), nullable=column == "account_id")
        for column in ("id", "slot_id", "session_id", "department_id", "day", "patient_id", "account_id")
    ]
    made_anew = sa.Table(
        "bookings",
        sa.MetaData(),
        *columns,
        sa.Column("channel", _id(), nullable=False),
        sa.Column("state", _id(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("fee_cents", sa.Integer(), nullable=False),
        sa.Column("starts_at_us", sa.BigInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("hold_expires_at_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=False),
        sa.Column("party_id", _id(), nullable=True),
        sa.Column("wait_id", _id(), nullable=True),
        sa.CheckConstraint(rule, name=name),
        sa.CheckConstraint("live = (ended_at_us = 0)", name=op.f("ck_bookings_live_has_no_end")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
        sa.Index("ix_bookings_held_until", "hold_expires_at_us", sqlite_where=sa.text("state = 'held'")),
        sa.Index("uq_bookings_patient_session_end", "patient_id", "session_id", "ended_at_us", unique=True),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("bookings", copy_from=made_anew, recreate="always"):
        pass
