"""Links that enrol a patient, and codes that join two chats."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "enrolments",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("procedure_sealed", sa.LargeBinary()),
        sa.Column("language", sa.String(length=8)),
        sa.Column("traditional", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("timezone", sa.String(length=64)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.Column("patient_id", ID),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name="fk_enrolments_patient_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_enrolments"),
        sa.UniqueConstraint("name", name="uq_enrolments_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_enrolments_expires_at", "enrolments", ["expires_at"])
    op.create_index("ix_enrolments_patient_id", "enrolments", ["patient_id"])
    op.create_table(
        "pairings",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("address_id", ID, nullable=False),
        sa.Column("code_mac", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name="fk_pairings_patient_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["address_id"], ["addresses.id"], name="fk_pairings_address_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pairings"),
        sa.UniqueConstraint("code_mac", name="uq_pairings_code_mac"),
    )
    op.create_index("ix_pairings_patient_id", "pairings", ["patient_id"])
    op.create_index("ix_pairings_address_id", "pairings", ["address_id"])
