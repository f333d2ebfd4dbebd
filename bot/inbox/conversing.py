"""One event answered: gather, decide, apply."""

import asyncio
import datetime as dt
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from bot import logs
from bot.channels.persist import Sleep, persist
from bot.channels.port import Channel, HasMenus, KnowsReplies, OwnPage, SendFailed
from bot.core import checkins, enrol
from bot.core.actions import split
from bot.core.conversation import decide, words_for
from bot.core.effects import Decision, Effect, Enrol, EraseAll, JoinChats, SetLanguage
from bot.core.unsaid import with_unsaid
from bot.core.values import Address, Context, Incoming, Message, Patient
from bot.core.wording import Wording
from bot.inbox import changes
from bot.inbox.beside import Beside
from bot.inbox.calling import Calling, concerns_people, speaking
from bot.inbox.crowd import Crowd
from bot.inbox.faults import fault
from bot.inbox.knowing import Knowing, Known, context_of
from bot.inbox.meanings import Meanings
from bot.inbox.people import Staff
from bot.inbox.replies import Answering, Rider
from bot.inbox.riding import Riding
from bot.inbox.sessions import HELPFUL_EVERY, Session, Sessions
from bot.inbox.turns import Turn, Turns
from bot.store.events import Done
from bot.store.store import Store
from intents.types import Understanding
from intents.understand import Understander

log = logs.get("inbox")

LOOKS = 3  # how often one event is looked at when others change what it hangs on at the same moment


class Conversing:
    """Speaks with patients. Nothing here knows how events are stored, repeated or put in order."""

    def __init__(
        self,
        store: Store,
        understander: Callable[[], Understander],
        channels: dict[str, Channel],
        staff: Staff,
        clock: Callable[[], dt.datetime],
        beside: Beside,
        *,
        riding: Riding,
        sleep: Sleep = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._understander, self._channels = store, understander, channels
        self._staff, self._clock, self._sleep, self._monotonic = staff, clock, sleep, monotonic
        self._knowing, self._calling = Knowing(store, staff, clock), Calling(store, staff, clock)
        self._beside, self._riding = beside, riding
        self._meanings, self._sessions, self.crowd = Meanings(), Sessions(), Crowd()
        self.turns: defaultdict[str, Turns] = defaultdict(Turns)
        self._knowing_replies = {name: c for name, c in channels.items() if isinstance(c, KnowsReplies)}
        self._faq = understander().faq  # for an apology when `understander` fails

    async def converse(self, event: Incoming, answering: Answering, done: Done, turn: Turn) -> Done:
        """Answer `event`; `done` with what became of it. Raises whatever failed on the way: then `apologise`."""
        # gather
        event = enrol.as_link(event)
        session = self._sessions.of(event.address)
        understander = self._current()
        known, meaning = await self._gather(event, session, understander)
        if session.flooding(self._monotonic()) and not _must_be_heard(event, meaning, known):
            return await self._slow_down(event, session, answering, done)
        if session.patient.id is None and not _is_danger(event, meaning):
            pause = self.crowd.wait(event.address, self._monotonic())
            if pause > 0:
                await self._sleep(pause)
                known, meaning = await self._gather(event, session, understander)
        # decide, and keep what must be kept before anything is said
        context, decision = self._decide(event, meaning, session, known, understander)
        for look in range(LOOKS):
            try:
                other = await self._keep(decision.effects, session, understander)
                break
            except changes.Outdated:
                if look == LOOKS - 1:
                    raise
                known, meaning = await self._gather(event, session, understander)
                context, decision = self._decide(event, meaning, session, known, understander)
            except Exception as err:
                if decision.outcome != "danger":
                    raise
                log.error("danger_not_kept", event_id=event.event_id, **fault(err))
                other = None
                break
        words = words_for(meaning, event, context, understander.faq)
        # apply
        if decision.replies and decision.outcome != "danger":  # danger waits for nobody
            await self._take_turn(event, turn)
        await self._apply(event, decision, session, words, context, answering)
        if other:
            await self._tell_other_chat(other, words)
        _remember(decision, session)
        if event.kind == "joined" or any(isinstance(e, SetLanguage | Enrol) for e in decision.effects):
            self._show_menu(session.patient if session.patient.language else speaking(session.patient, words))
        return replace(
            done,
            outcome=decision.outcome,
            entry=decision.entry,
            score=decision.score,
            language=words.language,
        )

    # --- gather and decide

    def _current(self) -> Understander:
        understander = self._understander()
        self._faq = understander.faq
        return understander

    async def _gather(
        self, event: Incoming, session: Session, understander: Understander
    ) -> tuple[Known, Understanding | None]:
        """What is known, and what was meant. Without the database a danger sign is answered all the same."""
        failed: Exception | None = None
        try:
            known = await self._knowing.of(event, session)
            session.refresh(known.patient)
        except Exception as err:
            known, failed = Known(), err
        meaning = await self._meanings.of(event, session, understander)
        if failed and not _is_danger(event, meaning):
            raise failed
        if failed:
            log.error("danger_without_database", event_id=event.event_id, **fault(failed))
        return known, meaning

    def _decide(
        self,
        event: Incoming,
        meaning: Understanding | None,
        session: Session,
        known: Known,
        understander: Understander,
    ) -> tuple[Context, Decision]:
        channel = self._channels[event.address.channel]
        faq = understander.faq
        context = context_of(session, known, channel, self._staff.reachable, faq, self._clock())
        return context, decide(event, meaning, context, faq)

    # --- apply

    async def _take_turn(self, event: Incoming, turn: Turn) -> None:
        platform = self._knowing_replies.get(event.address.channel)
        known = (
            turn.is_noted  # so that it is asked about first, while the platform can tell
            and platform is not None
            and platform.will_know(event.reply_handle, doubted=turn.doubted)
        )
        await turn.begin(self.turns[event.address.channel], known=known)

    async def _keep(
        self, effects: tuple[Effect, ...], session: Session, understander: Understander
    ) -> Address | None:
        """Carry out what changes the store; the other chat, if two were joined. Raises changes.Outdated."""
        other = None
        for effect in effects:
            patient, now = session.patient, self._clock()
            chats = await self._chats(patient) if isinstance(effect, EraseAll) else ()
            for address in chats:
                await self._calling.take_leave(address)
            if isinstance(effect, JoinChats):
                joined = await asyncio.to_thread(changes.join, self._store, effect, patient.address, now)
                session.patient, other = joined
            elif changes.keeps(effect, patient):
                session.patient = await asyncio.to_thread(
                    changes.change, self._store, effect, patient, understander.faq, now
                )
            for address in chats:
                await self._forget(address)
        return other

    async def _chats(self, patient: Patient) -> Sequence[Address]:
        if patient.id is None:
            return (patient.address,)
        return await asyncio.to_thread(self._store.chats_of, patient.id)

    async def _forget(self, address: Address) -> None:
        """What this process remembers of a chat. If we die before it, that is gone as well."""
        self._sessions.of(address).forget()
        channel = self._channels.get(address.channel)
        if isinstance(channel, OwnPage):
            await channel.forget(address.chat)

    async def _apply(
        self,
        event: Incoming,
        decision: Decision,
        session: Session,
        words: Wording,
        context: Context,
        answering: Answering,
    ) -> None:
        requests = await self._calling.keep_requests(decision.effects, session, words)
        tell = self._calling.tell(decision, session, words, event, context)
        say = partial(self._say, event, decision, session, context, answering, words)
        if concerns_people(decision, context):
            # Staff are called while the reply is under way: neither waits for the other's platform.
            calling = asyncio.create_task(tell)
            try:
                unsaid = await say()
            finally:
                afterwards = await calling
        else:
            afterwards = await tell
            unsaid = await say()
        answered = not unsaid
        for line in (Message(words(key)) for key in afterwards):
            if not await answering.say(line):
                unsaid.append(line)
        if unsaid and answering.used_up:
            texts = tuple(message.words for message in unsaid)
            await self._calling.left_unsaid(decision, texts, answered, session, words)
        await self._calling.show_requests(requests, session, words)

    async def _say(
        self,
        event: Incoming,
        decision: Decision,
        session: Session,
        context: Context,
        answering: Answering,
        words: Wording,
    ) -> list[Message]:
        """What was not taken."""
        ride = await self._riding.along(event, decision, context, session.patient, answering.repeated)
        replies = decision.replies
        if not replies and context.unsaid and event.reply_handle:  # a person talks, or nothing need be said
            replies = (Message(""),)
        for number, message in enumerate(replies):
            rider = Rider(ride.message, partial(self._riding.ended, ride)) if ride and number == 0 else None
            unsaid = context.unsaid if number == 0 else ()
            shown = with_unsaid(message, unsaid, decision.outcome == "danger", words)
            if not await answering.say(shown, rider):
                return list(replies[number:])
            if unsaid:
                await self._calling.unsaid_told(event.address)
        if decision.replies:
            session.spoke(decision, self._clock())
        return []

    async def _slow_down(self, event: Incoming, session: Session, answering: Answering, done: Done) -> Done:
        if not session.warned:
            session.warned = True
            await answering.say(Message(self._words(event, session)("rate_limited")))
        return replace(done, outcome="rate_limited")

    async def _tell_other_chat(self, other: Address, words: Wording) -> None:
        """The chat where the code was shown hears that it was used: nobody joins it unseen.

        If we die before this it is not told; the plan is one all the same.
        """
        channel = self._channels.get(other.channel)
        if channel is None:
            return
        try:
            await channel.send(other, Message(words("pair_done")))
        except SendFailed as err:
            log.warning("other_chat_not_told", channel=other.channel, reason=err.reason)

    def _show_menu(self, patient: Patient) -> None:
        """The platform's menu speaks the patient's language too."""
        channel = self._channels[patient.address.channel]
        if isinstance(channel, HasMenus) and patient.language:
            language = "zh-Hant" if patient.language == "zh" and patient.traditional else patient.language
            self._beside.do(channel.show_menu(patient.address, language))

    # --- when it fails

    def _words(self, event: Incoming, session: Session) -> Wording:
        known = Context(
            session.patient, self._clock(), platform=self._channels[event.address.channel].platform
        )
        return words_for(None, event, known, self._faq)

    async def apologise(self, event: Incoming) -> None:
        """Something failed on our side: say so and give the numbers. Uses as little as possible of what may be broken."""
        try:
            words = self._words(event, self._sessions.of(event.address))
            message = Message(words("error"))
            await persist(
                partial(self._channels[event.address.channel].send, event.address, message), sleep=self._sleep
            )
        except Exception as err:
            log.error("apology_failed", event_id=event.event_id, **fault(err))


def _remember(decision: Decision, session: Session) -> None:
    if decision.outcome in ("answer", "danger", "choices", "unknown"):  # what "really?" is said of
        session.last_entry = None if decision.outcome in ("choices", "unknown") else decision.entry
    if decision.outcome == "answer":
        session.answers = (session.answers + 1) % HELPFUL_EVERY


def _must_be_heard(event: Incoming, meaning: Understanding | None, known: Known) -> bool:
    """Also of one who writes too fast: danger, and what is for a person, as long as nobody has been called."""
    pressing = split(event.action)[0] == "person" or (
        meaning is not None and (meaning.service == "person" or meaning.urgency in ("urgent", "emergency"))
    )
    return _is_danger(event, meaning) or (pressing and not known.situation.alert_open)


def _is_danger(event: Incoming, meaning: Understanding | None) -> bool:
    return (meaning is not None and meaning.outcome == "danger") or checkins.is_danger(event.action)
