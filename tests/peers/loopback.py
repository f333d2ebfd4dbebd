"""A server on a loopback port of its own, for as long as a `with` block lasts."""

from typing import Self

from aiohttp import web


class Loopback:
    """`url` is where it answers, without a slash at the end. A platform's peer says in `routes` what it answers to."""

    url = ""

    def routes(self, router: web.UrlDispatcher) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        app = web.Application()
        self.routes(app.router)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
