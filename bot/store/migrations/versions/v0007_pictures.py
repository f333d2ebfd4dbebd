"""Pictures that pass between patients and staff."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("who", sa.String(length=8), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("jpeg_sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("who IN ('patient', 'staff')", name="ck_pictures_who"),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_pictures_thread_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pictures"),
        sa.UniqueConstraint("name", name="uq_pictures_name"),
    )
    op.create_index("ix_pictures_thread_id", "pictures", ["thread_id"])
    op.create_index("ix_pictures_expires_at", "pictures", ["expires_at"])
