"""Cameras and the plan they stand on; switches of the law with their records."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    code = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    _register(code)
    _heard(code)
    _law(code)


def _register(code: sa.types.TypeEngine[str]) -> None:
    op.create_table(
        "watch_places",
        sa.Column("id", code, nullable=False),
        sa.Column("building", sa.Text(), nullable=False),
        sa.Column("floor", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_places")),
    )
    op.create_table(
        "watch_plans",
        sa.Column("building", sa.Text(), nullable=False),
        sa.Column("floor", sa.Text(), nullable=False),
        sa.Column("media_type", code, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", code, nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("building", "floor", name=op.f("pk_watch_plans")),
    )
    op.create_table(
        "watch_cameras",
        sa.Column("id", code, nullable=False),
        sa.Column("device_id", code, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place_id", code, nullable=False),
        sa.Column("x", sa.Float(), nullable=False),
        sa.Column("y", sa.Float(), nullable=False),
        sa.Column("zone", code, nullable=False),
        sa.Column("angle_deg", sa.Float(), nullable=False),
        sa.Column("source", code, nullable=False),
        sa.Column("group_id", code, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest_required", sa.Boolean(), nullable=False),
        sa.Column("sealed_password", sa.Text(), nullable=True),
        sa.Column("sealed_stream", sa.Text(), nullable=True),
        sa.Column("declared_by", code, nullable=True),
        sa.Column("declared_at_us", sa.BigInteger(), nullable=True),
        sa.Column("sign_photo_id", code, nullable=True),
        sa.Column("sign_taken_at_us", sa.BigInteger(), nullable=True),
        sa.Column("state", code, nullable=False),
        sa.Column("live_since_us", sa.BigInteger(), nullable=True),
        sa.Column("changed_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["place_id"], ["watch_places.id"], name=op.f("fk_watch_cameras_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_cameras")),
        sa.UniqueConstraint("device_id", name=op.f("uq_watch_cameras_device_id")),
    )
    op.create_index("ix_watch_cameras_place_id", "watch_cameras", ["place_id"])


def _heard(code: sa.types.TypeEngine[str]) -> None:
    op.create_table(
        "watch_camera_health",
        sa.Column("camera_id", code, nullable=False),
        sa.Column("registered_at_us", sa.BigInteger(), nullable=True),
        sa.Column("kept_alive_at_us", sa.BigInteger(), nullable=True),
        sa.Column("captured_at_us", sa.BigInteger(), nullable=True),
        sa.Column("streamed_at_us", sa.BigInteger(), nullable=True),
        sa.Column("clock_offsets_us", sa.Text(), nullable=False),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], ["watch_cameras.id"], name=op.f("fk_watch_camera_health_camera_id")),
        sa.PrimaryKeyConstraint("camera_id", name=op.f("pk_watch_camera_health")),
    )
    op.create_table(
        "watch_camera_hours",
        sa.Column("camera_id", code, nullable=False),
        sa.Column("hour_us", sa.BigInteger(), nullable=False),
        sa.Column("captures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], ["watch_cameras.id"], name=op.f("fk_watch_camera_hours_camera_id")),
        sa.PrimaryKeyConstraint("camera_id", "hour_us", name=op.f("pk_watch_camera_hours")),
    )
    op.create_table(
        "watch_ways",
        sa.Column("from_id", code, nullable=False),
        sa.Column("to_id", code, nullable=False),
        sa.Column("shortest_s", sa.Float(), nullable=False),
        sa.Column("usual_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["from_id"], ["watch_cameras.id"], name=op.f("fk_watch_ways_from_id")),
        sa.ForeignKeyConstraint(["to_id"], ["watch_cameras.id"], name=op.f("fk_watch_ways_to_id")),
        sa.PrimaryKeyConstraint("from_id", "to_id", name=op.f("pk_watch_ways")),
    )


def _law(code: sa.types.TypeEngine[str]) -> None:
    op.create_table(
        "law_records",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", code, nullable=False),
        sa.Column("kind", code, nullable=False),
        sa.Column("switch", code, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("staff_id", code, nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_law_records")),
        sa.UniqueConstraint("id", name=op.f("uq_law_records_id")),
    )
    op.create_index("ix_law_records_kind_switch", "law_records", ["kind", "switch"])
    op.create_table(
        "law_switches",
        sa.Column("switch", code, nullable=False),
        sa.Column("turned_on", sa.Boolean(), nullable=False),
        sa.Column("staff_id", code, nullable=True),
        sa.Column("approval_id", code, nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("switch", name=op.f("pk_law_switches")),
    )
    op.create_table(
        "law_facts",
        sa.Column("id", code, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_law_facts")),
    )
