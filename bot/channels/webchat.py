"""The local chat page as a channel. Knows nothing of HTTP: the web server hands in what browsers say and carries out what we send."""

import datetime as dt
import json
import uuid
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.channels.port import Past, Receive, SendFailed
from bot.core.values import Address, Incoming, Kind, Message

CHATS = 2000
KEPT = 200  # messages of a chat kept in memory, for a page that is reloaded
PICTURES = 3  # of a chat that nobody of the clinic has asked for; kept in memory, 1 MB each at most
ALL_PICTURES = 100  # of all chats
PICTURES_A_MINUTE, MINUTE = 6, dt.timedelta(minutes=1)
LONGEST_CHAT = 64  # characters of a chat's name
Push = Callable[[str], Awaitable[None]]
Recall = Callable[[Address], Awaitable[Sequence[Past]]]


@dataclass
class _Chat:
    messages: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))
    pages: dict[str, Push] = field(default_factory=dict)
    handed_in: deque[dt.datetime] = field(default_factory=deque)
    recalled: bool = False  # whether what was said before this process is among the messages


async def _nothing(address: Address) -> Sequence[Past]:
    return ()


class WebChat:
    """Chats in memory. A message to a chat without an open page waits there until one opens.

    `recall` gives what is kept of a conversation that people of the clinic are part of: it outlives the process.
    """

    name = "web"
    platform = ""  # nobody carries the words but us
    retry_keys = False

    def __init__(self, clock: Callable[[], dt.datetime], recall: Recall = _nothing) -> None:
        self._clock, self._recall = clock, recall
        self._receive: Receive | None = None
        self._chats: OrderedDict[str, _Chat] = OrderedDict()
        self._pictures: OrderedDict[str, tuple[str, bytes]] = OrderedDict()  # name -> chat and JPEG

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
        await self._show_to(address, _as_json(message))

    async def typing(self, address: Address) -> None:
        await self._push(address.chat, {"typing": True})

    # --- pictures

    async def send_picture(self, address: Address, url: str, small_url: str, caption: str = "") -> None:
        await self._show_to(address, {"text": caption, "picture": {"full": url, "small": small_url}})

    def picture_address(self, name: str, size: str) -> str:
        return f"/chat/pictures/{name}/{size}.jpg"

    async def picture(self, file: str) -> bytes:
        """What the patient showed, while it is in memory. Raises SendFailed."""
        if file not in self._pictures:
            raise SendFailed("gone")
        return self._pictures[file][1]

    def unkept(self, chat: str, name: str) -> bytes | None:
        owner, jpeg = self._pictures.get(name, ("", b""))
        return jpeg if jpeg and owner == chat else None

    def may_show(self, chat: str) -> bool:
        """Whether this chat may hand in another picture now; counts it if so."""
        times, now = self._chat(chat).handed_in, self._clock()
        while times and now - times[0] >= MINUTE:
            times.popleft()
        if len(times) >= PICTURES_A_MINUTE:
            return False
        times.append(now)
        return True

    async def showed(self, chat: str, name: str, jpeg: bytes, language: str | None) -> None:
        """The person showed a picture, found by `name`. Raises StoreError when nobody can take it in now."""
        self._pictures[name] = (chat, jpeg)
        mine = [name for name, (owner, _) in self._pictures.items() if owner == chat]
        for old in mine[:-PICTURES]:
            del self._pictures[old]
        while len(self._pictures) > ALL_PICTURES:
            self._pictures.popitem(last=False)
        await self._event(chat, "photo", file=name, language=language)
        await self._show(chat, {"from": "me", "text": "", "picture": self._both_sizes(name)})

    def _both_sizes(self, name: str) -> dict[str, str]:
        return {size: self.picture_address(name, size) for size in ("full", "small")}

    # --- the page

    async def opened(self, chat: str, push: Push) -> str:
        """A page opened: show what was said before, or `begin`. Returns the page's id."""
        state, page = self._chat(chat), uuid.uuid4().hex
        if not state.recalled:
            past = [self._remembered(item) for item in await self._recall(Address(self.name, chat))]
            if not state.recalled:  # no other page was quicker
                state.recalled = True
                said = {_gist(message) for message in state.messages}
                older = (message for message in past if _gist(message) not in said)
                state.messages = deque([*older, *state.messages], KEPT)
        state.pages[page] = push
        for message in list(state.messages):
            await push(json.dumps(message, ensure_ascii=False))
        return page

    async def begin(self, chat: str, language: str | None) -> None:
        """Greet somebody who is new here."""
        if not self._chat(chat).messages:
            await self._event(chat, "joined", language=language)

    def _remembered(self, past: Past) -> dict[str, Any]:
        shown = {"picture": self._both_sizes(past.picture)} if past.picture else {}
        return {"from": "me" if past.mine else "bot", "text": past.text, **shown, "at": past.at.isoformat()}

    def closed(self, chat: str, page: str) -> None:
        self._chat(chat).pages.pop(page, None)

    def has_page(self, chat: str) -> bool:
        return chat in self._chats and bool(self._chats[chat].pages)

    async def said(self, chat: str, text: str, language: str | None) -> None:
        """The person typed `text`."""
        await self._show(chat, {"from": "me", "text": text})
        await self._event(chat, "text", text=text, language=language)

    async def pressed(self, chat: str, action: str, label: str, language: str | None) -> None:
        """The person pressed a button."""
        await self._show(chat, {"from": "me", "text": label})
        await self._event(chat, "action", action=action, language=language)

    async def forget(self, chat: str) -> None:
        state = self._chat(chat)
        state.messages.clear()
        for name in [name for name, (owner, _) in self._pictures.items() if owner == chat]:
            del self._pictures[name]
        await self._push(chat, {"forget": True})

    async def _event(
        self,
        chat: str,
        kind: Kind,
        text: str = "",
        action: str = "",
        language: str | None = None,
        file: str | None = None,
    ) -> None:
        if self._receive:
            address, now = Address(self.name, chat), self._clock()
            event = Incoming(address, uuid.uuid4().hex, now, kind, text, action[:64], language, file=file)
            await self._receive(event)

    def _chat(self, chat: str) -> _Chat:
        state = self._chats.setdefault(chat, _Chat())
        self._chats.move_to_end(chat)
        if len(self._chats) > CHATS:  # the oldest that nobody looks at
            idle = (name for name, other in self._chats.items() if not other.pages and name != chat)
            self._chats.pop(next(idle, ""), None)
        return state

    async def _show_to(self, address: Address, message: dict[str, Any]) -> None:
        if len(address.chat) > LONGEST_CHAT:
            raise SendFailed("refused", permanent=True)
        await self._show(address.chat, {"from": "bot", **message})

    async def _show(self, chat: str, message: dict[str, Any]) -> None:
        dated = {**message, "at": self._clock().isoformat()}
        self._chat(chat).messages.append(dated)
        await self._push(chat, dated)

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


def _gist(message: dict[str, Any]) -> tuple[str, str, str]:
    """What makes two messages one: who, the words, the picture."""
    return message["from"], message["text"], message.get("picture", {}).get("small", "")


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
