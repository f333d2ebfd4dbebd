"""The cost of a tick follows the rows that are due: no statement of it may look at the whole table."""

import sqlite3
import uuid

import pytest
from sqlalchemy import event

from bot.store.deliveries import Claims, End, Result, Start
from bot.store.store import Store
from tests.outbox_fakes import at


@pytest.fixture
def plans(sqlite_store: Store) -> tuple[Store, list[str]]:
    """A store, and how SQLite goes about each statement that touches the reminders."""
    said: list[str] = []

    def explain(
        db: object, _cursor: object, statement: str, parameters: tuple[object, ...], *_: object
    ) -> None:
        if "reminders" in statement:
            raw: sqlite3.Connection = db.connection.driver_connection  # type: ignore[attr-defined]
            rows = raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            said.extend(f"{row[-1]} <- {statement}" for row in rows)

    event.listen(sqlite_store._engine, "before_cursor_execute", explain)
    return sqlite_store, said


def test_no_statement_of_a_tick_scans_the_reminders(plans: tuple[Store, list[str]]) -> None:
    store, said = plans
    claims = Claims("w", ("day_1",), ("day_0",))

    store.reap(claims, at(0, 9))
    store.claim(claims, at(0, 9))
    store.apply(claims, [Start(1, "telegram"), Result(2, 1, End("sent"))], at(0, 9))
    store.delivery_health(at(0, 9))
    store.trouble(at(0, 9))
    store.release_held("quota")

    scans = [line for line in said if line.startswith("SCAN reminders") and "USING INDEX ix_" not in line]
    assert len(said) > 20
    assert scans == []


def test_the_quick_retry_key_is_the_uuid_that_it_always_was(sqlite_store: Store) -> None:
    instance = uuid.UUID(sqlite_store.get_meta("instance") or "")

    names = [f"{n}:2026-11-16:day_{n}" for n in range(50)]

    assert [sqlite_store._key(name) for name in names] == [str(uuid.uuid5(instance, name)) for name in names]
