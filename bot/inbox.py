"""The shell of one incoming event: stored before it is acknowledged, then gather, decide, apply, record.

What if we die right here? Before the event is stored: the platform sends it again. After that and before it is marked done:
it is handled again after the restart, so a reply may come twice but none is missing.
"""

import asyncio
import datetime as dt
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from bot import logs
from bot.channels.port import Channel, SendFailed
from bot.core.conversation import decide, words_for
from bot.core.reminders import plan
from bot.core.values import (
    Address,
    AskWishes,
    Button,
    Context,
    CountFeedback,
    Decision,
    Effect,
    EraseAll,
    GiveConsent,
    Incoming,
    Line,
    Message,
    OpenAlert,
    Patient,
    RecordUnanswered,
    RequestAppointment,
    SetDetail,
    SetLanguage,
    SetProcedureDate,
    SetReminders,
    Situation,
    StopAsking,
    Unreachable,
)
from bot.core.wording import Wording
from bot.store.store import Store
from intents.types import Understanding
from intents.understand import Understander

log = logs.get("inbox")

SESSIONS = 20_000  # conversations remembered in memory
FLOOD_MESSAGES = 20  # answered within FLOOD_SECONDS; a person types slower, a script faster
FLOOD_SECONDS = 30.0
TALK = 12  # lines of a conversation remembered, for the person who takes over
HELPFUL_EVERY = 4  # answers, of which the first is asked about


class Visits(Protocol):
    """Requests for a visit, on their way to the people who decide."""

    async def ask(self, patient: Patient, now: dt.datetime) -> None:
        """The patient's next words are their wishes."""

    async def stop_asking(self, patient: Patient) -> None:
        """They are not."""

    async def request(self, patient: Patient, wishes: str, now: dt.datetime) -> int:
        """Keep a request; its number."""

    async def show(self, number: int, patient: Patient, now: dt.datetime) -> bool:
        """Show it in the staff chat; False when it did not arrive there."""


class Staff(Protocol):
    """The people who take over."""

    @property
    def reachable(self) -> bool:
        """Whether alerts have anywhere to go."""

    def takes_requests(self) -> bool:
        """Whether a request for a visit will be seen, if not at once. Called in a worker thread."""

    def situation(self, address: Address) -> Situation:
        """Whether a person is talking with this patient now, and the like. Called in a worker thread."""

    def is_staff(self, address: Address) -> bool:
        """Whether the clinic's people themselves write there."""

    async def heard(self, event: Incoming) -> str:
        """What staff wrote in their own chat; returns what it came to. Never raises."""

    async def alert(
        self, patient: Patient, alert: OpenAlert, talk: tuple[Line, ...], now: dt.datetime
    ) -> bool:
        """Tell the staff; `talk` is the conversation's end. True when a person can see it."""

    async def overheard(
        self, patient: Patient, event: Incoming, lines: tuple[Line, ...], taken: bool, now: dt.datetime
    ) -> None:
        """What is said while an alert is open, or to the person who has `taken` over."""

    @property
    def visits(self) -> Visits:
        """Requests for a visit."""


@dataclass
class Session:
    """What is remembered of a conversation in memory only: it is gone with the process, and needs no consent."""

    patient: Patient
    last_buttons: tuple[Button, ...] = ()
    last_entry: str | None = None
    talk: deque[Line] = field(default_factory=lambda: deque(maxlen=TALK))
    answers: int = 0  # since "was this helpful?" was asked last
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=FLOOD_MESSAGES))
    warned: bool = False


class Inbox:
    """Takes events from all channels. Events of one patient are handled in order, those of others meanwhile."""

    def __init__(
        self,
        store: Store,
        understander: Callable[[], Understander],
        channels: dict[str, Channel],
        staff: Staff,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._store, self._understander, self._channels = store, understander, channels
        self._staff, self._clock = staff, clock
        self._sessions: OrderedDict[Address, Session] = OrderedDict()
        self._last: dict[Address, asyncio.Task[None]] = {}

    async def receive(self, event: Incoming) -> None:
        """Store `event`; the caller may acknowledge it when this returns. Events seen before are dropped here."""
        if await asyncio.to_thread(self._store.remember_event, event):
            self._queue(event)

    async def resume(self) -> int:
        """Handle what an earlier process stored and did not finish; returns how many."""
        events = await asyncio.to_thread(self._store.unhandled_events)
        for event in events:
            self._queue(event)
        return len(events)

    async def drain(self) -> None:
        """Wait until everything received so far is handled."""
        while self._last:
            await asyncio.gather(*self._last.values(), return_exceptions=True)

    def _queue(self, event: Incoming) -> None:
        before = self._last.get(event.address)
        task = asyncio.create_task(self._after(before, event))
        self._last[event.address] = task
        task.add_done_callback(lambda done: self._forget_task(event.address, done))

    def _forget_task(self, address: Address, done: asyncio.Task[None]) -> None:
        if self._last.get(address) is done:
            del self._last[address]

    async def _after(self, before: asyncio.Task[None] | None, event: Incoming) -> None:
        if before:
            await asyncio.wait([before])
        await self._handle(event)

    async def _handle(self, event: Incoming) -> None:
        started = time.perf_counter()
        outcome = "failed"
        decision = Decision()
        try:
            staff = self._staff.is_staff(event.address)
            decision = (
                Decision(outcome=await self._staff.heard(event)) if staff else await self._converse(event)
            )
            outcome = decision.outcome
        except Exception as err:  # the outermost step: the patient still gets the way to a person
            log.exception(
                "event_failed",
                event_id=event.event_id,
                channel=event.address.channel,
                error=type(err).__name__,
            )
            await self._apologise(event)
        try:
            await asyncio.to_thread(
                self._store.event_done,
                event.address.channel,
                event.event_id,
                outcome,
                decision.entry,
                decision.score,
            )
        except Exception:  # it stays unhandled and is tried again after a restart
            log.exception("event_not_recorded", event_id=event.event_id)
        log.info(
            "handled", channel=event.address.channel, kind=event.kind, outcome=outcome, entry=decision.entry,
            ms=round((time.perf_counter() - started) * 1000, 1),
        )  # fmt: skip

    async def _converse(self, event: Incoming) -> Decision:
        # gather
        session = await self._session(event.address)
        understander = self._understander()
        meaning = self._meaning(understander, event, session)
        if self._flooding(session) and not (meaning and meaning.outcome == "danger"):
            return await self._slow_down(event, session, understander)
        context = await self._context(event, session)
        # decide
        decision = decide(event, meaning, context, understander.faq)
        words = words_for(meaning, event, context, understander.faq)
        # apply
        await self._apply_state(decision.effects, session, understander, event)
        shown = await self._apply_requests(decision.effects, session, words)
        await self._say(decision.replies, event, session)
        await self._tell_staff(decision, session, words, event, context)
        await self._show_requests(shown, session, words)
        self._remember(decision, session)
        return decision

    def _remember(self, decision: Decision, session: Session) -> None:
        if decision.outcome == "answer":
            session.last_entry = decision.entry
            session.answers = (session.answers + 1) % HELPFUL_EVERY

    # --- gather

    async def _session(self, address: Address) -> Session:
        session = self._sessions.get(address)
        if session is None:
            patient = await asyncio.to_thread(self._store.patient, address)
            session = self._sessions[address] = Session(patient or Patient(address))
            while len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(address)
        return session

    @staticmethod
    def _meaning(understander: Understander, event: Incoming, session: Session) -> Understanding | None:
        if event.kind == "action" or not event.text.strip():
            return None
        return understander.understand(event.text, session.patient.language)

    def _flooding(self, session: Session) -> bool:
        now = time.monotonic()
        full = len(session.recent) == FLOOD_MESSAGES and now - session.recent[0] < FLOOD_SECONDS
        session.recent.append(now)
        session.warned = session.warned and full
        return full

    async def _slow_down(self, event: Incoming, session: Session, understander: Understander) -> Decision:
        if not session.warned:
            session.warned = True
            words = self._words(session, understander)
            await self._say((Message(words("rate_limited")),), event, session)
        return Decision(outcome="rate_limited")

    async def _context(self, event: Incoming, session: Session) -> Context:
        patient, channel = session.patient, self._channels[event.address.channel]
        upcoming = await asyncio.to_thread(self._store.upcoming, patient.id) if patient.id else []
        sent = await asyncio.to_thread(self._store.sent_count, patient.id) if patient.id else 0
        situation = await asyncio.to_thread(self._staff.situation, event.address)
        return Context(
            patient,
            self._clock(),
            tuple(upcoming),
            sent,
            channel.platform,
            session.last_buttons,
            session.last_entry,
            self._staff.reachable,
            situation.taken_over,
            situation.alert_open,
            situation.asking_wishes,
            await asyncio.to_thread(self._staff.takes_requests),
            session.answers == 0,
        )

    # --- apply

    async def _say(self, replies: tuple[Message, ...], event: Incoming, session: Session) -> None:
        channel = self._channels[event.address.channel]
        for i, message in enumerate(replies):
            try:
                await channel.send(
                    event.address, message, reply_handle=event.reply_handle if i == 0 else None
                )
            except SendFailed as err:
                log.warning("reply_failed", channel=channel.name, reason=err.reason, permanent=err.permanent)
                if err.permanent:
                    await asyncio.to_thread(self._store.mark_unreachable, event.address, err.reason)
                return
        if replies:
            session.last_buttons = replies[-1].buttons

    async def _apply_state(
        self, effects: tuple[Effect, ...], session: Session, understander: Understander, event: Incoming
    ) -> None:
        for effect in effects:
            session.patient = await asyncio.to_thread(
                self._change, effect, session.patient, understander, event
            )

    def _change(
        self, effect: Effect, patient: Patient, understander: Understander, event: Incoming
    ) -> Patient:
        """One change of what is kept; without consent it stays in the session."""
        store, now = self._store, self._clock()
        match effect:
            case GiveConsent():
                return store.give_consent(patient.address, now, patient.language or "en", patient.traditional)
            case SetLanguage(language, traditional):
                if patient.id:
                    store.set_language(patient.id, language, traditional)
                return replace(patient, language=language, traditional=traditional)
            case SetProcedureDate(date) if patient.id:
                zone = patient.timezone or understander.faq.clinic.timezone
                planned = plan(understander.faq.file.reminders.steps, date, zone)
                store.set_procedure_date(patient.id, date, planned, now)
                return replace(patient, procedure_date=date, reminders="on")
            case SetReminders(state) if patient.id:
                store.set_reminders(patient.id, state)
                return replace(patient, reminders=state)
            case SetDetail(detail) if patient.id:
                store.set_detail(patient.id, detail)
                return replace(patient, detail=detail)
            case RecordUnanswered(text, matches) if patient.consent_at:
                store.record_unanswered(text, patient.language or "en", matches, patient.id, now)
            case EraseAll():
                if patient.id:
                    store.erase(patient.id)
                return Patient(patient.address, language=patient.language, traditional=patient.traditional)
            case Unreachable():
                store.mark_unreachable(patient.address, "left")
            case _:
                pass
        return patient

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
                log.exception("request_not_shown", error=type(err).__name__)

    async def _tell_staff(
        self, decision: Decision, session: Session, words: Wording, event: Incoming, context: Context
    ) -> None:
        """Open alerts, and pass on what is said while people are concerned with this patient."""
        lines = _lines(event, decision, context.now)
        session.talk.extend(lines)
        concerned = context.taken_over or context.alert_open
        alerts = [effect for effect in decision.effects if isinstance(effect, OpenAlert)]
        patient = _speaking(session.patient, words)
        for alert in alerts:
            told = await self._alert(alert, patient, lines if concerned else tuple(session.talk))
            if alert.kind == "danger" or not told:
                await self._say_aside(words("alert_sent" if told else "alert_not_sent"), event, session)
        if concerned and not alerts and event.kind != "left":
            try:
                await self._staff.overheard(patient, event, lines, context.taken_over, context.now)
            except Exception as err:
                log.exception("relay_failed", error=type(err).__name__)
                if context.taken_over:
                    await self._say_aside(words("alert_not_sent"), event, session)

    async def _say_aside(self, text: str, event: Incoming, session: Session) -> None:
        """A message that leaves the buttons before it in force."""
        buttons = session.last_buttons
        await self._say((Message(text),), replace(event, reply_handle=None), session)
        session.last_buttons = buttons

    async def _alert(self, alert: OpenAlert, patient: Patient, talk: tuple[Line, ...]) -> bool:
        try:
            return await self._staff.alert(patient, alert, talk, self._clock()) and self._staff.reachable
        except Exception as err:  # the patient is told the truth instead: nobody could be reached
            log.exception("alert_failed", kind=alert.kind, error=type(err).__name__)
            return False

    def _words(
        self, session: Session, understander: Understander, meaning: Understanding | None = None
    ) -> Wording:
        faq, patient = understander.faq, session.patient
        language = meaning.language if meaning else patient.language
        if language not in faq.languages:
            language = faq.languages[0]
        traditional = meaning.traditional if meaning and meaning.language == "zh" else patient.traditional
        return Wording(faq, language, traditional, self._channels[patient.address.channel].platform)

    async def _apologise(self, event: Incoming) -> None:
        """Something failed on our side: say so and give the numbers. Uses as little as possible of what may be broken."""
        try:
            session = self._sessions.get(event.address) or Session(Patient(event.address))
            words = self._words(session, self._understander())
            await self._channels[event.address.channel].send(event.address, Message(words("error")))
        except Exception as err:
            log.exception("apology_failed", error=type(err).__name__)


def _speaking(patient: Patient, words: Wording) -> Patient:
    """The patient with the language that they write in now."""
    return replace(patient, language=words.language, traditional=words.traditional)


def _lines(event: Incoming, decision: Decision, now: dt.datetime) -> tuple[Line, ...]:
    """What was said in this step, as staff read it."""
    said = event.text.strip() or (
        f"({event.kind})" if event.kind != "action" else f"(tapped: {event.action})"
    )
    replies = (Line(now, "bot", message.text) for message in decision.replies)
    return (Line(now, "patient", said), *replies)
