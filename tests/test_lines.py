"""The lines to a platform: no message is left standing, and none waits behind one that hangs while a line is free."""

import asyncio
from typing import Any

from bot.outbox.lines import Lines


class Counter:
    """Takes parcels (any value will do); those that are held back hang until they are let go."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.held: dict[Any, asyncio.Event] = {}
        self.now = self.most = 0

    async def deliver(self, parcel: Any) -> None:
        self.taken.append(parcel)
        self.now += 1
        self.most = max(self.most, self.now)
        if parcel in self.held:
            await self.held[parcel].wait()
        await asyncio.sleep(0)
        self.now -= 1


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_each_is_taken_once_in_order_and_never_more_than_allowed_at_a_time() -> None:
    counter = Counter()
    lines = Lines(3, counter.deliver)

    lines.put(range(7))  # type: ignore[arg-type]
    lines.put(range(7, 10))  # type: ignore[arg-type]
    await turns()

    assert (counter.taken, counter.most, counter.now) == (list(range(10)), 3, 0)


async def test_what_comes_at_the_moment_when_the_last_line_ends_is_taken_all_the_same() -> None:
    loop, taken = asyncio.get_running_loop(), []

    async def deliver(parcel: Any) -> None:
        taken.append(parcel)
        if parcel == "first":  # runs when the line has ended and before anybody is told so
            loop.call_soon(lines.put, ["second"])

    lines = Lines(1, deliver)
    lines.put(["first"])  # type: ignore[list-item]
    await turns()

    assert taken == ["first", "second"]


async def test_one_that_hangs_does_not_hold_up_what_comes_later() -> None:
    counter = Counter()
    counter.held["slow"] = asyncio.Event()
    lines = Lines(2, counter.deliver)

    lines.put(["slow"])  # type: ignore[list-item]
    await turns()
    lines.put(["quick"])  # type: ignore[list-item]
    await turns()
    taken, at_work = list(counter.taken), counter.now
    counter.held["slow"].set()
    await turns()

    assert (taken, at_work, counter.now) == (["slow", "quick"], 1, 0)
