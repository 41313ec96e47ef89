"""Tables of tips: what was told is sealed; of whoever told it nothing is kept but what they wrote themselves."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from shouhao.store.schema import identifier, instant, metadata

tips = Table(
    "tips",
    metadata,
    identifier("id", primary_key=True),
    identifier("reference", unique=True),  # what the teller calls it by
    identifier("code_hash"),
    identifier("state"),
    Column("version", Integer, nullable=False),
    Column("unread", Integer, nullable=False),
    identifier("department_id", nullable=True),
    identifier("doctor_id", nullable=True),
    identifier("session_id", nullable=True),
    identifier("link_kind", nullable=True),
    identifier("link_id", nullable=True),
    Column("filled", Text, nullable=False),  # which fields hold something, with commas
    Column("sealed", Text, nullable=False),
    Column("week", Integer, nullable=False),  # ordinal of the Monday of the hospital's week
    instant("told_at_us"),
    instant("changed_at_us"),
    CheckConstraint("state IN ('new', 'looked_at', 'passed_on', 'linked', 'no_use')", name="state_known"),
    CheckConstraint("state <> 'linked' OR link_id IS NOT NULL", name="linked_to_something"),
)
Index("ix_tips_state_told_at_us", tips.c.state, tips.c.told_at_us)
Index("ix_tips_told_at_us", tips.c.told_at_us)

steps = Table(
    "tip_steps",
    metadata,
    Column("tip_id", ForeignKey(tips.c.id), nullable=False),
    Column("version", Integer, nullable=False),
    identifier("act"),
    identifier("state"),
    instant("at_us"),
    identifier("staff_id", nullable=True),  # none: the teller
    identifier("link_kind", nullable=True),
    identifier("link_id", nullable=True),
    Column("sealed", Text, nullable=True),  # an addition, a note, or why
    PrimaryKeyConstraint("tip_id", "version"),
)

pictures = Table(
    "tip_pictures",
    metadata,
    identifier("id", primary_key=True),
    Column("tip_id", ForeignKey(tips.c.id), nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # as it was written anew from its pixels
    instant("added_at_us"),
)
Index("ix_tip_pictures_tip_id", pictures.c.tip_id)

counters = Table(  # how often something came from somewhere within an hour, by keyed hash; no tip is named
    "tip_counters",
    metadata,
    identifier("key", primary_key=True),
    Column("counted", Integer, nullable=False),
    instant("ends_at_us"),
)
