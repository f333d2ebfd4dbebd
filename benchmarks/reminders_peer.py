"""An emulated messaging platform on loopback, in a process of its own, with a journal; and the channel that speaks to it.

POST /send {"channel", "chat", "key"}: what the journal holds was accepted. On "line" a key is accepted once (409 after).
"""

import asyncio
import multiprocessing as mp
import random
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.channels.port import Receive, SendFailed
from bot.core.values import Address, Message

WIDTH = 16  # bytes of a journal line


def serve(journal: str, ready: Connection, delay_seconds: float, seed: int) -> None:
    asyncio.run(_serve(journal, ready, delay_seconds, random.Random(seed)))


async def _serve(journal: str, ready: Connection, delay_seconds: float, rng: random.Random) -> None:
    keys: set[str] = set()
    with open(journal, "ab", buffering=0) as out:

        async def send(request: web.Request) -> web.Response:
            body = await request.json()
            await asyncio.sleep(rng.random() * delay_seconds)
            if body["channel"] == "line":
                if body["key"] in keys:
                    return web.Response(status=409)
                keys.add(body["key"])
            out.write(f"{body['channel'][:4]:<4}{body['chat']:>{WIDTH - 5}}\n".encode())
            await asyncio.sleep(rng.random() * delay_seconds)
            return web.Response()

        app = web.Application()
        app.router.add_post("/send", send)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()


class Platform:
    """The server's process, and what its journal says."""

    def __init__(self, folder: Path, delay_seconds: float = 0.002, seed: int = 1) -> None:
        self.journal = folder / "journal"
        self.journal.touch()
        here, there = mp.Pipe()
        target = (str(self.journal), there, delay_seconds, seed)
        self._process = mp.get_context("fork").Process(target=serve, args=target, daemon=True)
        self._process.start()
        self.url = f"http://127.0.0.1:{here.recv()}"

    @property
    def accepted(self) -> int:
        return self.journal.stat().st_size // WIDTH

    def lines(self) -> list[tuple[str, str]]:
        """(channel's first letters, chat) of each accepted message, in order."""
        text = self.journal.read_text()
        return [(line[:4].strip(), line[4:].strip()) for line in text.splitlines()]

    def stop(self) -> None:
        self._process.kill()
        self._process.join()


class HttpChannel:
    """A channel over real sockets."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.platform = name.title()
        self.retry_keys = name == "line"
        self._url = f"{url}/send"
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        address: Address,
        message: Message,
        *,
        reply_handle: str | None = None,
        retry_key: str | None = None,
    ) -> None:
        body = {"channel": self.name, "chat": address.chat, "key": retry_key, "text": message.text}
        try:
            async with self._open().post(self._url, json=body) as response:
                if response.status not in (200, 409):
                    raise SendFailed("unknown_outcome", sent="unknown")
        except aiohttp.ClientConnectorError as err:
            raise SendFailed("unreachable") from err
        except aiohttp.ClientError as err:
            raise SendFailed("unknown_outcome", sent="unknown") from err

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))
        return self._session

    async def typing(self, address: Address) -> None: ...

    async def start(self, receive: Receive) -> None: ...

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
