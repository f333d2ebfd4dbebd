"""How Alembic runs here: on the connection and in the transaction of `Database.upgrade`."""

from alembic import context

from bot.store import enrol_schema, staff_schema  # noqa: F401 - their tables belong to the metadata
from bot.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
