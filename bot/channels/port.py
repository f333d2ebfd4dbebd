"""The one shape that every channel has. Adding a channel: CONTRIBUTING.md, "Add a channel"."""

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from bot.core.values import Address, Incoming, Message

# The inbox's door: returns once the event is stored, so that the channel may acknowledge it to the platform.
Receive = Callable[[Incoming], Awaitable[None]]


class SendFailed(Exception):
    """A message did not go out, or nobody can tell.

    `reason` is a short word for records (`blocked`, `rate_limited`, `unknown_outcome`, `quota`, `refused`, `unreachable`).
    `permanent`: this address will never work again. `retry_after`: seconds to wait before trying this chat again.
    `sent`: "no" (surely not delivered) or "unknown" (the answer was lost on the way).
    """

    def __init__(
        self,
        reason: str,
        permanent: bool = False,
        retry_after: float | None = None,
        sent: Literal["no", "unknown"] = "no",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after
        self.sent = sent


class Channel(Protocol):
    """One way to reach patients. `send` is the only verb the core of the product needs."""

    name: str  # "telegram", "line", "web", "console": the first part of an Address
    platform: str  # the company that carries the words, as patients know it; empty when nobody does
    retry_keys: bool  # whether the platform recognises a repeated send by its retry key

    async def send(
        self,
        address: Address,
        message: Message,
        *,
        reply_handle: str | None = None,
        retry_key: str | None = None,
        repeated: bool = False,
    ) -> None:
        """Deliver one message. Raises SendFailed; never anything else for a platform's or the network's fault.

        `reply_handle` is the Incoming's: a fresh reply may be free or faster. `retry_key` is a UUID that stays the same
        over all tries of one message; channels whose platform knows no such key ignore it.
        `repeated`: an earlier process may have sent this already; a channel that can tell does not send it twice.
        """

    async def typing(self, address: Address) -> None:
        """Show that an answer is on its way. Never raises."""

    async def start(self, receive: Receive) -> None:
        """Begin to take in events; returns when ready."""

    async def stop(self) -> None:
        """Stop taking in events and close connections."""


@runtime_checkable
class FreeReplies(Protocol):
    """A channel where a reply costs nothing while a push does: a due reminder goes out with the reply."""

    async def reply_with(
        self,
        address: Address,
        message: Message,
        rider: Message,
        *,
        reply_handle: str | None,
        retry_key: str | None,
        repeated: bool = False,
    ) -> bool:
        """`send` of `message`, with `rider` before it in the same free call; False when only `message` went out.

        `repeated`: tried before with the same rider. After SendFailed with `sent="unknown"` nobody can tell of either.
        """


@runtime_checkable
class KnowsReplies(Protocol):
    """A channel whose platform tells a later process whether a reply has arrived."""

    def will_know(self, reply_handle: str | None, *, doubted: bool = False) -> bool:
        """Whether it will still tell of this one when a process that is killed now is back.

        `doubted`: one that was killed may have sent it already: whether the platform can tell now, for later it may not.
        """


@runtime_checkable
class HasPictures(Protocol):
    """A channel whose pictures we can fetch."""

    async def picture(self, file: str) -> bytes:
        """What an Incoming's `file` stands for, at most 20 MB. Raises SendFailed."""


@runtime_checkable
class ShowsPictures(Protocol):
    """A channel that shows what stands at an address of ours: its platform fetches it, or the patient's own browser."""

    async def send_picture(self, address: Address, url: str, small_url: str, caption: str = "") -> None:
        """Show the JPEG that stands at `url`, with a preview. Raises SendFailed."""


@runtime_checkable
class CarriesPictures(Protocol):
    """A channel whose platform is handed the picture itself."""

    async def carry_picture(self, address: Address, jpeg: bytes, caption: str = "") -> None:
        """Show it. Raises SendFailed."""


@dataclass(frozen=True, slots=True)
class Past:
    """One thing that was said before this process began. `picture`: the name of one that was shown."""

    mine: bool  # by the patient
    text: str
    at: dt.datetime
    picture: str = ""


@runtime_checkable
class OwnPage(Protocol):
    """A channel whose page we serve: what it shows is opened with the patient's session, and what it forgets is gone."""

    def picture_address(self, name: str, size: str) -> str:
        """Where the page finds the picture `name`; a path, which only the session of its patient opens."""

    def unkept(self, chat: str, name: str) -> bytes | None:
        """The JPEG that this chat's patient showed of late, while it is in memory only."""

    def has_page(self, chat: str) -> bool:
        """Whether a page of this chat is open now: else what is sent waits until one is."""

    async def forget(self, chat: str) -> None:
        """Nothing of the conversation is left, on open pages neither."""


@runtime_checkable
class HasMenus(Protocol):
    """A channel that has a menu of its own in each language."""

    async def show_menu(self, address: Address, language: str) -> None:
        """Give this person the menu in `language` (en, ja, ko, zh, zh-Hant). Never raises."""


def utc_now() -> dt.datetime:
    """The clock of the shells; tests pass their own."""
    return dt.datetime.now(dt.UTC)
