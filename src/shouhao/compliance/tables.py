"""Tables of the law: records as they were handed in, how the switches stand, and what was last counted."""

from sqlalchemy import Boolean, Column, Index, Table, Text

from shouhao.store.schema import Serial, identifier, instant, metadata

records = Table(
    "law_records",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),  # the newest is the one that was added last
    identifier("id", unique=True),
    identifier("kind"),
    identifier("switch", nullable=True),  # empty: it is the hospital's
    Column("body", Text, nullable=False),  # JSON
    identifier("staff_id", nullable=True),
    instant("at_us"),
)
Index("ix_law_records_kind_switch", records.c.kind, records.c.switch)
switches = Table(
    "law_switches",
    metadata,
    identifier("switch", primary_key=True),
    Column("turned_on", Boolean, nullable=False),
    identifier("staff_id", nullable=True),  # empty: it turned itself off, or the command line did
    identifier("approval_id", nullable=True),
    Column("why", Text, nullable=False),
    instant("since_us"),
)
facts = Table(
    "law_facts",
    metadata,
    identifier("id", primary_key=True),  # now
    Column("body", Text, nullable=False),  # JSON
    instant("at_us"),
)
