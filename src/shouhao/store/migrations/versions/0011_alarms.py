"""Alarms and their steps, dispatches, sightings."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "alarm_feed",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("alarm_id", _id(), nullable=False),
        sa.Column("what", _id(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_alarm_feed")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alarm_feed_at_us", "alarm_feed", ["at_us"])
    op.create_table(
        "alarm_turns",
        sa.Column("entry_id", _id(), nullable=False),
        sa.Column("place_id", _id(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", "place_id", name=op.f("pk_alarm_turns")),
    )
    op.create_table(
        "alarms",
        sa.Column("id", _id(), nullable=False),
        sa.Column("entry_id", _id(), nullable=False),
        sa.Column("list_id", _id(), nullable=False),
        sa.Column("place_id", _id(), nullable=False),
        sa.Column("passage_id", _id(), nullable=False),
        sa.Column("state", _id(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("outcome", _id(), nullable=True),
        sa.Column("dispatch_id", _id(), nullable=True),
        sa.Column("guard_id", _id(), nullable=True),
        sa.Column("sightings", sa.Integer(), nullable=False),
        sa.Column("last_camera_id", _id(), nullable=False),
        sa.Column("first_seen_at_us", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at_us", sa.BigInteger(), nullable=False),
        sa.Column("raised_at_us", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at_us", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_at_us", sa.BigInteger(), nullable=True),
        sa.Column("rejected_at_us", sa.BigInteger(), nullable=True),
        sa.Column("dispatched_at_us", sa.BigInteger(), nullable=True),
        sa.Column("declined_at_us", sa.BigInteger(), nullable=True),
        sa.Column("accepted_at_us", sa.BigInteger(), nullable=True),
        sa.Column("arrived_at_us", sa.BigInteger(), nullable=True),
        sa.Column("outcome_at_us", sa.BigInteger(), nullable=True),
        sa.Column("handed_to_police_at_us", sa.BigInteger(), nullable=True),
        sa.Column("closed_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    op.create_index("ix_alarms_entry_id_place_id", "alarms", ["entry_id", "place_id", "raised_at_us"])
    op.create_index(
        "ix_alarms_open",
        "alarms",
        ["raised_at_us"],
        sqlite_where=sa.text("closed_at_us IS NULL"),
        postgresql_where=sa.text("closed_at_us IS NULL"),
    )
    op.create_index("ix_alarms_raised_at_us", "alarms", ["raised_at_us"])
    op.create_table(
        "guard_posts",
        sa.Column("guard_id", _id(), nullable=False),
        sa.Column("place_id", _id(), nullable=True),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("guard_id", name=op.f("pk_guard_posts")),
    )
    op.create_table(
        "alarm_escalations",
        sa.Column("alarm_id", _id(), nullable=False),
        sa.Column("target", _id(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("due_at_us", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_escalations_alarm_id")),
        sa.PrimaryKeyConstraint("alarm_id", "target", "since_us", name=op.f("pk_alarm_escalations")),
    )
    op.create_table(
        "alarm_labels",
        sa.Column("alarm_id", _id(), nullable=False),
        sa.Column("same_person", sa.Boolean(), nullable=False),
        sa.Column("list_id", _id(), nullable=False),
        sa.Column("camera_id", _id(), nullable=False),
        sa.Column("pack", _id(), nullable=False),
        sa.Column("similarity_cos", sa.Float(), nullable=False),
        sa.Column("threshold_cos", sa.Float(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_labels_alarm_id")),
        sa.PrimaryKeyConstraint("alarm_id", name=op.f("pk_alarm_labels")),
    )
    op.create_table(
        "alarm_steps",
        sa.Column("alarm_id", _id(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("step", _id(), nullable=False),
        sa.Column("state", _id(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("heard_at_us", sa.BigInteger(), nullable=False),
        sa.Column("said_at_us", sa.BigInteger(), nullable=True),
        sa.Column("believed", sa.Boolean(), nullable=False),
        sa.Column("actor_id", _id(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("outcome", _id(), nullable=True),
        sa.Column("dispatch_id", _id(), nullable=True),
        sa.Column("guard_id", _id(), nullable=True),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_steps_alarm_id")),
        sa.PrimaryKeyConstraint("alarm_id", "version", name=op.f("pk_alarm_steps")),
    )
    op.create_table(
        "alarm_stills",
        sa.Column("alarm_id", _id(), nullable=False),
        sa.Column("still_id", _id(), nullable=False),
        sa.Column("erased_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_stills_alarm_id")),
        sa.PrimaryKeyConstraint("alarm_id", "still_id", name=op.f("pk_alarm_stills")),
    )
    op.create_index("ix_alarm_stills_still_id", "alarm_stills", ["still_id"])
    op.create_table(
        "dispatches",
        sa.Column("id", _id(), nullable=False),
        sa.Column("alarm_id", _id(), nullable=False),
        sa.Column("guard_id", _id(), nullable=False),
        sa.Column("sent_by", _id(), nullable=False),
        sa.Column("state", _id(), nullable=False),
        sa.Column("sent_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_dispatches_alarm_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatches")),
    )
    op.create_index("ix_dispatches_guard_id_sent_at_us", "dispatches", ["guard_id", "sent_at_us"])
    op.create_index(
        "uq_dispatches_live_alarm",
        "dispatches",
        ["alarm_id"],
        unique=True,
        sqlite_where=sa.text("ended_at_us IS NULL"),
        postgresql_where=sa.text("ended_at_us IS NULL"),
    )
    op.create_index(
        "uq_dispatches_live_guard",
        "dispatches",
        ["guard_id"],
        unique=True,
        sqlite_where=sa.text("ended_at_us IS NULL"),
        postgresql_where=sa.text("ended_at_us IS NULL"),
    )
    op.create_table(
        "sightings",
        sa.Column("passage_id", _id(), nullable=False),
        sa.Column("alarm_id", _id(), nullable=False),
        sa.Column("camera_id", _id(), nullable=False),
        sa.Column("place_id", _id(), nullable=False),
        sa.Column("entry_id", _id(), nullable=False),
        sa.Column("list_id", _id(), nullable=False),
        sa.Column("photo_id", _id(), nullable=False),
        sa.Column("seen_at_us", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at_us", sa.BigInteger(), nullable=False),
        sa.Column("similarity_cos", sa.Float(), nullable=False),
        sa.Column("threshold_cos", sa.Float(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("pack", _id(), nullable=False),
        sa.Column("crop_id", _id(), nullable=True),
        sa.Column("scene_id", _id(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarms.id"], name=op.f("fk_sightings_alarm_id")),
        sa.PrimaryKeyConstraint("passage_id", "entry_id", name=op.f("pk_sightings")),
    )
    op.create_index("ix_sightings_alarm_id", "sightings", ["alarm_id"])
    op.create_index("ix_sightings_entry_id_seen_at_us", "sightings", ["entry_id", "seen_at_us"])
    # ### end Alembic commands ###
