"""Tables of the booking room.

A slot row exists before anyone can book it and names the one booking that holds it, so two holders cannot be written
down. Bookings say the same from their side; invariants compare the two.
"""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from shouhao.store.schema import identifier, instant, metadata

departments = Table(
    "departments",
    metadata,
    identifier("id", primary_key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
)

doctors = Table(
    "doctors",
    metadata,
    identifier("id", primary_key=True),
    Column("department_id", ForeignKey("departments.id"), nullable=False),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("title_zh", Text, nullable=False),
    Column("extra_daily_cap", Integer, nullable=False),  # extra slots a day that need no second person
)

sessions = Table(
    "sessions",
    metadata,
    identifier("id", primary_key=True),
    Column("department_id", ForeignKey("departments.id"), nullable=False),
    Column("doctor_id", ForeignKey("doctors.id"), nullable=True),
    identifier("day"),  # ISO date
    identifier("half"),  # am, pm, evening
    identifier("kind"),  # general, expert, special, antenatal
    instant("starts_at_us"),
    instant("ends_at_us"),
    Column("fee_cents", Integer, nullable=False),
    identifier("state"),  # planned, released, closed
    instant("release_at_us"),
    instant("released_at_us", nullable=True),
    Column("hot", Boolean, nullable=False),
    identifier("source"),  # csv, fhir, calendar, console
    identifier("draw_id", nullable=True),  # the draw that allots its slots, from the opening of the entry window
    Column("release_policy", Text, nullable=True),  # JSON: the policy it was released under, with scope and version
    instant("revisit_at_us", nullable=True),  # when its reserved slots are to be looked at again
    CheckConstraint("fee_cents >= 0", name="fee"),
    CheckConstraint("ends_at_us > starts_at_us", name="span"),
    sqlite_with_rowid=False,
)
Index("ix_sessions_department_id_day", sessions.c.department_id, sessions.c.day)
Index("ix_sessions_doctor_id_day", sessions.c.doctor_id, sessions.c.day)
Index("ix_sessions_day_id", sessions.c.day, sessions.c.id)
Index("ix_sessions_state_release_at_us", sessions.c.state, sessions.c.release_at_us)

Index(
    "ix_sessions_draw_id",
    sessions.c.draw_id,
    sqlite_where=text("draw_id IS NOT NULL"),
    postgresql_where=text("draw_id IS NOT NULL"),
)

_REVISIT = text("revisit_at_us IS NOT NULL")
Index("ix_sessions_revisit", sessions.c.revisit_at_us, sqlite_where=_REVISIT, postgresql_where=_REVISIT)

slots = Table(
    "slots",
    metadata,
    identifier("id", primary_key=True),
    Column("session_id", ForeignKey("sessions.id"), nullable=False),
    Column("number", Integer, nullable=False),  # 号序, from 1
    instant("starts_at_us"),
    instant("ends_at_us"),
    identifier("state"),  # planned, free, taken, withdrawn, reserved
    identifier("booking_id", nullable=True),  # the live booking that holds it
    Column("extra", Boolean, nullable=False),
    # Whom a reserved slot is for: draw, window, phone, referral, care, waitlist (its order is not drawn yet), rest.
    identifier("reserved_for", nullable=True),
    UniqueConstraint("session_id", "number"),
    CheckConstraint("number > 0", name="number"),
    CheckConstraint("(state = 'taken') = (booking_id IS NOT NULL)", name="taken_has_a_booking"),
    postgresql_with={"fillfactor": "70"},  # a slot changes hands on its own page
    sqlite_with_rowid=False,
)

# SQLite steps over taken slots slowly; on PostgreSQL an index on the state would cost each change of hands its place on
# its own page (a heap-only update), which is dearer than stepping over.
Index("ix_slots_free", slots.c.session_id, slots.c.number, sqlite_where=text("state = 'free'")).ddl_if(dialect="sqlite")

# Taking a free slot does not touch this column, so on PostgreSQL a slot still changes hands on its own page.
_RESERVED = text("reserved_for IS NOT NULL")
Index(
    "ix_slots_reserved_for",
    slots.c.reserved_for,
    slots.c.session_id,
    sqlite_where=_RESERVED,
    postgresql_where=_RESERVED,
)

bookings = Table(
    "bookings",
    metadata,
    identifier("id", primary_key=True),
    identifier("slot_id"),
    identifier("session_id"),
    identifier("department_id"),
    identifier("day"),
    identifier("patient_id"),
    identifier("account_id", nullable=True),
    identifier("channel"),
    identifier("state"),  # offered, held, booked, checked_in, returned, expired, no_show
    Column("live", Boolean, nullable=False),  # offered, held, booked or checked in
    Column("fee_cents", Integer, nullable=False),
    instant("starts_at_us"),  # when the slot's segment starts
    instant("created_at_us"),
    instant("hold_expires_at_us", nullable=True),
    instant("ended_at_us"),  # 0 while live
    identifier("party_id", nullable=True),  # bookings that were made together, all or nothing
    identifier("wait_id", nullable=True),  # the place on a waitlist that it was offered to
    CheckConstraint("live = (state IN ('offered', 'held', 'booked', 'checked_in'))", name="live"),
    CheckConstraint("live = (ended_at_us = 0)", name="live_has_no_end"),
    postgresql_with={"fillfactor": "80"},
    sqlite_with_rowid=False,
)
_HELD = text("state = 'held'")
# One live booking a person and session, and the way to all of a person's bookings, in one index: what is live ends at
# 0, and no two bookings of one person in one session end in the same microsecond.
Index(
    "uq_bookings_patient_session_end",
    bookings.c.patient_id,
    bookings.c.session_id,
    bookings.c.ended_at_us,
    unique=True,
)
Index("ix_bookings_held_until", bookings.c.hold_expires_at_us, sqlite_where=_HELD, postgresql_where=_HELD)
_OFFERED = text("state = 'offered'")
Index("ix_bookings_offered_until", bookings.c.hold_expires_at_us, sqlite_where=_OFFERED, postgresql_where=_OFFERED)
_TOGETHER = text("party_id IS NOT NULL")
Index("ix_bookings_party_id", bookings.c.party_id, sqlite_where=_TOGETHER, postgresql_where=_TOGETHER)

payments = Table(
    "payments",
    metadata,
    identifier("id", primary_key=True),
    identifier("booking_id"),
    identifier("extra_of", nullable=True),  # what the gateway charged once more: an order, or a payment alone
    identifier("payer_id", nullable=True),
    Column("amount_cents", Integer, nullable=False),
    identifier("state"),  # open, superseded, paid, refund_due, refunded
    identifier("gateway"),  # who takes and gives back the money; "window": by hand
    identifier("gateway_ref", nullable=True),
    instant("created_at_us"),
    instant("paid_at_us", nullable=True),
    instant("refunded_at_us", nullable=True),
    Column("refund_attempts", Integer, nullable=False, server_default="0"),
    instant("refund_next_at_us", nullable=True),
    identifier("order_id", nullable=True),  # what the gateway was asked for in one step; none: this payment alone
    UniqueConstraint("extra_of", "gateway_ref"),  # one charge is owed back once
)
Index("ix_payments_booking_id", payments.c.booking_id)
_ORDERED = text("order_id IS NOT NULL")
Index("ix_payments_order_id", payments.c.order_id, sqlite_where=_ORDERED, postgresql_where=_ORDERED)
Index(
    "uq_payments_live",
    payments.c.booking_id,
    unique=True,
    sqlite_where=text("state IN ('open', 'paid')"),
    postgresql_where=text("state IN ('open', 'paid')"),
)
Index(
    "ix_payments_refund_due",
    payments.c.refund_next_at_us,
    sqlite_where=text("state = 'refund_due'"),
    postgresql_where=text("state = 'refund_due'"),
)

restrictions = Table(
    "restrictions",
    metadata,
    identifier("id", primary_key=True),
    identifier("patient_id"),
    identifier("reason"),  # no_show, late_return, cooling
    identifier("department_id", nullable=True),  # None: every department
    identifier("booking_id"),
    instant("starts_at_us"),
    instant("ends_at_us"),  # equal to starts_at_us: it only counts towards the next one
)
Index("ix_restrictions_patient_id", restrictions.c.patient_id, restrictions.c.ends_at_us)

extra_slot_requests = Table(
    "extra_slot_requests",
    metadata,
    identifier("id", primary_key=True),
    identifier("session_id"),
    identifier("doctor_id"),
    identifier("day"),
    identifier("patient_id"),
    Column("reason", Text, nullable=False),
    identifier("state"),  # waiting, granted, refused
    identifier("requested_by"),
    identifier("decided_by", nullable=True),
    identifier("booking_id", nullable=True),
    instant("created_at_us"),
    instant("decided_at_us", nullable=True),
)
Index("ix_extra_slot_requests_doctor_id_day", extra_slot_requests.c.doctor_id, extra_slot_requests.c.day)
