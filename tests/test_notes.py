"""What was answered and is not on record yet: known after the process is killed, to its next start and to others."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.core.values import Address
from bot.inbox.eventlog import GATHER_SECONDS, EventLog
from bot.inbox.turns import Turns
from bot.store.events import Done, Lease
from bot.store.notes import KEPT_SECONDS, SLOT, Notes, read_begun, read_notes
from bot.store.store import Store
from intents.faq import Faq
from tests.databases import KEY, ready_store
from tests.fakes import Clock, FakeChannel
from tests.helpers import NOW
from tests.scene import ANNA, BEN, Scene
from tests.test_ride import on_line

# --- the file


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Notes]:
    kept = Notes(tmp_path, "me")
    yield kept
    kept.close()


def test_a_note_is_read_by_any_process_as_soon_as_it_is_made(notes: Notes, tmp_path: Path) -> None:
    notes.add("line", "01H")
    other = Notes(tmp_path, "another")
    other.add("telegram", "77")

    assert sorted(read_notes(tmp_path)) == [("line", "01H"), ("telegram", "77")]
    other.close()


def test_what_is_on_record_is_noted_no_more_and_its_place_is_used_again(notes: Notes, tmp_path: Path) -> None:
    for number in range(1000):
        place = notes.add("line", f"event {number}")
        assert place is not None
        notes.remove(place)

    assert list(read_notes(tmp_path)) == []
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 2 * SLOT


def test_an_answer_that_has_begun_is_told_from_one_that_was_given(notes: Notes, tmp_path: Path) -> None:
    first, second = notes.begin("line", "first"), notes.begin("line", "second")
    assert sorted(read_begun(tmp_path)) == [("line", "first"), ("line", "second")]

    assert notes.add("line", "first", first) == first
    assert list(read_notes(tmp_path)) == [("line", "first")]
    assert list(read_begun(tmp_path)) == [("line", "second")]

    assert second is not None
    notes.remove(second)
    assert list(read_begun(tmp_path)) == []


def test_an_earlier_processs_notes_stay_until_they_are_cleared(notes: Notes, tmp_path: Path) -> None:
    notes.add("line", "before")
    again = Notes(tmp_path, "me")
    again.add("line", "after")

    assert sorted(read_notes(tmp_path)) == [("line", "after"), ("line", "before")]
    again.clear()
    assert list(read_notes(tmp_path)) == []
    again.close()


def test_the_notes_of_a_process_that_never_came_back_are_swept_up_in_the_end(
    notes: Notes, tmp_path: Path
) -> None:
    notes.add("line", "long ago")
    (path,) = tmp_path.iterdir()
    for age, left in ((KEPT_SECONDS - 60, 1), (KEPT_SECONDS + 60, 0)):
        os.utime(path, (path.stat().st_atime, time.time() - age))
        Notes(tmp_path, "another").close()

        assert len(list(read_notes(tmp_path))) == left


@pytest.mark.parametrize("length", range(0, SLOT + 1, 7))
def test_a_note_that_the_machines_end_cut_short_names_no_other_event(
    notes: Notes, tmp_path: Path, length: int
) -> None:
    notes.clear()
    notes.add("line", "0123456789" * 10)
    (path,) = tmp_path.iterdir()
    os.truncate(path, length)

    assert list(read_notes(tmp_path)) in ([], [("line", "0123456789" * 10)])


def test_without_room_there_is_no_note(notes: Notes) -> None:
    assert notes.add("line", "x" * SLOT) is None
    assert None in [notes.add("line", f"{number}") for number in range(5000)]
    notes.close()
    assert notes.add("line", "late") is None


def test_where_no_file_can_be_made_nothing_is_noted(tmp_path: Path) -> None:
    store = ready_store(tmp_path / "s.db")
    (tmp_path / "s.db.notes").write_bytes(b"a file where the folder should be")

    assert store.notes("me") is None
    store.record_noted(NOW)
    store.close()


# --- the inbox


class Killed(Scene):
    """The process answers, cannot record it, and is killed."""

    def held(self) -> asyncio.Event:
        """No answer goes out before this is set."""
        go, send = asyncio.Event(), self.channel.send

        async def once_it_may(*args: Any, **kwargs: Any) -> None:
            await go.wait()
            await send(*args, **kwargs)

        self.channel.send = once_it_may  # type: ignore[method-assign]
        return go

    async def answered_and_killed(self, *who: Any) -> None:
        """Nobody's answer waits for the record of the one before."""
        self.inbox.conversing.turns["fake"] = Turns(lease_seconds=60)
        stored = self.held()
        for address in who:
            await self.inbox.receive(self.event("swollen", address))
        self.store.broken = {"write_events"}
        stored.set()
        async with asyncio.timeout(5):
            while len(self.channel.sent) < len(who):
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks = [*self.inbox._last.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.store.broken = set()


@pytest.fixture
def killed(database_url: str, faq: Faq) -> Iterator[Killed]:
    store = Store.open(database_url, KEY)
    yield Killed(store, faq)
    store.close()


@pytest.fixture
def noting(tmp_path: Path, faq: Faq) -> Iterator[Killed]:
    """On SQLite; on PostgreSQL the next answer waits for the record."""
    store = ready_store(tmp_path / "s.db")
    yield Killed(store, faq)
    store.close()


async def test_who_was_answered_before_the_kill_is_not_answered_again(noting: Killed) -> None:
    killed = noting
    await killed.answered_and_killed(ANNA, BEN)
    assert len(killed.unhandled()) == 2

    assert await killed.restarted().resume() == 0
    await killed.inbox.drain()

    assert len(killed.channel.sent) == 2
    assert killed.unhandled() == []


async def test_what_was_under_way_at_the_kill_is_answered_first(noting: Killed) -> None:
    killed = noting
    killed.inbox.conversing.turns["fake"] = Turns(lease_seconds=60)
    killed.held()
    for who in (ANNA, BEN):
        killed.real.remember_event(killed.event("swollen", who))
    carl = Address("fake", "carl")
    await killed.inbox.receive(killed.event("swollen", carl))
    async with asyncio.timeout(5):
        while not list(killed.real.begun_events()):
            await asyncio.sleep(0)
    tasks = [*killed.inbox._last.values()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    killed.channel.send = FakeChannel.send.__get__(killed.channel)  # type: ignore[method-assign]

    assert await killed.restarted().resume() == 3
    await killed.inbox.drain()

    assert [address for address, _ in killed.channel.sent] == [carl, ANNA, BEN]
    assert killed.real.begun_events() == set()


async def test_what_was_under_way_and_is_done_all_the_same_is_in_doubt_no_more(noting: Killed) -> None:
    notes = noting.real.notes("this machine")
    assert notes is not None
    notes.begin("fake", "an event of long ago")
    notes.close()

    assert await noting.restarted().resume() == 0
    assert noting.real.begun_events() == set()


async def test_a_process_that_takes_over_reads_the_notes_too(noting: Killed) -> None:
    killed = noting
    await killed.answered_and_killed(ANNA, BEN)

    killed.clock.forward(hours=1)
    assert await killed.restarted(owner="another machine").beat() == 0

    assert len(killed.channel.sent) == 2
    assert killed.unhandled() == []


async def test_what_no_note_can_be_made_of_waits_for_its_record(killed: Killed) -> None:
    killed.inbox._notes = None
    killed.inbox.conversing.turns["fake"] = Turns(lease_seconds=60)
    stored = killed.held()
    for who in (ANNA, BEN):
        await killed.inbox.receive(killed.event("swollen", who))
    killed.store.broken = {"write_events"}
    stored.set()
    async with asyncio.timeout(5):
        while not killed.channel.sent:
            await asyncio.sleep(0)
    for _ in range(200):
        await asyncio.sleep(0.001)
    answered = len(killed.channel.sent)
    killed.store.broken = set()
    await killed.inbox.drain()

    assert answered == 1
    assert len(killed.channel.sent) == 2


# --- commits in a rush


class Writes:
    """A store that counts its transactions."""

    def __init__(self) -> None:
        self.pages: list[int] = []

    def write_events(self, entries: list[Any], lease: Lease) -> list[bool]:
        self.pages.append(len(entries))
        return [True for _ in entries]


@pytest.mark.parametrize(("busy", "first"), [(True, 20), (False, 1)])
async def test_in_a_rush_a_commit_waits_a_moment_for_what_is_coming(busy: bool, first: int) -> None:
    store, clock, moment = Writes(), Clock(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        await moment.wait()

    log = EventLog(store, lambda: Lease("me", clock()), lambda: busy, sleep)  # type: ignore[arg-type]
    adding = []
    for number in range(20):
        adding.append(asyncio.create_task(log.add(Done("line", str(number), "answer", clock()))))
        for _ in range(3):
            await asyncio.sleep(0)
    moment.set()

    assert await asyncio.gather(*adding) == [True] * 20
    assert store.pages[0] == first
    assert sum(store.pages) == 20


@pytest.mark.parametrize("noted", [True, False])
async def test_no_commit_waits_where_the_next_answer_waits_for_it(scene: Scene, noted: bool) -> None:
    if not noted:  # as on PostgreSQL
        scene.store.notes = lambda owner: None  # type: ignore[attr-defined]
        scene.restarted()

    people = [Address("fake", f"{number}") for number in range(40)]
    await asyncio.gather(*(scene.inbox.receive(scene.event("swollen", who)) for who in people))
    await scene.inbox.drain()

    assert (GATHER_SECONDS in scene.slept) == noted


async def test_a_call_of_lines_with_many_events_is_one_commit_and_keeps_their_order(
    tmp_path: Path, faq: Faq
) -> None:
    store = ready_store(tmp_path / "s.db")
    async with on_line(store, faq) as (scene, platform):
        pages, write = [], store.write_events

        def counting(entries: Any, lease: Any) -> list[bool]:
            pages.append(len(entries))
            return write(entries, lease)

        store.write_events = counting  # type: ignore[method-assign]
        events = [platform.event(text="swollen") for _ in range(15)]
        assert await platform.deliver(scene.free.webhook, *events) == 200
        stored = list(pages)
        waiting = [event.event_id for event in store.unhandled_events()]
        await scene.inbox.drain()

        assert len(stored) <= 2
        assert waiting == [event["webhookEventId"] for event in events][-len(waiting) :]
        tokens = [body["replyToken"] for path, body in platform.calls if path.endswith("/reply")]
        assert tokens == [event["replyToken"] for event in events]
    store.close()
