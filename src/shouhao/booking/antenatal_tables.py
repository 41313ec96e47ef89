"""Tables of antenatal registration. A place is no row: it is counted by due month and tier, under the month's lock."""

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

antenatal_months = Table(
    "antenatal_months",
    metadata,
    identifier("month", primary_key=True),  # the due month, as 2027-06
    identifier("draw_id", unique=True),
    Column("policy_version", Integer, nullable=False),
    Column("policy", Text, nullable=False),  # JSON, whole: a month keeps what it was published with
    identifier("state"),  # open, drawn, closed, over
    instant("opens_at_us"),
    instant("window_closes_at_us"),
    instant("closes_at_us"),
    instant("lends_at_us", nullable=True),  # when the next lending rule begins
    identifier("commitment"),  # hex, published while entries are taken
    instant("drawn_at_us", nullable=True),
)
Index("ix_antenatal_months_state", antenatal_months.c.state)

antenatal_places = Table(
    "antenatal_places",
    metadata,
    identifier("month"),  # one that is not published yet may have places carried to it
    identifier("tier"),
    Column("own", Integer, nullable=False),
    Column("carried_in", Integer, nullable=False),
    Column("carried_out", Integer, nullable=False),
    Column("dropped", Integer, nullable=False),  # left when the month was over, or too many for the next year
    UniqueConstraint("month", "tier"),
    CheckConstraint("own >= 0 AND carried_in >= 0 AND carried_out >= 0 AND dropped >= 0", name="counts"),
    CheckConstraint("carried_out + dropped <= own + carried_in", name="conserved"),
)

antenatal_applications = Table(
    "antenatal_applications",
    metadata,
    identifier("id", primary_key=True),
    identifier("patient_id"),
    identifier("account_id", nullable=True),
    identifier("channel"),
    identifier("month"),
    identifier("lmp_day", nullable=True),  # ISO date
    identifier("due_day"),  # ISO date
    identifier("due_source"),  # lmp, ultrasound
    identifier("tier"),  # green, yellow, orange, red, purple
    identifier("state"),  # entered, waiting, granted, confirmed, referred; the others are ends
    identifier("place_tier", nullable=True),  # of the place she holds
    identifier("entry"),  # her entry in the published draw
    Column("ahead", Boolean, nullable=False),
    instant("batch_at_us"),
    identifier("turn"),  # within its batch
    instant("entered_at_us"),
    instant("granted_at_us", nullable=True),
    instant("confirm_by_us", nullable=True),
    instant("confirmed_at_us", nullable=True),
    instant("ended_at_us"),  # 0 while live
    CheckConstraint(
        "(ended_at_us = 0) = (state IN ('entered', 'waiting', 'granted', 'confirmed', 'referred'))",
        name="live_has_no_end",
    ),
    CheckConstraint("(place_tier IS NOT NULL) = (state IN ('granted', 'confirmed'))", name="place"),
    CheckConstraint("state <> 'granted' OR confirm_by_us IS NOT NULL", name="granted_has_an_end"),
    sqlite_with_rowid=False,
)
_LIVE = text("ended_at_us = 0")
Index(
    "uq_antenatal_applications_live",
    antenatal_applications.c.patient_id,
    unique=True,
    sqlite_where=_LIVE,
    postgresql_where=_LIVE,
)
Index("ix_antenatal_applications_month", antenatal_applications.c.month, antenatal_applications.c.state)
Index("ix_antenatal_applications_patient_id", antenatal_applications.c.patient_id)
_GRANTED = text("state = 'granted'")
Index(
    "ix_antenatal_applications_confirm_by",
    antenatal_applications.c.confirm_by_us,
    sqlite_where=_GRANTED,
    postgresql_where=_GRANTED,
)

antenatal_changes = Table(
    "antenatal_changes",
    metadata,
    identifier("id", primary_key=True),
    identifier("application_id"),
    identifier("what"),  # tier, due_day, papers, withdrawal, referral
    identifier("old", nullable=True),
    identifier("new", nullable=True),
    Column("reason", Text, nullable=False),
    identifier("staff_id"),
    instant("at_us"),
    sqlite_with_rowid=False,
)
Index("ix_antenatal_changes_application_id", antenatal_changes.c.application_id)

antenatal_draws = Table(
    "antenatal_draws",
    metadata,
    identifier("month", primary_key=True),
    identifier("sha256"),
    Column("body_gz", LargeBinary, nullable=False),
)

antenatal_offers = Table(
    "antenatal_offers",
    metadata,
    identifier("id", primary_key=True),
    identifier("partner_id"),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    identifier("month"),
    identifier("tier"),
    Column("places", Integer, nullable=False),
    Column("taken", Integer, nullable=False),
    instant("valid_until_us"),
    identifier("staff_id"),
    instant("created_at_us"),
    CheckConstraint("taken >= 0 AND taken <= places", name="taken"),
)
Index("ix_antenatal_offers_month", antenatal_offers.c.month, antenatal_offers.c.tier)

antenatal_referrals = Table(
    "antenatal_referrals",
    metadata,
    identifier("id", primary_key=True),
    identifier("application_id"),
    identifier("patient_id"),
    identifier("offer_id"),
    identifier("partner_id"),
    identifier("state"),  # consented, sent, accepted, declined, withdrawn, ended
    identifier("text_version"),  # of what she agreed to
    Column("data", Text, nullable=False),  # JSON: exactly what is shared
    identifier("channel"),
    identifier("account_id", nullable=True),
    instant("consented_at_us"),
    instant("sent_at_us", nullable=True),
    instant("ended_at_us"),  # 0 while consented or sent
    CheckConstraint("(ended_at_us = 0) = (state IN ('consented', 'sent'))", name="live_has_no_end"),
    CheckConstraint("sent_at_us IS NOT NULL OR state NOT IN ('sent', 'accepted', 'declined')", name="sent"),
    sqlite_with_rowid=False,
)
Index(
    "uq_antenatal_referrals_live",
    antenatal_referrals.c.application_id,
    unique=True,
    sqlite_where=_LIVE,
    postgresql_where=_LIVE,
)
Index("ix_antenatal_referrals_partner_id", antenatal_referrals.c.partner_id, antenatal_referrals.c.state)
Index("ix_antenatal_referrals_offer_id", antenatal_referrals.c.offer_id)
