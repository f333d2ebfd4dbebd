"""Messages a second, end to end over Telegram's webhook, beside a bare echo bot on the same library and server.

    python benchmarks/webhook.py [--messages 2000] [--latency-seconds 20]

The bot runs in a process of its own on one core; people and Telegram (a sink that accepts everything) on the others. The echo bot
is what the library makes easy: parse the update, send its text back, nothing stored, nothing understood. Our bot stores each
event, understands it, answers from the FAQ and records it, in a SQLite file with full synchronisation. Telegram's rate limits are
lifted for both: they are not what is measured.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

TOKEN = "123456:benchmark-token-of-no-bot-at-all-0"
SECRET = "benchmark"
PATH = "/webhook/telegram"
TEXTS = (
    "How long does the swelling last?",
    "When can I wash my face?",
    "hello",
    "施術後いつから化粧できますか",
    "what does it cost",
    "can I sleep on my side",
    "I feel a thread poking under the skin",
    "thank you",
)


# --- the two bots


async def echo_bot(sink: str, port: int) -> None:
    """The bare bot."""
    from telegram import Bot, Update
    from telegram.request import HTTPXRequest

    bot = Bot(TOKEN, f"{sink}/bot", request=HTTPXRequest(64, pool_timeout=60))
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(request: web.Request) -> web.Response:
        update = Update.de_json(await request.json(), bot)
        task = asyncio.create_task(bot.send_message(update.message.chat.id, update.message.text))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return web.Response()

    app = web.Application()
    app.router.add_post(PATH, handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def our_bot(sink: str, port: int) -> None:
    """The product, as `smileline run` builds it."""
    from bot import logs
    from bot.app import App
    from bot.channels.telegram.pace import Lane
    from bot.config import Settings

    logs.set_up("ERROR")
    folder = Path(tempfile.mkdtemp(prefix="smileline-benchmark-"))
    settings = Settings(
        _env_file=None,
        telegram_token=TOKEN,
        telegram_api_url=sink,
        telegram_mode="webhook",
        telegram_secret=SECRET,
        public_url=f"http://127.0.0.1:{port}",
        http=f"127.0.0.1:{port}",
        database_url=f"sqlite:///{folder}/benchmark.db",
        data_dir=folder,
        faq=Path("faq.yaml"),
    )
    app = App(settings)
    pace = app.channels["telegram"]._pace  # type: ignore[attr-defined]  # no limits: see above
    pace._all, pace._chat_per_second = Lane(1e6, 1), 1e6
    async with app.running():
        await asyncio.Event().wait()


def run(bot: str, sink: str, port: int, core: int) -> None:
    """The process of one bot, on one core."""
    os.sched_setaffinity(0, {core})
    asyncio.run({"echo": echo_bot, "ours": our_bot}[bot](sink, port))


# --- people, and Telegram


class Sink:
    """Accepts every call; remembers when each chat was answered."""

    def __init__(self) -> None:
        self.answered: dict[int, list[float]] = {}
        self.changed = asyncio.Condition()
        self.count = 0

    async def call(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        if method != "sendMessage":
            me = {"id": 123456, "is_bot": True, "first_name": "B", "username": "b_bot"}
            return web.json_response({"ok": True, "result": me if method == "getMe" else True})
        form = await request.post()
        chat = int(str(form["chat_id"]))
        self.answered.setdefault(chat, []).append(time.perf_counter())
        self.count += 1
        message = {"message_id": self.count, "date": 1, "chat": {"id": chat, "type": "private"}, "text": "x"}
        async with self.changed:
            self.changed.notify_all()
        return web.json_response({"ok": True, "result": message})

    async def all_of(self, numbers: range, seconds: float) -> None:
        """Wait until each of these people has had an answer."""
        async with asyncio.timeout(seconds), self.changed:
            for number in numbers:
                await self.changed.wait_for(partial(self.answered.__contains__, 10_000 + number))


def update(number: int) -> bytes:
    """One message; everybody writes once, so that no flood control is measured."""
    person = {"id": 10_000 + number, "is_bot": False, "first_name": "P", "language_code": "en"}
    chat = {"id": 10_000 + number, "type": "private", "first_name": "P"}
    message = {
        "message_id": number,
        "date": 1_795_000_000,
        "from": person,
        "chat": chat,
        "text": TEXTS[number % len(TEXTS)],
    }
    return json.dumps({"update_id": number, "message": message}).encode()


async def post(http: aiohttp.ClientSession, url: str, number: int) -> float:
    started = time.perf_counter()
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"}
    async with http.post(url, data=update(number), headers=headers) as response:
        assert response.status == 200, response.status
    return started


async def throughput(http: aiohttp.ClientSession, url: str, sink: Sink, numbers: range) -> float:
    """Messages a second with 50 in flight, from the first call to the last answer."""
    queue = iter(numbers)
    started = time.perf_counter()

    async def worker() -> None:
        for number in queue:
            await post(http, url, number)

    await asyncio.gather(*(worker() for _ in range(50)))
    await sink.all_of(numbers, 300)
    return len(numbers) / (time.perf_counter() - started)


async def latency(
    http: aiohttp.ClientSession, url: str, sink: Sink, numbers: range, per_second: float
) -> list[float]:
    """Seconds from the call to the first answer, at a steady rate."""
    starts: dict[int, float] = {}

    async def one(number: int) -> None:
        starts[number] = await post(http, url, number)

    begin, tasks = time.perf_counter(), []
    for place, number in enumerate(numbers):
        await asyncio.sleep(max(0.0, begin + place / per_second - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    await sink.all_of(numbers, 300)
    return sorted(sink.answered[10_000 + number][0] - starts[number] for number in numbers)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def measure(bot: str, messages: int, seconds: int) -> dict[str, float]:
    sink = Sink()
    app = web.Application()
    app.router.add_route("*", "/bot{token}/{method}", sink.call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port, numbers = free_port(), itertools.count(1)
    url = f"http://127.0.0.1:{port}{PATH}"
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    process = multiprocessing.get_context("spawn").Process(
        target=run, args=(bot, address, port, 0), daemon=True
    )
    process.start()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            await until_up(http, url, next(numbers))
            await throughput(http, url, sink, range(100, 400))  # warm
            before = cpu_seconds(process.pid)
            rate = await throughput(http, url, sink, range(1000, 1000 + messages))
            cpu = cpu_seconds(process.pid) - before
            times = await latency(http, url, sink, range(500_000, 500_000 + 50 * seconds), 50)
    finally:
        process.kill()
        process.join()
        await runner.cleanup()
    p99 = times[int(len(times) * 0.99)]
    return {
        "per_second": rate,
        "per_cpu_second": messages / cpu,
        "p50_ms": statistics.median(times) * 1000,
        "p99_ms": p99 * 1000,
    }


def cpu_seconds(pid: int | None) -> float:
    """What a process has used of its core; unlike the clock, it does not depend on who else is busy here."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def until_up(http: aiohttp.ClientSession, url: str, number: int) -> None:
    for _ in range(1200):
        try:
            await post(http, url, number)
            return
        except (aiohttp.ClientError, AssertionError):
            await asyncio.sleep(0.1)
    raise SystemExit("the bot did not come up within two minutes")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--messages", type=int, default=2000)
    options.add_argument("--latency-seconds", type=int, default=20)
    options.add_argument("--only", choices=("echo", "ours"))
    asked = options.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, set(cores[1:]))
    results = {
        bot: asyncio.run(measure(bot, asked.messages, asked.latency_seconds))
        for bot in ("echo", "ours")
        if asked.only in (None, bot)
    }
    for bot, row in results.items():
        rates = f"{row['per_second']:5.0f} messages/s, {row['per_cpu_second']:5.0f} a second of its core"
        print(f"{bot:5} {rates}; at 50/s: p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms")
    if len(results) == 2:
        wall, cpu = (results["ours"][key] / results["echo"][key] for key in ("per_second", "per_cpu_second"))
        print(f"ratio {wall:.2f} by the clock, {cpu:.2f} by the core (goal: at least 0.7; p99 under 100 ms)")


if __name__ == "__main__":
    main()
