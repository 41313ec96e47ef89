"""Streams that are pulled, and searches of recordings that were handed in."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    code = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "watch_clips",
        sa.Column("still_id", code, nullable=False),
        sa.Column("alarm_id", code, nullable=False),
        sa.Column("camera_id", code, nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("to_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("still_id", name=op.f("pk_watch_clips")),
    )
    op.create_index("ix_watch_clips_alarm_id", "watch_clips", ["alarm_id"])
    op.create_table(
        "recording_searches",
        sa.Column("id", code, nullable=False),
        sa.Column("approval_id", code, nullable=False),
        sa.Column("operator_id", code, nullable=False),
        sa.Column("look_id", code, nullable=False),
        sa.Column("probe_sha256", code, nullable=True),
        sa.Column("entry_id", code, nullable=True),
        sa.Column("camera_id", code, nullable=True),
        sa.Column("pack", code, nullable=False),
        sa.Column("threshold_cos", sa.Float(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("state", code, nullable=False),
        sa.Column("started_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=True),
        sa.Column("searched_s", sa.Float(), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.Column("faces", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_searches")),
        sa.UniqueConstraint("approval_id", name=op.f("uq_recording_searches_approval_id")),
    )
    op.create_index("ix_recording_searches_started_at_us", "recording_searches", ["started_at_us"])
    _of_a_search(code)


def _of_a_search(code: sa.Text) -> None:
    op.create_table(
        "recording_files",
        sa.Column("search_id", code, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", code, nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("began_at_us", sa.BigInteger(), nullable=True),
        sa.Column("began_known_from", code, nullable=True),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("stopped", code, nullable=False),
        sa.Column("position_s", sa.Float(), nullable=False),
        sa.Column("byte", sa.BigInteger(), nullable=True),
        sa.Column("corrupt", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["search_id"], ["recording_searches.id"], name=op.f("fk_recording_files_search_id")),
        sa.PrimaryKeyConstraint("search_id", "number", name=op.f("pk_recording_files")),
    )
    op.create_table(
        "recording_hits",
        sa.Column("id", code, nullable=False),
        sa.Column("search_id", code, nullable=False),
        sa.Column("file_number", sa.Integer(), nullable=False),
        sa.Column("position_s", sa.Float(), nullable=False),
        sa.Column("seen_at_us", sa.BigInteger(), nullable=False),
        sa.Column("camera_id", code, nullable=True),
        sa.Column("place_id", code, nullable=True),
        sa.Column("similarity_cos", sa.Float(), nullable=False),
        sa.Column("threshold_cos", sa.Float(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("crop_id", code, nullable=False),
        sa.Column("scene_id", code, nullable=False),
        sa.ForeignKeyConstraint(["search_id"], ["recording_searches.id"], name=op.f("fk_recording_hits_search_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_hits")),
    )
    op.create_index("ix_recording_hits_search_id", "recording_hits", ["search_id", "seen_at_us"])
