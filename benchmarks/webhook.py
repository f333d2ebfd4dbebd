"""Messages a second, end to end over the webhook, beside a bare echo bot on the same library and server.

    python benchmarks/webhook.py [--platform telegram|line] [--messages 2000] [--latency-seconds 20] [--rounds 3]

The bot runs in a process of its own on one core; people and the platform (a sink that accepts everything) on the others. The
echo bot is what the library makes easy: check and parse the call, send its text back, nothing stored, nothing understood. Our
bot stores each event, understands it, answers from the FAQ and records it, in a SQLite file with full synchronisation; on LINE
it asks for each person's profile as well. The limits on how fast we write are lifted: they are not what is measured. The two
take turns, for a machine's clock changes within minutes; the middle of the rounds is printed.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
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
PATHS = {"telegram": "/webhook/telegram", "line": "/webhook/line"}
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


async def telegram_echo(sink: str, port: int) -> None:
    """The bare bot on python-telegram-bot."""
    from telegram import Bot, Update
    from telegram.request import HTTPXRequest

    bot = Bot(TOKEN, f"{sink}/bot", request=HTTPXRequest(64, pool_timeout=60))

    async def handle(request: web.Request) -> web.Response:
        update = Update.de_json(await request.json(), bot)
        beside(bot.send_message(update.message.chat.id, update.message.text))
        return web.Response()

    await serve(PATHS["telegram"], port, handle)


async def line_echo(sink: str, port: int) -> None:
    """The bare bot on line-bot-sdk."""
    from linebot.v3 import WebhookParser
    from linebot.v3.messaging import (
        AsyncApiClient,
        AsyncMessagingApi,
        Configuration,
        ReplyMessageRequest,
        TextMessage,
    )

    parser = WebhookParser(SECRET)
    api = AsyncMessagingApi(AsyncApiClient(Configuration(access_token=TOKEN, host=sink)))

    async def handle(request: web.Request) -> web.Response:
        for event in parser.parse(await request.text(), request.headers["X-Line-Signature"]):
            words = [TextMessage(text=event.message.text)]
            beside(api.reply_message(ReplyMessageRequest(replyToken=event.reply_token, messages=words)))
        return web.Response()

    await serve(PATHS["line"], port, handle)


_tasks: set[asyncio.Task[Any]] = set()


def beside(work: Any) -> None:
    task = asyncio.ensure_future(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def serve(path: str, port: int, handle: Any) -> None:
    app = web.Application()
    app.router.add_post(path, handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def our_bot(platform: str, sink: str, port: int) -> None:
    """The product, as `smileline run` builds it."""
    from bot import logs
    from bot.app import App, spare_the_collector
    from bot.channels.telegram.pace import Lane
    from bot.config import Settings
    from bot.inbox.crowd import Crowd

    logs.set_up("ERROR")
    folder = Path(tempfile.mkdtemp(prefix="smileline-benchmark-"))
    if (learned := Path("data/cache")).is_dir():  # what a start on this machine has learned already
        (folder / "cache").symlink_to(learned.resolve())
    telegram = {
        "telegram_token": TOKEN,
        "telegram_api_url": sink,
        "telegram_mode": "webhook",
        "telegram_secret": SECRET,
        "public_url": f"http://127.0.0.1:{port}",
    }
    line = {"line_token": TOKEN, "line_secret": SECRET, "line_api_url": sink}
    settings = Settings(
        _env_file=None,
        http=f"127.0.0.1:{port}",
        database_url=f"sqlite:///{folder}/benchmark.db",
        data_dir=folder,
        faq=Path("faq.yaml"),
        **(telegram if platform == "telegram" else line),
    )
    app = App(settings)
    app.inbox.conversing.crowd = Crowd(at_once=10**9)  # no limits: see above
    if platform == "telegram":
        pace = app.channels["telegram"]._pace  # type: ignore[attr-defined]
        pace._all, pace._chat_per_second = Lane(1e6, 1), 1e6
    async with app.running():
        spare_the_collector()
        await asyncio.Event().wait()


def run(bot: str, platform: str, sink: str, port: int, core: int) -> None:
    """The process of one bot, on one core."""
    os.sched_setaffinity(0, {core})
    echo = {"telegram": telegram_echo, "line": line_echo}[platform]
    asyncio.run(echo(sink, port) if bot == "echo" else our_bot(platform, sink, port))


# --- people, and the platform


class Sink:
    """Accepts every call; remembers when each chat was answered."""

    def __init__(self) -> None:
        self.answered: dict[int, list[float]] = {}
        self.changed = asyncio.Condition()
        self.count = 0

    async def line(self, request: web.Request) -> web.Response:
        if request.path.startswith("/v2/bot/profile/"):
            return web.json_response({"displayName": "P", "userId": "U", "language": "en"})
        if not request.path.endswith(("/reply", "/push")):
            return web.json_response({})
        body = await request.json()
        await self._answers(int(body["replyToken"][1:]) if "replyToken" in body else int(body["to"][1:], 16))
        return web.json_response({"sentMessages": [{"id": str(self.count)}]})

    async def telegram(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        if method != "sendMessage":
            me = {"id": 123456, "is_bot": True, "first_name": "B", "username": "b_bot"}
            return web.json_response({"ok": True, "result": me if method == "getMe" else True})
        form = await request.post()
        chat = int(str(form["chat_id"]))
        await self._answers(chat - 10_000)
        message = {"message_id": self.count, "date": 1, "chat": {"id": chat, "type": "private"}, "text": "x"}
        return web.json_response({"ok": True, "result": message})

    async def _answers(self, number: int) -> None:
        self.answered.setdefault(number, []).append(time.perf_counter())
        self.count += 1
        async with self.changed:
            self.changed.notify_all()

    async def all_of(self, numbers: range, seconds: float) -> None:
        """Wait until each of these people has had an answer."""
        async with asyncio.timeout(seconds), self.changed:
            for number in numbers:
                await self.changed.wait_for(partial(self.answered.__contains__, number))


def line_call(number: int) -> tuple[bytes, dict[str, str]]:
    event = {
        "type": "message",
        "mode": "active",
        "timestamp": int(time.time() * 1000),
        "webhookEventId": f"01H{number:023d}",
        "deliveryContext": {"isRedelivery": False},
        "source": {"type": "user", "userId": f"U{number:032x}"},
        "replyToken": f"t{number:031d}",
        "message": {"type": "text", "id": str(number), "quoteToken": "q", "text": TEXTS[number % len(TEXTS)]},
    }
    body = json.dumps({"destination": "U" + "b" * 32, "events": [event]}).encode()
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
    return body, {"X-Line-Signature": base64.b64encode(mac).decode()}


def telegram_call(number: int) -> tuple[bytes, dict[str, str]]:
    person = {"id": 10_000 + number, "is_bot": False, "first_name": "P", "language_code": "en"}
    chat = {"id": 10_000 + number, "type": "private", "first_name": "P"}
    message = {
        "message_id": number,
        "date": 1_795_000_000,
        "from": person,
        "chat": chat,
        "text": TEXTS[number % len(TEXTS)],
    }
    body = json.dumps({"update_id": number, "message": message}).encode()
    return body, {"X-Telegram-Bot-Api-Secret-Token": SECRET}


async def post(http: aiohttp.ClientSession, url: str, number: int) -> float:
    """One message; everybody writes once, so that no flood control is measured."""
    body, headers = (line_call if url.endswith("/line") else telegram_call)(number)
    started = time.perf_counter()
    async with http.post(url, data=body, headers={"Content-Type": "application/json", **headers}) as response:
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
    return sorted(sink.answered[number][0] - starts[number] for number in numbers)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def measure(bot: str, platform: str, messages: int, seconds: int) -> dict[str, float]:
    sink = Sink()
    app = web.Application()
    app.router.add_route("*", "/bot{token}/{method}", sink.telegram)
    app.router.add_route("*", "/v2/{rest:.*}", sink.line)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port, numbers = free_port(), itertools.count(1)
    url = f"http://127.0.0.1:{port}{PATHS[platform]}"
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    process = multiprocessing.get_context("spawn").Process(
        target=run, args=(bot, platform, address, port, 0), daemon=True
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
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", choices=("echo", "ours"))
    options.add_argument("--platform", choices=tuple(PATHS), default="telegram")
    asked = options.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, set(cores[1:]))
    rounds: dict[str, list[dict[str, float]]] = {
        bot: [] for bot in ("echo", "ours") if asked.only in (None, bot)
    }
    for _ in range(asked.rounds):
        for bot, rows in rounds.items():
            rows.append(asyncio.run(measure(bot, asked.platform, asked.messages, asked.latency_seconds)))
    for bot, rows in rounds.items():
        row = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        rates = f"{row['per_second']:5.0f} messages/s, {row['per_cpu_second']:5.0f} a second of its core"
        print(f"{bot:5} {rates}; at 50/s: p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms")
    if len(rounds) == 2:
        wall, cpu = (ratio(rounds, key) for key in ("per_second", "per_cpu_second"))
        print(
            f"{asked.platform}: ratio {wall} by the clock, {cpu} by the core (goal: at least 0.7; p99 under 100 ms)"
        )


def ratio(rounds: dict[str, list[dict[str, float]]], key: str) -> str:
    """Ours to the echo bot's, round by round: the middle, the least and the most."""
    ratios = [ours[key] / echo[key] for ours, echo in zip(rounds["ours"], rounds["echo"], strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


if __name__ == "__main__":
    main()
