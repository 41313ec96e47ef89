"""Cameras and the plan they stand on; switches of the law with their records."""

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
