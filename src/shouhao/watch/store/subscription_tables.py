"""Table of subscriptions: which platform asked to be told of what."""

from sqlalchemy import CheckConstraint, Column, PrimaryKeyConstraint, Table, Text

from shouhao.store.schema import identifier, instant, metadata

camera_subscriptions = Table(
    "camera_subscriptions",
    metadata,
    identifier("device_id"),  # who asked
    identifier("subscription_id"),  # by their own counting
    Column("title", Text, nullable=False),
    Column("detail", Text, nullable=False),  # comma list of what: 12 is faces
    Column("resource", Text, nullable=False),
    Column("receive_addr", Text, nullable=False),  # as it was given; nothing is sent there
    instant("begin_us", nullable=True),
    instant("end_us", nullable=True),
    identifier("state"),  # asked, cancelled
    instant("asked_at_us"),
    instant("changed_at_us"),
    PrimaryKeyConstraint("device_id", "subscription_id"),
    CheckConstraint("state IN ('asked', 'cancelled')", name="state_known"),
)
