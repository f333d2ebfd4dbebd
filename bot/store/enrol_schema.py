"""The tables of links that the clinic hands out, and of codes that join two chats of one person."""

from sqlalchemy import Boolean, Column, Date, ForeignKey, LargeBinary, String, Table, text

from bot.store.schema import Moment, _belongs_to, _Id, _id, metadata

# One row a link. The one who used it owns it from then on, so it goes when they are erased.
enrolments = Table(
    "enrolments",
    metadata,
    _id(),
    Column("name", String(16), nullable=False, unique=True),  # random; the link proves that we gave it
    Column("date", Date, nullable=False),
    Column("kind", String(32), nullable=False, server_default="thread_lift"),  # of procedure
    Column("procedure_sealed", LargeBinary),  # in the clinic's words, for staff
    Column("language", String(8)),
    Column("traditional", Boolean, nullable=False, server_default=text("false")),
    Column("timezone", String(64)),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
    Column("used_at", Moment),
    _belongs_to("patients", nullable=True),
    sqlite_autoincrement=True,
)

# The code itself is not kept, only what it is found by. `address_id`: the chat where it was shown.
pairings = Table(
    "pairings",
    metadata,
    _id(),
    _belongs_to("patients"),
    Column("address_id", _Id, ForeignKey("addresses.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("code_mac", LargeBinary, nullable=False, unique=True),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
)
