"""The local chat page as a channel. Knows nothing of HTTP: the web server hands in what browsers say and carries out what we send."""

import datetime as dt
import json
import uuid
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from bot.channels.port import Receive, SendFailed
from bot.core.values import Address, Incoming, Message

CHATS = 2000
KEPT = 200  # messages of a chat kept in memory, for a page that is reloaded
Push = Callable[[str], Awaitable[None]]


@dataclass
class _Chat:
    messages: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))
    pages: dict[str, Push] = field(default_factory=dict)


class WebChat:
    """Chats in memory. A message to a chat without an open page waits there until one opens."""

    name = "web"
    platform = ""  # nobody carries the words but us
    retry_keys = False

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        self._clock = clock
        self._receive: Receive | None = None
        self._chats: OrderedDict[str, _Chat] = OrderedDict()

    async def start(self, receive: Receive) -> None:
        self._receive = receive

    async def stop(self) -> None:
        self._receive = None

    async def send(
        self,
        address: Address,
        message: Message,
        *,
        reply_handle: str | None = None,
        retry_key: str | None = None,
        repeated: bool = False,
    ) -> None:
        """Show `message` on every open page of the chat. Raises SendFailed for an address that is no chat of ours."""
        if len(address.chat) > 64:
            raise SendFailed("refused", permanent=True)
        await self._show(address.chat, {"from": "bot", **_as_json(message), "at": self._clock().isoformat()})

    async def typing(self, address: Address) -> None:
        await self._push(address.chat, {"typing": True})

    async def opened(self, chat: str, push: Push, language: str | None) -> str:
        """A page opened: show what was said before, or begin. Returns the page's id."""
        state = self._chat(chat)
        page = uuid.uuid4().hex
        state.pages[page] = push
        for message in state.messages:
            await push(json.dumps(message, ensure_ascii=False))
        if not state.messages:
            await self._event(chat, "joined", language=language)
        return page

    def closed(self, chat: str, page: str) -> None:
        self._chat(chat).pages.pop(page, None)

    async def said(self, chat: str, text: str, language: str | None) -> None:
        """The person typed `text`."""
        await self._show(chat, {"from": "me", "text": text, "at": self._clock().isoformat()})
        await self._event(chat, "text", text=text, language=language)

    async def pressed(self, chat: str, action: str, label: str, language: str | None) -> None:
        """The person pressed a button."""
        await self._show(chat, {"from": "me", "text": label, "at": self._clock().isoformat()})
        await self._event(chat, "action", action=action, language=language)

    async def _event(
        self, chat: str, kind: Any, text: str = "", action: str = "", language: str | None = None
    ) -> None:
        if self._receive:
            event = Incoming(
                Address(self.name, chat), uuid.uuid4().hex, self._clock(), kind, text, action[:64], language
            )
            await self._receive(event)

    def _chat(self, chat: str) -> _Chat:
        state = self._chats.setdefault(chat, _Chat())
        self._chats.move_to_end(chat)
        while len(self._chats) > CHATS:
            self._chats.popitem(last=False)
        return state

    async def _show(self, chat: str, message: dict[str, Any]) -> None:
        self._chat(chat).messages.append(message)
        await self._push(chat, message)

    async def _push(self, chat: str, message: dict[str, Any]) -> None:
        text = json.dumps(message, ensure_ascii=False)
        for page, push in list(self._chat(chat).pages.items()):
            try:
                await push(text)
            except (
                ConnectionError,
                RuntimeError,
            ):  # the page went away; it gets the message when it comes back
                self.closed(chat, page)


def _as_json(message: Message) -> dict[str, Any]:
    picker = message.picker
    return {
        "text": message.words,
        "buttons": [{"label": b.label, "action": b.action} for b in message.buttons],
        "picker": picker
        and {
            "label": picker.label,
            "first": f"{picker.first}",
            "last": f"{picker.last}",
            "initial": f"{picker.initial}",
        },
    }
