"""A person talks with a patient through the bot: taking over, words both ways, handing back.

While a person has taken over the bot is silent except for danger signs. It comes back by one tap, or by itself when
nobody answers the patient: silence must not become a patient who is left alone.
"""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from functools import partial

from bot import logs
from bot.channels.port import SendFailed
from bot.core.values import Address, Incoming, Line
from bot.staff import rings
from bot.staff.alerting import Alerting
from bot.staff.learning import Learning
from bot.staff.pictures import PictureLost, Pictures
from bot.staff.post import Post
from bot.staff.voice import Voice
from bot.store.care import Thread
from bot.store.store import Store

log = logs.get("staff")
PAGE_CLOSED = (
    "The patient's chat page is closed: they will read this when they open it. If it cannot wait, call them."
)
Way = Callable[[], Awaitable[object]]  # by which a picture travels


class Relay:
    """Words go to exactly one patient, on the channel that they wrote from."""

    def __init__(
        self,
        store: Store,
        post: Post,
        voice: Voice,
        alerting: Alerting,
        learning: Learning,
        pictures: Pictures,
    ) -> None:
        self._store, self._post, self._voice = store, post, voice
        self._alerting, self._learning, self._pictures = alerting, learning, pictures

    # --- what people do

    async def take_over(self, thread: Thread, by: str, now: dt.datetime) -> str:
        """`by` talks from now on. The answer is for that person."""
        if not await asyncio.to_thread(self._store.take_over, thread.id, by, now):
            current = await asyncio.to_thread(self._store.thread, thread.id)
            return f"{current.taken_by if current else 'Somebody'} has taken over already."
        await asyncio.to_thread(self._store.audit, by, "relay.taken", f"thread {thread.id}", now)
        number = await asyncio.to_thread(self._store.alert_of, thread.address)
        if number:
            await asyncio.to_thread(self._store.acknowledge_alert, number, by, now)
        # If we die here the bot is silent already and the patient is not told: the first words of `by` tell them.
        failed = await self._voice.say(thread, "relay_start")
        await self._note(thread, f"{by} has taken over. The bot is silent except for danger signs.")
        await self._refresh(thread)
        return "You have taken over." if not failed else f"You have taken over, but: {_undelivered(failed)}"

    async def hand_back(self, thread: Thread, by: str, now: dt.datetime) -> str:
        """The bot talks again."""
        began = await asyncio.to_thread(self._store.thread, thread.id)
        if not await asyncio.to_thread(self._store.hand_back, thread.id):
            return "The bot talks with this patient already."
        await asyncio.to_thread(self._store.audit, by, "relay.back", f"thread {thread.id}", now)
        failed = await self._voice.say(thread, "relay_end")
        await self._note(thread, f"{by} handed the conversation back to the bot.")
        await self._refresh(thread)
        if began:
            await self._learning.offer(began, began.taken_at)
        return "Handed back." if not failed else f"Handed back, but: {_undelivered(failed)}"

    async def reply(self, thread: Thread, by: str, text: str, now: dt.datetime) -> str | None:
        """Send `text`; the first words of a person take the conversation over. None when delivered, else why not.

        If we die after it is sent, the staff chat's event is handled again and the patient reads it twice.
        """
        if thread.taken_by is None:
            await self.take_over(thread, by, now)
        failed = await self._voice.text(thread, text, Line(now, "staff", text, by))
        if failed:
            return _undelivered(failed)
        await self._delivered(thread, by, "relay.reply", now)
        return None

    async def _delivered(self, thread: Thread, by: str, what: str, now: dt.datetime) -> None:
        await asyncio.to_thread(self._store.staff_wrote, thread.id, now)
        await asyncio.to_thread(self._store.audit, by, what, f"thread {thread.id}", now)
        if self._voice.waits(thread):
            await self._note(thread, PAGE_CLOSED)

    async def reply_picture(self, thread: Thread, event: Incoming, now: dt.datetime) -> str | None:
        """Pass a picture of the staff's on: as it is within Telegram, else by an address of ours.

        None when delivered, else why not.
        """
        room = self._post.room
        if room is None or event.message is None:
            return "NOT delivered: there is no staff chat. Describe it in words."
        if thread.address.channel == room.name:
            way: Way = partial(room.copy, event.address.chat, int(event.message), thread.address.chat)
        else:
            way = partial(self._pictures.to_patient, thread, event)
        return await self._show_patient(thread, event.sender, event.text, way, now)

    async def reply_from_page(
        self, thread: Thread, by: str, data: bytes, caption: str, now: dt.datetime
    ) -> str | None:
        """The picture that `by` chose on the staff page. None when delivered, else why not."""
        way = partial(self._pictures.from_page, thread, data, caption)
        return await self._show_patient(thread, by, caption, way, now)

    async def _show_patient(
        self, thread: Thread, by: str, caption: str, way: Way, now: dt.datetime
    ) -> str | None:
        if thread.taken_by is None:
            await self.take_over(thread, by, now)
        try:
            await way()
        except PictureLost as err:
            return f"NOT delivered: {err}"
        except SendFailed as err:
            return _undelivered(err.reason)
        line = Line(now, "staff", caption or "(a picture)", by)
        await asyncio.to_thread(self._store.add_lines, thread.id, [line], now)
        await self._delivered(thread, by, "relay.picture", now)
        return None

    # --- what the patient does

    async def overheard(
        self, address: Address, event: Incoming, lines: tuple[Line, ...], taken: bool, now: dt.datetime
    ) -> None:
        """Keep `lines` and show the patient's part to the staff: loudly to the person who has taken over."""
        thread = await asyncio.to_thread(self._store.thread_at, address)
        if thread is None:
            return
        await asyncio.to_thread(self._store.add_lines, thread.id, list(lines), now)
        if taken:
            await asyncio.to_thread(self._store.patient_waits, thread.id, now)
        words = next((line.text for line in lines if line.who == "patient"), "")
        await self._post.to_thread(thread, f"“{words}”", quiet=not taken)
        await self._show(thread, event)

    async def shown(self, address: Address, events: tuple[Incoming, ...]) -> None:
        """Pictures from before somebody was called."""
        thread = await asyncio.to_thread(self._store.thread_at, address)
        if thread is None:
            return
        for event in events:
            await self._show(thread, event)

    async def _show(self, thread: Thread, event: Incoming) -> None:
        """Whatever has no words: copied within Telegram; a picture also for the page, and from other messengers."""
        within = self._post.room is not None and event.address.channel == self._post.room.name
        if within and event.message and event.kind in ("photo", "voice", "other"):
            await self._post.copy(thread, int(event.message))
        if event.kind != "photo":
            return
        try:
            jpeg = await self._pictures.from_patient(thread, event)
        except PictureLost as err:
            log.warning("picture_lost", thread=thread.id, channel=event.address.channel)
            if not within:
                text = f"A picture came that cannot be shown here: {err}. Ask the patient to describe it."
                await self._note(thread, text)
            return
        if not within:
            await self._post.picture(thread, jpeg)

    # --- time

    async def tick(self, now: dt.datetime) -> None:
        """Nobody is left waiting in silence."""
        for thread in await asyncio.to_thread(self._store.taken_threads):
            try:
                await self._watch(thread, now)
            except Exception as err:  # one conversation's trouble must not cost the others their watch
                log.exception("relay_watch_failed", thread=thread.id, error=type(err).__name__)

    async def _watch(self, thread: Thread, now: dt.datetime) -> None:
        silent_since = max(
            thread.staff_at or now, thread.taken_at or now, thread.waiting_since or thread.seen_at
        )
        waited = now - thread.waiting_since if thread.waiting_since else dt.timedelta()
        if waited >= rings.HAND_BACK_AFTER or now - silent_since >= rings.SILENT_AFTER:
            await self.hand_back(thread, "the clock", now)
        else:
            step = 2 if waited >= rings.TELL_AFTER else 1 if waited >= rings.REMIND_AFTER else 0
            claimed = thread.told < step and await asyncio.to_thread(
                self._store.told_waiting, thread.id, thread.told + 1
            )
            if claimed:
                await self._tell_waiting(thread, step, rings.minutes_between(now - waited, now))

    async def _tell_waiting(self, thread: Thread, step: int, minutes: int) -> None:
        text = f"⏰ {thread.taken_by}: the patient has waited {minutes} minutes for your answer."
        await self._post.to_thread(thread, text)
        if step == 2:
            await self._post.to_second(thread, f"A patient has waited {minutes} minutes for an answer.")
            await self._voice.say(thread, "alert_unanswered", minutes=minutes)

    async def _refresh(self, thread: Thread) -> None:
        current = await asyncio.to_thread(self._store.thread, thread.id)
        if current:
            await self._alerting.refresh_of(current)

    async def _note(self, thread: Thread, text: str) -> None:
        now = self._voice.clock()
        await asyncio.to_thread(self._store.add_lines, thread.id, [Line(now, "note", text)], now)
        await self._post.to_thread(thread, text, quiet=True)


_REASONS = {
    "blocked": "the patient has blocked the bot",
    "rate_limited": "the messenger wants us to wait; try again in a minute",
    "unreachable": "the messenger cannot be reached; try again",
    "unknown_outcome": "nobody can tell whether it arrived",
    "quota": "this month's messages are used up",
    "channel_off": "this channel is switched off",
}


def _undelivered(reason: str) -> str:
    return f"NOT delivered: {_REASONS.get(reason, reason)}. If it matters, call the patient."
