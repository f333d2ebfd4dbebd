"""What is said in answer to one event, in order, and kept up until it is said.

What if we die right here? Before the platform has taken a message: the event is handled again and so the message said.
After that and before the event is marked done: said again, where the platform cannot tell (Telegram); LINE is given the
same key, and the reply token, which works once.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from bot import logs
from bot.channels.persist import REPEATABLE, Sleep, persist
from bot.channels.port import Channel, FreeReplies, SendFailed
from bot.core.values import Incoming, Message
from bot.store.store import Store

log = logs.get("inbox")

PATIENCE_SECONDS = 86_400.0  # that an answer waits for a platform that is away; the next start begins anew
MOST_DOUBTS = 3  # rounds of tries whose outcome nobody knows, each of which may have arrived
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 600.0
_KEYS = uuid.UUID("6f0f3c55-5a0e-4c5b-9c5e-3a7d1f0a9b21")  # any of our own, the same for ever


def _nothing() -> None:
    """Nobody waits for the first words."""


@dataclass(frozen=True, slots=True)
class Rider:
    """A message that goes along with an answer; `ended` is awaited once: whether it went out, None when nobody can tell."""

    message: Message
    ended: Callable[[bool | None], Awaitable[None]]


class Answering:
    """Speaks to the one who sent `event`. `repeated`: an earlier process may have answered it already."""

    def __init__(
        self, store: Store, channel: Channel, event: Incoming, repeated: bool, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._store, self._channel, self._event, self._sleep = store, channel, event, sleep
        self.repeated, self._said = repeated, 0
        self._rider: Rider | None = None  # as long as it may still go along
        self._rode: bool | None = False  # whether it went out; None: nobody can tell
        self.used_up = False  # whether the platform's messages of this month are
        self.before_words: Callable[[], None] = _nothing  # called when there is something to say

    async def say(self, message: Message, rider: Rider | None = None) -> bool:
        """True when the platform has taken it. Comes back at once when this address will never work.

        `rider` goes along where that is free.
        """
        self.before_words()
        number, self._said = self._said, self._said + 1
        handle = self._event.reply_handle if number == 0 else None
        key = self._key(number) if self._channel.retry_keys else None
        again = {"repeated": True} if self.repeated else {}
        send = partial(self._channel.send, self._event.address, message, reply_handle=handle, retry_key=key)
        attempt = partial(send, **again)
        if rider is not None and isinstance(self._channel, FreeReplies):
            self._rider = rider
            attempt = partial(self._ride, self._channel, message, handle, key, send)
        try:
            await self._insist(attempt)
        except SendFailed as err:
            await self._let_off()
            await self._give_up(err)
            return False
        await self._let_off()
        return True

    async def _let_off(self) -> None:
        """Whatever became of the rider is settled; it goes along no more."""
        rider, self._rider = self._rider, None
        if rider:
            await rider.ended(self._rode)

    async def _ride(
        self,
        channel: FreeReplies,
        message: Message,
        handle: str | None,
        key: str | None,
        alone: Callable[[], Awaitable[None]],
    ) -> None:
        """One try. After a lost answer the next one is told that the reply may be there: its token works once."""
        if self._rider is None:
            return await alone()
        rider, doubt = self._rider.message, self._rode is None
        again, to = self.repeated or doubt, self._event.address
        try:
            rode = await channel.reply_with(
                to, message, rider, reply_handle=handle, retry_key=key, repeated=again
            )
        except SendFailed as err:
            self._rode = None if doubt or err.sent == "unknown" else False
            if err.reason != "refused":
                raise
            await alone()  # whatever is wrong with the rider, the answer goes out
        else:
            self._rode = rode or (None if again else False)

    def _key(self, number: int) -> str:
        return str(uuid.uuid5(_KEYS, f"{self._event.address.channel}:{self._event.event_id}:{number}"))

    async def _insist(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try for a minute, then, while the platform is away, every few minutes for a day."""
        waited, pause, doubts = 0.0, FIRST_PAUSE_SECONDS, 0
        while True:
            try:
                return await persist(attempt, sleep=self._sleep)
            except SendFailed as err:
                doubts += err.sent == "unknown" and not self._channel.retry_keys
                away = err.sent == "unknown" or err.reason in REPEATABLE
                if err.permanent or not away or doubts > MOST_DOUBTS or waited >= PATIENCE_SECONDS:
                    raise
                rest = max(pause, err.retry_after or 0.0)
                log.warning("reply_waits", channel=self._channel.name, reason=err.reason, seconds=rest)
            if (
                self._rode is False or waited
            ):  # in doubt, once more while the token is fresh; its lease does not last for ever
                await self._let_off()
            await self._sleep(rest)
            waited, pause = waited + rest, min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _give_up(self, err: SendFailed) -> None:
        self.used_up = self.used_up or err.reason == "quota"
        log.warning("reply_failed", channel=self._channel.name, reason=err.reason, permanent=err.permanent)
        if err.permanent:
            try:
                await asyncio.to_thread(self._store.mark_unreachable, self._event.address, err.reason)
            except Exception as fault:  # the next send finds out again
                log.error("unreachable_not_kept", error=type(fault).__name__)
