"""Kills and faults through real sockets: the product's channels and workers against gates that others run.

usage: python -m benchmarks.reminders_gates sqlite|postgres --telegram URL JOURNAL --line URL JOURNAL
         [--count 2000] [--kills 50] [--workers 4] [--seed 1] [--share 0.05]

A gate speaks the platform's API, writes each call as a JSON line to its journal ("outcome": "accepted" counts), takes faults by
POST /_gate/faults and forgets by POST /_gate/reset. Either gate may be left out. Each kind of fault meets `share` of the calls.
Judged by the journals alone: nothing lost (neither accepted nor on the staff's list), on LINE nothing twice, on Telegram each
that came twice on the staff's list.
"""

import argparse
import asyncio
import collections
import datetime as dt
import json
import logging
import multiprocessing as mp
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import structlog

from benchmarks.reminders import database
from benchmarks.reminders_crash import KEY, drain, fill, one_step_faq
from bot.channels.line import LineChannel
from bot.channels.port import Channel, utc_now
from bot.channels.telegram import TelegramChannel
from bot.channels.telegram.profile import Profile
from bot.core.pacing import Rate
from bot.core.values import Address
from bot.outbox import Outbox
from bot.store.store import Store
from intents.faq import Faq

KINDS = ("cut_after", "cut_before", "hang", "500", "html", "429")
HANG_SECONDS = 3.0  # longer than the clients wait
CLIENT_SECONDS = 1.5
LEASE_SECONDS = 3
RATES = {"telegram": Rate(200, 50), "line": Rate(150, 50)}
TOKEN = "123456:gate-TEST-token_ABC-0123456789"
LONGEST_SECONDS = 280.0


@dataclass(frozen=True, slots=True)
class Gate:
    url: str
    journal: Path

    def accepted(self, chat_of: Callable[[dict[str, Any]], str | None]) -> list[str]:
        """The chat of each message that the platform took, in order."""
        rows = (json.loads(line) for line in self.journal.read_text(encoding="utf-8").splitlines())
        chats = (chat_of(row) for row in rows if row.get("outcome") == "accepted")
        return [chat for chat in chats if chat is not None]

    def outcomes(self) -> dict[str, int]:
        rows = (json.loads(line) for line in self.journal.read_text(encoding="utf-8").splitlines())
        return dict(collections.Counter(row.get("outcome", "?") for row in rows if row.get("kind") == "call"))


def telegram_chat(row: dict[str, Any]) -> str | None:
    return str(row["params"]["chat_id"]) if row.get("method", "").lower() == "sendmessage" else None


def line_chat(row: dict[str, Any]) -> str | None:
    return str(row["body"]["to"]) if row.get("path", "").endswith("/push") else None


READ = {"telegram": telegram_chat, "line": line_chat}


def channels(gates: Mapping[str, Gate]) -> dict[str, Channel]:
    """The product's own, pointed at the gates."""
    built: dict[str, Channel] = {}
    if "telegram" in gates:
        built["telegram"] = TelegramChannel(
            TOKEN,
            gates["telegram"].url,
            mode="webhook",
            secret="s",
            public_url=None,
            profile=Profile(lambda _: [], lambda _: "Hello"),
            group_refused=lambda _: "",
            languages=["en"],
            sign_key=KEY,
            clock=utc_now,
            seconds=CLIENT_SECONDS,
        )
    if "line" in gates:
        built["line"] = LineChannel(
            "line-token", "line-secret", gates["line"].url, clock=utc_now, seconds=CLIENT_SECONDS
        )
    return built


def worker(url: str, gates: Mapping[str, Gate], faq: Faq, seed: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.ERROR)
    asyncio.run(_work(url, gates, faq, seed))


async def _work(url: str, gates: Mapping[str, Gate], faq: Faq, seed: int) -> None:
    store, ways = Store.open(url, KEY), channels(gates)
    outbox = Outbox(
        store,
        lambda: faq,
        ways,
        seed=seed,
        rates=RATES,
        lease_seconds=LEASE_SECONDS,
        send_timeout_seconds=2 * CLIENT_SECONDS,
        concurrency=8,
        keyed_concurrency=32,
    )
    await drain(outbox, store)
    for way in ways.values():
        await way.stop()
    store.close()


async def _post(url: str, body: object) -> None:
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
        answer.raise_for_status()


def faults(name: str, calls: int, share: float, rng: random.Random) -> list[dict[str, Any]]:
    """`share` of about `calls` calls for each kind. The Telegram gate draws them itself, LINE's is given their places."""
    if name == "telegram":
        more = {
            "method": "sendMessage",
            "p": share,
            "times": 10**9,
            "retry_after": 1,
            "seconds": HANG_SECONDS,
        }
        return [{"kind": kind, **more} for kind in KINDS]
    count = int(calls * share)
    return [
        {"path": "push", "kind": kind, "skip": rng.randrange(calls), "times": 1, "seconds": HANG_SECONDS}
        for kind in KINDS
        for _ in range(count)
    ]


def kill_loop(
    url: str, gates: Mapping[str, Gate], faq: Faq, kills: int, workers: int, count: int, rng: random.Random
) -> int:
    """Run workers until all is done; kill one at each of `kills` random points of the journals."""

    def spawn() -> mp.process.BaseProcess:
        process = mp.get_context("fork").Process(
            target=worker, args=(url, gates, faq, rng.randrange(10**9)), daemon=True
        )
        process.start()
        return process

    def progress() -> int:
        return sum(gate.journal.stat().st_size for gate in gates.values())

    start, marks = progress(), sorted(rng.uniform(0.01, 0.9) for _ in range(kills))
    running, killed, deadline = [spawn() for _ in range(workers)], 0, time.monotonic() + LONGEST_SECONDS
    size = 1_500 * count  # about what a journal holds a message of this length
    while running and time.monotonic() < deadline:
        time.sleep(rng.uniform(0.01, 0.05))
        if killed < kills and progress() - start >= marks[killed] * size:
            victim = running.pop(rng.randrange(len(running)))
            os.kill(victim.pid or 0, signal.SIGKILL)
            victim.join()
            killed += 1
            running.append(spawn())
        for process in [process for process in running if not process.is_alive()]:
            running.remove(process)
            if process.exitcode:
                print(f"worker ended with {process.exitcode}", file=sys.stderr)
                running.append(spawn())
    for process in running:  # time is over: what is left counts as lost
        process.kill()
    return killed


def judge(store: Store, names: list[str], gates: Mapping[str, Gate], count: int) -> bool:
    """Print what the journals say; whether it is as promised."""
    listed = {
        row.patient_id for row in store.trouble(dt.datetime.now(dt.UTC) - dt.timedelta(days=1), 100_000)
    }
    good = True
    for number, name in enumerate(names):
        chats = [chat_id(name, n) for n in range(count) if n % len(names) == number]
        ids = {chat: getattr(store.patient(Address(name, chat)), "id", None) for chat in chats}
        seen = collections.Counter(gates[name].accepted(READ[name]))
        absent = [chat for chat in chats if not seen[chat]]
        lost = sum(ids[chat] not in listed for chat in absent)
        doubled = [chat for chat in chats if seen[chat] > 1]
        unlisted = sum(ids[chat] not in listed for chat in doubled)
        print(
            f"{name}: {len(chats)} due, lost {lost}, given up and on the list {len(absent) - lost}, "
            f"doubled {sum(seen[chat] - 1 for chat in doubled)} ({unlisted} of them not on the list); "
            f"calls {gates[name].outcomes()}",
            flush=True,
        )
        good &= not lost and not unlisted and not (name == "line" and doubled)
    print(f"states {store.states()}, on the staff's list {len(listed)}")
    return good


def chat_id(name: str, number: int) -> str:
    return f"U{number:032x}" if name == "line" else str(1000 + number)


def main(arguments: list[str] | None = None) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    parser = argparse.ArgumentParser(prog="benchmarks.reminders_gates")
    parser.add_argument("kind", choices=("sqlite", "postgres"))
    parser.add_argument("--telegram", nargs=2, metavar=("URL", "JOURNAL"))
    parser.add_argument("--line", nargs=2, metavar=("URL", "JOURNAL"))
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.05)
    options = parser.parse_args(arguments)
    given = {"telegram": options.telegram, "line": options.line}
    gates = {name: Gate(pair[0].rstrip("/"), Path(pair[1])) for name, pair in given.items() if pair}
    names, faq, rng = list(gates), one_step_faq(), random.Random(options.seed)
    print(f"seed {options.seed}, {options.count} messages, {options.kills} kills, {options.workers} workers")
    for name, gate in gates.items():
        asyncio.run(_post(f"{gate.url}/_gate/reset", {}))
        gate.journal.write_text("", encoding="utf-8")
        plan = faults(name, int(1.2 * options.count / len(gates)), options.share, rng)
        asyncio.run(_post(f"{gate.url}/_gate/faults", plan))
    with database(options.kind) as url:
        store = Store.open(url, KEY)
        store.upgrade()
        fill(store, faq, options.count, tuple(names), chat_id)
        store.close()
        started = time.monotonic()
        killed = kill_loop(url, gates, faq, options.kills, options.workers, options.count, rng)
        print(f"{options.kind}: {killed} kills in {time.monotonic() - started:.0f} s")
        store = Store.open(url, KEY)
        good = judge(store, names, gates, options.count)
        store.close()
    if not good or killed < options.kills:
        sys.exit(1)


if __name__ == "__main__":
    main()
