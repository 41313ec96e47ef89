"""Tables of draws and waitlists.

A waitlist's batch is a draw in which nobody wins and only the order counts, so both live in one set of tables.
Nothing here names a person in what is published: people are tickets, made from the draw's own salt.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from shouhao.store.schema import identifier, instant, metadata

draws = Table(
    "draws",
    metadata,
    identifier("id", primary_key=True),
    identifier("kind"),  # release, waitlist
    identifier("department_id"),
    identifier("scope"),  # the policy's kind in `policies`
    Column("policy_version", Integer, nullable=False),
    Column("policy", Text, nullable=False),  # JSON, whole: a window keeps what it was opened with
    identifier("state"),  # open, sealed, made
    instant("opens_at_us"),
    instant("closes_at_us"),
    identifier("salt"),  # hex; tickets are made with it, and it is never published
    identifier("commitment", nullable=True),  # hex, published while entries are taken
    identifier("root", nullable=True),  # hex, published when the entries are sealed
    Column("terms", Text, nullable=True),  # JSON: what was sealed beside the entries
    instant("sealed_at_us", nullable=True),
    Column("beacon_round", Integer, nullable=True),
    instant("made_at_us", nullable=True),
    Column("fallen_back", Text, nullable=True),  # why it was made without what was promised, in a person's words
    Column("hot", Boolean, nullable=False),  # one of its sessions is hot
)
Index("ix_draws_state_closes_at_us", draws.c.state, draws.c.closes_at_us)
Index("ix_draws_department_id", draws.c.department_id, draws.c.closes_at_us)

draw_targets = Table(
    "draw_targets",
    metadata,
    identifier("draw_id"),
    identifier("session_id"),
    Column("seats", Integer, nullable=False),  # 0: only the order counts
    UniqueConstraint("draw_id", "session_id"),
)
Index("ix_draw_targets_session_id", draw_targets.c.session_id)

draw_entries = Table(
    "draw_entries",
    metadata,
    identifier("id", primary_key=True),
    identifier("draw_id"),
    identifier("account_id", nullable=True),
    identifier("channel"),
    Column("people", Text, nullable=False),  # JSON: patient ids, sorted
    Column("wishes", Text, nullable=False),  # JSON: session ids, best first
    identifier("state"),  # entered, withdrawn, left_out, won, lost
    identifier("left_out", nullable=True),  # code of the refusal
    Column("place", Integer, nullable=True),  # in the drawn order, from 1
    identifier("session_id", nullable=True),  # what was won
    instant("entered_at_us"),
    sqlite_with_rowid=False,
)
Index("ix_draw_entries_draw_id", draw_entries.c.draw_id, draw_entries.c.id)

draw_members = Table(
    "draw_members",
    metadata,
    identifier("draw_id"),
    identifier("patient_id"),
    identifier("entry_id"),
    UniqueConstraint("draw_id", "patient_id"),  # a person stands in a draw once, whoever enters them
)
Index("ix_draw_members_patient_id", draw_members.c.patient_id)
Index("ix_draw_members_entry_id", draw_members.c.entry_id)

draw_contributions = Table(
    "draw_contributions",
    metadata,
    identifier("id", primary_key=True),
    identifier("draw_id"),
    identifier("kind"),  # witness, beacon
    identifier("who"),  # operator id of the witness, or name of the beacon
    identifier("commitment", nullable=True),  # hex
    instant("committed_at_us", nullable=True),
    identifier("value", nullable=True),  # hex
    instant("given_at_us", nullable=True),
    identifier("staff_id", nullable=True),  # who entered a beacon's value
    UniqueConstraint("draw_id", "kind", "who"),
)

draw_files = Table(
    "draw_files",
    metadata,
    identifier("draw_id", primary_key=True),
    identifier("sha256"),
    Column("body_gz", LargeBinary, nullable=False),
)

waits = Table(
    "waits",
    metadata,
    identifier("id", primary_key=True),
    identifier("session_id"),
    identifier("draw_id"),  # whose order it stands in
    identifier("entry_id"),
    identifier("account_id", nullable=True),
    identifier("channel"),
    Column("people", Text, nullable=False),  # JSON: patient ids, sorted
    Column("size", Integer, nullable=False),
    instant("drawn_at_us"),  # earlier draws come first
    Column("place", Integer, nullable=False),  # within its draw
    identifier("state"),  # waiting, offered, served, lapsed, left, ended
    instant("since_us"),
    instant("ended_at_us"),  # 0 while waiting or offered
    CheckConstraint("(ended_at_us = 0) = (state IN ('waiting', 'offered'))", name="live_has_no_end"),
    sqlite_with_rowid=False,
)
_WAITING = text("state = 'waiting'")
Index(
    "ix_waits_next",
    waits.c.session_id,
    waits.c.drawn_at_us,
    waits.c.place,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
Index("ix_waits_entry_id", waits.c.entry_id)

wait_members = Table(
    "wait_members",
    metadata,
    identifier("wait_id"),
    identifier("session_id"),
    identifier("patient_id"),
    instant("ended_at_us"),  # 0 while it lives; one person waits for a session once
    UniqueConstraint("patient_id", "session_id", "ended_at_us"),
)
Index("ix_wait_members_wait_id", wait_members.c.wait_id)

slot_moves = Table(
    "slot_moves",
    metadata,
    identifier("id", primary_key=True),
    identifier("slot_id"),
    identifier("session_id"),
    instant("at_us"),
    identifier("way"),  # offered, kept, care, window, rest, public, withdrawn, merged
    identifier("why"),
    identifier("wait_id", nullable=True),
    identifier("booking_id", nullable=True),
    sqlite_with_rowid=False,
)
_ON_SITE = text("why = 'returned_on_site'")
Index("ix_slot_moves_on_site", slot_moves.c.slot_id, sqlite_where=_ON_SITE, postgresql_where=_ON_SITE)
Index("ix_slot_moves_session_id", slot_moves.c.session_id, slot_moves.c.at_us)

slot_rests = Table(
    "slot_rests",
    metadata,
    identifier("slot_id", primary_key=True),
    identifier("session_id"),
    instant("since_us"),
    Column("looked_step", Integer, nullable=False),  # how far chance was asked; when it says yes is nowhere
    instant("next_look_us"),  # when it is asked next, every quarter of a minute
    Column("policy", Text, nullable=False),  # JSON: the return rules it rests under
)
Index("ix_slot_rests_next_look_us", slot_rests.c.next_look_us)
