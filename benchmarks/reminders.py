"""Planning, ticks and claims among few and many stored reminders. Sends a second: reminders_sends.

usage: python -m benchmarks.reminders [sqlite|postgres ...] [--patients 1000 10000 100000 1000000] [--idle 13000000]
Each patient has the 13 steps of the shipped plan, added by the import's own way; a million of them take about 6 minutes
and 5 GB of disk a database. `--idle` fills the last database with rows of the far future by SQL, which is faster.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import logging
import multiprocessing as mp
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import text

from benchmarks.reminders_crash import FAST, KEY
from benchmarks.reminders_databases import postgres
from bot.core.reminders import plan
from bot.core.values import Address, Message
from bot.outbox import Outbox
from bot.store.bulk import NewPatient
from bot.store.claiming import Claims
from bot.store.store import Store
from intents.faq import Faq, load

DUE = 100  # a tick
ROUNDS = 7  # ticks, of which the median counts
CLAIMED = 250


def shipped_faq() -> Faq:
    return load((Path(__file__).parent.parent / "faq.yaml").read_bytes())


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """A fresh, empty database."""
    if kind == "postgres":
        with postgres() as url:
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="smileline-bench-") as folder:
        yield f"sqlite:///{folder}/bench.db"


def in_child(function: Callable[..., dict[str, float]], *args: Any) -> dict[str, float]:
    """Run in a process of its own; what it returns, with the most memory it ever held in MB."""
    here, there = mp.Pipe()

    def run() -> None:
        figures = function(*args)
        there.send({**figures, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})

    process = mp.get_context("fork").Process(target=run)
    process.start()
    process.join()
    assert process.exitcode == 0
    result: dict[str, float] = here.recv()
    return result


# --- planning


def plan_patients(url: str, count: int) -> dict[str, float]:
    """`count` patients with every step of the shipped plan, all in the future, by the import's own way."""
    faq, now = shipped_faq(), dt.datetime.now(dt.UTC)
    date = now.date() + dt.timedelta(days=3)
    store = Store.open(url, KEY)
    store.upgrade()
    planned = plan(faq.file.reminders.steps, date, faq.clinic.timezone)
    started = time.monotonic()
    for first in range(0, count, 1000):
        people = [
            NewPatient(Address("telegram", str(n)), now, "en", False, None, date, planned)
            for n in range(first, min(first + 1000, count))
        ]
        store.add_patients(people, now)
    seconds = time.monotonic() - started
    store.close()
    return {
        "seconds": seconds,
        "reminders": count * len(planned),
        "per_second": count * len(planned) / seconds,
    }


# --- the cost of a tick


class Sink:
    """A channel that takes everything."""

    name = "telegram"
    platform = "Telegram"
    retry_keys = False

    async def send(self, address: Address, message: Message, **_: object) -> None: ...


def grow(url: str, target: int) -> None:
    """Idle rows, a year ahead, until the table holds `target`: by SQL, since planning is measured elsewhere."""
    store = Store.open(url, KEY)
    far = int((time.time() + 400 * 86400) * 1e6)
    with store.read() as db:
        have = db.execute(text("SELECT count(*) FROM reminders")).scalar_one()
        procedures = db.execute(text("SELECT count(*) FROM procedures")).scalar_one()
    copies = max(0, (target - have) // procedures)
    for first in range(0, copies, 20):
        numbers = " UNION ALL ".join(f"SELECT {n} AS n" for n in range(first, min(first + 20, copies)))
        with store.write() as db:
            db.execute(
                text(
                    "INSERT INTO reminders (procedure_id, procedure_date, step_id, due_at, expires_at, next_at) "
                    f"SELECT p.id, p.date, 'idle_' || x.n, {far}, {far}, {far} + p.id FROM procedures p, ({numbers}) x"
                )
            )
    store.close()


def settle_down(url: str) -> None:
    """What autovacuum does in its own time."""
    store = Store.open(url, KEY)
    if not store.is_sqlite:
        with store._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.execute(text("VACUUM ANALYZE"))
    store.close()


def tick_ms(url: str) -> tuple[float, int]:
    """(median milliseconds of a tick that sends DUE reminders, rows in the table)."""
    faq, store = shipped_faq(), Store.open(url, KEY)
    spent = []

    async def ticks() -> None:
        outbox = Outbox(store, lambda: faq, {"telegram": Sink()}, rates=FAST, seed=1)  # type: ignore[dict-item]
        await outbox.tick()  # the first one warms caches and counts what should exist
        for turn in range(ROUNDS):
            make_due(store, turn)
            started = time.perf_counter()
            await outbox.tick()
            spent.append((time.perf_counter() - started) * 1000)

    asyncio.run(ticks())
    with store.read() as db:
        rows = db.execute(text("SELECT count(*) FROM reminders")).scalar_one()
    store.close()
    return statistics.median(spent), rows


def make_due(store: Store, turn: int, count: int = DUE) -> None:
    """`count` patients' first reminder becomes due now, whatever the hour; other patients each turn."""
    now = int(time.time() * 1e6)
    first, last = turn * DUE, turn * DUE + count
    with store.write() as db:
        db.execute(
            text(
                f"UPDATE reminders SET due_at = {now - 1000}, next_at = {now - 1000}, expires_at = {now + 10**10} "
                f"WHERE step_id = 'day_0' AND procedure_id > {first} AND procedure_id <= {last}"
            )
        )
        db.execute(
            text(f"UPDATE patients SET timezone = '{daytime_zone()}' WHERE id > {first} AND id <= {last}")
        )


def daytime_zone() -> str:
    """A zone where it is about noon, so that the quiet hours do not count."""
    hours = 12 - dt.datetime.now(dt.UTC).hour
    return f"Etc/GMT{-hours:+d}" if hours else "UTC"


# --- claiming


def claim_us(url: str) -> float:
    """Microseconds a reminder for claiming CLAIMED due ones, page by page, among all the others."""
    faq, store = shipped_faq(), Store.open(url, KEY)
    make_due(store, ROUNDS, CLAIMED)
    steps = tuple(faq.steps)
    claims = Claims("bench", steps, (), limit=500, rates=FAST)
    started, taken = time.perf_counter(), 0
    while got := store.claim(claims, dt.datetime.now(dt.UTC)):
        taken += len(got)
    seconds = time.perf_counter() - started
    store.close()
    assert taken >= CLAIMED, taken
    return seconds / taken * 1e6


def measure(kind: str, patients: int, idle: int, before_ms: float | None) -> float:
    """One size on one database; the milliseconds of a tick."""
    with database(kind) as url:
        figures = in_child(plan_patients, url, patients)
        print(
            f"{kind}: {patients} patients, {figures['reminders']:.0f} reminders planned in {figures['seconds']:.1f} s "
            f"({figures['per_second']:.0f}/s), {figures['mb']:.0f} MB",
            flush=True,
        )
        if idle:
            grow(url, idle)
        settle_down(url)
        ms, rows = tick_ms(url)
        ratio = f", {ms / before_ms:.2f} x of the smallest" if before_ms else ""
        print(f"{kind}: a tick with {DUE} due among {rows} rows: {ms:.0f} ms{ratio}", flush=True)
        print(f"{kind}: claiming {CLAIMED} due among {rows} rows: {claim_us(url):.0f} us each", flush=True)
    return ms


def main(arguments: list[str] | None = None) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.disable(logging.ERROR)
    parser = argparse.ArgumentParser(prog="benchmarks.reminders")
    parser.add_argument("kinds", nargs="*", default=["sqlite", "postgres"])
    parser.add_argument("--patients", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--idle", type=int, default=0, help="fill the last one up to so many rows by SQL")
    options = parser.parse_args(arguments)
    for kind in options.kinds:
        before = None
        for count in options.patients:
            ms = measure(kind, count, options.idle if count == options.patients[-1] else 0, before)
            before = before or ms


if __name__ == "__main__":
    main()
