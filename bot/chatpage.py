"""The local chat page over HTTP: the page in the browser's language, its socket, and the pictures that it shows and hands in."""

import asyncio
import datetime as dt
import html
import json
import secrets
from collections.abc import Callable, Coroutine
from pathlib import Path
from string import Template
from typing import Any

from aiohttp import WSMsgType, web

from bot import logs
from bot.channels.pictures import LARGEST_DATA, NoPictureError
from bot.channels.webchat import WebChat
from bot.core.conversation import words_for
from bot.core.values import Address, Context, Incoming, Patient
from bot.core.wording import Wording
from bot.staff.pictures import Pictures
from intents.faq import Faq

log = logs.get("web")
PAGES = Path(__file__).parent / "pages"
LARGEST_FRAME = 1_000_000
LARGEST_TEXT = 70_000
COOKIE = "smileline_chat"
HANDED_IN_AT_ONCE = 8  # pictures under way, of 20 MB at most
HAND_IN_SECONDS = 90.0  # over a telephone's network
# What the page itself says, by its message in faq.yaml.
LABELS = (
    "page_online", "page_offline", "page_type", "page_send", "page_talk", "page_photo", "page_photo_mine",
    "page_photo_clinic", "page_photo_gone", "page_photo_odd", "page_photo_failed", "rate_limited", "error",
)  # fmt: skip


class ChatPage:
    """Only somebody with the page's cookie gets further than the page, and only to their own chat."""

    def __init__(
        self, webchat: WebChat, pictures: Pictures, faq: Callable[[], Faq], clock: Callable[[], dt.datetime]
    ) -> None:
        self._webchat, self._pictures, self._faq, self._clock = webchat, pictures, faq, clock
        self._template = Template((PAGES / "chat.html").read_text(encoding="utf-8"))
        self._coming = 0

    def mount(self, router: web.UrlDispatcher) -> None:
        router.add_get("/", self._page)
        router.add_get("/chat/ws", self._chat)
        router.add_post("/chat/pictures", self._hand_in)
        router.add_get("/chat/pictures/{name}/{size}.jpg", self._picture)
        router.add_static("/static", PAGES)

    async def _page(self, request: web.Request) -> web.Response:
        words = self._words(_language(request))
        labels = json.dumps({key: words(key) for key in LABELS}, ensure_ascii=False)
        lang = words.locale.replace("_", "-")
        text = self._template.substitute(lang=lang, labels=html.escape(labels))
        response = web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-cache"})
        if not _chat_id(request):
            response.set_cookie(
                COOKIE, secrets.token_urlsafe(24), httponly=True, samesite="Strict", secure=_by_https(request),
                max_age=400 * 86400,
            )  # fmt: skip
        return response

    def _words(self, hint: str | None) -> Wording:
        """The words for somebody of whom only the browser's language is known."""
        nobody, now = Address(self._webchat.name, ""), self._clock()
        event = Incoming(nobody, "", now, "joined", language_hint=hint)
        return words_for(None, event, Context(Patient(nobody), now), self._faq())

    # --- the socket

    async def _chat(self, request: web.Request) -> web.WebSocketResponse:
        chat = self._known_chat(request)
        socket = web.WebSocketResponse(heartbeat=30, max_msg_size=LARGEST_FRAME)
        await socket.prepare(request)
        webchat, language = self._webchat, _language(request)
        page = await webchat.opened(chat, socket.send_str)
        try:
            await _safely(socket, webchat.begin(chat, language))
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await _safely(socket, self._take_in(chat, message.data, language))
        finally:
            webchat.closed(chat, page)
        return socket

    async def _take_in(self, chat: str, data: str, language: str | None) -> None:
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
            await self._webchat.pressed(chat, action, label[:200], language)
        else:
            await self._webchat.said(chat, text[:LARGEST_TEXT], language)

    # --- pictures

    async def _hand_in(self, request: web.Request) -> web.Response:
        """A picture of the patient's, as the body. The answer is empty; what is wrong says the status."""
        chat, webchat = self._known_chat(request), self._webchat
        if not webchat.has_page(chat):
            raise web.HTTPForbidden(text="open the chat page first")
        if self._coming >= HANDED_IN_AT_ONCE or not webchat.may_show(chat):
            raise web.HTTPTooManyRequests
        self._coming += 1
        try:
            data = await _body(request)
            name, jpeg = await self._pictures.taken_in(Address(webchat.name, chat), data)
        except NoPictureError as err:
            log.info("picture_refused", length=len(data), reason=str(err))
            raise web.HTTPUnsupportedMediaType from None
        finally:
            self._coming -= 1
        await webchat.showed(chat, name, jpeg, _language(request))
        return web.Response(status=204)

    async def _picture(self, request: web.Request) -> web.Response:
        """What was shown in this browser's own conversation. For everybody else nothing is there."""
        chat = _chat_id(request)
        name, size = request.match_info["name"], request.match_info["size"]
        address = Address(self._webchat.name, chat or "")
        jpeg = await self._pictures.seen_by(address, name, size) if chat else None
        if jpeg is None:
            raise web.HTTPNotFound
        headers = {
            "Cache-Control": "private, no-store",  # what is erased is gone from here too
            "Content-Disposition": "inline",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return web.Response(body=jpeg, content_type="image/jpeg", headers=headers)

    def _known_chat(self, request: web.Request) -> str:
        chat = _chat_id(request)
        if not chat or not _same_origin(request):
            raise web.HTTPForbidden(text="open the chat page first")
        return chat


async def _safely(socket: web.WebSocketResponse, work: Coroutine[Any, Any, None]) -> None:
    """No platform delivers again what could not be stored: the page gives the numbers to call."""
    try:
        await work
    except ConnectionError:
        raise
    except Exception as err:
        log.error("frame_lost", error=type(err).__name__)  # no traceback: its lines may quote the patient
        await socket.send_json({"failed": "error"})


async def _body(request: web.Request) -> bytes:
    """At most 20 MB within a minute and a half, whatever the length that was promised."""
    data = bytearray()
    if (request.content_length or 0) > LARGEST_DATA:
        raise web.HTTPRequestEntityTooLarge(LARGEST_DATA, request.content_length or 0)
    try:
        async with asyncio.timeout(HAND_IN_SECONDS):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > LARGEST_DATA:
                    raise web.HTTPRequestEntityTooLarge(LARGEST_DATA, len(data))
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return bytes(data)


def _by_https(request: web.Request) -> bool:
    """Also where a proxy before us speaks it."""
    return request.headers.get("X-Forwarded-Proto", request.scheme) == "https"


def _language(request: web.Request) -> str | None:
    """The browser's first choice, a BCP 47 tag."""
    return request.headers.get("Accept-Language", "").split(",")[0].split(";")[0].strip() or None


def _chat_id(request: web.Request) -> str | None:
    value = request.cookies.get(COOKIE, "")
    return value if 24 <= len(value) <= 64 and value.replace("-", "").replace("_", "").isalnum() else None


def _same_origin(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    return origin is None or origin.split("://")[-1] == request.host
