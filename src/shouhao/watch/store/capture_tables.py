"""Tables of captures: how far spools were worked off, frozen stills, what was not understood, and counts.

No face that matched nobody leaves anything here but a number of a day: no picture, no template, no id of a shot.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text

from shouhao.store.schema import identifier, instant, metadata

#: One row a writer; written in the transaction that holds what came of the arrivals.
spool_positions = Table(
    "watch_spool_positions",
    metadata,
    identifier("writer", primary_key=True),
    Column("done_segment", BigInteger, nullable=False),  # what lies before had its effect
    Column("done_offset", BigInteger, nullable=False),
    Column("kept_segment", BigInteger, nullable=False),  # from here it is read again, for passages that were open
    Column("kept_offset", BigInteger, nullable=False),
    instant("swept_to_us"),  # up to then passages were closed
)

stills = Table(
    "watch_stills",
    metadata,
    identifier("id", primary_key=True),
    identifier("kind"),  # crop, scene, clip, sign
    identifier("camera_id", nullable=True),
    identifier("sha256"),  # of the bytes as they came
    Column("size_bytes", BigInteger, nullable=False),
    instant("taken_at_us"),
    instant("frozen_at_us"),
    instant("erased_at_us", nullable=True),
)
Index("ix_watch_stills_frozen_at_us", stills.c.frozen_at_us)

#: One row a device, day and kind of trouble, so that a camera gone mad fills no disk.
not_understood = Table(
    "watch_not_understood",
    metadata,
    identifier("day"),
    identifier("device_id"),  # as it names itself, cut short
    identifier("source"),
    identifier("place"),  # in what it sent
    identifier("why_en"),
    Column("why_zh", Text, nullable=False),
    identifier("camera_id", nullable=True),
    Column("times", Integer, nullable=False),
    instant("first_at_us"),
    instant("last_at_us"),
    PrimaryKeyConstraint("day", "device_id", "source", "place", "why_en"),
)

#: What thresholds are derived from: how many people pass a camera a day.
traffic = Table(
    "watch_traffic",
    metadata,
    identifier("camera_id"),
    identifier("day"),
    Column("passages", Integer, nullable=False),
    Column("shots", Integer, nullable=False),  # with a face that could be compared
    Column("faceless", Integer, nullable=False),  # without one
    Column("repeated", Integer, nullable=False),  # the same shot again
    Column("late", Integer, nullable=False),
    PrimaryKeyConstraint("camera_id", "day"),
)

#: Passages that came close to a list's threshold without reaching it: how many, and nothing of whom.
shadow = Table(
    "watch_shadow",
    metadata,
    identifier("list_id"),
    identifier("camera_id"),
    identifier("day"),
    Column("passages", Integer, nullable=False),
    PrimaryKeyConstraint("list_id", "camera_id", "day"),
)
