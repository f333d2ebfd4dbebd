"""A patient in danger who could not be told what the bot answered: staff know it, and the next reply tells it."""

import asyncio
import datetime as dt

from bot.core.values import Address, Line
from bot.staff.post import Post
from bot.store.store import Store

NOT_ANSWERED = (
    "The patient has NOT got the bot's answer: this month's messages are used up. Call them. "
    "If they write again, they get it with the reply, which is free."
)
NOT_TOLD = (
    "The patient has got the bot's answer, but does not know yet that you were told: this month's messages are used up. "
    "They read it with the next reply, which is free."
)
TOLD = "The patient has now got what could not be sent before."


class Unsaid:
    """Keeps it with the open alert."""

    def __init__(self, store: Store, post: Post) -> None:
        self._store, self._post = store, post

    async def keep(self, address: Address, texts: tuple[str, ...], answered: bool, now: dt.datetime) -> None:
        """If we die before the note the inbox handles the event again, and so does this."""
        if await asyncio.to_thread(self._store.keep_unsaid, address, texts):
            await self._note(address, NOT_TOLD if answered else NOT_ANSWERED, answered, now)

    async def told(self, address: Address, now: dt.datetime) -> None:
        if await asyncio.to_thread(self._store.forget_unsaid, address):
            await self._note(address, TOLD, True, now)

    async def _note(self, address: Address, text: str, quiet: bool, now: dt.datetime) -> None:
        """In the patient's place in the staff chat, and on the staff page."""
        thread = await asyncio.to_thread(self._store.thread_at, address)
        if thread:
            await asyncio.to_thread(self._store.add_lines, thread.id, [Line(now, "note", text)], now)
            await self._post.to_thread(thread, text, quiet=quiet)
