"""One answer at a time on a channel, from its first word until it is known to have been given: so a kill leaves one in doubt,
not many.
"""

import asyncio
from collections.abc import Callable

LEASE_SECONDS = 0.5  # of one answer's turn; a platform that is well takes a tenth of it


class Turns:
    """The turns of one channel.

    A turn that takes long (a platform that hangs, a chat that must wait) does not keep the others: after LEASE_SECONDS the
    next begins beside it, and a kill in that while may double one for each answer under way.
    """

    def __init__(self, lease_seconds: float = LEASE_SECONDS) -> None:
        self._lock, self._lease_seconds = asyncio.Lock(), lease_seconds

    async def take(self) -> Callable[[], None]:
        """Wait for a turn; what is returned ends it, once."""
        await self._lock.acquire()
        ended = False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                timer.cancel()
                self._lock.release()

        timer = asyncio.get_running_loop().call_later(self._lease_seconds, end)
        return end


class Turn:
    """That of one answer, if it takes one: danger waits for nobody."""

    def __init__(self) -> None:
        self._end: Callable[[], None] | None = None

    async def begin(self, turns: Turns) -> None:
        self._end = await turns.take()

    def end(self) -> None:
        """Twice does no harm."""
        if self._end:
            self._end()
            self._end = None
