"""What a page of ours shows again after a restart: the conversation that people of the clinic are part of, as it is kept."""

import asyncio
import datetime as dt
import re
from collections.abc import Callable, Sequence

from bot import logs
from bot.channels.port import Past
from bot.core.values import Address, Line
from bot.store.pictures import Shown
from bot.store.store import Store, StoreError

log = logs.get("staff")
# How lines name what had no words: for staff, not for the patient, who sees the picture itself.
_WORDLESS = re.compile(r"\((tapped: .*|a picture|photo|voice|sticker|other|joined|left|text|edited)\)")


class Recall:
    """Asks the store. Nothing is kept before an alert, a visit request or a person's reply, so nothing is recalled."""

    def __init__(self, store: Store, clock: Callable[[], dt.datetime]) -> None:
        self._store, self._clock = store, clock

    async def __call__(self, address: Address) -> Sequence[Past]:
        """Oldest first; nothing when the store cannot say: the patient can write all the same."""
        try:
            return await asyncio.to_thread(self._look_up, address)
        except StoreError as err:
            log.warning("past_not_shown", error=type(err).__name__)
            return ()

    def _look_up(self, address: Address) -> Sequence[Past]:
        thread = self._store.thread_at(address)
        if thread is None:
            return ()
        return merged(self._store.lines(thread.id), self._store.pictures_of(thread.id, self._clock()))


def merged(lines: Sequence[Line], pictures: Sequence[Shown]) -> list[Past]:
    """What was said and shown, in order; notes for colleagues are not for the patient."""
    said = [
        Past(line.who == "patient", line.text, line.at)
        for line in lines
        if line.who != "note" and not _WORDLESS.fullmatch(line.text)
    ]
    shown = [Past(picture.who == "patient", "", picture.at, picture.name) for picture in pictures]
    return sorted([*said, *shown], key=lambda past: past.at)
