"""The tables of the staff's side: who may come in, what they did, and the conversations that people took over."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    text,
)

from bot.store.schema import Moment, _belongs_to, _Id, _id, metadata

accounts = Table(
    "accounts",
    metadata,
    _id(),
    Column("name", String(64), nullable=False),
    Column("role", String(8), nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
    UniqueConstraint("name"),
    CheckConstraint("role IN ('editor', 'care', 'admin')", name="role"),
    sqlite_autoincrement=True,
)

# The cookie's secret is not kept, only what it is found by: a copy of the database opens no session.
staff_sessions = Table(
    "staff_sessions",
    metadata,
    _id(),
    _belongs_to("accounts"),
    Column("token_mac", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    UniqueConstraint("token_mac"),
)

# Append-only: triggers of the migration refuse any update and delete. Never a patient's words.
audit = Table(
    "audit",
    metadata,
    _id(),
    Column("at", Moment, nullable=False, index=True),
    Column("who", String(64), nullable=False),
    Column("what", String(48), nullable=False),
    Column("subject", String(100), nullable=False, server_default=text("''")),
    Column("detail", String(300), nullable=False, server_default=text("''")),
    sqlite_autoincrement=True,
)

# One conversation between staff and the person at one address. `waiting_since`: the first message that no
# person has answered while the bot is silent.
threads = Table(
    "threads",
    metadata,
    _id(),
    _belongs_to("patients", nullable=True),
    Column("channel", String(16), nullable=False),
    Column("chat_sealed", LargeBinary, nullable=False),
    Column("chat_mac", LargeBinary, nullable=False),
    Column("language", String(8), nullable=False),
    Column("traditional", Boolean, nullable=False, server_default=text("false")),
    Column("topic", String(32)),  # of the staff chat, where it has topics
    Column("taken_by", String(64)),
    Column("taken_at", Moment),
    Column("staff_at", Moment),  # when a person last wrote
    Column("waiting_since", Moment),
    Column("told", SmallInteger, nullable=False, server_default=text("0")),  # steps of waiting said so far
    Column("seen_at", Moment, nullable=False),
    UniqueConstraint("channel", "chat_mac", name="uq_threads_chat"),
    sqlite_autoincrement=True,
)
Index(
    "ix_threads_taken",
    threads.c.taken_at,
    postgresql_where=text("taken_at IS NOT NULL"),
    sqlite_where=text("taken_at IS NOT NULL"),
)

talk = Table(
    "talk",
    metadata,
    _id(),
    _belongs_to("threads"),
    Column("at", Moment, nullable=False),
    Column("who", String(8), nullable=False),
    Column("name", String(64), nullable=False, server_default=text("''")),  # of the staff member
    Column("text_sealed", LargeBinary, nullable=False),
    CheckConstraint("who IN ('patient', 'bot', 'staff', 'note')", name="who"),
)

# Shown by a patient to staff or the other way round; `name` is what an address outside is made of.
pictures = Table(
    "pictures",
    metadata,
    _id(),
    _belongs_to("threads"),
    Column("name", String(32), nullable=False),
    Column("who", String(8), nullable=False),
    Column("at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
    Column("jpeg_sealed", LargeBinary, nullable=False),
    UniqueConstraint("name"),
    CheckConstraint("who IN ('patient', 'staff')", name="who"),
)

# Which message of a staff chat belongs to which conversation: a reply to it goes to that patient.
posts = Table(
    "posts",
    metadata,
    Column("chat", String(32), primary_key=True),
    Column("message", BigInteger, primary_key=True, autoincrement=False),
    _belongs_to("threads"),
)

# How loudly an alert has been told so far. A row goes when the alert is read.
alert_rings = Table(
    "alert_rings",
    metadata,
    Column("alert_id", _Id, ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    Column("rings", Integer, nullable=False, server_default=text("0")),
    Column("since", Moment, nullable=False),  # from when the minutes without an answer count
    Column("next_at", Moment, nullable=False, index=True),
    Column("card_chat", String(32)),
    Column("card_message", BigInteger),
)

appointments = Table(
    "appointments",
    metadata,
    _id(),
    _belongs_to("threads"),
    Column("state", String(10), nullable=False),
    Column("wishes_sealed", LargeBinary),  # null while the patient is being asked
    Column("asked_at", Moment, nullable=False),
    Column("decided_at", Moment),
    Column("decided_by", String(64)),
    Column("when_sealed", LargeBinary),
    Column("prompt", String(64), index=True),  # "chat:message" that asks staff for another time
    Column("card_chat", String(32)),
    Column("card_message", BigInteger),
    CheckConstraint(
        "state IN ('asking', 'requested', 'confirmed', 'moved', 'declined', 'cancelled')", name="state"
    ),
    sqlite_autoincrement=True,
)
Index(
    "uq_appointments_asking",
    appointments.c.thread_id,
    unique=True,
    postgresql_where=text("state = 'asking'"),
    sqlite_where=text("state = 'asking'"),
)

# One row a day, entry and verdict: figures, nobody's name.
feedback = Table(
    "feedback",
    metadata,
    _id(),
    Column("day", Date, nullable=False),
    Column("entry", String(48), nullable=False),
    Column("helpful", Boolean, nullable=False),
    Column("count", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("day", "entry", "helpful", name="uq_feedback_day"),
)
