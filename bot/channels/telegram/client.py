"""The Bot API as the few verbs that we need, in plain values. The only file that imports python-telegram-bot.

The library's updater is not used: it confirms updates when they are queued in memory, and its parser refuses a whole batch
for one odd update while writing everybody's words to the log. Its requests, methods and errors are.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx
from telegram import (
    Bot,
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    ReplyParameters,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from bot.channels.port import SendFailed

# The library's switch for its coming types; without it each "too many requests" also warns of a deprecation.
os.environ.setdefault("PTB_TIMEDELTA", "true")

_T = TypeVar("_T")
Keyboard = list[list[tuple[str, str]]]  # rows of (label, callback data)
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")
_SECONDS = 10.0  # for connecting, writing and reading each; a lease of the outbox is longer than their sum
_CONNECTIONS = 16  # Telegram answers in about a tenth of a second, and takes 30 messages in one
_SURELY_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NOBODY = ("chat not found", "user not found", "peer_id_invalid", "user is deactivated", "chat_id is empty")
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class ChatMovedError(Exception):
    """A group became a supergroup: the same people under another id."""

    def __init__(self, chat: str) -> None:
        super().__init__("the chat has a new id")
        self.chat = chat


class _Request(HTTPXRequest):
    """The library's request, but for two things.

    It does not write an answer that it cannot read to the log: patients' words are in it. And requests wait for a connection
    here, not in the pool, whose work grows with connections times waiting requests (measured: most of the time of a burst).
    """

    def __init__(self, connections: int, **settings: Any) -> None:
        super().__init__(connections, **settings)
        self._slots = asyncio.Semaphore(connections)

    async def do_request(self, *args: Any, **settings: Any) -> tuple[int, bytes]:
        async with self._slots:
            return await super().do_request(*args, **settings)

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(payload)
        except (ValueError, RecursionError):
            raise TelegramError("Invalid server response") from None
        return answer


class BotApi:
    """Calls the Bot API at `api_url`. Every method raises SendFailed, and nothing else, for Telegram's or the network's fault."""

    def __init__(self, token: str, api_url: str, *, seconds: float = _SECONDS) -> None:
        limits = {
            "read_timeout": seconds,
            "write_timeout": seconds,
            "connect_timeout": seconds,
            "pool_timeout": seconds,
        }
        self._base = f"{api_url.rstrip('/')}/bot{token}"
        self._seconds = seconds
        self._polls, self._calls = _Request(2, **limits), _Request(_CONNECTIONS, **limits)
        self._bot = Bot(
            token,
            f"{api_url.rstrip('/')}/bot",
            f"{api_url.rstrip('/')}/file/bot",
            request=self._calls,
            get_updates_request=self._polls,
        )

    async def updates(self, offset: int | None, wait_seconds: int) -> list[Any]:
        """Updates from `offset` on, as they came; asking with a higher offset confirms the earlier ones."""
        asked: dict[str, str | int] = {
            "timeout": wait_seconds,
            "allowed_updates": json.dumps(ALLOWED_UPDATES),
        }
        if offset is not None:
            asked["offset"] = offset
        url = f"{self._base}/getUpdates?{urlencode(asked)}"
        result: Any = await _translated(self._polls.post(url, read_timeout=wait_seconds + self._seconds))
        return result if isinstance(result, list) else []

    async def send(
        self,
        chat: str,
        text: str,
        keyboard: Keyboard,
        *,
        topic: int | None = None,
        reply_to: int | None = None,
        quiet: bool | None = None,
    ) -> int:
        """One message; its id. After `close` it opens the connections again. Raises ChatMovedError too."""
        await self._calls.initialize()
        sent = await _translated(
            self._bot.send_message(
                chat,
                text,
                reply_markup=_markup(keyboard),
                link_preview_options=_NO_PREVIEW,
                message_thread_id=topic,
                reply_parameters=_reply(reply_to),
                disable_notification=quiet,
            )
        )
        return sent.message_id

    async def copy(
        self,
        chat: str,
        from_chat: str,
        message: int,
        *,
        topic: int | None = None,
        reply_to: int | None = None,
    ) -> int:
        """The same message once more in another chat, without the name of its sender; the copy's id."""
        call = self._bot.copy_message(
            chat, from_chat, message, message_thread_id=topic, reply_parameters=_reply(reply_to)
        )
        return (await _translated(call)).message_id

    async def send_photo(
        self,
        chat: str,
        jpeg: bytes,
        caption: str = "",
        *,
        topic: int | None = None,
        reply_to: int | None = None,
    ) -> int:
        """A picture of ours; the message's id. Opens the connections as `send` does."""
        await self._calls.initialize()
        call = self._bot.send_photo(
            chat, jpeg, caption or None, message_thread_id=topic, reply_parameters=_reply(reply_to),
            filename="picture.jpg",
        )  # fmt: skip
        return (await _translated(call)).message_id

    async def file(self, file_id: str) -> bytes:
        """The content of a file that somebody sent; Telegram lets bots fetch 20 MB."""
        found = await _translated(self._bot.get_file(file_id))
        return bytes(await _translated(found.download_as_bytearray()))

    async def create_topic(self, chat: str, name: str) -> int:
        """A new topic of a forum; its thread id. Refused where the chat has none or the bot may not."""
        return (await _translated(self._bot.create_forum_topic(chat, name))).message_thread_id

    async def edit_keyboard(self, chat: str, message_id: int, keyboard: Keyboard) -> None:
        """Replace the buttons under a message of ours."""
        try:
            await _translated(
                self._bot.edit_message_reply_markup(chat, message_id, reply_markup=_markup(keyboard))
            )
        except SendFailed as err:
            if "not modified" not in str(err.__cause__):  # a tap that was delivered twice
                raise

    async def answer(self, query_id: str) -> None:
        """End the waiting sign on a tapped button."""
        await _translated(self._bot.answer_callback_query(query_id))

    async def typing(self, chat: str) -> None:
        await _translated(self._bot.send_chat_action(chat, "typing"))

    async def username(self) -> str:
        """The bot's name, without @."""
        return (await _translated(self._bot.get_me())).username or ""

    async def set_commands(self, commands: Sequence[tuple[str, str]], language: str | None) -> None:
        rows = [BotCommand(name, description) for name, description in commands]
        await _translated(self._bot.set_my_commands(rows, language_code=language))

    async def set_description(self, text: str, language: str | None) -> None:
        await _translated(self._bot.set_my_description(text, language_code=language))

    async def set_webhook(self, url: str, secret: str) -> None:
        await _translated(
            self._bot.set_webhook(
                url, secret_token=secret, allowed_updates=list(ALLOWED_UPDATES), max_connections=40
            )
        )

    async def delete_webhook(self) -> None:
        await _translated(self._bot.delete_webhook(drop_pending_updates=False))

    async def close(self) -> None:
        await self._polls.shutdown()
        await self._calls.shutdown()


def _markup(keyboard: Keyboard) -> InlineKeyboardMarkup | None:
    if not keyboard:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(label, callback_data=data) for label, data in row] for row in keyboard]
    )


def _reply(message: int | None) -> ReplyParameters | None:
    """A reply that is sent all the same when its message was deleted meanwhile."""
    return None if message is None else ReplyParameters(message, allow_sending_without_reply=True)


async def _translated(call: Awaitable[_T]) -> _T:
    with _our_errors():
        return await call


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except ChatMigrated as err:
        raise ChatMovedError(str(err.new_chat_id)) from err
    except (
        Exception
    ) as err:  # the library's, httpx's (InvalidURL is no HTTPError), or its parser's on an odd answer
        raise failure(err) from err


def failure(err: Exception) -> SendFailed:
    """The library's error as ours. Only the cause tells a connection that never was from an answer that was lost."""
    match err:
        case RetryAfter():
            return SendFailed("rate_limited", retry_after=_seconds(err))
        case Forbidden():
            return SendFailed("blocked", permanent=True)
        case BadRequest():  # a NetworkError for the library
            return SendFailed("refused", permanent=any(words in str(err).lower() for words in _NOBODY))
        case Conflict():
            return SendFailed("conflict")
        case InvalidToken() | EndPointNotFound():  # our fault, not this patient's
            return SendFailed("token_refused")
    if isinstance(err.__cause__, _SURELY_UNSENT) or isinstance(err, _SURELY_UNSENT):
        return SendFailed("unreachable")
    return SendFailed("unknown_outcome", sent="unknown")


def _seconds(err: RetryAfter) -> float:
    wait = err.retry_after
    return float(wait) if isinstance(wait, int | float) else wait.total_seconds()
