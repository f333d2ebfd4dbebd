"""What a person answered to a question that the FAQ did not."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("unanswered", sa.Column("reply_sealed", sa.LargeBinary()))
    op.add_column("unanswered", sa.Column("talk_id", sa.BigInteger()))
    op.create_index("uq_unanswered_talk", "unanswered", ["patient_id", "talk_id"], unique=True)
