"""Requests for a visit: shown to the staff, confirmed, moved or declined with one tap, told to the patient."""

import asyncio
import datetime as dt
from typing import Literal

from bot.core.actions import button
from bot.core.values import Line, Patient
from bot.staff import cards
from bot.staff.post import Post
from bot.staff.voice import Voice
from bot.store.appointments import Appointment
from bot.store.store import Store

WHEN_LENGTH = 200
Decided = Literal["confirmed", "moved", "declined"]


class Visits:
    """A request is decided once; the second to tap hears who was first."""

    def __init__(self, store: Store, post: Post, voice: Voice) -> None:
        self._store, self._post, self._voice = store, post, voice

    async def ask(self, patient: Patient, now: dt.datetime) -> None:
        """The patient's next words are their wishes."""
        thread = await asyncio.to_thread(
            self._store.thread_of, patient.address, now, patient.language or "en", patient.traditional
        )
        await asyncio.to_thread(self._store.ask_wishes, thread.id, now)

    async def stop_asking(self, patient: Patient) -> None:
        thread = await asyncio.to_thread(self._store.thread_at, patient.address)
        if thread:
            await asyncio.to_thread(self._store.stop_asking, thread.id)

    async def request(self, patient: Patient, wishes: str, now: dt.datetime) -> int:
        """Keep the request; its number. It stands on the staff page from here on."""
        thread = await asyncio.to_thread(
            self._store.thread_of, patient.address, now, patient.language or "en", patient.traditional
        )
        return (await asyncio.to_thread(self._store.request_appointment, thread.id, wishes, now)).id

    async def show(self, number: int, patient: Patient, now: dt.datetime) -> bool:
        """The request in the staff chat. False when it did not arrive; the page and the digest have it anyway."""
        request = await asyncio.to_thread(self._store.appointment, number)
        thread = await asyncio.to_thread(self._store.thread, request.thread_id) if request else None
        if request is None or thread is None:
            return False
        text = cards.visit_card(request, thread, patient, self._voice.faq, now)
        card = await self._post.to_thread(thread, text, cards.visit_buttons(request))
        if card:
            await asyncio.to_thread(self._store.set_appointment_card, number, card)
        return card is not None

    async def decide(self, number: int, state: Decided, when: str, by: str, now: dt.datetime) -> str:
        """Confirm, move or decline. The answer is for the person who did."""
        request = await asyncio.to_thread(self._store.appointment, number)
        if request is None:
            return f"Request #{number} is gone: the patient deleted their data, or it is too old."
        when = (when.strip() or f"“{request.wishes}”")[:WHEN_LENGTH]
        if not await asyncio.to_thread(self._store.decide_appointment, number, state, when, by, now):
            current = await asyncio.to_thread(self._store.appointment, number) or request
            return f"Request #{number} was {current.state} by {current.decided_by} already."
        await asyncio.to_thread(self._store.audit, by, f"visit.{state}", f"request {number}", now)
        # If we die here it is decided and the patient was not told; the request is on the page as decided.
        failed = await self._tell(request, state, when)
        told = f"The patient could NOT be told ({failed}): please call." if failed else "The patient knows."
        await self._refresh_card(number)
        await self._note(
            request, f"{by}: request #{number} {state}{f' to {when}' if state == 'moved' else ''}. {told}"
        )
        return f"{state.capitalize()}. {told}"

    async def _tell(self, request: Appointment, state: Decided, when: str) -> str | None:
        thread = await asyncio.to_thread(self._store.thread, request.thread_id)
        if thread is None:
            return "gone"
        if state == "declined":
            again = button(self._voice.words(thread), "btn_book", "book")
            return await self._voice.say(thread, "appointment_declined", again)
        return await self._voice.say(thread, f"appointment_{state}", when=when)

    async def ask_time(self, number: int) -> str | None:
        """Staff want another time: the reply to this question is it. The answer when that cannot be."""
        request = await asyncio.to_thread(self._store.appointment, number)
        thread = await asyncio.to_thread(self._store.thread, request.thread_id) if request else None
        if request is None or thread is None or request.state in ("declined", "cancelled"):
            return f"Request #{number} cannot be moved any more."
        text = f"Which day and time for request #{number}? Reply to this message; the patient reads it as you write it."
        card = await self._post.to_thread(thread, text)
        if card is None:
            return "That did not work. Try again, or move it on the staff page."
        await asyncio.to_thread(self._store.set_prompt, number, card)
        return None

    async def _refresh_card(self, number: int) -> None:
        request = await asyncio.to_thread(self._store.appointment, number)
        if request and request.card and self._post.room:
            buttons = cards.visit_buttons(request)
            await self._post.room.set_buttons(request.card.chat, request.card.message, buttons)

    async def _note(self, request: Appointment, text: str) -> None:
        thread = await asyncio.to_thread(self._store.thread, request.thread_id)
        if thread:
            now = self._voice.clock()
            await asyncio.to_thread(self._store.add_lines, thread.id, [Line(now, "note", text)], now)
            await self._post.to_thread(thread, text, quiet=True)
