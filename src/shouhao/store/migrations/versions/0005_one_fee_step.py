"""one fee step."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "payments",
        sa.Column("order_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
    )
    where = sa.text("order_id IS NOT NULL")
    op.create_index("ix_payments_order_id", "payments", ["order_id"], sqlite_where=where, postgresql_where=where)
