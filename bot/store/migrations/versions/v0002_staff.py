"""The staff's side: accounts, audit trail, conversations that people took over, appointments, feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _tables()
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_{verb.lower()} BEFORE {verb} ON audit "
                f"BEGIN SELECT RAISE(ABORT, 'audit: lines are only added'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'audit: lines are only added' USING ERRCODE = 'check_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit "
        "FOR EACH ROW EXECUTE FUNCTION audit_kept()"
    )


def _tables() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger()),
        sa.CheckConstraint("role IN ('editor', 'care', 'admin')", name="ck_accounts_role"),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=48), nullable=False),
        sa.Column("subject", sa.String(length=100), server_default=sa.text("''"), nullable=False),
        sa.Column("detail", sa.String(length=300), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "feedback",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("entry", sa.String(length=48), nullable=False),
        sa.Column("helpful", sa.Boolean(), nullable=False),
        sa.Column("count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.UniqueConstraint("day", "entry", "helpful", name="uq_feedback_day"),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("token_mac", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_staff_sessions_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_staff_sessions"),
        sa.UniqueConstraint("token_mac", name="uq_staff_sessions_token_mac"),
    )
    op.create_index("ix_staff_sessions_account_id", "staff_sessions", ["account_id"])
    op.create_table(
        "threads",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("patient_id", ID),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("chat_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("chat_mac", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("traditional", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("topic", sa.String(length=32)),
        sa.Column("taken_by", sa.String(length=64)),
        sa.Column("taken_at", sa.BigInteger()),
        sa.Column("staff_at", sa.BigInteger()),
        sa.Column("waiting_since", sa.BigInteger()),
        sa.Column("told", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name="fk_threads_patient_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_threads"),
        sa.UniqueConstraint("channel", "chat_mac", name="uq_threads_chat"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_threads_patient_id", "threads", ["patient_id"])
    op.create_index(
        "ix_threads_taken",
        "threads",
        ["taken_at"],
        postgresql_where=sa.text("taken_at IS NOT NULL"),
        sqlite_where=sa.text("taken_at IS NOT NULL"),
    )
    op.create_table(
        "alert_rings",
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("rings", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("card_chat", sa.String(length=32)),
        sa.Column("card_message", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name="fk_alert_rings_alert_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("alert_id", name="pk_alert_rings"),
    )
    op.create_index("ix_alert_rings_next_at", "alert_rings", ["next_at"])
    op.create_table(
        "appointments",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("wishes_sealed", sa.LargeBinary()),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger()),
        sa.Column("decided_by", sa.String(length=64)),
        sa.Column("when_sealed", sa.LargeBinary()),
        sa.Column("prompt", sa.String(length=64)),
        sa.Column("card_chat", sa.String(length=32)),
        sa.Column("card_message", sa.BigInteger()),
        sa.CheckConstraint(
            "state IN ('asking', 'requested', 'confirmed', 'moved', 'declined', 'cancelled')",
            name="ck_appointments_state",
        ),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_appointments_thread_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_appointments"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_appointments_prompt", "appointments", ["prompt"])
    op.create_index("ix_appointments_thread_id", "appointments", ["thread_id"])
    op.create_index(
        "uq_appointments_asking",
        "appointments",
        ["thread_id"],
        unique=True,
        postgresql_where=sa.text("state = 'asking'"),
        sqlite_where=sa.text("state = 'asking'"),
    )
    op.create_table(
        "posts",
        sa.Column("chat", sa.String(length=32), nullable=False),
        sa.Column("message", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name="fk_posts_thread_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("chat", "message", name="pk_posts"),
    )
    op.create_index("ix_posts_thread_id", "posts", ["thread_id"])
    op.create_table(
        "talk",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=64), server_default=sa.text("''"), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("who IN ('patient', 'bot', 'staff', 'note')", name="ck_talk_who"),
        sa.ForeignKeyConstraint(["thread_id"], ["threads.id"], name="fk_talk_thread_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_talk"),
    )
    op.create_index("ix_talk_thread_id", "talk", ["thread_id"])
