"""Operators as people: passwords, second factors, sessions, approvals, the access register."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
