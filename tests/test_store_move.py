"""From SQLite to PostgreSQL without losing a row, and resumable."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.core.values import Address
from bot.importing import import_patients
from bot.store.moving import move_store
from bot.store.store import Store, StoreSettingsError
from intents.faq import Faq
from tests.databases import KEY
from tests.outbox_fakes import Clinic, at
from tests.test_store_import import csv, many

pytestmark = pytest.mark.slow


@pytest.fixture
def source(tmp_path: Path, sqlite_store: Store, faq: Faq) -> Store:
    import_patients(csv(tmp_path, many(600)), sqlite_store, faq, at(0, 9))
    return sqlite_store


@pytest.fixture
def target(postgres_url: str) -> Iterator[Store]:
    store = Store.open(postgres_url, KEY)
    yield store
    store.close()


async def test_everything_is_there_afterwards_and_goes_on(source: Store, target: Store, faq: Faq) -> None:
    before = source.patient(Address("telegram", "7"))
    source.erase(600)

    counts = move_store(source, target)

    clinic = Clinic(target, faq)
    assert target.patient(Address("telegram", "7")) == before
    assert counts["reminders"] == 599 * len(faq.file.reminders.steps)
    assert clinic.enrol("new") == 601


def test_killed_half_way_it_goes_on(source: Store, target: Store) -> None:
    def die(table: str, done: int, total: int) -> None:
        if table == "reminders" and done > 2000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move_store(source, target, die, page=500)
    first = []
    counts = move_store(source, target, lambda table, done, total: first.append((table, done)), page=500)

    assert first[0] == ("reminders", 3000)
    assert counts["patients"] == 600


def test_a_destination_in_use_is_refused(source: Store, target: Store, faq: Faq) -> None:
    Clinic(target, faq).enrol()

    with pytest.raises(StoreSettingsError, match="already"):
        move_store(source, target)
