"""Workers killed with SIGKILL at random while reminders go out; judged by the platform's journal, never by our tables.

usage: python -m benchmarks.reminders_crash sqlite|postgres|both [REMINDERS] [KILLS] [WORKERS] [SEED]
"""

import asyncio
import collections
import datetime as dt
import logging
import multiprocessing as mp
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from benchmarks.reminders_databases import postgres
from benchmarks.reminders_peer import HttpChannel, Platform
from bot.core.pacing import Rate
from bot.core.reminders import plan
from bot.core.values import Address
from bot.outbox import Outbox
from bot.store.bulk import NewPatient
from bot.store.store import Store
from intents.faq import Faq, load

KEY = b"a key of thirty-two bytes length"
CONCURRENCY = 8
# Four leases from its start a send is anybody's again, and a send whose answer does not come in time is in doubt, on Telegram
# given up after the second: on a machine at its limits both must be long, or the run measures the machine.
LEASE_SECONDS = 3
SEND_TIMEOUT_SECONDS = 10
FAST = {"telegram": Rate(100_000, 1000), "line": Rate(100_000, 1000)}


@dataclass(frozen=True, slots=True)
class Report:
    """What the platform saw. `listed`: chats on the staff's list of doubtful ones; `in_flight`: sends at a kill.

    `given_up`: why rows ended as failed.
    """

    seed: int
    seconds: float
    expected: int
    lost: int
    doubled_telegram: int
    doubled_line: int
    unlisted: int
    kills: int
    in_flight: int
    listed: int
    states: dict[str, int]
    given_up: dict[str, int]


def one_step_faq() -> Faq:
    """A plan of one urgent step that is always due: what is measured is delivery, not the calendar."""
    faq = load((Path(__file__).parent.parent / "faq.yaml").read_bytes())
    first = faq.file.reminders.steps[0]
    late = first.late.model_copy(update={"send_within_hours": 9999})
    step = first.model_copy(update={"at": dt.time(0), "urgent": True, "late": late})
    reminders = faq.file.reminders.model_copy(update={"steps": [step]})
    return Faq(faq.file.model_copy(update={"reminders": reminders}), "bench", faq.places)


def fill(
    store: Store,
    faq: Faq,
    count: int,
    channels: tuple[str, ...] = ("telegram", "line"),
    chat: Callable[[str, int], str] = lambda _, number: str(number),
) -> None:
    """`count` patients with one reminder each, due since midnight, on the channels in turn."""
    now = dt.datetime.now(dt.UTC)
    date = now.date() - dt.timedelta(days=1)
    planned = plan(faq.file.reminders.steps, date, faq.clinic.timezone)
    for first in range(0, count, 1000):
        names = [(n, channels[n % len(channels)]) for n in range(first, min(first + 1000, count))]
        people = [
            NewPatient(Address(name, chat(name, n)), now, "en", False, None, date, planned)
            for n, name in names
        ]
        store.add_patients(people, now)


def worker(url: str, platform_url: str, faq: Faq, seed: int) -> None:
    """A process that sends until nothing is left."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(_work(url, platform_url, faq, seed))


async def _work(url: str, platform_url: str, faq: Faq, seed: int) -> None:
    store = Store.open(url, KEY)
    channels = {name: HttpChannel(name, platform_url) for name in ("telegram", "line")}
    outbox = Outbox(
        store,
        lambda: faq,
        channels,
        seed=seed,
        rates=FAST,
        lease_seconds=LEASE_SECONDS,
        send_timeout_seconds=SEND_TIMEOUT_SECONDS,
        concurrency=CONCURRENCY,
    )
    await drain(outbox, store)
    for channel in channels.values():
        await channel.stop()
    store.close()


async def drain(outbox: Outbox, store: Store) -> None:
    """Tick until nothing is due and nobody else has anything in hand."""
    while True:
        if not await outbox.tick():
            states = store.states()
            if not states.get("pending") and not states.get("sending"):
                return
            await asyncio.sleep(0.2)


def run(url: str, folder: Path, count: int, kills: int, workers: int, seed: int) -> Report:
    """Fill, send, kill, judge."""
    rng, faq = random.Random(seed), one_step_faq()
    platform = Platform(folder, seed=seed)
    store = Store.open(url, KEY)
    store.upgrade()
    fill(store, faq, count)
    store.close()  # nothing of it may live on in the forked workers
    started = time.monotonic()
    killed = _kill_loop(url, platform, faq, count, kills, workers, rng)
    seconds = time.monotonic() - started
    platform.stop()
    return _judge(url, platform, count, killed, seconds, seed)


def _kill_loop(
    url: str, platform: Platform, faq: Faq, count: int, kills: int, workers: int, rng: random.Random
) -> int:
    def spawn() -> mp.process.BaseProcess:
        target = (url, platform.url, faq, rng.randrange(10**9))
        process = mp.get_context("fork").Process(target=worker, args=target, daemon=True)
        process.start()
        return process

    marks = sorted(rng.uniform(0.01, 0.95) * count for _ in range(kills))
    running, killed = [spawn() for _ in range(workers)], 0
    while running:
        time.sleep(rng.uniform(0.001, 0.01))
        if killed < kills and platform.accepted >= marks[killed]:
            victim = running.pop(rng.randrange(len(running)))
            os.kill(victim.pid or 0, signal.SIGKILL)
            victim.join()
            killed += 1
            running.append(spawn())
        ended = [process for process in running if not process.is_alive()]
        for process in ended:
            running.remove(process)
            if process.exitcode:  # a worker's own fault: say so, go on
                print(f"worker ended with {process.exitcode}", file=sys.stderr)
                running.append(spawn())
    return killed


def _judge(url: str, platform: Platform, count: int, kills: int, seconds: float, seed: int) -> Report:
    seen = collections.Counter(platform.lines())
    store = Store.open(url, KEY)
    trouble = store.trouble(dt.datetime.now(dt.UTC) - dt.timedelta(days=1), 100_000)
    listed = {row.patient_id for row in trouble}
    doubled = [(channel, chat) for (channel, chat), copies in seen.items() if copies > 1]
    full = {"tele": "telegram", "line": "line"}
    patients = [store.patient(Address(full[channel], chat)) for channel, chat in doubled]
    states = store.states()
    store.close()
    return Report(
        seed=seed,
        seconds=seconds,
        expected=count,
        lost=count - len(seen),
        doubled_telegram=sum(copies - 1 for (channel, _), copies in seen.items() if channel == "tele"),
        doubled_line=sum(copies - 1 for (channel, _), copies in seen.items() if channel == "line"),
        unlisted=sum(patient is None or patient.id not in listed for patient in patients),
        kills=kills,
        in_flight=kills * CONCURRENCY,
        listed=len(listed),
        states=states,
        given_up=dict(collections.Counter(row.reason or "" for row in trouble if row.state == "failed")),
    )


def main() -> None:
    asked = sys.argv[1] if len(sys.argv) > 1 else "both"
    kinds = ["sqlite", "postgres"] if asked == "both" else [asked]
    count, kills, workers, seed = (
        int(a) for a in [*sys.argv[2:6], *("10000", "200", "4", "1")[max(0, len(sys.argv) - 2) :]]
    )
    bad = False
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="smileline-crash-") as name:
            folder = Path(name)
            if kind == "postgres":
                with postgres() as url:
                    report = run(url, folder, count, kills, workers, seed)
            else:
                report = run(f"sqlite:///{folder}/crash.db", folder, count, kills, workers, seed)
        print(kind, report, flush=True)
        too_many = report.doubled_telegram > report.in_flight
        bad |= bool(report.lost or report.doubled_line or report.unlisted or too_many)
    if bad:
        sys.exit(1)


if __name__ == "__main__":
    main()
