"""The people's side as the inbox and the staff page see it: one object that wires its parts."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable
from dataclasses import replace

from bot import logs
from bot.channels.port import Channel
from bot.core.effects import OpenAlert
from bot.core.values import Address, Incoming, Line, Patient, Situation
from bot.staff.alerting import Alerting
from bot.staff.asking import Asking
from bot.staff.digest import Digest
from bot.staff.editing import Editing
from bot.staff.forgotten import Forgotten
from bot.staff.learning import Learning
from bot.staff.listening import Listening
from bot.staff.pictures import Links, Pictures
from bot.staff.post import Post
from bot.staff.relay import Relay
from bot.staff.room import StaffRoom
from bot.staff.unsaid import Unsaid
from bot.staff.visits import Visits
from bot.staff.voice import Voice
from bot.store.store import Store
from intents.faq import Faq

log = logs.get("staff")
TICK_SECONDS = 15
WATCHED = dt.timedelta(minutes=2)  # an open inbox on the staff page asks for news more often than this


class StaffDesk:
    """Alerts, relay and visits. Without a staff chat it is the staff page that people look at."""

    def __init__(
        self,
        store: Store,
        room: StaffRoom | None,
        channels: dict[str, Channel],
        faq: Callable[[], Faq],
        clock: Callable[[], dt.datetime],
        editing: Editing | None = None,
        links: Links | None = None,
    ) -> None:
        self._store, self._room, self.clock = store, room, clock
        self.post = Post(store, room, clock)
        self.voice = Voice(store, channels, faq, clock)
        self.alerting = Alerting(store, self.post, self.voice)
        self.learning = Learning(store, self.post)
        self.pictures = Pictures(store, room, channels, clock, links)
        self.relay = Relay(store, self.post, self.voice, self.alerting, self.learning, self.pictures)
        self.visits = Visits(store, self.post, self.voice)
        self._unsaid = Unsaid(store, self.post)
        self.digest, self._forgotten = Digest(store, faq), Forgotten(store, faq)
        self.asking = Asking(store, self.post, editing) if editing else None
        self._listening = Listening(
            store, self.post, self.alerting, self.relay, self.visits, self.learning, self.asking
        )
        self._watched_at: dt.datetime | None = None
        self._work: asyncio.Task[None] | None = None

    # --- what the inbox asks

    @property
    def reachable(self) -> bool:
        """Whether somebody sees an alert now: in the staff chat, or on the staff page that is open."""
        return self.post.chat is not None or self._page_is_watched()

    def is_staff(self, address: Address) -> bool:
        room = self._room
        return room is not None and address.channel == room.name and address.chat in room.chats

    def situation(self, address: Address) -> Situation:
        """Asks the store."""
        found = self._store.situation(address, self.clock())
        return replace(found, takes_requests=found.takes_requests or self.post.chat is not None)

    async def alert(
        self, patient: Patient, alert: OpenAlert, talk: tuple[Line, ...], now: dt.datetime
    ) -> bool:
        """Keep the alert and tell the staff. True when a person can see it."""
        _, told = await self.alerting.open(patient, alert, talk, now)
        return told or self._page_is_watched()

    async def overheard(
        self, patient: Patient, event: Incoming, lines: tuple[Line, ...], taken: bool, now: dt.datetime
    ) -> None:
        """What is said while an alert is open or a person has taken over."""
        await self.relay.overheard(patient.address, event, lines, taken, now)

    async def unsaid(
        self, patient: Patient, texts: tuple[str, ...], answered: bool, now: dt.datetime
    ) -> None:
        """What the patient could not be told of an alert."""
        await self._unsaid.keep(patient.address, texts, answered, now)

    async def unsaid_told(self, address: Address, now: dt.datetime) -> None:
        """They have been told."""
        await self._unsaid.told(address, now)

    async def leaving(self, address: Address, now: dt.datetime) -> None:
        """All that is kept of this chat is about to be deleted."""
        await self.relay.leaving(address, now)

    async def shown(self, patient: Patient, events: tuple[Incoming, ...]) -> None:
        """Pictures that the patient sent before somebody was called."""
        await self.relay.shown(patient.address, events)

    async def heard(self, event: Incoming) -> str:
        """What staff wrote or tapped in their chat. Never raises: staff are told when it failed."""
        try:
            return await self._listening.heard(event, self.clock())
        except Exception as err:
            log.exception("staff_event_failed", kind=event.kind, error=type(err).__name__)
            text = (
                "That failed on our side, and nothing may have reached the patient. If it matters, call them."
            )
            await self.post.say(text, chat=event.address.chat, topic=event.thread)
            return "failed"

    # --- time

    async def tell(self, text: str) -> bool:
        """A line to the staff chat; True when it arrived."""
        return await self.post.say(text)

    def watched(self) -> None:
        """The staff page's inbox is open before somebody's eyes."""
        self._watched_at = self.clock()

    def _page_is_watched(self) -> bool:
        return self._watched_at is not None and self.clock() - self._watched_at < WATCHED

    async def tick(self, now: dt.datetime) -> None:
        """Everything that time brings: unread alerts, patients who wait, forgotten alerts, the week's digest."""
        await self.alerting.tick(now)
        await self.relay.tick(now)
        await self._forgotten.tick(now)
        await self.digest.tick(now)

    async def start(self) -> None:
        self._work = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self.asking:
            self.asking.cancel()
        if self._work:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work
            self._work = None

    async def _run(self) -> None:
        while True:
            try:
                await self.tick(self.clock())
            except Exception as err:  # the outermost step of the loop: leave a record and go on
                log.exception("staff_tick_failed", error=type(err).__name__)
            await asyncio.sleep(TICK_SECONDS)
