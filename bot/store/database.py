"""The connection under the store: one engine, transactions that read or write, migrations."""

import contextlib
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Table,
    any_,
    create_engine,
    event,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.store.crypto import Vault, WrongKeyError
from bot.store.schema import meta

BUSY_SECONDS = 10  # how long a writer waits for another process before it gives up for this time
_MIGRATION_LOCK = 5_306_211_777  # any number of our own: one process migrates PostgreSQL, the others wait
_KEY_CHECK = "smileline"

StoreError = (
    SQLAlchemyError  # what callers may catch: locked, away, disk full, refused by a rule of the schema
)
StoreAway = (OperationalError, InterfaceError, PoolTimeout)  # those of them that pass: try again later


class StoreSettingsError(Exception):
    """The database cannot be used as it is set; the message says what to do."""


class Database:
    """Engine and vault; the base of the store's parts. Safe for several threads and, by the database,
    processes.
    """

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault
        self.is_sqlite = engine.dialect.name == "sqlite"
        # SQLite lets one writer in at a time and makes the others poll; threads of one process queue here
        # instead.
        self._one_writer = threading.Lock() if self.is_sqlite else contextlib.nullcontext()
        self._of_thread = threading.local()  # its connection while it is `reading`

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may change rows: all of it is kept, on disk, or nothing. Raises StoreError."""
        with self._one_writer, self._engine.connect() as plain:
            connection = plain.execution_options(smileline_immediate=True)
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        if shared := getattr(self._of_thread, "connection", None):
            yield shared
            return
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """All that this thread reads meanwhile, in one transaction: to begin and end one costs as much as a question.

        On PostgreSQL a question that fails spoils those that follow; ask them again outside.
        """
        with self.read() as connection:
            self._of_thread.connection = connection
            try:
                yield
            finally:
                self._of_thread.connection = None

    def insert(self, table: Table) -> Any:
        """An INSERT that knows ON CONFLICT, which both databases spell alike but SQLAlchemy keeps by
        dialect.
        """
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def among(self, column: Any, ids: Sequence[int]) -> ColumnElement[bool]:
        """`column` is one of `ids`. One parameter on PostgreSQL, so that the statement is planned once for any number."""
        if self.is_sqlite:
            return column.in_(ids)  # type: ignore[no-any-return]
        return column == any_(literal(list(ids), postgresql.ARRAY(BigInteger)))  # type: ignore[no-any-return]

    def healthy(self) -> bool:
        """Whether the database answers and has our tables. Never raises."""
        try:
            with self.read() as db:
                return db.execute(select(meta.c.value).where(meta.c.name == "key_check")).scalar() is not None
        except SQLAlchemyError:
            return False

    def upgrade(self) -> None:
        """Bring the tables to this version. Raises StoreError, and WrongKeyError when the data key is not
        the one in use.

        One transaction: if we die half way nothing has changed. On PostgreSQL an advisory lock lets one
        process work while the others wait, then find nothing to do.
        """
        config = Config()
        config.set_main_option(
            "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
        )
        config.set_main_option("path_separator", "os")
        with self.write() as db:
            if not self.is_sqlite:
                db.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            config.attributes["connection"] = db
            command.upgrade(config, "head")
            self._check_key(db)

    def _check_key(self, db: Connection) -> None:
        known = db.execute(select(meta.c.value).where(meta.c.name == "key_check")).scalar()
        if known is None:
            sealed = self._vault.seal(_KEY_CHECK, "meta.key_check").hex()
            db.execute(meta.insert().values(name="key_check", value=sealed))
            db.execute(meta.insert().values(name="instance", value=str(uuid.uuid4())))
            return
        try:
            self._vault.unseal(bytes.fromhex(known), "meta.key_check")
        except WrongKeyError:
            raise WrongKeyError(
                "the data key is not the one this database was written with; "
                "set SMILELINE_DATA_KEY or put data.key back"
            ) from None

    def get_meta(self, name: str) -> str | None:
        """A value that the store keeps about itself."""
        with self.read() as db:
            return db.execute(select(meta.c.value).where(meta.c.name == name)).scalar()

    def set_meta(self, name: str, value: str) -> None:
        with self.write() as db:
            self.put_meta(db, name, value)

    def put_meta(self, db: Connection, name: str, value: str) -> None:
        """The same within a transaction that is under way."""
        put = self.insert(meta).values(name=name, value=value)
        db.execute(put.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    def close(self) -> None:
        self._engine.dispose()


def open_engine(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL. Raises StoreSettingsError; the message never holds the URL's
    password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreSettingsError(_WANTED.format(came="something else")) from None
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        # A lost server shows within seconds, not when TCP gives up; pre-ping hides a restart between two
        # statements.
        options = {
            "connect_timeout": 10,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        }
        url_ = parsed.set(drivername="postgresql+psycopg")
        # An INSERT ... DO NOTHING is asked for its rowcount (who was first?), which is -1 unless it is preserved.
        kept = {"preserve_rowcount": True}
        return create_engine(
            url_,
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=8,
            connect_args=options,
            execution_options=kept,
        )
    raise StoreSettingsError(_WANTED.format(came=f'"{parsed.drivername}"'))


_WANTED = (
    "SMILELINE_DATABASE_URL: came {came}; allowed: sqlite:///folder/file.db or "
    "postgresql+psycopg://user:password@host/name"
)


def _open_sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise StoreSettingsError(
            "SMILELINE_DATABASE_URL names no SQLite file; write sqlite:///data/smileline.db"
        )
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise StoreSettingsError(f"the folder of {url.database} cannot be made ({err.strerror})") from err
    engine = create_engine(
        url, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute(
        "PRAGMA synchronous=FULL"
    )  # NORMAL may lose the last commits on power loss: a reminder sent twice
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten
    cursor.execute("PRAGMA cache_size=-16000")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once when another wrote in between;
    # IMMEDIATE waits.
    immediate = connection.get_execution_options().get("smileline_immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
