"""Several processes over one store: each event is answered once, in order, and what a dead process left is taken over."""

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from bot.core.values import Address
from bot.inbox import Inbox
from bot.inbox.leases import LEASE_SECONDS, RENEW_SECONDS, Name
from bot.store.events import Done, Lease
from bot.store.store import Store
from intents.faq import Faq
from tests.fakes import FakeChannel, FakeStaff
from tests.scene import ANNA, BEN, Scene, Understands

OTHERS = [Address("fake", f"chat {number}") for number in range(20)]


class Halting(FakeChannel):
    """A platform that holds every message until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.going = asyncio.Event()

    async def send(self, *args: object, **more: object) -> None:  # type: ignore[override]
        await self.going.wait()
        await super().send(*args, **more)  # type: ignore[arg-type]


class Two(Scene):
    """Two processes, each with its own way to the platform; `first` can die."""

    def __init__(self, store: Store, faq: Faq) -> None:
        super().__init__(store, faq)
        self.ways = {"first": Halting(), "second": FakeChannel()}
        self.first, self.second = (self.process(name) for name in self.ways)

    def process(self, name: str) -> Inbox:
        return Inbox(
            self.real,
            lambda: Understands(self.faq),  # type: ignore[arg-type, return-value]
            {"fake": self.ways[name]},
            FakeStaff(),
            self.clock,
            owner=name,
            sleep=self._sleep,
            monotonic=lambda: self.seconds,
        )

    async def kill_first(self) -> None:
        """What it had in its hands stops in the middle; nothing is put down."""
        tasks = [*self.first._last.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        await self.second.drain()

    def order(self) -> list[str]:
        """The events in the order in which they were done, each as often as it was."""
        return [*self._done]

    def watch(self) -> None:
        """Note what is done."""
        self._done: list[str] = []
        write = self.real.write_events

        def noting(entries, lease=None):  # type: ignore[no-untyped-def]
            self._done += [entry.event_id for entry in entries if isinstance(entry, Done)]
            return write(entries, lease)

        self.real.write_events = noting  # type: ignore[method-assign]


@pytest.fixture
def two(store: Store, faq: Faq) -> Two:
    return Two(store, faq)


async def test_what_a_dead_process_left_is_answered_by_the_living_one_once(two: Two) -> None:
    two.watch()
    for who in OTHERS:
        await two.first.receive(two.event("hello", who))
        await two.first.receive(two.event("hello again", who))
    await two.kill_first()

    assert await two.second.beat() == 0
    two.clock.forward(seconds=LEASE_SECONDS + 1)
    assert await two.second.beat() == 2 * len(OTHERS)
    await two.settle()
    assert await two.second.beat() == 0

    assert sorted(two.order(), key=int) == [str(n + 1) for n in range(2 * len(OTHERS))]
    assert two.unhandled() == []
    assert two.ways["second"].repeats == [True] * (2 * len(OTHERS))
    assert two.ways["first"].sent == []


async def test_a_message_waits_for_an_earlier_one_in_another_process(two: Two) -> None:
    two.watch()
    await two.first.receive(two.event("the first", ANNA))
    await two.second.receive(two.event("the second", ANNA))
    await two.second.receive(two.event("from another", BEN))
    await two.settle()

    assert two.order() == ["3"]
    assert await two.second.beat() == 0

    two.ways["first"].going.set()  # type: ignore[attr-defined]
    await two.first.drain()
    assert await two.second.beat() == 1
    await two.settle()
    assert two.order() == ["3", "1", "2"]
    assert two.ways["second"].repeats == [False, False]


async def test_order_holds_across_a_death(two: Two) -> None:
    two.watch()
    await two.first.receive(two.event("one", ANNA))
    await two.second.receive(two.event("two", ANNA))
    await two.first.receive(two.event("three", ANNA))
    await two.kill_first()
    two.clock.forward(seconds=LEASE_SECONDS + 1)

    await two.second.receive(two.event("four", ANNA))
    assert await two.second.beat() == 4
    await two.settle()

    assert two.order() == ["1", "2", "3", "4"]


async def test_a_living_process_keeps_what_it_has_in_hand_however_long(two: Two) -> None:
    await two.first.receive(two.event("hello", ANNA))
    for _ in range(20):
        two.clock.forward(seconds=RENEW_SECONDS)
        await two.first.beat()
        assert await two.second.beat() == 0

    two.ways["first"].going.set()  # type: ignore[attr-defined]
    await two.first.drain()
    assert len(two.ways["first"].sent) == 1


async def test_a_process_that_slept_leaves_alone_what_was_taken_over(two: Two) -> None:
    await two.first.receive(two.event("one", ANNA))
    await two.first.receive(two.event("two", ANNA))  # waits for the one before
    two.clock.forward(seconds=LEASE_SECONDS + 1)
    assert await two.second.beat() == 2
    await two.settle()
    two.ways["first"].going.set()  # type: ignore[attr-defined]
    await two.first.drain()

    assert len(two.ways["first"].sent) <= 1  # what was on its way when it fell asleep
    assert len(two.ways["second"].sent) == 2
    assert two.unhandled() == []


async def test_what_is_put_down_at_the_end_is_taken_at_once(two: Two) -> None:
    await two.first.receive(two.event("hello", ANNA))
    await two.kill_first()
    await two.first.stop()
    two.clock.forward(seconds=1)

    assert await two.second.beat() == 1
    await two.settle()


async def test_a_process_of_the_same_name_goes_on_without_waiting(two: Two) -> None:
    await two.first.receive(two.event("hello", ANNA))
    await two.kill_first()

    two.ways["first"].going.set()  # type: ignore[attr-defined]
    again = two.process("first")
    assert await again.resume() == 1
    await again.drain()
    assert two.ways["first"].repeats == [True]


@pytest.mark.slow
async def test_two_who_claim_at_once_never_share_an_event(two: Two) -> None:
    two.real.write_events([two.event("hello", who) for who in OTHERS * 20])
    until = two.clock() + dt.timedelta(minutes=1)

    def claim(name: str) -> list[str]:
        got, lease = [], Lease(name, until)
        while found := two.real.claim_events(lease, two.clock(), ["fake"], limit=7):
            got += [item.event.event_id for item in found]
        return got

    shares = await asyncio.gather(*(asyncio.to_thread(claim, f"process {n}") for n in range(4)))

    claimed = [event_id for share in shares for event_id in share]
    assert len(claimed) == len(set(claimed)) == len(OTHERS) * 20


def test_processes_of_one_folder_have_names_of_their_own_that_come_back(tmp_path: Path) -> None:
    first, second = Name(tmp_path), Name(tmp_path)
    first.close()
    third = Name(tmp_path)

    assert third.value == first.value != second.value
    second.close()
    third.close()


def test_a_copied_folder_gives_other_names(tmp_path: Path) -> None:
    one, other = Name(tmp_path / "one"), Name(tmp_path / "other")

    assert one.value != other.value
    one.close()
    other.close()
