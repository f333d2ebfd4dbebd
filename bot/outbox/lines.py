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
        self._at_work = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly

    def put(self, parcels: Iterable[Parcel]) -> None:
        self._waiting.extend(parcels)
        for _ in range(min(self._most - self._at_work, len(self._waiting))):
            self._at_work += 1
            line = asyncio.create_task(self._work())
            self._tasks.add(line)
            line.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._deliver(self._waiting.popleft())
        finally:  # in the same breath as the look at what waits: a line that counts will look again
            self._at_work -= 1
