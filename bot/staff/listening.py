"""What the clinic's people write and tap in their own chat, and what becomes of it."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable

from bot import logs
from bot.core.values import Incoming
from bot.staff import cards
from bot.staff.alerting import Alerting
from bot.staff.asking import COMMAND, Asking
from bot.staff.learning import Learning
from bot.staff.post import Post
from bot.staff.relay import Relay
from bot.staff.visits import Visits
from bot.store.care import Thread
from bot.store.store import Store

log = logs.get("staff")
NOTE = "//"  # what begins so is for the colleagues
NOT_HERE = "The FAQ cannot be changed from here; use the staff page."
NOBODY = "This went to NOBODY. To write to a patient, reply to one of their messages here, or write in their topic."


class Listening:
    """Finds the one patient that a message is for, or says that it went to nobody."""

    def __init__(
        self,
        store: Store,
        post: Post,
        alerting: Alerting,
        relay: Relay,
        visits: Visits,
        learning: Learning,
        asking: Asking | None,
    ) -> None:
        self._store, self._post = store, post
        self._alerting, self._relay, self._visits = alerting, relay, visits
        self._learning, self._asking = learning, asking

    async def heard(self, event: Incoming, now: dt.datetime) -> str:
        """One message or tap; returns what it came to, for the record."""
        by = event.sender or "Staff"
        if event.kind == "action":
            return await self._tapped(event, by, now)
        if event.kind == "edited":
            return await self._answer(
                event, "Changes are not passed on. Write again what should be read.", "edited"
            )
        if event.text.startswith("/") and not event.text.startswith(NOTE):
            return await self._command(event)
        if event.reply_to and event.kind == "text":
            prompt = (event.address.chat, int(event.reply_to))
            request = await asyncio.to_thread(self._store.appointment_of_prompt, *prompt)
            if request:
                answer = await self._visits.decide(request.id, "moved", event.text, by, now)
                return await self._answer(event, answer, "visit_moved")
        thread = await self._thread(event)
        if thread is None:
            return await self._to_nobody(event)
        if event.text.startswith(NOTE):
            return "staff_note"
        failed = (
            await self._relay.reply(thread, by, event.text, now)
            if event.kind == "text"
            else await self._relay.reply_picture(thread, event, now)
        )
        return await self._answer(event, failed, "not_relayed") if failed else "relayed"

    async def _command(self, event: Incoming) -> str:
        """Only one command is for this chat; "/questions@the_bot" is how groups write it. Others go to nobody, silently."""
        if self._asking and event.text.split()[0].partition("@")[0].casefold() == COMMAND:
            self._asking.begin(self._asking.show(event))
            return "staff_questions"
        return "staff_command"

    async def _thread(self, event: Incoming) -> Thread | None:
        """A reply names its patient more exactly than the topic does."""
        if event.reply_to:
            found = await asyncio.to_thread(
                self._store.thread_of_post, event.address.chat, int(event.reply_to)
            )
            if found:
                return found
        return await asyncio.to_thread(self._store.thread_of_topic, event.thread) if event.thread else None

    async def _to_nobody(self, event: Incoming) -> str:
        """Said to every reply that finds no patient, and to loose words while a patient waits for some."""
        addressed = event.reply_to is not None or event.thread is not None
        if addressed or await asyncio.to_thread(self._somebody_waits):
            return await self._answer(event, NOBODY, "to_nobody")
        return "staff_talk"

    def _somebody_waits(self) -> bool:
        return self._store.open_count()[0] > 0 or bool(self._store.taken_threads())

    async def _answer(self, event: Incoming, text: str, outcome: str) -> str:
        reply_to = int(event.message or event.reply_to or 0) or None
        await self._post.say(text, chat=event.address.chat, topic=event.thread, reply_to=reply_to)
        return outcome

    # --- taps

    async def _tapped(self, event: Incoming, by: str, now: dt.datetime) -> str:
        what, verb, number, argument = [*event.action.split(":"), "", "", ""][:4]
        handler = self._handlers().get((what, verb))
        if handler is None or not number.isdigit():
            log.warning("staff_tap_unknown", what=what[:16])
            return "staff_unknown"
        answer = await handler(int(number), argument, event, by, now)
        return await self._answer(event, answer, f"{what}_{verb}") if answer else f"{what}_{verb}"

    def _handlers(self) -> dict[tuple[str, str], "Handler"]:
        return {
            ("staff", "ack"): self._ack,
            ("staff", "take"): self._take,
            ("staff", "back"): self._back,
            ("staff", "close"): self._ask_reason,
            ("staff", "shut"): self._shut,
            ("staff", "keep"): self._keep,
            ("visit", "ok"): self._confirm,
            ("visit", "no"): self._decline,
            ("visit", "move"): self._move,
            ("learn", "keep"): self._keep_answer,
            ("ask", "add"): self._add,
            ("ask", "see"): self._see,
            ("ask", "drop"): self._drop,
        }

    async def _ack(self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime) -> str:
        return await self._alerting.acknowledge(number, by, now)

    async def _take(self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime) -> str:
        thread = await self._alerting.thread_of(number)
        return await self._relay.take_over(thread, by, now) if thread else "This patient is gone."

    async def _back(self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime) -> str:
        thread = await self._alerting.thread_of(number)
        return await self._relay.hand_back(thread, by, now) if thread else "This patient is gone."

    async def _ask_reason(
        self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime
    ) -> str:
        await self._alerting.ask_reason(number)
        return ""

    async def _shut(self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime) -> str:
        thread = await self._alerting.thread_of(number)
        answer = await self._alerting.close(number, by, cards.REASONS.get(argument, "closed"), now)
        if thread and thread.taken_by:
            await self._relay.hand_back(thread, by, now)
        return answer

    async def _keep(self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime) -> str:
        thread = await self._alerting.thread_of(number)
        if thread:
            await self._alerting.refresh_of(thread)
        return ""

    async def _confirm(self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime) -> str:
        return await self._visits.decide(number, "confirmed", "", by, now)

    async def _decline(self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime) -> str:
        return await self._visits.decide(number, "declined", "", by, now)

    async def _move(self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime) -> str:
        return await self._visits.ask_time(number) or ""

    # --- questions for the FAQ

    async def _keep_answer(
        self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime
    ) -> str:
        """What was answered goes to the other questions; its card follows, so that one more tap adds it."""
        thread = await asyncio.to_thread(self._store.thread, number)
        if thread is None or not argument.isdigit():
            return "This patient is gone."
        answer = await asyncio.to_thread(self._learning.keep, thread, int(argument), by, now)
        kept = await asyncio.to_thread(self._store.question_of_talk, int(argument), thread.patient_id)
        if self._asking and kept:
            self._asking.begin(self._asking.see(kept, "", event))
        return answer

    async def _add(self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime) -> str:
        return await self._asking.add(number, argument, event, by, now) if self._asking else NOT_HERE

    async def _see(self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime) -> str:
        if self._asking is None:
            return NOT_HERE
        self._asking.begin(self._asking.see(number, argument, event))
        return ""

    async def _drop(self, number: int, argument: str, event: Incoming, by: str, now: dt.datetime) -> str:
        return await self._asking.drop(number, event, by, now) if self._asking else NOT_HERE


Handler = Callable[[int, str, Incoming, str, dt.datetime], Awaitable[str]]
