"""Group commit of the inbox: events that come in and events that are done share a transaction, and so one fsync."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bot import logs
from bot.channels.persist import Sleep
from bot.core.values import Incoming
from bot.store.events import Done, Lease
from bot.store.store import Store, StoreAway

log = logs.get("inbox")

PAGE = 200  # entries a transaction
GATHER_SECONDS = 0.03  # in which twenty messages come in a rush: a commit costs as much as fifteen entries
LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: Incoming | Done
    written: asyncio.Future[bool]


class EventLog:
    """Collects entries while a commit is under way and commits them together next."""

    def __init__(
        self,
        store: Store,
        lease: Callable[[], Lease],
        rush: Callable[[], bool],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store, self._lease, self._rush, self._sleep = store, lease, rush, sleep
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, entry: Incoming | Done) -> bool:
        """Returns when `entry` is on disk; False for an event that was there before, or must wait for its turn.

        Raises StoreError for an event that could not be stored (the platform keeps it then). What is done is written again
        until it can be: if we die before that, the event is handled once more.
        """
        waiting = _Waiting(entry, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await waiting.written

    async def _run(self) -> None:
        pause = 0.05
        while self._waiting:
            if self._rush():  # others are coming: a moment's wait spares each of them a commit of its own
                await self._sleep(GATHER_SECONDS)
            page, self._waiting = self._waiting[:PAGE], self._waiting[PAGE:]
            again = await self._commit(page)
            if again:
                log.warning("done_waits", events=len(again))
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                self._waiting = again + self._waiting
            else:
                pause = 0.05

    async def _commit(self, page: list[_Waiting]) -> list[_Waiting]:
        """Write one page; returns what must be written again."""
        try:
            entries = [item.entry for item in page]
            written = await asyncio.to_thread(self._store.write_events, entries, self._lease())
        except StoreAway as err:
            return _split(page, err)
        except Exception as err:  # one entry that the schema refuses shall not cost the others
            if len(page) > 1:
                return [item for one in page for item in await self._commit([one])]
            _fail(page[0], err)
            return []
        for item, new in zip(page, written, strict=True):
            if not item.written.done():
                item.written.set_result(new)
        return []


def _split(page: list[_Waiting], err: Exception) -> list[_Waiting]:
    for item in page:
        if isinstance(item.entry, Incoming):
            _fail(item, err)
    return [item for item in page if isinstance(item.entry, Done)]


def _fail(item: _Waiting, err: Exception) -> None:
    if not item.written.done():
        item.written.set_exception(err)
