"""What goes to the staff chat: into the patient's topic, or as a reply below the first card of that patient."""

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence

from bot import logs
from bot.channels.port import SendFailed
from bot.core.values import Button
from bot.staff.room import StaffRoom
from bot.store.care import Card, Thread
from bot.store.store import Store

log = logs.get("staff")
ASK_TOPICS_AGAIN = dt.timedelta(hours=1)  # a group may be given topics at any time


class Post:
    """Finds the place of a message in the staff chat and remembers which patient it belongs to."""

    def __init__(self, store: Store, room: StaffRoom | None, clock: Callable[[], dt.datetime]) -> None:
        self._store, self.room, self._clock = store, room, clock
        self._no_topics_until: dt.datetime | None = None

    @property
    def chat(self) -> str | None:
        """The staff chat."""
        return self.room.chats[0] if self.room and self.room.chats else None

    @property
    def second(self) -> str | None:
        """The second contact's chat."""
        return self.room.chats[1] if self.room and len(self.room.chats) > 1 else None

    async def say(
        self,
        text: str,
        *,
        chat: str | None = None,
        topic: str | None = None,
        reply_to: int | None = None,
        buttons: Sequence[Button] = (),
    ) -> bool:
        """A line to the staff; True when it arrived."""
        where = chat or self.chat
        if self.room is None or where is None:
            return False
        try:
            await self.room.post(where, text, buttons, topic=topic, reply_to=reply_to)
        except SendFailed as err:
            log.error("staff_not_told", reason=err.reason)
            return False
        return True

    async def to_thread(
        self, thread: Thread, text: str, buttons: Sequence[Button] = (), *, quiet: bool = False
    ) -> Card | None:
        """Into the patient's own place; None when it did not arrive."""
        if self.room is None or self.chat is None:
            return None
        try:
            return await self._to_thread(thread, text, buttons, quiet)
        except SendFailed as err:
            log.error("staff_not_told", reason=err.reason, thread=thread.id)
            return None

    async def to_second(self, thread: Thread, text: str, buttons: Sequence[Button] = ()) -> bool:
        """To the second contact; a reply there goes to the patient as well."""
        if self.room is None or self.second is None:
            return False
        try:
            ids = await self.room.post(self.second, text, buttons)
        except SendFailed as err:
            log.error("second_contact_not_told", reason=err.reason)
            return False
        await self._remember(self.second, ids, thread)
        return True

    async def copy(self, thread: Thread, message: int) -> bool:
        """Pass a patient's picture on; only within the messenger that it came by."""
        if self.room is None or self.chat is None or thread.address.channel != self.room.name:
            return False
        try:
            topic, root = await self._place(thread)
            number = await self.room.copy(
                thread.address.chat, message, self.chat, topic=topic, reply_to=None if topic else root
            )
        except SendFailed as err:
            log.error("picture_not_passed_on", reason=err.reason)
            return False
        await self._remember(self.chat, [number], thread)
        return True

    async def picture(self, thread: Thread, jpeg: bytes) -> bool:
        """Show a patient's picture that came by another messenger."""
        if self.room is None or self.chat is None:
            return False
        try:
            topic, root = await self._place(thread)
            number = await self.room.send_picture(
                self.chat, jpeg, topic=topic, reply_to=None if topic else root
            )
        except SendFailed as err:
            log.error("picture_not_passed_on", reason=err.reason)
            return False
        await self._remember(self.chat, [number], thread)
        return True

    async def _to_thread(
        self, thread: Thread, text: str, buttons: Sequence[Button], quiet: bool
    ) -> Card | None:
        assert self.room
        topic, root = await self._place(thread)
        chat = self.chat or ""
        try:
            ids = await self.room.post(
                chat, text, buttons, topic=topic, reply_to=None if topic else root, quiet=quiet
            )
        except SendFailed as err:
            if err.reason != "refused" or topic is None:
                raise
            # Somebody deleted the topic: below the older cards, or anew.
            await asyncio.to_thread(self._store.set_topic, thread.id, None)
            ids = await self.room.post(chat, text, buttons, quiet=quiet)
        chat = self.chat or chat  # a group that was given topics has a new id
        await self._remember(chat, ids, thread)
        return Card(chat, ids[-1]) if ids else None

    async def _remember(self, chat: str, ids: list[int], thread: Thread) -> None:
        # If we die before this, a reply to that message goes to nobody, and says so.
        for number in ids:
            await asyncio.to_thread(self._store.remember_post, chat, number, thread.id)

    async def _place(self, thread: Thread) -> tuple[str | None, int | None]:
        """The patient's topic, or the message to reply to; neither for the first one."""
        assert self.room
        known = await asyncio.to_thread(self._store.thread, thread.id)
        topic = known.topic if known else None
        if topic is None and not (self._no_topics_until and self._clock() < self._no_topics_until):
            topic = await self.room.open_topic(self.chat or "", title(thread))
            if topic is None:
                self._no_topics_until = self._clock() + ASK_TOPICS_AGAIN
            else:
                await asyncio.to_thread(self._store.set_topic, thread.id, topic)
        if topic:
            return topic, None
        return None, await asyncio.to_thread(self._store.first_post, self.chat or "", thread.id)


def title(thread: Thread) -> str:
    """What a patient is called in the staff chat: a number, never a name."""
    who = f"Patient {thread.patient_id}" if thread.patient_id else f"Visitor {thread.id}"
    return f"{who} · {thread.address.channel}"
