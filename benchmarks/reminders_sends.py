"""Sends a second, beside one APScheduler job a reminder in its SQLAlchemyJobStore: in turns, in the same run.

usage: python -m benchmarks.reminders_sends [sqlite|postgres ...] [--rounds N] [--workers 1 2]

`--workers`: how many of our processes share the queue; the job store cannot be shared by several.

Three ways to send, the same for both sides, so that one sees what bounds what:
  nothing  the send returns at once: what claiming and recording cost
  lean     HTTP over kept connections with the least code possible, to a server in a process of its own
  aiohttp  the same with the client library that one would use
The job store is set up as its documentation shows: AsyncIOScheduler, one "date" job a reminder, a coroutine that sends.
Only misfire_grace_time is changed (None), because with the default of 1 s most of the jobs would never run.
"""

import argparse
import asyncio
import datetime as dt
import json
import logging
import multiprocessing as mp
import resource
import statistics
import time
from typing import Any, Protocol

import aiohttp
import structlog
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from benchmarks.loopback import LeanClient, Server
from benchmarks.reminders import database, in_child
from benchmarks.reminders_crash import FAST, KEY, fill, one_step_faq
from bot.channels.port import Receive, SendFailed
from bot.core.values import Address, Message
from bot.outbox import Outbox
from bot.outbox.outbox import LINES
from bot.store.store import Store

SENDS = 10_000
JOBS = 1_000
WAYS = ("nothing", "lean", "aiohttp")
GOALS = {"sqlite": 500, "postgres": 1_000}


class Poster(Protocol):
    async def post(self, body: dict[str, Any]) -> int: ...

    async def close(self) -> None: ...


class Nothing:
    """No HTTP at all."""

    async def post(self, body: dict[str, Any]) -> int:
        return 200

    async def close(self) -> None: ...


class Lean:
    def __init__(self, port: int) -> None:
        self._client = LeanClient(port)

    async def post(self, body: dict[str, Any]) -> int:
        return await self._client.post(json.dumps(body).encode())

    async def close(self) -> None:
        await self._client.close()


class Aiohttp:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/send"
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))

    async def post(self, body: dict[str, Any]) -> int:
        async with self._session.post(self._url, json=body) as answer:
            return answer.status

    async def close(self) -> None:
        await self._session.close()


def poster(way: str, port: int) -> Poster:
    """The client of this way; call it in the loop where it will be used."""
    return {"nothing": lambda _: Nothing(), "lean": Lean, "aiohttp": Aiohttp}[way](port)  # type: ignore[no-any-return]


class Posting:
    """A channel over a poster. It honours retry keys, as LINE does: Telegram's 30 a second are what bounds Telegram."""

    name = "line"
    platform = "LINE"
    retry_keys = True

    def __init__(self, posts: Poster) -> None:
        self._posts = posts

    async def send(
        self,
        address: Address,
        message: Message,
        *,
        reply_handle: str | None = None,
        retry_key: str | None = None,
        repeated: bool = False,
    ) -> None:
        if await self._posts.post({"to": address.chat, "text": message.text, "key": retry_key}) != 200:
            raise SendFailed("unknown_outcome", sent="unknown")

    async def typing(self, address: Address) -> None: ...

    async def start(self, receive: Receive) -> None: ...

    async def stop(self) -> None: ...


def ours(url: str, way: str, port: int, workers: int = 1) -> dict[str, float]:
    """Claim, send, record, through the product's outbox; every setting but the rate is the product's own."""
    faq = one_step_faq()
    store = Store.open(url, KEY)
    store.upgrade()
    fill(store, faq, SENDS, ("line",))
    store.close()  # nothing of it may live on in the workers
    context = mp.get_context("fork")
    ready, figures = context.Barrier(workers + 1), context.Queue()
    crew = [
        context.Process(target=_drain, args=(url, way, port, ready, figures), daemon=True)
        for _ in range(workers)
    ]
    for process in crew:
        process.start()
    ready.wait(60)
    started = time.monotonic()
    done = [figures.get(timeout=120) for _ in crew]
    seconds = time.monotonic() - started
    store = Store.open(url, KEY)
    assert store.states() == {"sent": SENDS}
    store.close()
    return {
        "per_second": SENDS / seconds,
        "cpu_us": sum(cpu for cpu, _ in done) / SENDS * 1e6,
        "worker_mb": max(mb for _, mb in done),
    }


def _drain(url: str, way: str, port: int, ready: Any, figures: Any) -> None:
    """One worker: wait for the others, send until nothing is due."""
    faq, store = one_step_faq(), Store.open(url, KEY)
    store.healthy()  # connected

    async def drain() -> float:
        posts = poster(way, port)
        outbox = Outbox(store, lambda: faq, {"line": Posting(posts)}, rates=FAST, seed=1)
        ready.wait(60)
        worked = time.process_time()
        await outbox.tick()
        await posts.close()
        return time.process_time() - worked

    cpu = asyncio.run(drain())
    store.close()
    figures.put((cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def client_alone(way: str, port: int) -> dict[str, float]:
    """The floor: the same posts with the same client, 64 at a time, and nothing else."""

    async def run() -> float:
        posts, left = poster(way, port), iter(range(SENDS))
        text = "Day 3: a word on how you may feel today. " * 6

        async def line() -> None:
            for number in left:
                await posts.post({"to": str(number), "text": text})

        started = time.monotonic()
        await asyncio.gather(*[line() for _ in range(LINES)])
        seconds = time.monotonic() - started
        await posts.close()
        return SENDS / seconds

    return {"per_second": asyncio.run(run())}


_job: dict[str, Any] = {}


async def job(chat: str, text: str) -> None:
    """What a user of the job store would write: send, and that is it."""
    status = await _job["posts"].post({"to": chat, "text": text})
    if status != 200:
        raise RuntimeError(status)
    _job["done"] += 1


def scheduler_jobs(url: str, way: str, port: int) -> dict[str, float]:
    """The alternative."""
    return asyncio.run(_run_jobs(url, way, port))


async def _run_jobs(url: str, way: str, port: int) -> dict[str, float]:
    scheduler = AsyncIOScheduler(timezone=dt.UTC, jobstores={"default": SQLAlchemyJobStore(url=url)})
    scheduler.start(paused=True)
    due = dt.datetime.now(dt.UTC)
    text = "Day 3: a word on how you may feel today. " * 6  # about as long as ours
    for number in range(JOBS):
        scheduler.add_job(
            job, "date", run_date=due, args=[str(number), text], id=str(number), misfire_grace_time=None
        )
    posts = poster(way, port)
    _job.update(posts=posts, done=0)
    started, worked = time.monotonic(), time.process_time()
    scheduler.resume()
    while _job["done"] < JOBS and time.monotonic() - started < 60:
        await asyncio.sleep(0.01)
    seconds, cpu = time.monotonic() - started, time.process_time() - worked
    scheduler.shutdown(wait=False)
    await posts.close()
    done = _job["done"]
    return {"per_second": done / seconds, "cpu_us": cpu / max(done, 1) * 1e6}


def compare(kind: str, way: str, rounds: int, workers: int = 1) -> None:
    """In turns, so that both meet the same weather on a shared machine; the medians, and the ratio of each round."""
    mine, other, floor = [], [], []
    for _ in range(rounds):
        server = Server()
        with database(kind) as url:
            mine.append(in_child(ours, url, way, server.port, workers))
        with database(kind) as url:
            other.append(in_child(scheduler_jobs, url, way, server.port))
        assert way == "nothing" or server.accepted >= SENDS
        floor += [in_child(client_alone, way, server.port)] if way != "nothing" else []
        server.stop()
    ratios = sorted(a["per_second"] / b["per_second"] for a, b in zip(mine, other, strict=True))

    def middle(rows: list[dict[str, float]], name: str) -> float:
        return statistics.median(row[name] for row in rows)

    speed = middle(mine, "per_second")
    alone = f"   client alone {middle(floor, 'per_second'):.0f}/s" if floor else ""
    print(
        f"{kind:8} {way:8} {workers} worker{'s' if workers > 1 else ' '} "
        f"ours {speed:6.0f}/s ({middle(mine, 'cpu_us'):4.0f} us of processor, {middle(mine, 'worker_mb'):3.0f} MB)   "
        f"job store {middle(other, 'per_second'):5.0f}/s "
        f"({middle(other, 'cpu_us'):5.0f} us, {middle(other, 'mb'):3.0f} MB)   "
        f"{statistics.median(ratios):5.1f} x ({ratios[0]:.1f} to {ratios[-1]:.1f}){alone}"
        f"{'' if speed >= GOALS[kind] else f'   BELOW {GOALS[kind]}/s'}",
        flush=True,
    )


def main(arguments: list[str] | None = None) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.disable(logging.ERROR)
    parser = argparse.ArgumentParser(prog="benchmarks.reminders_sends")
    parser.add_argument("kinds", nargs="*", default=["sqlite", "postgres"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="*", default=WAYS, choices=WAYS)
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2])
    options = parser.parse_args(arguments)
    for kind in options.kinds:
        for way in options.ways:
            for workers in options.workers if kind == "postgres" else [1]:
                compare(kind, way, options.rounds, workers)


if __name__ == "__main__":
    main()
