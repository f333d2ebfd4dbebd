"""What a patient hears from the people's side: the clinic's own words by key, and what staff type."""

import asyncio
import datetime as dt
from collections.abc import Callable
from functools import partial
from zoneinfo import ZoneInfo

from bot import logs
from bot.channels.persist import persist
from bot.channels.port import Channel, OwnPage, SendFailed
from bot.core.values import Button, Line, Message
from bot.core.wording import Wording
from bot.store.care import Thread
from bot.store.store import Store
from intents.faq import Faq

log = logs.get("staff")


class Voice:
    """Speaks to exactly one patient: the one at the thread's address."""

    def __init__(
        self,
        store: Store,
        channels: dict[str, Channel],
        faq: Callable[[], Faq],
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._store, self._channels, self._faq, self.clock = store, channels, faq, clock

    @property
    def faq(self) -> Faq:
        return self._faq()

    def words(self, thread: Thread) -> Wording:
        """The words in the language that the patient last wrote in."""
        faq = self._faq()
        language = thread.language if thread.language in faq.languages else faq.languages[0]
        channel = self._channels.get(thread.address.channel)
        return Wording(faq, language, thread.traditional, channel.platform if channel else "")

    def local(self, moment: dt.datetime) -> dt.datetime:
        """On the clinic's clocks."""
        return moment.astimezone(ZoneInfo(self._faq().clinic.timezone))

    def waits(self, thread: Thread) -> bool:
        """Whether what is said waits for the patient to open their page again: nothing rings there, as a messenger does."""
        channel = self._channels.get(thread.address.channel)
        return isinstance(channel, OwnPage) and not channel.has_page(thread.address.chat)

    async def say(self, thread: Thread, key: str, *buttons: Button, **values: object) -> str | None:
        """The sentence `key`. None when it went out, else the reason why not."""
        return await self.text(
            thread, self.words(thread)(key, **values), Line(self.clock(), "bot", ""), buttons
        )

    async def text(
        self, thread: Thread, text: str, line: Line, buttons: tuple[Button, ...] = ()
    ) -> str | None:
        """`text` as it is, kept in the conversation as `line`. None when it went out, else the reason why not."""
        channel = self._channels.get(thread.address.channel)
        if channel is None:
            return "channel_off"
        try:
            await persist(partial(channel.send, thread.address, Message(text, buttons)))
        except SendFailed as err:
            log.warning("patient_not_told", thread=thread.id, reason=err.reason)
            if err.permanent:
                await asyncio.to_thread(self._store.mark_unreachable, thread.address, err.reason)
            return err.reason
        said = Line(line.at, line.who, text, line.name)
        # If we die before this, the patient has the words and the staff page lacks the line.
        await asyncio.to_thread(self._store.add_lines, thread.id, [said], line.at)
        return None
