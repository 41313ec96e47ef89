"""The two galleries of faces: the same tables twice, with nothing between them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for prefix in ("watch_faces", "consented_faces"):
        _gallery(prefix)


def _gallery(prefix: str) -> None:
    code = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        f"{prefix}_subjects",
        sa.Column("id", code, nullable=False),
        sa.Column("list_id", code, nullable=False),
        sa.Column("ground_id", code, nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("erasing_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{prefix}_subjects")),
    )
    op.create_table(
        f"{prefix}_photos",
        sa.Column("id", code, nullable=False),
        sa.Column("subject_id", code, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("added_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["subject_id"], [f"{prefix}_subjects.id"], name=op.f(f"fk_{prefix}_photos_subject_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{prefix}_photos")),
    )
    op.create_index(f"ix_{prefix}_photos_subject_id", f"{prefix}_photos", ["subject_id"])
    op.create_table(
        f"{prefix}_templates",
        sa.Column("photo_id", code, nullable=False),
        sa.Column("pack", code, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["photo_id"], [f"{prefix}_photos.id"], name=op.f(f"fk_{prefix}_templates_photo_id")),
        sa.PrimaryKeyConstraint("photo_id", "pack", name=op.f(f"pk_{prefix}_templates")),
    )
    op.create_table(
        f"{prefix}_packs",
        sa.Column("pack", code, nullable=False),
        sa.Column("state", code, nullable=False),
        sa.Column("dims", sa.Integer(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pack", name=op.f(f"pk_{prefix}_packs")),
    )
    op.create_table(
        f"{prefix}_thresholds",
        sa.Column("list_id", code, nullable=False),
        sa.Column("pack", code, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("similarity_cos", sa.Float(), nullable=False),
        sa.Column("derived_from", sa.Text(), nullable=False),
        sa.Column("set_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", "pack", "version", name=op.f(f"pk_{prefix}_thresholds")),
    )
