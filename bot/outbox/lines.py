"""The lines to one platform: so many messages at a time, each line with one in hand until it lets go of it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from bot.outbox.courier import Parcel


class Lines:
    """At most `most` deliveries at a time. A line is a task that lives while there is something to take.

    A task for each message instead costs as much as all else that a message costs us. `deliver` raises nothing but cancellation.
    """

    def __init__(self, most: int, deliver: Callable[[Parcel], Awaitable[None]]) -> None:
        self._most, self._deliver = most, deliver
        self._waiting: deque[Parcel] = deque()
        self._open: set[asyncio.Task[None]] = set()

    def put(self, parcels: Iterable[Parcel]) -> None:
        self._waiting.extend(parcels)
        while len(self._open) < min(self._most, len(self._waiting)):
            line = asyncio.create_task(self._work())
            self._open.add(line)
            line.add_done_callback(self._open.discard)

    async def _work(self) -> None:
        while self._waiting:
            await self._deliver(self._waiting.popleft())
