"""Captures: how far the spool was worked off, frozen stills, what was not understood, counts below thresholds."""

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
