"""Fixtures for all tests."""

import gc
import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from intents.faq import Faq
from intents.understand import Understander
from tests import helpers
from tests.databases import (  # noqa: F401 - fixtures
    database_url,
    empty_url,
    postgres_server,
    postgres_url,
    quick_folder,
    sqlite_path,
    sqlite_store,
    store,
)
from tests.scene import scene, scene_folder  # noqa: F401 - fixtures
from tests.staff_site import editor  # noqa: F401 - a fixture

# How long an example takes says more about the machine than about us.
settings.register_profile("smileline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("smileline"), max_examples=25)  # make check
settings.load_profile("smileline")
# structlog's own way shows each frame's variables, which takes seconds where one of them is the FAQ.
structlog.configure(
    [
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)
if memory := quick_folder():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)  # where tmp_path lies


def pytest_collection_finish() -> None:
    """What was imported stays: to look through it again and again for garbage was a tenth of the quick run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@pytest.fixture(scope="session")
def faq() -> Faq:
    return helpers.shipped_faq()


@pytest.fixture(scope="session")
def understander() -> Understander:
    return helpers.understander()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A test that sets logging up leaves none of it: its stream is closed when it ends."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**configured)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Where nothing may be skipped (CI), a skip for want of a tool is a failure."""
    report = yield
    if os.environ.get("SMILELINE_NOTHING_SKIPPED") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {report.longrepr}"
    return report
