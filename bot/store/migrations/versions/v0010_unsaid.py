"""What a patient could not be told of an open alert."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("unsaid_sealed", sa.LargeBinary()))
