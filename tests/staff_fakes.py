"""The clinic's chat for tests: keeps what was written there, and makes the taps and replies of its people."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.channels.port import SendFailed
from bot.core.values import Address, Button, Incoming
from tests.helpers import NOW

STAFF, SECOND = "-100500", "4711"


@dataclass
class Posted:
    id: int
    chat: str
    text: str
    buttons: tuple[Button, ...]
    topic: str | None
    reply_to: int | None
    quiet: bool

    @property
    def actions(self) -> list[str]:
        return [button.action for button in self.buttons]


@dataclass
class FakeRoom:
    """A staff chat, with topics or without. `failures` are raised one after the other before posts succeed."""

    chats: tuple[str, ...] = (STAFF, SECOND)
    name: str = "telegram"
    topics: bool = False
    posts: list[Posted] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    copies: list[tuple[str, int, str]] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)  # file -> the picture that staff showed
    pictures: list[tuple[str, bytes]] = field(default_factory=list)
    last_id: int = 0
    failures: list[SendFailed] = field(default_factory=list)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(100))
    _events: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def post(
        self,
        chat: str,
        text: str,
        buttons: Sequence[Button] = (),
        *,
        topic: str | None = None,
        reply_to: int | None = None,
        quiet: bool = False,
    ) -> list[int]:
        if self.failures:
            raise self.failures.pop(0)
        posted = Posted(next(self._ids), chat, text, tuple(buttons), topic, reply_to, quiet)
        self.posts.append(posted)
        return [posted.id]

    async def set_buttons(self, chat: str, message: int, buttons: Sequence[Button]) -> None:
        for posted in self.posts:
            if (posted.chat, posted.id) == (chat, message):
                posted.buttons = tuple(buttons)

    async def open_topic(self, chat: str, title: str) -> str | None:
        if self.failures:
            raise self.failures.pop(0)
        if not self.topics:
            return None
        self.opened.append(title)
        return str(9000 + len(self.opened))

    async def copy(
        self,
        from_chat: str,
        message: int,
        chat: str,
        *,
        topic: str | None = None,
        reply_to: int | None = None,
    ) -> int:
        if self.failures:
            raise self.failures.pop(0)
        self.copies.append((from_chat, message, chat))
        return next(self._ids)

    async def picture(self, file: str) -> bytes:
        return self.contents[file]

    async def send_picture(
        self, chat: str, jpeg: bytes, *, topic: str | None = None, reply_to: int | None = None
    ) -> int:
        if self.failures:
            raise self.failures.pop(0)
        self.pictures.append((chat, jpeg))
        self.last_id = next(self._ids)
        return self.last_id

    # --- what tests look at and do

    def texts(self, chat: str = STAFF) -> list[str]:
        return [posted.text for posted in self.posts if posted.chat == chat]

    @property
    def card(self) -> Posted:
        """The newest message with buttons."""
        return next(posted for posted in reversed(self.posts) if posted.buttons)

    def tap(self, action: str, by: str = "Kim", chat: str = STAFF) -> Incoming:
        return self._event("action", chat, action=action, sender=by, reply_to=str(self.card.id))

    def write(
        self,
        text: str,
        *,
        reply_to: int | None = None,
        thread: str | None = None,
        by: str = "Kim",
        chat: str = STAFF,
        kind: str = "text",
    ) -> Incoming:
        answered = None if reply_to is None else str(reply_to)
        number = str(next(self._ids))
        return self._event(kind, chat, text=text, sender=by, reply_to=answered, thread=thread, message=number)

    def _event(self, kind: str, chat: str, **values: str | None) -> Incoming:
        return Incoming(Address("telegram", chat), f"s{next(self._events)}", NOW, kind, **values)  # type: ignore[arg-type]
