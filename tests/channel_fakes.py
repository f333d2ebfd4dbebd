"""Channels with somebody at the other end: what the contract tests speak with, one class per channel."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
from aiohttp import web

from bot.channels.line import LineChannel
from bot.channels.port import Channel
from bot.channels.telegram import TelegramChannel
from bot.channels.telegram.pace import Pace
from bot.channels.telegram.profile import Profile
from bot.channels.webchat import WebChat
from bot.core.values import Address, Incoming
from tests.peers import bot_api, line_api

KEY = b"k" * 32
CHAT = 4321
PATIENT, IMPATIENT = (
    10.0,
    2.0,
)  # seconds a channel waits for its platform: on a loaded machine all answer late
FAST = {"per_second": 1e6, "reminders_per_second": 1e6, "chat_per_second": 1e6}


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Kept:
    """An inbox that keeps events; `failures` are raised, one after the other, instead of storing."""

    def __init__(self) -> None:
        self.events: list[Incoming] = []
        self.failures: list[Exception] = []
        self._changed = asyncio.Condition()

    async def receive(self, event: Incoming) -> None:
        if self.failures:
            raise self.failures.pop(0)
        async with self._changed:
            if all(event.event_id != kept.event_id for kept in self.events):
                self.events.append(event)
            self._changed.notify_all()

    async def first(self, count: int, seconds: float = 5) -> list[Incoming]:
        """The first `count` events, waited for."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: len(self.events) >= count)
        return self.events[:count]


class Person(Protocol):
    """Somebody who uses a channel, and the platform between."""

    channel: Channel
    address: Address
    inbox: Kept

    async def say(self, text: str) -> None: ...
    async def tap(self, label: str) -> None: ...
    async def pick(self, day: dt.date) -> None: ...
    async def show(self, kind: str) -> None: ...
    async def leave(self) -> None: ...
    async def join(self) -> None: ...
    def texts(self) -> list[str]: ...
    def labels(self) -> list[str]: ...
    def violations(self) -> list[str]: ...


class FaultyPerson(Person, Protocol):
    """One whose platform can be made to fail."""

    def fail(self, how: str) -> None:
        """The next send: blocked, nobody, rate_limited, refused, token, server_error, lost_answer, odd_answer, hang."""

    async def unplug(self) -> None:
        """The platform goes away."""


@asynccontextmanager
async def mounted(channel: Any) -> AsyncIterator[str]:
    """An HTTP server with the channel's webhook, as bot/web.py mounts it; yields its base address."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=await channel.webhook(await request.read(), request.headers))

    app = web.Application()
    app.router.add_post(channel.webhook_path, handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def telegram_channel(url: str, **settings: Any) -> TelegramChannel:
    defaults: dict[str, Any] = {
        "mode": "polling",
        "secret": bot_api.SECRET,
        "public_url": None,
        "profile": Profile(
            lambda language: [("help", f"Help {language}"), ("date", "d" * 300)],
            lambda language: f"For questions ({language})",
        ),
        "group_refused": lambda language: f"privately please ({language})",
        "languages": ("en", "ja"),
        "sign_key": KEY,
        "clock": now,
        "pace": Pace(**FAST),  # type: ignore[arg-type]
        "seconds": PATIENT,
    }
    return TelegramChannel(bot_api.TOKEN, url, **{**defaults, **settings})


class TelegramPerson:
    """A person in a private chat with the bot."""

    def __init__(self, server: bot_api.BotApiServer, channel: TelegramChannel, inbox: Kept) -> None:
        self.server, self.channel, self.inbox = server, channel, inbox
        self.address = Address("telegram", str(CHAT))

    async def say(self, text: str) -> None:
        await self.server.say(CHAT, text)

    async def tap(self, label: str) -> None:
        await self.server.tap(CHAT, label)

    async def pick(self, day: dt.date) -> None:
        await self.server.tap(CHAT, str(day.day))

    async def show(self, kind: str) -> None:
        content: dict[str, Any] = {
            "photo": {"photo": [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]},
            "voice": {"voice": {"file_id": "f", "file_unique_id": "u", "duration": 1}},
            "sticker": {"sticker": {"file_id": "f"}},
            "other": {"location": {"latitude": 1.0, "longitude": 2.0}},
        }[kind]
        await self.server.update(message=self.server.message(CHAT, **content))

    async def leave(self) -> None:
        await self.server.membership(CHAT, "kicked")

    async def join(self) -> None:
        await self.server.say(CHAT, "/start")

    def texts(self) -> list[str]:
        return self.server.texts(CHAT)

    def labels(self) -> list[str]:
        return self.server.labels(self.server.chat(CHAT)[-1])

    def violations(self) -> list[str]:
        return self.server.violations

    def fail(self, how: str) -> None:
        fault: dict[str, Any] = {
            "blocked": {"kind": 403},
            "nobody": {"kind": 400},
            "rate_limited": {"kind": 429, "retry_after": 7},
            "refused": {"kind": 400, "description": "Bad Request: message text is empty"},
            "token": {"kind": 401},
            "server_error": {"kind": 500},
            "lost_answer": {"kind": "cut_after"},
            "odd_answer": {"kind": "odd"},
            "hang": {"kind": "hang", "seconds": 3},
        }[how]
        self.server.faults.append({"method": "sendMessage", **fault})

    async def unplug(self) -> None:
        await self.server._runner.cleanup()


@asynccontextmanager
async def telegram_polling(**settings: Any) -> AsyncIterator[TelegramPerson]:
    async with bot_api.BotApiServer() as server:
        person = TelegramPerson(server, telegram_channel(server.url, **settings), Kept())
        await person.channel.start(person.inbox.receive)
        yield person
        await person.channel.stop()


@asynccontextmanager
async def telegram_webhook(**settings: Any) -> AsyncIterator[TelegramPerson]:
    async with bot_api.BotApiServer() as server:
        channel = telegram_channel(server.url, mode="webhook", **settings)
        async with mounted(channel) as base:
            channel._public_url = base  # known only now: the port is free to choose
            person = TelegramPerson(server, channel, Kept())
            await channel.start(person.inbox.receive)
            yield person
            await channel.stop()


class LinePerson:
    """A friend of the official account."""

    def __init__(self, platform: line_api.LinePlatform, channel: LineChannel, inbox: Kept, base: str) -> None:
        self.platform, self.channel, self.inbox, self.base = platform, channel, inbox, base
        self.address = Address("line", line_api.USER)

    async def deliver(self, *events: dict[str, Any], again: bool = True) -> int:
        """One webhook call, repeated as LINE does until it is taken."""
        for _ in range(5 if again else 1):
            status = await self.platform.deliver(self._post, *events)
            if status == 200:
                break
        return status

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        url = self.base + self.channel.webhook_path
        async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as response:
            return response.status

    async def say(self, text: str) -> None:
        await self.deliver(self.platform.event(text=text))

    async def tap(self, label: str) -> None:
        action = next(a for a in _actions(self.platform.accepted[-1]["messages"]) if a["label"] == label)
        await self.deliver(self.platform.event("postback", postback={"data": action["data"]}))

    async def pick(self, day: dt.date) -> None:
        actions = _actions(self.platform.accepted[-1]["messages"])
        action = next(a for a in actions if a["type"] == "datetimepicker")
        assert action["min"] <= f"{day}" <= action["max"]
        postback = {"data": action["data"], "params": {"date": f"{day}"}}
        await self.deliver(self.platform.event("postback", postback=postback))

    async def show(self, kind: str) -> None:
        provider = {"contentProvider": {"type": "line"}}
        message: dict[str, Any] = {
            "photo": {"type": "image", "quoteToken": "q", **provider},
            "voice": {"type": "audio", "duration": 1, **provider},
            "sticker": {
                "type": "sticker",
                "quoteToken": "q",
                "packageId": "1",
                "stickerId": "2",
                "stickerResourceType": "STATIC",
            },
            "other": {"type": "location", "latitude": 1.0, "longitude": 2.0},
        }[kind]
        await self.deliver(self.platform.event(message={"id": "77", **message}))

    async def leave(self) -> None:
        await self.deliver(self.platform.event("unfollow"))

    async def join(self) -> None:
        await self.deliver(self.platform.event("follow"))

    def texts(self) -> list[str]:
        return self.platform.texts()

    def labels(self) -> list[str]:
        return [action["label"] for action in _actions(self.platform.accepted[-1]["messages"])]

    def violations(self) -> list[str]:
        return self.platform.violations

    def fail(self, how: str) -> None:
        fault: dict[str, Any] = {
            "blocked": {
                "kind": 400,
                "message": "The property, 'to', in the request body is invalid (line: -, column: -)",
            },
            "nobody": {"kind": 400, "message": "Failed to send messages"},
            "rate_limited": {
                "kind": 429,
                "message": "The API rate limit has been exceeded.",
                "headers": {"Retry-After": "7"},
            },
            "refused": {"kind": 400, "message": "The request body has 1 error(s)"},
            "token": {"kind": 401, "message": "Authentication failed"},
            "server_error": {"kind": 500},
            "lost_answer": {"kind": "cut_after"},
            "odd_answer": {"kind": "odd"},
            "hang": {"kind": "hang", "seconds": 3},
        }[how]
        self.platform.faults.append({"path": "/push", **fault})

    async def unplug(self) -> None:
        await self.platform._runner.cleanup()


def _actions(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    quick = [item["action"] for item in messages[-1].get("quickReply", {}).get("items", [])]
    card = [row["action"] for row in messages[-1].get("contents", {}).get("body", {}).get("contents", [])]
    return card + quick


def line_channel(url: str, **settings: Any) -> LineChannel:
    return LineChannel(line_api.TOKEN, line_api.SECRET, url, **{"clock": now, "seconds": PATIENT, **settings})


@asynccontextmanager
async def line(**settings: Any) -> AsyncIterator[LinePerson]:
    async with line_api.LinePlatform() as platform:
        channel = line_channel(platform.url, **settings)
        async with mounted(channel) as base:
            person = LinePerson(platform, channel, Kept(), base)
            await channel.start(person.inbox.receive)
            yield person
            await channel.stop()


class WebPerson:
    """Somebody at the local chat page. A page cannot leave."""

    def __init__(self, channel: WebChat, inbox: Kept) -> None:
        self.channel, self.inbox = channel, inbox
        self.address = Address("web", "a-page-of-the-local-chat")
        self.frames: list[dict[str, Any]] = []

    async def push(self, frame: str) -> None:
        self.frames.append(json.loads(frame))

    async def say(self, text: str) -> None:
        await self.channel.said(self.address.chat, text, "en")

    async def tap(self, label: str) -> None:
        action = next(b["action"] for b in self._last()["buttons"] if b["label"] == label)
        await self.channel.pressed(self.address.chat, action, label, "en")

    async def pick(self, day: dt.date) -> None:
        assert self._last()["picker"]["first"] <= f"{day}" <= self._last()["picker"]["last"]
        await self.channel.pressed(self.address.chat, f"date:{day}", f"{day}", "en")

    def texts(self) -> list[str]:
        return [frame["text"] for frame in self._said()]

    def labels(self) -> list[str]:
        return [button["label"] for button in self._last()["buttons"]]

    def violations(self) -> list[str]:
        return []

    def _said(self) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame.get("from") == "bot"]

    def _last(self) -> dict[str, Any]:
        return self._said()[-1]


@asynccontextmanager
async def web_page() -> AsyncIterator[WebPerson]:
    person = WebPerson(WebChat(now), Kept())
    await person.channel.opened(person.address.chat, person.push)
    await person.channel.start(person.inbox.receive)
    yield person
    await person.channel.stop()
