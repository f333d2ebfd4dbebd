"""Few answers of a channel are under way at once, from the first word until it is known to have been given: so a kill leaves
few in doubt.

One where nobody can tell after a kill whether it arrived; BESIDE more where the platform will tell.
"""

import asyncio
from collections.abc import Callable

LEASE_SECONDS = 0.5  # of one answer's turn; a platform that is well takes a tenth of it
BESIDE = 3  # answers whose fate the platform tells: enough to keep the processor busy, few enough for a slow restart


class Turns:
    """The turns of one channel.

    A turn that takes long (a platform that hangs, a chat that must wait) does not keep the others: after LEASE_SECONDS the
    next begins beside it, and a kill in that while may double one for each answer under way.
    """

    def __init__(self, lease_seconds: float = LEASE_SECONDS) -> None:
        self._alone, self._beside = asyncio.Semaphore(1), asyncio.Semaphore(BESIDE)
        self._lease_seconds = lease_seconds

    async def take(self, *, known: bool = False) -> Callable[[], None]:
        """Wait for a turn; what is returned ends it, once. `known`: the platform will tell whether the answer arrived."""
        turns = self._beside if known else self._alone
        await turns.acquire()
        ended = False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                timer.cancel()
                turns.release()

        timer = asyncio.get_running_loop().call_later(self._lease_seconds, end)
        return end


class Turn:
    """That of one answer, if it takes one: danger waits for nobody.

    `begun` notes on disk that it begins, and gives the note's number; None where no notes are made. `doubted`: a process that
    was killed may have given the answer.
    """

    def __init__(self, begun: Callable[[], int | None] | None = None, *, doubted: bool = False) -> None:
        self._begun, self.doubted = begun, doubted
        self.note: int | None = None
        self._end: Callable[[], None] | None = None

    @property
    def is_noted(self) -> bool:
        """Whether the next process will know that the answer was under way."""
        return self._begun is not None

    async def begin(self, turns: Turns, *, known: bool = False) -> None:
        self._end = await turns.take(known=known)
        self.note = self._begun() if self._begun else None

    def end(self) -> None:
        """Twice does no harm."""
        if self._end:
            self._end()
            self._end = None
