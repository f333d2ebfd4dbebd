"""Work that nobody waits for: dying before it is done costs nothing that matters."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Beside:
    """Holds the tasks, or they would be collected half done."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def under_way(self) -> list[asyncio.Task[None]]:
        return [*self._tasks]
