"""Tables of the cameras: where they hang, how they are, and how long people walk between them."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from shouhao.store.schema import identifier, instant, metadata

places = Table(
    "watch_places",
    metadata,
    identifier("id", primary_key=True),
    Column("building", Text, nullable=False),
    Column("floor", Text, nullable=False),
    Column("name", Text, nullable=False),
    instant("changed_at_us"),
)
plans = Table(
    "watch_plans",
    metadata,
    Column("building", Text, nullable=False),
    Column("floor", Text, nullable=False),
    identifier("media_type"),
    Column("content", LargeBinary, nullable=False),  # as it was written anew from what was understood of the upload
    identifier("sha256"),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    instant("changed_at_us"),
    PrimaryKeyConstraint("building", "floor"),
)
cameras = Table(
    "watch_cameras",
    metadata,
    identifier("id", primary_key=True),
    identifier("device_id", unique=True),
    Column("name", Text, nullable=False),
    Column("place_id", ForeignKey(places.c.id), nullable=False),
    Column("x", Float, nullable=False),
    Column("y", Float, nullable=False),
    identifier("zone"),
    Column("angle_deg", Float, nullable=False),
    identifier("source"),
    identifier("group_id"),
    Column("kind", Text, nullable=False),
    Column("digest_required", Boolean, nullable=False),
    Column("sealed_password", Text, nullable=True),
    Column("sealed_stream", Text, nullable=True),
    identifier("declared_by", nullable=True),
    instant("declared_at_us", nullable=True),
    identifier("sign_photo_id", nullable=True),
    instant("sign_taken_at_us", nullable=True),
    identifier("state"),  # planned, live, off
    instant("live_since_us", nullable=True),
    instant("changed_at_us"),
)
Index("ix_watch_cameras_place_id", cameras.c.place_id)

#: Apart from the register, since each keep-alive writes here.
health = Table(
    "watch_camera_health",
    metadata,
    Column("camera_id", ForeignKey(cameras.c.id), primary_key=True),
    instant("registered_at_us", nullable=True),
    instant("kept_alive_at_us", nullable=True),
    instant("captured_at_us", nullable=True),
    instant("streamed_at_us", nullable=True),
    Column("clock_offsets_us", Text, nullable=False),  # JSON, the newest last
    Column("offline", Boolean, nullable=False),
)
hours = Table(
    "watch_camera_hours",
    metadata,
    Column("camera_id", ForeignKey(cameras.c.id), nullable=False),
    instant("hour_us"),  # when the hour began
    Column("captures", Integer, nullable=False),
    PrimaryKeyConstraint("camera_id", "hour_us"),
)
ways = Table(
    "watch_ways",
    metadata,
    Column("from_id", ForeignKey(cameras.c.id), nullable=False),
    Column("to_id", ForeignKey(cameras.c.id), nullable=False),
    Column("shortest_s", Float, nullable=False),
    Column("usual_s", Float, nullable=False),
    PrimaryKeyConstraint("from_id", "to_id"),
)
