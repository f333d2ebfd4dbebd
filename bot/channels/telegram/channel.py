"""Telegram: taking updates in by polling or webhook, and sending.

What if we die right here? An update is confirmed (the next getUpdates, or the webhook's 200) only after `receive` has stored it;
before that Telegram delivers it again, and the inbox drops what it has seen. Marking a tapped button comes last and may be lost.
"""

import asyncio
import contextlib
import datetime as dt
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from bot import logs
from bot.channels.callback import CallbackSigner
from bot.channels.persist import persist
from bot.channels.port import Receive, SendFailed
from bot.channels.splitting import split, units
from bot.channels.telegram import calendar, keyboards
from bot.channels.telegram.client import BotApi, ChatMovedError
from bot.channels.telegram.intake import Aside, Intake
from bot.channels.telegram.pace import Pace
from bot.channels.telegram.profile import Profile, show
from bot.channels.telegram.staffroom import TelegramStaffRoom
from bot.channels.telegram.updates import (
    GroupCall,
    update_number,
)
from bot.channels.together import together
from bot.core.values import Address, Message

log = logs.get("telegram")

TEXT_UNITS, CAPTION_UNITS = 4096, 1024
POLL_SECONDS = 30  # Telegram holds an empty getUpdates for so long
SET_UP_SECONDS = 5.0  # that a start waits for Telegram before it goes on in the background
_HEADER = "X-Telegram-Bot-Api-Secret-Token"


class TelegramChannel:
    """One bot. `group_refused` gives what a group is told in a language."""

    name = "telegram"
    platform = "Telegram"
    retry_keys = False
    webhook_path = "/webhook/telegram"

    def __init__(
        self,
        token: str,
        api_url: str,
        *,
        mode: Literal["polling", "webhook"],
        secret: str,
        public_url: str | None,
        profile: Profile,
        group_refused: Callable[[str | None], str],
        languages: Sequence[str],
        sign_key: bytes,
        clock: Callable[[], dt.datetime],
        staff_chat: int | str | None = None,
        second_chat: int | str | None = None,
        pace: Pace | None = None,
        seconds: float = 10.0,
    ) -> None:
        self._api = BotApi(token, api_url, seconds=seconds)
        self._mode, self._secret, self._public_url = mode, secret, public_url
        self._profile, self._languages, self._group_refused = profile, languages, group_refused
        self._signer, self._clock, self._pace = CallbackSigner(sign_key), clock, pace or Pace()
        self._staff_chats = tuple(str(chat) for chat in (staff_chat, second_chat) if chat is not None)
        self._receive: Receive | None = None
        self._work: asyncio.Task[None] | None = None
        self._tried, self._aside = asyncio.Event(), Aside()
        self._moved: dict[str, str] = {}
        self._intake = Intake(
            self._api,
            token.partition(":")[0],
            self._signer,
            self._pace,
            self._aside,
            clock,
            self._refuse_group,
            self._remember_move,
            lambda: self._staff_chats,
        )
        self.staff_room = TelegramStaffRoom(
            self._api, self._signer, self._pace, lambda: self._staff_chats, self._remember_move
        )
        self.username = ""  # known once Telegram has answered; for links such as t.me/<username>
        self.problem: str | None = "starting"  # what keeps messages from coming in, for the health page

    # --- the port

    async def send(
        self,
        address: Address,
        message: Message,
        *,
        reply_handle: str | None = None,
        retry_key: str | None = None,
        repeated: bool = False,
    ) -> None:
        """Deliver `message`, in parts when it is long. A `retry_key` marks a reminder: it travels in the slower lane.

        When a later part fails the whole counts as "unknown": something was delivered.
        """
        chat = self._moved.get(address.chat, address.chat)
        parts = split(message.words, TEXT_UNITS)
        if not parts:
            raise SendFailed("refused")
        for number, part in enumerate(parts, 1):
            shown = message if number == len(parts) else Message(part)
            if number == 1:
                await self._send_part(chat, part, shown, retry_key is not None)
                continue
            try:
                await persist(partial(self._send_part, chat, part, shown, retry_key is not None))
            except SendFailed as err:
                raise SendFailed(err.reason, err.permanent, err.retry_after, sent="unknown") from err

    async def typing(self, address: Address) -> None:
        if not self._pace.held(address.chat):
            with contextlib.suppress(SendFailed, ChatMovedError):
                await self._api.typing(address.chat)

    async def picture(self, file: str) -> bytes:
        return await self._api.file(file)

    async def carry_picture(self, address: Address, jpeg: bytes, caption: str = "") -> None:
        """A caption that is too long for one follows as a message."""
        chat = self._moved.get(address.chat, address.chat)
        short = units(caption) <= CAPTION_UNITS
        await self._pace.wait(chat, False)
        try:
            await self._api.send_photo(chat, jpeg, caption if short else "")
        except ChatMovedError as err:
            raise SendFailed("refused") from err
        if not short:
            await persist(partial(self.send, address, Message(caption)))

    async def start(self, receive: Receive) -> None:
        """Begin to take in updates. An unreachable Telegram does not keep the other channels from starting."""
        self._receive = receive
        self._work = asyncio.create_task(self._run())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), SET_UP_SECONDS)

    async def stop(self) -> None:
        """Take in nothing more. A message that is sent later opens the connections again; stop once more to close them."""
        if self._work:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
            self._work = None
        await self._aside.finish(2)
        await self._api.close()

    async def webhook(self, body: bytes, headers: Mapping[str, str]) -> int:
        """One update from Telegram. 200: stored, or refused for good. 503: not stored, Telegram shall try again."""
        given = headers.get(_HEADER, "").encode("utf-8", "surrogateescape")
        if self._mode != "webhook" or self._receive is None:
            return 404
        if not hmac.compare_digest(given, self._secret.encode()):
            log.warning("webhook_refused", why="secret", length=len(body))
            return 403
        try:
            update = json.loads(body)
        except (ValueError, RecursionError):
            log.warning("webhook_refused", why="no JSON", length=len(body))
            return 400
        try:
            await self._intake.take_in(update, self._receive)
        except Exception as err:  # the inbox could not store it
            # No traceback: its lines may quote the patient.
            log.error("event_not_stored", error=type(err).__name__)
            return 503
        return 200

    # --- taking in

    async def _run(self) -> None:
        await self._set_up()
        self._aside.do(show(self._api, self._profile, self._languages))
        if self._mode == "polling":
            await self._poll()

    async def _set_up(self) -> None:
        """Tell Telegram how updates shall come; tried until it works."""
        number = 0
        while True:
            try:
                self.username = await self._api.username()
                if self._mode == "webhook":
                    await self._api.set_webhook(f"{self._public_url}{self.webhook_path}", self._secret)
                else:
                    await self._api.delete_webhook()
                self.problem = None
                return self._tried.set()
            except SendFailed as err:
                number += 1
                self._note(err)
                self._tried.set()
                await asyncio.sleep(err.retry_after or min(60, 0.5 * 2**number))

    def _note(self, err: SendFailed) -> None:
        advice = {
            "token_refused": "Telegram refuses SMILELINE_TELEGRAM_TOKEN; compare it with the one @BotFather shows",
            "conflict": "another program polls with this bot's token; stop it, or use a bot of your own",
        }
        self.problem = advice.get(err.reason, f"Telegram cannot be reached ({err.reason})")
        log.error("telegram_problem", problem=self.problem)

    async def _poll(self) -> None:
        assert self._receive is not None
        offset, failures = None, 0
        while True:
            try:
                updates = await self._api.updates(offset, POLL_SECONDS)
                await together([self._intake.take_in(update, self._receive) for update in updates])
                # Dying here is safe: all are stored, none is confirmed, and they are dropped when they come again.
                before = offset
                for update in updates:
                    offset = max(offset or 0, (update_number(update) or -1) + 1)
                failures, self.problem = (failures + 1 if updates and offset == before else 0), None
            except SendFailed as err:
                failures += 1
                self._note(err)
                await asyncio.sleep(err.retry_after or 0)
            except Exception as err:  # the inbox could not store it: it stays with Telegram until it can
                failures += 1
                # No traceback: its lines may quote the patient.
                log.error("event_not_stored", error=type(err).__name__)
            if failures:
                await asyncio.sleep(min(30, 0.25 * 2**failures))

    async def _refuse_group(self, call: GroupCall) -> None:
        if call.chat not in self._staff_chats:
            language = call.language.replace("_", "-").split("-")[0] if call.language else None
            await self.send(Address(self.name, call.chat), Message(self._group_refused(language)))

    # --- sending

    async def _send_part(self, chat: str, part: str, shown: Message, reminder: bool) -> None:
        await self._pace.wait(chat, reminder)
        try:
            try:
                await self._send_once(chat, part, shown)
            except ChatMovedError as err:
                self._remember_move(chat, err.chat)
                await self._send_once(err.chat, part, shown)
        except ChatMovedError as err:  # it moves in circles
            raise SendFailed("refused") from err
        except SendFailed as err:
            if err.retry_after is not None:
                self._pace.hold(chat, err.retry_after)
            raise

    async def _send_once(self, chat: str, part: str, shown: Message) -> None:
        rows = keyboards.keyboard(shown, chat, self._signer, calendar.guess_language(part))
        await self._api.send(chat, part, rows)

    def _remember_move(self, old: str, new: str) -> None:
        """Kept in memory: after a restart Telegram tells us again at the first message."""
        self._moved[old] = new
        if old in self._staff_chats:
            self._staff_chats = tuple(new if chat == old else chat for chat in self._staff_chats)
            log.error(
                "staff_chat_moved", advice=f"set SMILELINE_STAFF_CHAT={new}: the staff group has a new id"
            )
