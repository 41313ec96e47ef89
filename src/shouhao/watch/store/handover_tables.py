"""Table of handovers: the note in words, how everything stood as JSON; operators and guards are ids."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text

from shouhao.store.schema import identifier, instant, metadata

shift_handovers = Table(
    "shift_handovers",
    metadata,
    identifier("id", primary_key=True),
    Column("turn", Integer, nullable=False, unique=True),  # of two at once one has the next turn
    identifier("handed_by"),
    instant("handed_at_us"),
    Column("note", Text, nullable=False),
    Column("standing", Text, nullable=False),
    identifier("taken_by", nullable=True),
    instant("taken_at_us", nullable=True),
    Column("remark", Text, nullable=False),
    CheckConstraint("(taken_by IS NULL) = (taken_at_us IS NULL)", name="taken_by_somebody"),
    CheckConstraint("taken_by IS NULL OR taken_by <> handed_by", name="two_people"),
)
Index("ix_shift_handovers_handed_at_us", shift_handovers.c.handed_at_us)
