"""Events that several processes share: who has one in hand, until when, and whose turn it is in a chat."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("chat_mac", sa.LargeBinary()))
    op.add_column("events", sa.Column("owner", sa.String(length=32)))
    op.add_column("events", sa.Column("lease_until", sa.BigInteger()))
    waiting = sa.text("done_at IS NULL")
    op.create_index("ix_events_chat", "events", ["chat_mac"], postgresql_where=waiting, sqlite_where=waiting)
