"""Group commit: what many sends have to record goes into one transaction, and is never given up while we live."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

from bot import logs
from bot.store.deliveries import Change, Claims
from bot.store.store import Store, StoreAway, StoreError

log = logs.get(__name__)

PAGE = 1024  # changes a transaction
LONGEST_PAUSE_SECONDS = 5.0


class Recorder:
    """Collects changes while a commit is under way and commits them together next."""

    def __init__(self, store: Store, claims: Claims, now: Callable[[], datetime]) -> None:
        self._store = store
        self._claims = claims
        self._now = now
        self._waiting: list[tuple[Change, Callable[[bool | Exception], None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, change: Change) -> bool:
        """Returns when the change is on disk; False when the row was not ours to change (any more).

        If we die before that, the row's lease runs out and it is treated as of unknown outcome.
        """
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.hand(change, partial(_settle, future))
        return await future

    def hand(self, change: Change, done: Callable[[bool | Exception], None]) -> None:
        """The same without waiting: `done` is called with what `put` would return or raise."""
        self._waiting.append((change, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            page, self._waiting = self._waiting[:PAGE], self._waiting[PAGE:]
            try:
                done = await self._commit([change for change, _ in page])
            except Exception as err:  # a fault of ours: those who wait must hear of it, or they wait for ever
                log.exception("record_broke", changes=len(page))
                for _, tell in page:
                    tell(err)
                continue
            for (_, tell), ok in zip(page, done, strict=True):
                tell(ok)

    async def _commit(self, changes: list[Change]) -> list[bool]:
        pause = 0.05
        while True:
            try:
                return await asyncio.to_thread(self._store.apply, self._claims, changes, self._now())
            except StoreAway as err:  # locked, away, disk full: an outcome that we know must not be lost
                log.warning("record_waits", changes=len(changes), error=type(err).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            except StoreError as err:  # a rule of the schema refuses one of them: find it, keep the others
                if len(changes) == 1:
                    log.exception("record_refused", reminder=changes[0].id, error=type(err).__name__)
                    return [False]
                return [ok for change in changes for ok in await self._commit([change])]


def _settle(future: asyncio.Future[bool], outcome: bool | Exception) -> None:
    if future.done():  # nobody waits any more
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
