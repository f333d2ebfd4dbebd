"""The clinic's own chat as the desk needs it. `bot.channels.telegram.staffroom` is the one that exists."""

from collections.abc import Sequence
from typing import Protocol

from bot.core.values import Button


class StaffRoom(Protocol):
    """Every method raises SendFailed when a message did not go out."""

    name: str  # the channel that it is a part of

    @property
    def chats(self) -> tuple[str, ...]:
        """The staff chat, then the second contact's; empty when there is none."""

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
        """Write; the ids of the messages that it took, the last of which carries the buttons."""

    async def set_buttons(self, chat: str, message: int, buttons: Sequence[Button]) -> None:
        """Replace the buttons under a card. Never raises."""

    async def open_topic(self, chat: str, title: str) -> str | None:
        """A topic for one patient; None where the chat has none."""

    async def copy(
        self,
        from_chat: str,
        message: int,
        chat: str,
        *,
        topic: str | None = None,
        reply_to: int | None = None,
    ) -> int:
        """Pass a picture on within the platform, without its sender's name."""

    async def picture(self, file: str) -> bytes:
        """What somebody of the staff showed, at most 20 MB."""

    async def send_picture(
        self, chat: str, jpeg: bytes, *, topic: str | None = None, reply_to: int | None = None
    ) -> int:
        """Show a picture that came from elsewhere."""
