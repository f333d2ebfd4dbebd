"""The one HTTP server: webhooks, health, the local chat page, and pictures for messengers that fetch them."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from aiohttp import WSMsgType, web

from bot import logs
from bot.channels.webchat import WebChat
from bot.staff.routes import ROUTES

if TYPE_CHECKING:
    from multidict import CIMultiDict

    from bot.app import App

log = logs.get("web")
PAGES = Path(__file__).parent / "pages"
LARGEST_BODY = 1_000_000
LARGEST_TEXT = 70_000
COOKIE = "smileline_chat"
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
        server.router.add_get("/", self._page)
        server.router.add_get("/chat/ws", self._chat)
        server.router.add_get("/health", self._health)
        server.router.add_get("/pictures/{name}/{ends}/{mac}/{size}.jpg", self._picture)
        server.router.add_static("/static", PAGES)
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

    async def _page(self, request: web.Request) -> web.StreamResponse:
        response = web.FileResponse(PAGES / "chat.html")
        if not _chat_id(request):
            response.set_cookie(
                COOKIE, secrets.token_urlsafe(24), httponly=True, samesite="Strict", max_age=400 * 86400
            )
        return response

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

    async def _chat(self, request: web.Request) -> web.WebSocketResponse:
        chat = _chat_id(request)
        if not chat or not _same_origin(request):
            raise web.HTTPForbidden(text="open the chat page first")
        socket = web.WebSocketResponse(heartbeat=30, max_msg_size=LARGEST_BODY)
        await socket.prepare(request)
        webchat = self._app.webchat
        language = request.headers.get("Accept-Language", "").split(",")[0].strip() or None
        page = await webchat.opened(chat, socket.send_str, language)
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await _take_in(webchat, chat, message.data, language)
        finally:
            webchat.closed(chat, page)
        return socket


async def _take_in(webchat: WebChat, chat: str, data: str, language: str | None) -> None:
    """One frame from a page; anything that is not ours is dropped with a note."""
    try:
        frame = json.loads(data)
        text, action, label = (frame.get(key, "") for key in ("text", "action", "label"))
        if not all(isinstance(item, str) for item in (text, action, label)):
            raise TypeError
    except (ValueError, TypeError, AttributeError, RecursionError):
        log.warning("frame_refused", length=len(data))
        return
    if action:
        await webchat.pressed(chat, action, label[:200], language)
    else:
        await webchat.said(chat, text[:LARGEST_TEXT], language)


def _chat_id(request: web.Request) -> str | None:
    value = request.cookies.get(COOKIE, "")
    return value if 24 <= len(value) <= 64 and value.replace("-", "").replace("_", "").isalnum() else None


def _same_origin(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    return origin is None or origin.split("://")[-1] == request.host


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
        log.exception("request_failed", path=request.path, error=type(err).__name__)
        response = web.Response(status=500, text="something failed on our side")
    if not response.prepared:
        _secure(response.headers)
    return response


def _secure(headers: "CIMultiDict[str]") -> None:
    """The headers that every answer has; a page with stricter ones keeps its own."""
    for name, value in _SECURITY.items():
        headers.setdefault(name, value)
