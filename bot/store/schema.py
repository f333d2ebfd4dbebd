"""The tables. Moments are microseconds since 1970 in UTC (the same on SQLite and PostgreSQL); sealed columns
are encrypted.

Migrations build the database; a test compares them with what stands here.
"""

import datetime as dt
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.sql import ColumnElement
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


class Moment(TypeDecorator[dt.datetime]):
    """An aware datetime, kept as whole microseconds since 1970 UTC. A naive one is refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        return None if value is None else from_micros(value)


def to_micros(moment: dt.datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("a moment without zone cannot be stored; pass an aware datetime")
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> dt.datetime:
    return _EPOCH + value * _MICROSECOND


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_Id: TypeEngine[int] = BigInteger().with_variant(
    Integer, "sqlite"
)  # SQLite counts up only in INTEGER PRIMARY KEY


def _id(name: str = "id") -> Column[int]:
    return Column(name, _Id, primary_key=True, autoincrement=True)


def _belongs_to(table: str, nullable: bool = False) -> Column[int]:
    return Column(
        f"{table.rstrip('s')}_id",
        _Id,
        ForeignKey(f"{table}.id", ondelete="CASCADE"),
        nullable=nullable,
        index=True,
    )


# An erased patient's number is never given to another (staff messages quote it): sqlite_autoincrement.
patients = Table(
    "patients",
    metadata,
    _id(),
    Column("language", String(8)),
    Column("traditional", Boolean, nullable=False, server_default=text("false")),
    Column("timezone", String(64)),
    Column("consent_at", Moment, nullable=False),
    Column("reminders", String(8), nullable=False, server_default="on"),
    Column("detail", Boolean, nullable=False, server_default=text("false")),
    Column(
        "push_address_id", _Id
    ),  # where reminders go: the preferred reachable address; null when there is none
    CheckConstraint("reminders IN ('on', 'paused', 'stopped')", name="reminders"),
    sqlite_autoincrement=True,
)

addresses = Table(
    "addresses",
    metadata,
    _id(),
    _belongs_to("patients"),
    Column("channel", String(16), nullable=False),
    Column("chat_sealed", LargeBinary, nullable=False),
    Column("chat_mac", LargeBinary, nullable=False),
    Column("reachable", Boolean, nullable=False, server_default=text("true")),
    Column("reason", String(32)),
    UniqueConstraint("channel", "chat_mac", name="uq_addresses_chat"),
)

procedures = Table(
    "procedures",
    metadata,
    _id(),
    Column("patient_id", _Id, ForeignKey("patients.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("date", Date, nullable=False),
    UniqueConstraint("patient_id", "kind", name="uq_procedures_kind"),
)

# One row a step and procedure date, for good: the natural key makes planning twice harmless. `next_at` is
# when to look at the row (due_at at first, later after a back-off or the quiet hours). `started_at` tells a
# row that was only claimed from one whose message may be on its way. The triggers of the first migration
# refuse any change of state that bot.core.reminders.TRANSITIONS does not list.
reminders = Table(
    "reminders",
    metadata,
    _id(),
    Column("procedure_id", _Id, ForeignKey("procedures.id", ondelete="CASCADE"), nullable=False),
    Column("procedure_date", Date, nullable=False),
    Column("step_id", String(48), nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("state", String(10), nullable=False, server_default="pending"),
    Column("reason", String(32)),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("lapses", SmallInteger, nullable=False, server_default=text("0")),  # senders that died
    Column("unknowns", SmallInteger, nullable=False, server_default=text("0")),  # answers that were lost
    Column("doubtful", Boolean, nullable=False, server_default=text("false")),  # it may have arrived twice
    Column("lease_by", String(36)),
    Column("lease_until", Moment),
    Column("started_at", Moment),
    Column("first_tried_at", Moment),  # LINE's retry key holds for 24 hours from here
    Column("channel", String(16)),
    Column("ended_at", Moment),  # when it was sent, failed, missed or cancelled
    UniqueConstraint("procedure_id", "procedure_date", "step_id", name="uq_reminders_natural"),
    CheckConstraint(
        "state IN ('pending', 'sending', 'sent', 'failed', 'missed', 'cancelled', 'held')",
        name="state",
    ),
    CheckConstraint("(state = 'sending') = (lease_by IS NOT NULL AND lease_until IS NOT NULL)", name="lease"),
    CheckConstraint("state <> 'sent' OR ended_at IS NOT NULL", name="sent"),
)
_TROUBLE = "doubtful OR state = 'failed' OR (state = 'missed' AND reason IN ('late', 'quota'))"
# Partial: the cost of a tick follows the rows that are due, not those that are stored.
Index(
    "ix_reminders_due",
    reminders.c.next_at,
    postgresql_where=text("state = 'pending'"),
    sqlite_where=text("state = 'pending'"),
)
Index(
    "ix_reminders_lease",
    reminders.c.lease_until,
    postgresql_where=text("state = 'sending'"),
    sqlite_where=text("state = 'sending'"),
)
Index(
    "ix_reminders_held",
    reminders.c.reason,
    postgresql_where=text("state = 'held'"),
    sqlite_where=text("state = 'held'"),
)
Index(
    "ix_reminders_trouble",
    reminders.c.ended_at,
    postgresql_where=text(_TROUBLE),
    sqlite_where=text(_TROUBLE),
)

# The answer to the check-in of a step. The day is that of `at`, counted from the procedure's date as it is now.
check_ins = Table(
    "check_ins",
    metadata,
    _id(),
    Column("procedure_id", _Id, ForeignKey("procedures.id", ondelete="CASCADE"), nullable=False),
    Column("procedure_date", Date, nullable=False),
    Column("step_id", String(48), nullable=False),
    Column("answer_sealed", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("procedure_id", "procedure_date", "step_id", name="uq_check_ins_natural"),
)

events = Table(
    "events",
    metadata,
    _id(),
    Column("channel", String(16), nullable=False),
    Column("event_id", String(128), nullable=False),
    Column("payload_sealed", LargeBinary),  # wiped as soon as the event is done
    Column("received_at", Moment, nullable=False),
    # These three too: whose turn it is in a chat, and which process has it in hand until when.
    Column("chat_mac", LargeBinary),
    Column("owner", String(32)),
    Column("lease_until", Moment),
    Column("done_at", Moment),
    Column("outcome", String(48)),
    Column("entry", String(48)),
    Column("score", Float),
    Column("language", String(8)),
    UniqueConstraint("channel", "event_id", name="uq_events_event"),
    Index("ix_events_done", "done_at"),
    sqlite_autoincrement=True,
)
Index(
    "ix_events_chat",
    events.c.chat_mac,
    postgresql_where=text("done_at IS NULL"),
    sqlite_where=text("done_at IS NULL"),
)
Index(
    "ix_events_waiting",
    events.c.id,
    postgresql_where=text("done_at IS NULL"),
    sqlite_where=text("done_at IS NULL"),
)

alerts = Table(
    "alerts",
    metadata,
    _id(),
    _belongs_to("patients", nullable=True),
    Column("channel", String(16), nullable=False),
    Column("chat_sealed", LargeBinary, nullable=False),
    Column("chat_mac", LargeBinary, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("urgency", String(16), nullable=False),
    Column("red_flag", String(48)),
    Column("opened_at", Moment, nullable=False),
    Column("acknowledged_at", Moment),
    Column("acknowledged_by", String(64)),
    Column("closed_at", Moment),
    Column("closed_by", String(64)),
    Column("close_reason", String(200)),
    Column("unsaid_sealed", LargeBinary),  # what the patient could not be told, a JSON list; while it is open
    sqlite_autoincrement=True,
)
Index(
    "uq_alerts_open",
    alerts.c.channel,
    alerts.c.chat_mac,
    unique=True,
    postgresql_where=text("closed_at IS NULL"),
    sqlite_where=text("closed_at IS NULL"),
)

alert_messages = Table(
    "alert_messages",
    metadata,
    _id(),
    _belongs_to("alerts"),
    Column("at", Moment, nullable=False),
    Column("text_sealed", LargeBinary, nullable=False),
)

unanswered = Table(
    "unanswered",
    metadata,
    _id(),
    _belongs_to("patients", nullable=True),
    Column("language", String(8), nullable=False),
    Column("text_sealed", LargeBinary, nullable=False),
    Column("matches", Text, nullable=False),  # ids of entries, by commas
    Column("at", Moment, nullable=False, index=True),
    Column("reply_sealed", LargeBinary),  # what a person answered, where one did
    Column("talk_id", BigInteger),  # the reply's line of `talk`, so that it is kept once
)
Index("uq_unanswered_talk", unanswered.c.patient_id, unanswered.c.talk_id, unique=True)

# One row a channel, shared by all workers. `paid_until`: the moment up to which sending slots are given away.
limits = Table(
    "limits",
    metadata,
    Column("channel", String(16), primary_key=True),
    Column("paid_until", Moment, nullable=False),
    Column("blocked_until", Moment),
    Column("blocked_why", String(32)),
    Column("failures", Integer, nullable=False, server_default=text("0")),  # in a row
)

# What staff must be told: written with the change that it tells about, said afterwards, at least once.
notices = Table(
    "notices",
    metadata,
    _id(),
    Column("key", String(100), nullable=False),
    Column("text", Text, nullable=False),  # numbers and states, never a patient's words or address
    Column("created_at", Moment, nullable=False),
    Column("told_at", Moment),
    UniqueConstraint("key"),
)
Index(
    "ix_notices_untold",
    notices.c.id,
    postgresql_where=text("told_at IS NULL"),
    sqlite_where=text("told_at IS NULL"),
)

meta = Table(
    "meta", metadata, Column("name", String(100), primary_key=True), Column("value", Text, nullable=False)
)

# Conditions as text, so that the planner sees that a partial index serves.
PENDING: ColumnElement[bool] = literal_column("reminders.state = 'pending'")
SENDING: ColumnElement[bool] = literal_column("reminders.state = 'sending'")
HELD: ColumnElement[bool] = literal_column("reminders.state = 'held'")
# A reminder that a later one stands for, or that waited because the patient or the staff wanted it, is no trouble.
LATE: ColumnElement[bool] = literal_column(
    "(reminders.state = 'missed' AND reminders.reason IN ('late', 'quota'))"
)
TROUBLE: ColumnElement[bool] = literal_column(
    "(reminders.doubtful OR reminders.state = 'failed' "
    "OR (reminders.state = 'missed' AND reminders.reason IN ('late', 'quota')))"
)
