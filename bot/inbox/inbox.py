"""The shell of one incoming event: stored before it is acknowledged, then gather, decide, apply, record.

What if we die right here? Before the event is stored: the platform sends it again. After that and before it is marked done:
it is handled again, after the restart or by another process, so a reply may come twice but none is missing.
"""

import asyncio
import contextlib
import datetime as dt
import secrets
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bot import logs
from bot.channels.persist import Sleep, persist
from bot.channels.port import Channel, HasMenus, OwnPage, SendFailed
from bot.core import checkins, enrol, pairing
from bot.core.conversation import decide, profile_language, typed_label, words_for
from bot.core.values import (
    Address,
    Asked,
    AskWishes,
    CheckedIn,
    Context,
    CountFeedback,
    Decision,
    Effect,
    Enrol,
    EraseAll,
    Incoming,
    Invitation,
    JoinChats,
    Line,
    Message,
    OpenAlert,
    Patient,
    RequestAppointment,
    SetLanguage,
    Situation,
    StopAsking,
    Upcoming,
)
from bot.core.wording import Wording
from bot.inbox import changes
from bot.inbox.crowd import Crowd
from bot.inbox.eventlog import EventLog
from bot.inbox.leases import Leases
from bot.inbox.people import Staff
from bot.inbox.replies import Answering, Turns
from bot.inbox.riding import Ride, Rides, may_ride
from bot.inbox.sessions import HELPFUL_EVERY, Session, Sessions
from bot.store.events import Done
from bot.store.store import Store, StoreError
from intents.types import Understanding
from intents.understand import Understander

log = logs.get("inbox")

BEAT_SECONDS = 2.0  # so long an event waits at most when nobody has it in hand
BUSY = 20  # patients whose messages are in hand
LOOKS = 3  # how often one event is looked at when others change what it hangs on at the same moment


@dataclass(frozen=True, slots=True)
class Known:
    """What the store and the staff's side know about the one who writes."""

    patient: Patient | None = None
    upcoming: tuple[Upcoming, ...] = ()
    sent: int = 0
    situation: Situation = field(default_factory=Situation)
    takes_requests: bool = False
    invitation: Invitation | None = None
    code: str | None = None
    code_state: pairing.CodeState = "wrong"
    check_ins: tuple[CheckedIn, ...] = ()
    last_sent: Asked | None = None


class Inbox:
    """Takes events from all channels. Events of one patient are handled in order, those of others meanwhile."""

    def __init__(
        self,
        store: Store,
        understander: Callable[[], Understander],
        channels: dict[str, Channel],
        staff: Staff,
        clock: Callable[[], dt.datetime],
        *,
        rides: Rides | None = None,
        owner: str | None = None,
        typing_after_seconds: float = 0.7,
        sleep: Sleep = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`owner` names this process among those that share the store; None: a name that nobody has."""
        self._store, self._understander, self._channels = store, understander, channels
        self._staff, self._clock, self._sleep, self._monotonic = staff, clock, sleep, monotonic
        self._rides = rides
        self._leases = Leases(store, owner or secrets.token_hex(16), channels.keys(), clock)
        self._events = EventLog(store, self._leases.fresh)
        self._sessions, self._guesses, self._crowd = Sessions(), pairing.Guesses(), Crowd()
        self._turns: defaultdict[str, Turns] = defaultdict(Turns)
        self._last: dict[Address, asyncio.Task[None]] = {}
        self._typing_after_seconds = typing_after_seconds
        self._beside: set[asyncio.Task[None]] = set()  # what nobody waits for
        self._watch: asyncio.Task[None] | None = None
        self._faq = understander().faq  # for an apology when `understander` fails

    async def receive(self, event: Incoming) -> None:
        """Store `event`; the caller may acknowledge it when this returns. Events seen before are dropped here.

        Raises StoreError when it could not be stored: the platform keeps it and delivers it again.
        """
        if await self._events.add(event):
            self._leases.take(event)
            self._queue(event, repeated=False)

    async def resume(self) -> int:
        """Handle what an earlier process of our name stored and did not finish; returns how many. Call it before events come in.

        Events of a channel that is not set at present wait for the start at which it is.
        """
        return await self._claim(restarted=True)

    async def beat(self) -> int:
        """Keep our leases, and take over what nobody has in hand; how many events that was. Raises StoreError."""
        await self._leases.renew()
        return await self._claim(restarted=False)

    async def _claim(self, *, restarted: bool) -> int:
        count = 0
        while claimed := await self._leases.claim(restarted=restarted):
            for item in claimed:
                self._leases.take(item.event)
                self._queue(item.event, item.repeated)
            count += len(claimed)
            restarted = False  # what stands under our name now is in our hands
        return count

    def start(self) -> None:
        """Beat until `stop`."""
        self._watch = asyncio.create_task(self._beats())

    async def stop(self) -> None:
        """Put down what could not be finished: another process may go on at once."""
        if self._watch:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        with contextlib.suppress(StoreError):  # the leases run out by themselves
            await self._leases.release()

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                if count := await self.beat():
                    log.info("events_taken_over", events=count)
            except Exception as err:  # the outermost step of the loop: leave a record and go on
                log.error("beat_failed", **_fault(err))

    async def drain(self) -> None:
        """Wait until everything received so far is handled."""
        while waiting := [*self._last.values(), *self._beside]:
            await asyncio.gather(*waiting, return_exceptions=True)

    def _queue(self, event: Incoming, repeated: bool) -> None:
        before = self._last.get(event.address)
        task = asyncio.create_task(self._after(before, event, repeated))
        self._last[event.address] = task
        task.add_done_callback(lambda done: self._forget_task(event.address, done))

    def _forget_task(self, address: Address, done: asyncio.Task[None]) -> None:
        if self._last.get(address) is done:
            del self._last[address]

    async def _after(self, before: asyncio.Task[None] | None, event: Incoming, repeated: bool) -> None:
        if before:
            await asyncio.wait([before])
        await self._handle(event, repeated)

    async def _handle(self, event: Incoming, repeated: bool) -> None:
        started = time.perf_counter()
        if not await self._leases.still_mine(event):
            self._leases.put_down(event)
            log.warning("event_is_anothers", event_id=event.event_id)
            return
        async with AsyncExitStack() as turn:  # held until the answer is on record
            done = await self._answer(event, repeated, turn)
            try:  # waits while the database is away: if we die meanwhile, the event is handled again
                await self._events.add(done)
            except Exception as err:
                log.error("event_not_recorded", event_id=event.event_id, **_fault(err))
        self._leases.put_down(event)
        log.info(
            "handled", channel=done.channel, kind=event.kind, outcome=done.outcome, entry=done.entry,
            ms=round((time.perf_counter() - started) * 1000, 1),
        )  # fmt: skip

    async def _answer(self, event: Incoming, repeated: bool, turn: AsyncExitStack) -> Done:
        channel = event.address.channel
        done = Done(channel, event.event_id, "failed", self._clock())
        try:
            if self._staff.is_staff(event.address):
                return replace(done, outcome=await self._staff.heard(event))
            answering = self._answering(event, repeated)
            with self._typing(event, answering):
                return await self._converse(event, answering, done, turn)
        except Exception as err:  # the outermost step: the patient still gets the way to a person
            log.error("event_failed", event_id=event.event_id, channel=channel, **_fault(err))
            await self._apologise(event)
        return done

    @contextlib.contextmanager
    def _typing(self, event: Incoming, answering: Answering) -> Iterator[None]:
        """The patient sees that an answer is on its way, if it does not come at once."""

        def show() -> None:
            if len(self._last) <= BUSY:  # in a rush it would only keep the answers longer
                self._do_beside(self._channels[event.address.channel].typing(event.address))

        timer = asyncio.get_running_loop().call_later(self._typing_after_seconds, show)
        answering.before_words = timer.cancel
        try:
            yield
        finally:
            timer.cancel()

    def _do_beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Nobody waits for it, and dying before it costs nothing that matters."""
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def _answering(self, event: Incoming, repeated: bool) -> Answering:
        return Answering(self._store, self._channels[event.address.channel], event, repeated, self._sleep)

    async def _converse(
        self, event: Incoming, answering: Answering, done: Done, turn: AsyncExitStack
    ) -> Done:
        # gather
        event = enrol.as_link(event)
        session = self._sessions.of(event.address)
        understander = self._current()
        known, meaning = await self._gather(event, session, understander)
        if session.flooding(self._monotonic()) and not _is_danger(event, meaning):
            return await self._slow_down(event, session, understander, answering, done)
        if session.patient.id is None and not _is_danger(event, meaning):
            pause = self._crowd.wait(event.address, self._monotonic())
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
                log.error("danger_not_kept", event_id=event.event_id, **_fault(err))
                other = None
                break
        words = words_for(meaning, event, context, understander.faq)
        # apply
        if decision.replies and decision.outcome != "danger":  # danger waits for nobody
            await turn.enter_async_context(self._turns[event.address.channel].one())
        await self._apply(event, decision, session, words, context, answering)
        if other:
            await self._tell_other_chat(other, words)
        self._remember(decision, session)
        if event.kind == "joined" or any(isinstance(e, SetLanguage | Enrol) for e in decision.effects):
            self._show_menu(
                session.patient if session.patient.language else _speaking(session.patient, words)
            )
        return replace(
            done,
            outcome=decision.outcome,
            entry=decision.entry,
            score=decision.score,
            language=words.language,
        )

    def _current(self) -> Understander:
        understander = self._understander()
        self._faq = understander.faq
        return understander

    def _decide(
        self,
        event: Incoming,
        meaning: Understanding | None,
        session: Session,
        known: Known,
        understander: Understander,
    ) -> tuple[Context, Decision]:
        context = self._context(event, session, known)
        return context, decide(event, meaning, context, understander.faq)

    async def _apply(
        self,
        event: Incoming,
        decision: Decision,
        session: Session,
        words: Wording,
        context: Context,
        answering: Answering,
    ) -> None:
        requests = await self._apply_requests(decision.effects, session, words)
        # Staff are called while the reply is under way: neither waits for the other's platform.
        calling = asyncio.create_task(self._tell_staff(decision, session, words, event, context))
        try:
            ride = await self._ride(event, decision, context, answering.repeated)
            await self._say(decision.replies, session, answering, ride)
        finally:
            afterwards = await calling
        for key in afterwards:
            await answering.say(Message(words(key)))
        await self._show_requests(requests, session, words)

    def _show_menu(self, patient: Patient) -> None:
        """The platform's menu speaks the patient's language too."""
        channel = self._channels[patient.address.channel]
        if isinstance(channel, HasMenus) and patient.language:
            language = "zh-Hant" if patient.language == "zh" and patient.traditional else patient.language
            self._do_beside(channel.show_menu(patient.address, language))

    def _remember(self, decision: Decision, session: Session) -> None:
        if decision.outcome == "answer":
            session.last_entry = decision.entry
            session.answers = (session.answers + 1) % HELPFUL_EVERY

    # --- gather

    async def _gather(
        self, event: Incoming, session: Session, understander: Understander
    ) -> tuple[Known, Understanding | None]:
        """What is known, and what was meant. Without the database a danger sign is answered all the same."""
        fault: Exception | None = None
        try:
            known = await asyncio.to_thread(self._look_up, event, session)
            session.refresh(known.patient)
        except Exception as err:
            known, fault = Known(), err
        meaning = self._meaning(understander, event, session)
        if fault and not _is_danger(event, meaning):
            raise fault
        if fault:
            log.error("danger_without_database", event_id=event.event_id, **_fault(fault))
        return known, meaning

    def _look_up(self, event: Incoming, session: Session) -> Known:
        """All that must be asked of the store, in one visit to a worker thread."""
        store, now, address = self._store, self._clock(), event.address
        patient = store.patient(address)
        if patient and event.kind != "left":
            store.came_back(address)
        typed = typed_label(event.text, session.last_buttons)
        payload, code = enrol.asked_for(event, typed), pairing.typed_code(event, typed)
        return Known(
            patient,
            tuple(store.upcoming(patient.id)) if patient and patient.id else (),
            store.sent_count(patient.id) if patient and patient.id else 0,
            self._staff.situation(address),
            self._staff.takes_requests(),
            store.invitation(payload, address, now) if payload else None,
            code,
            self._code_state(code, address, now) if code else "wrong",
            tuple(store.check_ins(patient.id)) if patient and patient.id else (),
            store.last_sent(patient.id) if patient and patient.id and event.text else None,
        )

    def _code_state(self, code: str, address: Address, now: dt.datetime) -> pairing.CodeState:
        if not self._guesses.allowed(address, now):
            return "wrong"
        state = self._store.code_state(code, address, now)
        if state == "wrong":
            self._guesses.wrong(address, now)
        return state

    @staticmethod
    def _meaning(understander: Understander, event: Incoming, session: Session) -> Understanding | None:
        if event.kind == "action" or not event.text.strip():
            return None
        guess = session.patient.language or profile_language(event, understander.faq)
        return understander.understand(event.text, guess)

    def _context(self, event: Incoming, session: Session, known: Known) -> Context:
        now = self._clock()
        return Context(
            patient=session.patient,
            now=now,
            upcoming=known.upcoming,
            sent=known.sent,
            platform=self._channels[event.address.channel].platform,
            last_buttons=session.last_buttons,
            last_entry=session.last_entry,
            staff_reachable=self._staff.reachable,
            taken_over=known.situation.taken_over,
            alert_open=known.situation.alert_open,
            asking_wishes=known.situation.asking_wishes,
            takes_requests=known.takes_requests,
            ask_helpful=session.answers == 0,
            invitation=known.invitation,
            code=known.code,
            code_state=known.code_state,
            fresh_code=f"{secrets.randbelow(10**pairing.DIGITS):0{pairing.DIGITS}}",
            check_ins=known.check_ins,
            asked=checkins.open_question(known.last_sent, known.check_ins, session.spoke_at, now),
        )

    # --- apply

    async def _say(
        self, replies: tuple[Message, ...], session: Session, answering: Answering, ride: Ride | None
    ) -> None:
        for number, message in enumerate(replies):
            rides = ride if number == 0 else None
            taken = await answering.say(message, rides.message if rides else None)
            if rides:
                await self._ride_ended(rides, answering.rode)
            if not taken:
                return
        if replies:
            session.last_buttons, session.spoke_at = replies[-1].buttons, self._clock()

    async def _ride(
        self, event: Incoming, decision: Decision, context: Context, repeated: bool
    ) -> Ride | None:
        """A due reminder to go out with the reply. Whatever fails here, the reply goes out without it."""
        channel = self._channels[event.address.channel]
        if self._rides is None or not may_ride(event, decision, context, channel):
            return None
        try:
            return await self._rides(event.address, event.event_id, repeated)
        except Exception as err:
            log.error("ride_failed", event_id=event.event_id, **_fault(err))
            return None

    async def _ride_ended(self, ride: Ride, sent: bool | None) -> None:
        try:
            await ride.ended(sent, self._clock())
        except Exception as err:  # its lease runs out, and it counts as perhaps sent
            log.error("ride_not_recorded", **_fault(err))

    async def _slow_down(
        self, event: Incoming, session: Session, understander: Understander, answering: Answering, done: Done
    ) -> Done:
        if not session.warned:
            session.warned = True
            await answering.say(Message(self._words(event, session)("rate_limited")))
        return replace(done, outcome="rate_limited")

    async def _keep(
        self, effects: tuple[Effect, ...], session: Session, understander: Understander
    ) -> Address | None:
        """Carry out what changes the store; the other chat, if two were joined. Raises changes.Outdated."""
        other = None
        for effect in effects:
            patient, now = session.patient, self._clock()
            chats = await self._chats(patient) if isinstance(effect, EraseAll) else ()
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

    # --- the people's side

    async def _apply_requests(
        self, effects: tuple[Effect, ...], session: Session, words: Wording
    ) -> list[int]:
        """Keep what staff must decide, before the patient hears that it was passed on. The requests' numbers."""
        visits, patient, now = self._staff.visits, _speaking(session.patient, words), self._clock()
        kept = []
        for effect in effects:
            match effect:
                case AskWishes():
                    await visits.ask(patient, now)
                case StopAsking():
                    await visits.stop_asking(patient)
                case RequestAppointment(wishes):
                    kept.append(await visits.request(patient, wishes, now))
                case CountFeedback(entry, helpful):
                    await asyncio.to_thread(self._store.count_feedback, entry, helpful, now.date())
                case _:
                    pass
        return kept

    async def _show_requests(self, numbers: list[int], session: Session, words: Wording) -> None:
        for number in numbers:
            try:
                await self._staff.visits.show(number, _speaking(session.patient, words), self._clock())
            except Exception as err:  # it is kept, and stands on the staff page
                log.error("request_not_shown", **_fault(err))

    async def _tell_staff(
        self, decision: Decision, session: Session, words: Wording, event: Incoming, context: Context
    ) -> list[str]:
        """Open alerts, and pass on what is said while people are concerned with this patient.

        Returns the keys of what the patient must hear of it, after the reply. Never raises.
        """
        lines = _lines(event, decision, context.now)
        session.talk.extend(lines)
        concerned = context.taken_over or context.alert_open
        alerts = [effect for effect in decision.effects if isinstance(effect, OpenAlert)]
        patient, afterwards = _speaking(session.patient, words), []
        for alert in alerts:
            told = await self._alert(alert, patient, lines if concerned else tuple(session.talk))
            if alert.kind in ("danger", "check_in") or not told:
                afterwards.append("alert_sent" if told else "alert_not_sent")
        if concerned and not alerts and event.kind != "left":
            try:
                await self._staff.overheard(patient, event, lines, context.taken_over, context.now)
            except Exception as err:
                log.error("relay_failed", **_fault(err))
                if context.taken_over:
                    afterwards.append("alert_not_sent")
        elif event.file:
            session.pictures.append(event)
        if alerts and session.pictures:
            await self._show_pictures(patient, session)
        return afterwards

    async def _show_pictures(self, patient: Patient, session: Session) -> None:
        """What the patient showed before anybody was called: the bot has said that a person can judge it."""
        pictures = tuple(session.pictures)
        session.pictures.clear()
        try:
            await self._staff.shown(patient, pictures)
        except Exception as err:
            log.error("pictures_not_shown", **_fault(err))

    async def _alert(self, alert: OpenAlert, patient: Patient, talk: tuple[Line, ...]) -> bool:
        try:
            return await self._staff.alert(patient, alert, talk, self._clock()) and self._staff.reachable
        except Exception as err:  # the patient is told the truth instead: nobody could be reached
            log.error("alert_failed", kind=alert.kind, **_fault(err))
            return False

    # --- when it fails

    def _words(self, event: Incoming, session: Session) -> Wording:
        known = Context(
            session.patient, self._clock(), platform=self._channels[event.address.channel].platform
        )
        return words_for(None, event, known, self._faq)

    async def _apologise(self, event: Incoming) -> None:
        """Something failed on our side: say so and give the numbers. Uses as little as possible of what may be broken."""
        try:
            words = self._words(event, self._sessions.of(event.address))
            message = Message(words("error"))
            await persist(
                partial(self._channels[event.address.channel].send, event.address, message), sleep=self._sleep
            )
        except Exception as err:
            log.error("apology_failed", event_id=event.event_id, **_fault(err))


def _is_danger(event: Incoming, meaning: Understanding | None) -> bool:
    return (meaning is not None and meaning.outcome == "danger") or checkins.is_danger(event.action)


def _fault(err: BaseException) -> dict[str, object]:
    """What a log may hold of an error: its kind and where it arose. Its message may quote a patient."""
    frames = traceback.extract_tb(err.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    ours = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "/bot/" in f.filename][-3:]
    return {"error": type(err).__name__, "where": where, "ours": ours}


def _speaking(patient: Patient, words: Wording) -> Patient:
    """The patient with the language that they write in now."""
    return replace(patient, language=words.language, traditional=words.traditional)


def _lines(event: Incoming, decision: Decision, now: dt.datetime) -> tuple[Line, ...]:
    """What was said in this step, as staff read it."""
    tapped = f"({event.kind})" if event.kind != "action" else f"(tapped: {event.action})"
    said = event.text.strip() or decision.said or tapped
    replies = (Line(now, "bot", message.words) for message in decision.replies)
    return (Line(now, "patient", said), *replies)
