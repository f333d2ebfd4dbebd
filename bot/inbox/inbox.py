"""The shell of incoming events: stored before they are acknowledged, answered in the order of each patient, recorded.

What if we die right here? Before the event is stored: the platform sends it again. After that and before the answer is known
to be given: it is handled again, after the restart or by another process, so a reply may come twice but none is missing.
"""

import asyncio
import contextlib
import datetime as dt
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from bot import logs
from bot.channels.persist import Sleep
from bot.channels.port import Channel
from bot.core.values import Address, Incoming
from bot.inbox.beside import Beside
from bot.inbox.conversing import Conversing
from bot.inbox.eventlog import EventLog
from bot.inbox.faults import fault
from bot.inbox.leases import Leases, name
from bot.inbox.people import Staff
from bot.inbox.replies import Answering
from bot.inbox.riding import Rides, Riding
from bot.inbox.turns import Turn
from bot.store.events import Done
from bot.store.store import Store, StoreError
from intents.understand import Understander

log = logs.get("inbox")

BEAT_SECONDS = 2.0  # so long an event waits at most when nobody has it in hand
BUSY = 20  # patients whose messages are in hand


class Inbox:
    """Takes events from all channels. Events of one patient are handled in order, those of others meanwhile."""

    def __init__(
        self,
        store: Store,
        understander: Callable[[], Understander],
        channels: dict[str, Channel],
        staff: Staff,
        clock: Callable[[], dt.datetime],
        *,
        rides: Rides | None = None,
        owner: str | None = None,
        typing_after_seconds: float = 0.7,
        sleep: Sleep = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`owner` names this process among those that share the store; None: a name that nobody has."""
        owner = owner or secrets.token_hex(16)
        self._store, self._channels, self._staff, self._clock = store, channels, staff, clock
        self._sleep = sleep
        self._leases = Leases(store, owner, channels.keys(), clock)
        self._events = EventLog(store, self._leases.fresh, self._rush, sleep)
        self._notes = store.notes(owner)
        self._beside = Beside()
        self.conversing = Conversing(
            store, understander, channels, staff, clock, self._beside,
            riding=Riding(rides, channels, clock), sleep=sleep, monotonic=monotonic,
        )  # fmt: skip
        self._doubts: dict[tuple[str, str], int | None] = {}  # answers that may have arrived: their notes
        self._last: dict[Address, asyncio.Task[None]] = {}
        self._typing_after_seconds = typing_after_seconds
        self._watch: asyncio.Task[None] | None = None

    async def receive(self, event: Incoming) -> None:
        """Store `event`; the caller may acknowledge it when this returns. Events seen before are dropped here.

        Raises StoreError when it could not be stored: the platform keeps it and delivers it again.
        """
        if await self._events.add(event):
            self._leases.take(event)
            self._queue(event, repeated=False)

    async def resume(self) -> int:
        """Handle what an earlier process of our name stored and did not finish; returns how many. Call it before events come in.

        Events of a channel that is not set at present wait for the start at which it is.
        """
        await asyncio.to_thread(self._store.record_noted, self._clock())
        if self._notes:
            begun = await asyncio.to_thread(self._store.begun_events)
            self._notes.clear()
            self._doubts = {event: self._notes.begin(*event) for event in begun}
        claimed = await self._claim(restarted=True)
        for event in self._doubts.keys() - {name(event) for event in claimed}:
            self._settled(event)
        return len(claimed)

    async def beat(self) -> int:
        """Keep our leases, and take over what nobody has in hand; how many events that was. Raises StoreError."""
        await self._leases.renew()
        return len(await self._claim(restarted=False))

    async def _claim(self, *, restarted: bool) -> list[Incoming]:
        events: list[Incoming] = []
        while claimed := await self._leases.claim(restarted=restarted):
            # Those in doubt first: their platform can tell for a while only whether the answer arrived.
            for item in sorted(claimed, key=lambda item: name(item.event) not in self._doubts):
                self._leases.take(item.event)
                self._queue(item.event, item.repeated)
                events.append(item.event)
            restarted = False  # what stands under our name now is in our hands
        return events

    def _settled(self, event: tuple[str, str]) -> None:
        """What was in doubt was done all the same."""
        note = self._doubts.pop(event)
        if self._notes and note is not None:
            self._notes.remove(note)

    def start(self) -> None:
        """Beat until `stop`."""
        self._watch = asyncio.create_task(self._beats())

    async def stop(self) -> None:
        """Put down what could not be finished: another process may go on at once."""
        if self._watch:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        with contextlib.suppress(StoreError):  # the leases run out by themselves
            await self._leases.release()
        if self._notes:
            self._notes.close()

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                if count := await self.beat():
                    log.info("events_taken_over", events=count)
            except Exception as err:  # the outermost step of the loop: leave a record and go on
                log.error("beat_failed", **fault(err))

    def _busy(self) -> bool:
        return len(self._last) > BUSY

    def _rush(self) -> bool:
        """Whether a commit may wait for more to come: not where the next answer waits for it."""
        return self._notes is not None and self._busy()

    async def drain(self) -> None:
        """Wait until everything received so far is handled."""
        while waiting := [*self._last.values(), *self._beside.under_way()]:
            await asyncio.gather(*waiting, return_exceptions=True)

    def _queue(self, event: Incoming, repeated: bool) -> None:
        before = self._last.get(event.address)
        task = asyncio.create_task(self._after(before, event, repeated))
        self._last[event.address] = task
        task.add_done_callback(lambda done: self._forget_task(event.address, done))

    def _forget_task(self, address: Address, done: asyncio.Task[None]) -> None:
        if self._last.get(address) is done:
            del self._last[address]

    async def _after(self, before: asyncio.Task[None] | None, event: Incoming, repeated: bool) -> None:
        if before:
            await asyncio.wait([before])
        await self._handle(event, repeated)

    async def _handle(self, event: Incoming, repeated: bool) -> None:
        started = time.perf_counter()
        if not await self._leases.still_mine(event):
            self._leases.put_down(event)
            log.warning("event_is_anothers", event_id=event.event_id)
            return
        turn = self._turn(event)  # held until nobody can doubt that the answer was given
        try:
            done = await self._answer(event, repeated, turn)
            await self._record(event, done, turn)
        finally:
            turn.end()
        self._leases.put_down(event)
        log.info(
            "handled", channel=done.channel, kind=event.kind, outcome=done.outcome, entry=done.entry,
            ms=round((time.perf_counter() - started) * 1000, 1),
        )  # fmt: skip

    def _turn(self, event: Incoming) -> Turn:
        notes = self._notes
        if notes is None:
            return Turn()

        def note() -> int | None:
            noted = self._doubts.pop(name(event), None)
            return notes.begin(*name(event)) if noted is None else noted

        return Turn(note, doubted=name(event) in self._doubts)

    async def _record(self, event: Incoming, done: Done, turn: Turn) -> None:
        """Noted at once, in the database with the next page."""
        note = self._notes.add(done.channel, done.event_id, turn.note) if self._notes else None
        if note is not None:
            turn.end()
        try:  # waits while the database is away: if we die meanwhile, the note tells, or the event is handled again
            await self._events.add(done)
        except Exception as err:
            log.error("event_not_recorded", event_id=event.event_id, **fault(err))
            return
        if self._notes and note is not None:
            self._notes.remove(note)

    async def _answer(self, event: Incoming, repeated: bool, turn: Turn) -> Done:
        channel = event.address.channel
        done = Done(channel, event.event_id, "failed", self._clock())
        try:
            if self._staff.is_staff(event.address):
                return replace(done, outcome=await self._staff.heard(event))
            answering = Answering(self._store, self._channels[channel], event, repeated, self._sleep)
            with self._typing(event, answering):
                return await self.conversing.converse(event, answering, done, turn)
        except Exception as err:  # the outermost step: the patient still gets the way to a person
            log.error("event_failed", event_id=event.event_id, channel=channel, **fault(err))
            await self.conversing.apologise(event)
        return done

    @contextlib.contextmanager
    def _typing(self, event: Incoming, answering: Answering) -> Iterator[None]:
        """The patient sees that an answer is on its way, if it does not come at once."""

        def show() -> None:
            if not self._busy():  # in a rush it would only keep the answers longer
                self._beside.do(self._channels[event.address.channel].typing(event.address))

        timer = asyncio.get_running_loop().call_later(self._typing_after_seconds, show)
        answering.before_words = timer.cancel
        try:
            yield
        finally:
            timer.cancel()
