"""How fast we may write: overall, in one chat, and after Telegram said "too many requests".

Telegram names about 30 messages a second over all chats and one a second in a chat, where short bursts pass; the numbers
differ by bot and day, so what it answers counts more than they do. Reminders have a lane of their own, narrower than the
whole, so that a thousand of them never stand before a patient who waits for an answer.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

from bot.channels.port import SendFailed

LONGEST_HOLD = 3.0  # seconds that a send waits for a held chat before it gives the wait back to its caller
CHATS_KEPT = 20_000
_FLOOD_CHATS, _FLOOD_SECONDS = 3, 2.0  # so many chats refused in so short a time: the whole bot is meant


class Lane:
    """A steady rate with a small burst (the virtual scheduling form of a leaky bucket)."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval, self._burst = 1 / per_second, burst
        self._next = 0.0

    def reserve(self, now: float) -> float:
        """Takes the next place; returns the seconds to wait for it."""
        self._next = max(self._next, now - (self._burst - 1) * self._interval) + self._interval
        return max(0.0, self._next - self._interval - now)


class Pace:
    """Waits before each message. `wait` raises SendFailed(rate_limited) when the wait would be long."""

    def __init__(
        self,
        per_second: float = 24,
        reminders_per_second: float = 18,
        chat_per_second: float = 1,
        chat_burst: int = 3,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._all = Lane(per_second, 5)
        self._reminders = Lane(reminders_per_second, 1)
        self._chat_per_second, self._chat_burst = chat_per_second, chat_burst
        self._chats: dict[str, Lane] = {}
        self._held: dict[str, float] = {}
        self._held_all = 0.0
        self._refused: deque[tuple[float, str]] = deque(maxlen=_FLOOD_CHATS)
        self._monotonic, self._sleep = monotonic, sleep

    async def wait(self, chat: str, reminder: bool) -> None:
        """Returns when a message to `chat` may go."""
        self._check(chat)
        if reminder:
            await self._pause(self._reminders.reserve(self._monotonic()))
        await self._pause(self._lane(chat).reserve(self._monotonic()))
        await self._pause(self._all.reserve(self._monotonic()))
        while (held := self._check(chat)) > 0:  # refused meanwhile
            await self._pause(held)

    def hold(self, chat: str, seconds: float) -> None:
        """Telegram wants nothing in `chat` for `seconds`; when several chats are refused at once, nothing anywhere."""
        now = self._monotonic()
        self._held[chat] = max(self._held.get(chat, 0.0), now + seconds)
        self._chat_burst = 1  # it is stricter today than bursts need
        self._chats.pop(chat, None)
        self._refused.append((now, chat))
        recent = {name for at, name in self._refused if now - at < _FLOOD_SECONDS}
        if len(recent) >= _FLOOD_CHATS:
            self._held_all = max(self._held_all, now + seconds)

    def held(self, chat: str) -> float:
        """Seconds until `chat` may be written to again."""
        return max(0.0, max(self._held.get(chat, 0.0), self._held_all) - self._monotonic())

    def _check(self, chat: str) -> float:
        held = self.held(chat)
        if held > LONGEST_HOLD:
            raise SendFailed("rate_limited", retry_after=held)
        return held

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            await self._sleep(seconds)

    def _lane(self, chat: str) -> Lane:
        if len(self._chats) >= CHATS_KEPT:  # their bursts are forgotten, their holds are not
            self._chats.clear()
            now = self._monotonic()
            self._held = {name: until for name, until in self._held.items() if until > now}
        return self._chats.setdefault(chat, Lane(self._chat_per_second, self._chat_burst))
