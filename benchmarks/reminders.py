"""The reminder engine in figures, beside one APScheduler job a reminder, in the same run.

usage: python -m benchmarks.reminders [sqlite|postgres|both] [--big]
`--big` fills 13 million rows (some minutes and 5 GB of disk a database); without it a tenth.
"""

import asyncio
import contextlib
import datetime as dt
import logging
import multiprocessing as mp
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import text

from benchmarks.reminders_crash import FAST, KEY, fill, one_step_faq
from benchmarks.reminders_databases import postgres
from benchmarks.reminders_peer import HttpChannel, Platform
from bot.core.reminders import plan
from bot.core.values import Address, Message
from bot.outbox import Outbox
from bot.store.bulk import NewPatient
from bot.store.store import Store
from intents.faq import Faq, load

SENDS = 5_000
JOBS = 2_000
DUE = 100
ROUNDS = 7


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
    if not store.is_sqlite:  # what autovacuum does in its own time
        with store._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.execute(text("VACUUM ANALYZE reminders"))
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


def make_due(store: Store, turn: int) -> None:
    """DUE patients' first reminder becomes due now, whatever the hour."""
    now = int(time.time() * 1e6)
    first, last = turn * DUE, (turn + 1) * DUE
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


# --- sends a second


def sends(url: str) -> dict[str, float]:
    """Claim, send to a server on loopback, record."""
    faq = one_step_faq()
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Path(folder), delay_seconds=0)
        store = Store.open(url, KEY)
        store.upgrade()
        fill(store, faq, SENDS)

        async def drain() -> float:
            channels = {name: HttpChannel(name, platform.url) for name in ("telegram", "line")}
            outbox = Outbox(store, lambda: faq, channels, rates=FAST, concurrency=64, seed=1)
            started = time.monotonic()
            await outbox.tick()
            seconds = time.monotonic() - started
            for channel in channels.values():
                await channel.stop()
            return seconds

        seconds = asyncio.run(drain())
        arrived = platform.accepted
        platform.stop()
        store.close()
    assert arrived == SENDS
    return {"seconds": seconds, "per_second": SENDS / seconds}


_client: dict[str, Any] = {}


async def job(chat: str) -> None:
    """What a user of the job store would write: send, and that is it."""
    async with _client["session"].post(
        _client["url"], json={"channel": "tele", "chat": chat, "key": None}
    ) as answer:
        answer.raise_for_status()
    _client["done"] += 1


def scheduler_jobs(url: str) -> dict[str, float]:
    """The alternative: one APScheduler job a reminder in its SQLAlchemyJobStore."""
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Path(folder), delay_seconds=0)
        figures = asyncio.run(_run_jobs(url, platform))
        platform.stop()
    return figures


async def _run_jobs(url: str, platform: Platform) -> dict[str, float]:
    scheduler = AsyncIOScheduler(timezone=dt.UTC, jobstores={"default": SQLAlchemyJobStore(url=url)})
    scheduler.start(paused=True)
    due = dt.datetime.now(dt.UTC)
    started = time.monotonic()
    for number in range(JOBS):
        scheduler.add_job(
            job, "date", run_date=due, args=[str(number)], id=str(number), misfire_grace_time=None
        )
    adding = time.monotonic() - started
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        _client.update(session=session, url=f"{platform.url}/send", done=0)
        started = time.monotonic()
        scheduler.resume()
        while _client["done"] < JOBS and time.monotonic() - started < 120:
            await asyncio.sleep(0.01)
        seconds = time.monotonic() - started
    scheduler.shutdown(wait=False)
    done = _client["done"]
    return {"planned_per_second": JOBS / adding, "per_second": done / seconds, "done": done}


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.disable(logging.ERROR)
    kinds = [a for a in sys.argv[1:] if a in ("sqlite", "postgres")] or ["sqlite", "postgres"]
    big = "--big" in sys.argv
    for kind in kinds:
        with database(kind) as url:
            small = in_child(plan_patients, url, 1_000)
            print(
                f"{kind}: {small['reminders']:.0f} reminders planned, {small['per_second']:.0f}/s", flush=True
            )
            few_ms, few = tick_ms(url)
            print(f"{kind}: a tick with {DUE} due among {few} rows: {few_ms:.0f} ms", flush=True)
        with database(kind) as url:
            patients = 77_000
            figures = in_child(plan_patients, url, patients)
            print(
                f"{kind}: {figures['reminders']:.0f} reminders planned in {figures['seconds']:.1f} s "
                f"({figures['per_second']:.0f}/s), {figures['mb']:.0f} MB",
                flush=True,
            )
            if big:
                grow(url, 13_000_000)
            many_ms, many = tick_ms(url)
            print(
                f"{kind}: a tick with {DUE} due among {many} rows: {many_ms:.0f} ms, {many_ms / few_ms:.2f} x",
                flush=True,
            )
        with database(kind) as url:
            ours = in_child(sends, url)
        with database(kind) as url:
            theirs = in_child(scheduler_jobs, url)
        print(
            f"{kind}: {ours['per_second']:.0f} sends/s ({ours['mb']:.0f} MB); job store {theirs['per_second']:.0f}/s "
            f"({theirs['done']:.0f} of {JOBS} ran, {theirs['planned_per_second']:.0f} added/s, {theirs['mb']:.0f} MB); "
            f"{ours['per_second'] / theirs['per_second']:.1f} x",
            flush=True,
        )


if __name__ == "__main__":
    main()
