"""The clinic's own chat on Telegram: cards with buttons, a topic for each patient, pictures passed on."""

import contextlib
from collections.abc import Callable, Sequence

from bot import logs
from bot.channels.callback import CallbackSigner
from bot.channels.persist import persist
from bot.channels.port import SendFailed
from bot.channels.splitting import split
from bot.channels.telegram import keyboards
from bot.channels.telegram.client import BotApi, ChatMovedError, Keyboard
from bot.channels.telegram.pace import Pace
from bot.core.values import Button, Message

log = logs.get("telegram")
TEXT_UNITS = 4096
TITLE_LENGTH = 128  # Bot API, createForumTopic


class TelegramStaffRoom:
    """Writes to the staff chats. Every method raises SendFailed for Telegram's or the network's fault."""

    name = "telegram"

    def __init__(
        self,
        api: BotApi,
        signer: CallbackSigner,
        pace: Pace,
        chats: Callable[[], tuple[str, ...]],
        moved: Callable[[str, str], None],
    ) -> None:
        self._api, self._signer, self._pace, self._chats, self._moved = api, signer, pace, chats, moved

    @property
    def chats(self) -> tuple[str, ...]:
        """The staff chat, then the second contact's. Their ids change when a group gets topics."""
        return self._chats()

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
        """The ids of the messages that it took; the last carries the buttons."""
        parts, ids = split(text, TEXT_UNITS), []
        for number, part in enumerate(parts, 1):
            rows = self._rows(buttons, chat) if number == len(parts) else []
            try:
                ids.append(await self._send(chat, part, rows, topic, reply_to, quiet))
            except ChatMovedError as err:
                self._moved(chat, err.chat)
                rows = self._rows(buttons, err.chat) if rows else []
                ids.append(await self._send(err.chat, part, rows, None, None, quiet))
        return ids

    async def set_buttons(self, chat: str, message: int, buttons: Sequence[Button]) -> None:
        """Replace the buttons under a card. A failure is only noted: the next tap says how things stand."""
        with contextlib.suppress(SendFailed, ChatMovedError):
            await self._api.edit_keyboard(chat, message, self._rows(buttons, chat))

    async def open_topic(self, chat: str, title: str) -> str | None:
        """A topic for one patient, or None where the chat has none (or the bot may not make one)."""
        try:
            return str(await self._api.create_topic(chat, title[:TITLE_LENGTH]))
        except ChatMovedError as err:
            self._moved(chat, err.chat)
            return None
        except SendFailed as err:
            if err.reason != "refused":
                raise
            return None

    async def copy(
        self,
        from_chat: str,
        message: int,
        chat: str,
        *,
        topic: str | None = None,
        reply_to: int | None = None,
    ) -> int:
        """Pass a picture or file on, without its sender's name."""
        await self._pace.wait(chat, False)
        try:
            return await self._api.copy(
                chat, from_chat, message, topic=int(topic) if topic else None, reply_to=reply_to
            )
        except ChatMovedError as err:
            raise SendFailed("refused") from err

    async def picture(self, file: str) -> bytes:
        """What somebody of the staff showed."""
        return await self._api.file(file)

    async def send_picture(
        self, chat: str, jpeg: bytes, *, topic: str | None = None, reply_to: int | None = None
    ) -> int:
        """Show a picture that came by another messenger."""
        await self._pace.wait(chat, False)
        try:
            return await self._api.send_photo(
                chat, jpeg, topic=int(topic) if topic else None, reply_to=reply_to
            )
        except ChatMovedError as err:
            raise SendFailed("refused") from err

    async def _send(
        self, chat: str, part: str, rows: Keyboard, topic: str | None, reply_to: int | None, quiet: bool
    ) -> int:
        sent: list[int] = []

        async def attempt() -> None:
            await self._pace.wait(chat, False)
            where = {"topic": int(topic) if topic else None, "reply_to": reply_to}
            sent.append(await self._api.send(chat, part, rows, quiet=quiet or None, **where))

        await persist(attempt)
        return sent[-1]

    def _rows(self, buttons: Sequence[Button], chat: str) -> Keyboard:
        return keyboards.keyboard(Message("-", tuple(buttons)), chat, self._signer, "en")
