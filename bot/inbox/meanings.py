"""What words mean. Messages that come up at the same moment are understood together, for half of the price."""

import asyncio
from dataclasses import dataclass
from itertools import takewhile

from bot.core.conversation import profile_language
from bot.core.values import Incoming
from bot.inbox.sessions import Session
from intents.types import Understanding
from intents.understand import Message, Understander

AT_ONCE = 8  # are understood before the platforms' answers are looked at: what they took must be noted soon


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    words: Message
    understander: Understander
    answer: asyncio.Future[Understanding]


class Meanings:
    """Understands messages, in the order in which they come, some in each turn of the event loop."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []  # while there are any, a turn of `_read` is due

    async def of(self, event: Incoming, session: Session, understander: Understander) -> Understanding | None:
        """What the words of `event` mean; None where it has none."""
        if event.kind == "action" or not event.text.strip():
            return None
        guess = session.patient.language or profile_language(event, understander.faq)
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._read)
        waiting = _Waiting((event.text, guess), understander, loop.create_future())
        self._waiting.append(waiting)
        return await waiting.answer

    def _read(self) -> None:
        now = self._waiting[0].understander  # another one is live once staff have saved
        page = [*takewhile(lambda one: one.understander is now, self._waiting[:AT_ONCE])]
        del self._waiting[: len(page)]
        _answer(page, now)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._read)


def _answer(page: list[_Waiting], understander: Understander) -> None:
    waiting = [one for one in page if not one.answer.done()]  # who no longer waits was cancelled
    if not waiting:
        return
    try:
        meanings = understander.understand_all([one.words for one in waiting])
    except Exception as err:
        for one in waiting:
            one.answer.set_exception(err)
        return
    for one, meaning in zip(waiting, meanings, strict=True):
        one.answer.set_result(meaning)
