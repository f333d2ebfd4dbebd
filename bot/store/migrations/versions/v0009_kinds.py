"""Links may be for another procedure than the thread lift."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    kind = sa.Column("kind", sa.String(32), nullable=False, server_default="thread_lift")
    op.add_column("enrolments", kind)
