"""Tables of who comes too often. Nothing here says who, when or where: that is sealed under the key of its day.

The keys of days and salts lie in a folder beside the database; when one is erased, its rows open nowhere any more, in
no copy and no backup. The rows are deleted with it.
"""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table

from shouhao.store.schema import identifier, instant, metadata

#: One live row at a time: the secret that faces of the window are turned by, sealed under a key of its own.
salts = Table(
    "frequent_salts",
    metadata,
    identifier("id", primary_key=True),
    identifier("pack"),
    Column("dims", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    instant("made_at_us"),
)
days = Table(
    "frequent_days",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # ordinal of the hospital's day
    instant("made_at_us"),
)
visits = Table(
    "frequent_visits",
    metadata,
    identifier("id", primary_key=True),
    Column("day", ForeignKey(days.c.day), nullable=False),
    identifier("salt_id"),
    Column("sealed", LargeBinary, nullable=False),  # turned face, when, which camera, which visits it is like
)
Index("ix_frequent_visits_day", visits.c.day)
leads = Table(
    "frequent_leads",
    metadata,
    identifier("id", primary_key=True),
    Column("day", ForeignKey(days.c.day), nullable=False),  # it was raised on, and dies with
    identifier("state"),  # checking, waiting, opened, dismissed
    Column("days", Integer, nullable=False),  # on which somebody was there
    identifier("approval_id", nullable=True),
    Column("sealed", LargeBinary, nullable=False),  # its visits
    instant("raised_at_us"),
    instant("changed_at_us"),
)
Index("ix_frequent_leads_day", leads.c.day)
stills = Table(
    "frequent_stills",
    metadata,
    Column("lead_id", ForeignKey(leads.c.id), nullable=False),
    Column("day", ForeignKey(days.c.day), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("lead_id", "day"),
)
