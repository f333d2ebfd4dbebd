"""What becomes of an update: stored by the inbox, or answered here when it is the channel's own business.

The channel's own business is a calendar that turns its page, a marked button, and a group that is refused.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from bot import logs
from bot.channels.callback import CallbackSigner
from bot.channels.port import Receive, SendFailed
from bot.channels.telegram import calendar, keyboards
from bot.channels.telegram.client import BotApi, ChatMovedError, Keyboard
from bot.channels.telegram.pace import Pace
from bot.channels.telegram.staff_updates import read_staff_update
from bot.channels.telegram.updates import ChatMoved, GroupCall, OddUpdateError, Tap, read_update
from bot.core.values import Address, Incoming

log = logs.get("telegram")
REFUSE_AGAIN = dt.timedelta(days=1)  # a group hears once a day that this is no place for health


class Aside:
    """Work that nobody waits for. What it fails at is a nuisance, so it is noted and not repeated."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, seconds: float) -> None:
        """Let it end within `seconds`, then end it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except SendFailed as err:
            log.info("aside_failed", reason=err.reason)
        except ChatMovedError:
            log.info("aside_failed", reason="moved")


class Intake:
    """Takes updates in."""

    def __init__(
        self,
        api: BotApi,
        bot_id: str,
        signer: CallbackSigner,
        pace: Pace,
        aside: Aside,
        clock: Callable[[], dt.datetime],
        refuse_group: Callable[[GroupCall], Coroutine[Any, Any, None]],
        moved: Callable[[str, str], None],
        staff_chats: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._api, self._bot_id, self._signer, self._pace, self._aside = api, bot_id, signer, pace, aside
        self._clock, self._refuse, self._moved = clock, refuse_group, moved
        self._refused: dict[str, dt.datetime] = {}
        self._staff_chats = staff_chats

    async def take_in(self, update: Any, receive: Receive) -> None:
        """One update. Returns when it may be confirmed; raises what `receive` raises."""
        try:
            parsed = read_staff_update(
                update, self._bot_id, self._clock(), self._staff_chats()
            ) or read_update(update, self._bot_id, self._clock())
        except OddUpdateError as err:
            log.warning("update_refused", why=str(err))
            return
        match parsed:
            case Incoming():
                await receive(parsed)
            case Tap():
                await self._tapped(parsed, receive)
            case GroupCall():
                self._group(parsed)
            case ChatMoved(old, new):
                self._moved(old, new)

    async def _tapped(self, tap: Tap, receive: Receive) -> None:
        action = self._signer.open(tap.data, tap.chat)
        page = calendar.turned(action, lambda data: self._signer.sign(data, tap.chat)) if action else None
        rows = tap.keyboard
        if action is None:
            log.warning("callback_refused", update=tap.update_id)
        elif page:
            rows = keyboards.after_turn(tap.keyboard, page, tap.chat, self._signer)
        elif action != calendar.NOTHING:
            event_id, address = f"{self._bot_id}-{tap.update_id}", Address("telegram", tap.chat)
            event = Incoming(address, event_id, self._clock(), "action", "", action, tap.language)
            if tap.chat in self._staff_chats():  # the desk changes its cards itself
                await receive(replace(event, sender=tap.sender, reply_to=str(tap.message_id)))
            else:
                await receive(event)
                rows = keyboards.after_tap(tap.keyboard, tap.data, action, tap.chat, self._signer)
        self._aside.do(self._api.answer(tap.query_id))
        self._edit(tap, rows)

    def _edit(self, tap: Tap, rows: Keyboard) -> None:
        if rows != tap.keyboard and not self._pace.held(tap.chat):
            self._aside.do(self._api.edit_keyboard(tap.chat, tap.message_id, rows))

    def _group(self, call: GroupCall) -> None:
        now = self._clock()
        self._refused = {chat: at for chat, at in self._refused.items() if now - at < REFUSE_AGAIN}
        if call.chat not in self._refused:
            self._refused[call.chat] = now
            self._aside.do(self._refuse(call))
