"""The one HTTP server: webhooks, health, the local chat page, and pictures for messengers that fetch them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from aiohttp import web

from bot import logs
from bot.chatpage import ChatPage
from bot.staff.routes import ROUTES

if TYPE_CHECKING:
    from multidict import CIMultiDict

    from bot.app import App

log = logs.get("web")
LARGEST_BODY = 1_000_000
_SECURITY = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@runtime_checkable
class WebhookChannel(Protocol):
    """A channel whose platform calls us."""

    webhook_path: str

    async def webhook(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Take in one call; returns the HTTP status to answer with."""


class WebServer:
    """Serves until stopped. `port` 0 takes a free port; `address` tells which."""

    def __init__(self, host: str, port: int, app: "App") -> None:
        self._host, self._port, self._app = host, port, app
        self._runner: web.AppRunner | None = None
        self.address = f"http://{host}:{port}"

    async def start(self) -> None:
        server = web.Application(client_max_size=LARGEST_BODY, middlewares=[_guard])
        app = self._app
        page = ChatPage(app.webchat, app.staff.pictures, lambda: app.faq.current.faq, app.clock)
        page.mount(server.router)
        server.router.add_get("/health", self._health)
        server.router.add_get("/pictures/{name}/{ends}/{mac}/{size}.jpg", self._picture)
        self._app.staff_site.mount(server.router, ROUTES)
        for channel in self._app.channels.values():
            if isinstance(channel, WebhookChannel):
                server.router.add_post(channel.webhook_path, _hook(channel))
        self._runner = web.AppRunner(server, access_log=None, shutdown_timeout=2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        port = self._runner.addresses[0][1]
        self.address = f"http://{self._host}:{port}"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _picture(self, request: web.Request) -> web.Response:
        """A picture that staff sent to a patient, for the patient's messenger to fetch."""
        jpeg = await self._app.staff.pictures.served(**request.match_info)
        if jpeg is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex"}
        return web.Response(body=jpeg, content_type="image/jpeg", headers=headers)

    async def _health(self, request: web.Request) -> web.Response:
        """200 when patients can be answered; what is wrong otherwise. Holds no personal data."""
        report = self._app.health()
        return web.json_response(report, status=200 if report["ok"] else 503)


def _hook(channel: WebhookChannel):  # type: ignore[no-untyped-def]
    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=await channel.webhook(await request.read(), request.headers))

    return handle


@web.middleware
async def _guard(request: web.Request, handler) -> web.StreamResponse:  # type: ignore[no-untyped-def]
    """Security headers on every answer; an error of ours is logged without the request's content."""
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as err:
        _secure(err.headers)
        raise
    except ConnectionError:
        raise
    except Exception as err:
        resource = request.match_info.route.resource  # not the path: it may name a picture
        log.exception("request_failed", path=resource and resource.canonical, error=type(err).__name__)
        response = web.Response(status=500, text="something failed on our side")
    if not response.prepared:
        _secure(response.headers)
    return response


def _secure(headers: "CIMultiDict[str]") -> None:
    """The headers that every answer has; a page with stricter ones keeps its own."""
    for name, value in _SECURITY.items():
        headers.setdefault(name, value)
