"""Reminders that were too late to be sent stand on the staff's list."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TROUBLE = "doubtful OR state = 'failed' OR (state = 'missed' AND reason IN ('late', 'quota'))"


def upgrade() -> None:
    # What began as too late, because the patient came later, was "late" as well; nobody need look at those.
    op.execute("UPDATE reminders SET reason = 'past' WHERE state = 'missed' AND reason = 'late'")
    op.drop_index("ix_reminders_trouble", table_name="reminders")
    op.create_index(
        "ix_reminders_trouble",
        "reminders",
        ["ended_at"],
        postgresql_where=sa.text(TROUBLE),
        sqlite_where=sa.text(TROUBLE),
    )
