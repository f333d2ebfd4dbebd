"""The clock jumps, the database is locked, away or full, a backup comes back: sent once, or marked with its reason."""

import asyncio
import contextlib
import datetime as dt
import random
import sqlite3
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from bot.channels.port import SendFailed
from bot.core.values import Address
from bot.outbox import Outbox
from bot.outbox.watchman import JUMP_SECONDS, SETTLE_SECONDS, ClockGuard
from bot.store.deliveries import Claims, End, Result, Start
from bot.store.store import Store, StoreAway
from intents.faq import Faq
from tests.databases import KEY
from tests.outbox_fakes import Clinic, FakeChannel, at

pytestmark = pytest.mark.slow


def impatient(sqlite_path: Path) -> Store:
    """A store that waits a fifth of a second for a lock, so that the test need not wait ten."""
    store = Store.open(f"sqlite:///{sqlite_path}", KEY)
    event.listen(store._engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=200").close())
    return store


async def test_a_lock_while_recording_delays_the_record_and_repeats_nothing(
    sqlite_store: Store, sqlite_path: Path, faq: Faq
) -> None:
    other, store = sqlite3.connect(sqlite_path, isolation_level=None), impatient(sqlite_path)
    clinic = Clinic(store, faq)
    clinic.enrol()
    clinic.telegram.before_send = lambda: other.execute("BEGIN IMMEDIATE").close()

    ticking = asyncio.create_task(clinic.tick(at(0, 19, 30)))
    while not clinic.telegram.sent:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.6)
    other.execute("ROLLBACK")
    clinic.telegram.before_send = None
    await ticking
    await clinic.run(at(0, 20), dt.timedelta(minutes=5))

    assert clinic.headlines() == ["day_0"]
    assert store.sent_count(1) == 1
    assert store.trouble(at(0, 0)) == []
    other.close()
    store.close()


async def test_a_lock_before_the_claim_leaves_the_reminder_for_the_next_tick(
    sqlite_store: Store, sqlite_path: Path, faq: Faq
) -> None:
    other, store = sqlite3.connect(sqlite_path, isolation_level=None), impatient(sqlite_path)
    clinic = Clinic(store, faq)
    clinic.enrol()
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreAway):
        await clinic.tick(at(0, 19, 30))
    other.execute("ROLLBACK")

    await clinic.tick(at(0, 19, 31))

    assert clinic.headlines() == ["day_0"]
    other.close()
    store.close()


async def test_a_full_disk_keeps_the_outcome_until_there_is_room(sqlite_store: Store, faq: Faq) -> None:
    clinic = Clinic(sqlite_store, faq)
    clinic.enrol()
    refused = 0

    def full(_db: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal refused
        if clinic.telegram.sent and refused < 4 and statement.startswith("UPDATE"):
            refused += 1
            raise OperationalError(statement, None, sqlite3.OperationalError("database or disk is full"))

    event.listen(sqlite_store._engine, "before_cursor_execute", full)
    await clinic.tick(at(0, 19, 30))
    await clinic.run(at(0, 20), dt.timedelta(minutes=5))

    assert refused == 4
    assert clinic.headlines() == ["day_0"]
    assert sqlite_store.sent_count(1) == 1


@pytest.mark.slow
async def test_a_restarted_server_costs_nothing(postgres_url: str, postgres_server: str, faq: Faq) -> None:
    store = Store.open(postgres_url, KEY)
    clinic = Clinic(store, faq)
    clinic.enrol("1")
    clinic.enrol("2")

    def cut() -> None:
        name = postgres_url.partition("@/")[2].partition("?")[0]
        with psycopg.connect(host=postgres_server, user="postgres", autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )

    clinic.telegram.before_send = cut
    with contextlib.suppress(StoreAway):
        await clinic.tick(at(0, 19, 30))
    clinic.telegram.before_send = None
    await clinic.run(at(0, 20), dt.timedelta(minutes=2))

    assert sorted(address.chat for address, _ in clinic.telegram.sent) == ["1", "2"]
    assert store.states()["sent"] == 2
    store.close()


async def test_a_result_that_comes_after_its_lease_still_counts(store: Store, faq: Faq) -> None:
    clinic = Clinic(store, faq)
    clinic.enrol()
    claims = Claims("slow", tuple(faq.steps), ())
    (claimed,) = store.claim(claims, at(0, 19, 30))
    store.apply(claims, [Start(claimed.due.id, "telegram")], at(0, 19, 30))
    store.reap(claims, at(0, 19, 40))

    done = store.apply(claims, [Result(claimed.due.id, 1, End("sent"))], at(0, 19, 41))
    await clinic.tick(at(0, 19, 42))

    assert done == [True]
    assert clinic.telegram.calls == 0


async def test_a_clock_an_hour_back_neither_repeats_nor_stalls(store: Store, faq: Faq) -> None:
    clinic = Clinic(store, faq)
    for chat in range(50):
        clinic.enrol(str(chat))
    await clinic.tick(at(0, 20, 30))
    first = len(clinic.telegram.sent)

    await clinic.run(at(0, 20), dt.timedelta(minutes=1))
    clinic.now = at(0, 19, 31)
    await clinic.run(at(0, 19, 40), dt.timedelta(seconds=10))

    assert 0 < first <= 50
    assert sorted(int(address.chat) for address, _ in clinic.telegram.sent) == list(range(50))


def test_a_clock_that_jumps_is_not_believed_until_it_stays() -> None:
    steady = [0.0]
    guard = ClockGuard(lambda: steady[0])
    start = at(0, 12)
    usual = guard.jumped(start)
    steady[0] = 5
    ahead = guard.jumped(start + dt.timedelta(days=1, seconds=5))
    steady[0] = 10
    mended = guard.jumped(start + dt.timedelta(seconds=10))
    steady[0] = 20
    again = guard.jumped(start + dt.timedelta(days=1, seconds=20))
    steady[0] = 20 + SETTLE_SECONDS
    believed = guard.jumped(start + dt.timedelta(days=1, seconds=20 + SETTLE_SECONDS))

    assert (usual, ahead, mended, again, believed) == (False, True, False, True, False)
    assert guard.jumped(start + dt.timedelta(days=1, seconds=20 + SETTLE_SECONDS + JUMP_SECONDS - 1)) is False


async def test_a_restored_backup_is_held_until_staff_decide(store: Store, faq: Faq, tmp_path: Path) -> None:
    clinic = Clinic(store, faq, marker=tmp_path / "marker")
    clinic.enrol()
    await clinic.tick(at(0, 12))
    (tmp_path / "marker").write_text(
        at(2, 12).isoformat()
    )  # as after two days of work that the backup does not know
    clinic.now = at(2, 13)
    clinic.outbox = clinic.new_outbox()

    held = await clinic.outbox._watchman.check_backup(clinic.now)
    await clinic.tick()
    before = list(clinic.telegram.sent)
    store.release_held("restored")
    await clinic.tick()

    assert (held, before) == (3, [])
    assert any("restored backup: 3 reminder(s)" in text for text in clinic.told)
    assert clinic.headlines() == ["day_2"]


async def test_a_plain_outage_is_not_taken_for_a_backup(store: Store, faq: Faq, tmp_path: Path) -> None:
    clinic = Clinic(store, faq, marker=tmp_path / "marker")
    for chat in range(30):
        clinic.enrol(str(chat))
    await clinic.tick(at(0, 12))
    clinic.now = at(1, 11)

    assert await clinic.new_outbox()._watchman.check_backup(clinic.now) == 0


async def test_without_a_marker_many_overdue_after_a_long_silence_are_held(store: Store, faq: Faq) -> None:
    clinic = Clinic(store, faq)
    for chat in range(30):
        clinic.enrol(str(chat))
    await clinic.tick(at(0, 12))

    assert await clinic.new_outbox()._watchman.check_backup(at(1, 11)) == 60


async def test_started_and_stopped_it_ticks_by_itself(store: Store, faq: Faq) -> None:
    clinic = Clinic(store, faq)
    clinic.enrol()
    clinic.now = at(0, 19, 30)
    done = asyncio.Event()
    clinic.telegram.before_send = done.set
    await clinic.outbox.start()

    async with asyncio.timeout(10):
        await done.wait()
    await clinic.outbox.stop()

    assert clinic.headlines() == ["day_0"]
    assert store.sent_count(1) == 1


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_the_server_answers_each_ends_sent_or_with_a_reason(
    store: Store, faq: Faq, seed: int
) -> None:
    clinic = Clinic(store, faq, send_timeout_seconds=0.05)
    chaos = Chaos(seed)
    clinic.channels["telegram"] = clinic.telegram = chaos
    clinic.outbox = clinic.new_outbox()
    for chat in range(40):
        clinic.enrol(str(chat))

    await clinic.run(at(0, 20, 59), dt.timedelta(minutes=3))
    await clinic.tick(at(1, 9, 30))

    with store.read() as db:
        rows = db.exec_driver_sql("SELECT state, reason FROM reminders WHERE step_id = 'day_0'").all()
    assert len(rows) == 40
    assert all(
        state == "sent" or (state in ("failed", "missed", "held") and reason) for state, reason in rows
    )
    copies = [sum(address.chat == str(chat) for address, _ in chaos.sent) for chat in range(40)]
    assert max(copies) <= 2
    assert copies.count(2) <= sum(row.doubtful for row in store.trouble(at(0, 0)))


class Chaos(FakeChannel):
    """A platform on its worst day: a third of the answers are something else."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._rng = random.Random(seed)

    async def send(self, address: Address, message: object, **options: object) -> None:  # type: ignore[override]
        kinds = [
            SendFailed("rate_limited", retry_after=30),
            SendFailed("unreachable"),
            SendFailed("refused"),
            "lost",
            "hang",
            SendFailed("unknown_outcome", sent="unknown"),
            ValueError("garbage"),
        ]
        if self._rng.random() < 0.33:
            self.faults.append(self._rng.choice(kinds))
        await super().send(address, message, **options)  # type: ignore[arg-type]


def test_the_outbox_takes_what_the_composition_root_gives(store: Store, faq: Faq) -> None:
    assert isinstance(Outbox(store, lambda: faq, {}), Outbox)
