"""antenatal registration."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "antenatal_applications",
        sa.Column("id", _id(), nullable=False),
        sa.Column("patient_id", _id(), nullable=False),
        sa.Column("account_id", _id(), nullable=True),
        sa.Column("channel", _id(), nullable=False),
        sa.Column("month", _id(), nullable=False),
        sa.Column("lmp_day", _id(), nullable=True),
        sa.Column("due_day", _id(), nullable=False),
        sa.Column("due_source", _id(), nullable=False),
        sa.Column("tier", _id(), nullable=False),
        sa.Column("state", _id(), nullable=False),
        sa.Column("place_tier", _id(), nullable=True),
        sa.Column("entry", _id(), nullable=False),
        sa.Column("ahead", sa.Boolean(), nullable=False),
        sa.Column("batch_at_us", sa.BigInteger(), nullable=False),
        sa.Column("turn", _id(), nullable=False),
        sa.Column("entered_at_us", sa.BigInteger(), nullable=False),
        sa.Column("granted_at_us", sa.BigInteger(), nullable=True),
        sa.Column("confirm_by_us", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_at_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(ended_at_us = 0) = (state IN ('entered', 'waiting', 'granted', 'confirmed', 'referred'))",
            name=op.f("ck_antenatal_applications_live_has_no_end"),
        ),
        sa.CheckConstraint(
            "(place_tier IS NOT NULL) = (state IN ('granted', 'confirmed'))",
            name=op.f("ck_antenatal_applications_place"),
        ),
        sa.CheckConstraint(
            "state <> 'granted' OR confirm_by_us IS NOT NULL", name=op.f("ck_antenatal_applications_granted_has_an_end")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_antenatal_applications")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("antenatal_applications", schema=None) as batch_op:
        batch_op.create_index(
            "ix_antenatal_applications_confirm_by",
            ["confirm_by_us"],
            unique=False,
            sqlite_where=sa.text("state = 'granted'"),
            postgresql_where=sa.text("state = 'granted'"),
        )
        batch_op.create_index("ix_antenatal_applications_month", ["month", "state"], unique=False)
        batch_op.create_index("ix_antenatal_applications_patient_id", ["patient_id"], unique=False)
        batch_op.create_index(
            "uq_antenatal_applications_live",
            ["patient_id"],
            unique=True,
            sqlite_where=sa.text("ended_at_us = 0"),
            postgresql_where=sa.text("ended_at_us = 0"),
        )

    op.create_table(
        "antenatal_changes",
        sa.Column("id", _id(), nullable=False),
        sa.Column("application_id", _id(), nullable=False),
        sa.Column("what", _id(), nullable=False),
        sa.Column("old", _id(), nullable=True),
        sa.Column("new", _id(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("staff_id", _id(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_antenatal_changes")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("antenatal_changes", schema=None) as batch_op:
        batch_op.create_index("ix_antenatal_changes_application_id", ["application_id"], unique=False)

    op.create_table(
        "antenatal_draws",
        sa.Column("month", _id(), nullable=False),
        sa.Column("sha256", _id(), nullable=False),
        sa.Column("body_gz", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_antenatal_draws")),
    )
    op.create_table(
        "antenatal_months",
        sa.Column("month", _id(), nullable=False),
        sa.Column("draw_id", _id(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("state", _id(), nullable=False),
        sa.Column("opens_at_us", sa.BigInteger(), nullable=False),
        sa.Column("window_closes_at_us", sa.BigInteger(), nullable=False),
        sa.Column("closes_at_us", sa.BigInteger(), nullable=False),
        sa.Column("lends_at_us", sa.BigInteger(), nullable=True),
        sa.Column("commitment", _id(), nullable=False),
        sa.Column("drawn_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_antenatal_months")),
        sa.UniqueConstraint("draw_id", name=op.f("uq_antenatal_months_draw_id")),
    )
    with op.batch_alter_table("antenatal_months", schema=None) as batch_op:
        batch_op.create_index("ix_antenatal_months_state", ["state"], unique=False)

    op.create_table(
        "antenatal_offers",
        sa.Column("id", _id(), nullable=False),
        sa.Column("partner_id", _id(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("month", _id(), nullable=False),
        sa.Column("tier", _id(), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("valid_until_us", sa.BigInteger(), nullable=False),
        sa.Column("staff_id", _id(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("taken >= 0 AND taken <= places", name=op.f("ck_antenatal_offers_taken")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_antenatal_offers")),
    )
    with op.batch_alter_table("antenatal_offers", schema=None) as batch_op:
        batch_op.create_index("ix_antenatal_offers_month", ["month", "tier"], unique=False)

    op.create_table(
        "antenatal_places",
        sa.Column("month", _id(), nullable=False),
        sa.Column("tier", _id(), nullable=False),
        sa.Column("own", sa.Integer(), nullable=False),
        sa.Column("carried_in", sa.Integer(), nullable=False),
        sa.Column("carried_out", sa.Integer(), nullable=False),
        sa.Column("dropped", sa.Integer(), nullable=False),
        sa.CheckConstraint("carried_out + dropped <= own + carried_in", name=op.f("ck_antenatal_places_conserved")),
        sa.CheckConstraint(
            "own >= 0 AND carried_in >= 0 AND carried_out >= 0 AND dropped >= 0",
            name=op.f("ck_antenatal_places_counts"),
        ),
        sa.UniqueConstraint("month", "tier", name=op.f("uq_antenatal_places_month_tier")),
    )
    op.create_table(
        "antenatal_referrals",
        sa.Column("id", _id(), nullable=False),
        sa.Column("application_id", _id(), nullable=False),
        sa.Column("patient_id", _id(), nullable=False),
        sa.Column("offer_id", _id(), nullable=False),
        sa.Column("partner_id", _id(), nullable=False),
        sa.Column("state", _id(), nullable=False),
        sa.Column("text_version", _id(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("channel", _id(), nullable=False),
        sa.Column("account_id", _id(), nullable=True),
        sa.Column("consented_at_us", sa.BigInteger(), nullable=False),
        sa.Column("sent_at_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(ended_at_us = 0) = (state IN ('consented', 'sent'))", name=op.f("ck_antenatal_referrals_live_has_no_end")
        ),
        sa.CheckConstraint(
            "sent_at_us IS NOT NULL OR state NOT IN ('sent', 'accepted', 'declined')",
            name=op.f("ck_antenatal_referrals_sent"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_antenatal_referrals")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("antenatal_referrals", schema=None) as batch_op:
        batch_op.create_index("ix_antenatal_referrals_offer_id", ["offer_id"], unique=False)
        batch_op.create_index("ix_antenatal_referrals_partner_id", ["partner_id", "state"], unique=False)
        batch_op.create_index(
            "uq_antenatal_referrals_live",
            ["application_id"],
            unique=True,
            sqlite_where=sa.text("ended_at_us = 0"),
            postgresql_where=sa.text("ended_at_us = 0"),
        )


def _id() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
