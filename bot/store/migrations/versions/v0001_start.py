"""The first tables, and the triggers that refuse a change of a reminder's state which the core does not
know.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# A migration stands for its own day, so this is a copy of bot.core.reminders.TRANSITIONS; a test compares
# the two.
ALLOWED = {
    "pending": ("sending", "cancelled", "held", "missed"),
    "sending": ("sent", "failed", "pending", "missed", "cancelled", "held"),
    "held": ("pending", "cancelled", "missed"),
    "cancelled": ("pending",),
}


def upgrade() -> None:
    _tables()
    pairs = " OR ".join(
        f"(OLD.state = '{old}' AND NEW.state IN ({', '.join(repr(new) for new in news)}))"
        for old, news in ALLOWED.items()
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER reminders_state BEFORE UPDATE OF state ON reminders "
            f"WHEN OLD.state <> NEW.state AND NOT ({pairs}) "
            f"BEGIN SELECT RAISE(ABORT, 'reminders: this change of state is not allowed'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION reminders_state() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'reminders: % -> % is not allowed', OLD.state, NEW.state "
        "USING ERRCODE = 'check_violation'; "
        "END $$"
    )
    op.execute(
        f"CREATE TRIGGER reminders_state BEFORE UPDATE OF state ON reminders FOR EACH ROW "
        f"WHEN (OLD.state <> NEW.state AND NOT ({pairs})) EXECUTE FUNCTION reminders_state()"
    )


def _tables() -> None:
    op.create_table(
        "events",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("payload_sealed", sa.LargeBinary()),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger()),
        sa.Column("outcome", sa.String(length=48)),
        sa.Column("entry", sa.String(length=48)),
        sa.Column("score", sa.Float()),
        sa.Column("language", sa.String(length=8)),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("channel", "event_id", name="uq_events_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_done", "events", ["done_at"])
    op.create_index(
        "ix_events_waiting",
        "events",
        ["id"],
        postgresql_where=sa.text("done_at IS NULL"),
        sqlite_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "limits",
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("paid_until", sa.BigInteger(), nullable=False),
        sa.Column("blocked_until", sa.BigInteger()),
        sa.Column("blocked_why", sa.String(length=32)),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_limits"),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
    )
    op.create_table(
        "notices",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.UniqueConstraint("key", name="uq_notices_key"),
    )
    op.create_index(
        "ix_notices_untold",
        "notices",
        ["id"],
        postgresql_where=sa.text("told_at IS NULL"),
        sqlite_where=sa.text("told_at IS NULL"),
    )
    op.create_table(
        "patients",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("language", sa.String(length=8)),
        sa.Column("traditional", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("timezone", sa.String(length=64)),
        sa.Column("consent_at", sa.BigInteger(), nullable=False),
        sa.Column("reminders", sa.String(length=8), server_default="on", nullable=False),
        sa.Column("detail", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("push_address_id", ID),
        sa.CheckConstraint("reminders IN ('on', 'paused', 'stopped')", name="ck_patients_reminders"),
        sa.PrimaryKeyConstraint("id", name="pk_patients"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "addresses",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("chat_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("chat_mac", sa.LargeBinary(), nullable=False),
        sa.Column("reachable", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("reason", sa.String(length=32)),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name="fk_addresses_patient_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_addresses"),
        sa.UniqueConstraint("channel", "chat_mac", name="uq_addresses_chat"),
    )
    op.create_index("ix_addresses_patient_id", "addresses", ["patient_id"])
    op.create_table(
        "alerts",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("patient_id", ID),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("chat_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("chat_mac", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("urgency", sa.String(length=16), nullable=False),
        sa.Column("red_flag", sa.String(length=48)),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger()),
        sa.Column("acknowledged_by", sa.String(length=64)),
        sa.Column("closed_at", sa.BigInteger()),
        sa.Column("closed_by", sa.String(length=64)),
        sa.Column("close_reason", sa.String(length=200)),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name="fk_alerts_patient_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alerts_patient_id", "alerts", ["patient_id"])
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["channel", "chat_mac"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
        sqlite_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "procedures",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("patient_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name="fk_procedures_patient_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_procedures"),
        sa.UniqueConstraint("patient_id", "kind", name="uq_procedures_kind"),
    )
    op.create_table(
        "unanswered",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("patient_id", ID),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("matches", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name="fk_unanswered_patient_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_unanswered"),
    )
    op.create_index("ix_unanswered_at", "unanswered", ["at"])
    op.create_index("ix_unanswered_patient_id", "unanswered", ["patient_id"])
    op.create_table(
        "alert_messages",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name="fk_alert_messages_alert_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alert_messages"),
    )
    op.create_index("ix_alert_messages_alert_id", "alert_messages", ["alert_id"])
    op.create_table(
        "reminders",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("procedure_id", ID, nullable=False),
        sa.Column("procedure_date", sa.Date(), nullable=False),
        sa.Column("step_id", sa.String(length=48), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), server_default="pending", nullable=False),
        sa.Column("reason", sa.String(length=32)),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lapses", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("unknowns", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("doubtful", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("lease_by", sa.String(length=36)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("first_tried_at", sa.BigInteger()),
        sa.Column("channel", sa.String(length=16)),
        sa.Column("ended_at", sa.BigInteger()),
        sa.CheckConstraint(
            "(state = 'sending') = (lease_by IS NOT NULL AND lease_until IS NOT NULL)",
            name="ck_reminders_lease",
        ),
        sa.CheckConstraint("state <> 'sent' OR ended_at IS NOT NULL", name="ck_reminders_sent"),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'sent', 'failed', 'missed', 'cancelled', 'held')",
            name="ck_reminders_state",
        ),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedures.id"], name="fk_reminders_procedure_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_reminders"),
        sa.UniqueConstraint("procedure_id", "procedure_date", "step_id", name="uq_reminders_natural"),
    )
    op.create_index(
        "ix_reminders_due",
        "reminders",
        ["next_at"],
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_reminders_held",
        "reminders",
        ["reason"],
        postgresql_where=sa.text("state = 'held'"),
        sqlite_where=sa.text("state = 'held'"),
    )
    op.create_index(
        "ix_reminders_lease",
        "reminders",
        ["lease_until"],
        postgresql_where=sa.text("state = 'sending'"),
        sqlite_where=sa.text("state = 'sending'"),
    )
    op.create_index(
        "ix_reminders_trouble",
        "reminders",
        ["ended_at"],
        postgresql_where=sa.text("doubtful OR state = 'failed'"),
        sqlite_where=sa.text("doubtful OR state = 'failed'"),
    )
