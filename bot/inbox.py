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
from bot.core.conversation import decide
from bot.core.reminders import plan
from bot.core.values import (
    Address,
    Button,
    Context,
    Decision,
    Effect,
    EraseAll,
    GiveConsent,
    Incoming,
    Message,
    OpenAlert,
    Patient,
    RecordUnanswered,
    SetDetail,
    SetLanguage,
    SetProcedureDate,
    SetReminders,
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


class Staff(Protocol):
    """The people who take over."""

    @property
    def reachable(self) -> bool:
        """Whether alerts have anywhere to go."""

    def taken_over(self, address: Address) -> bool:
        """Whether a person is talking with this patient now."""

    async def alert(self, patient: Patient, alert: OpenAlert, now: dt.datetime) -> bool:
        """Tell the staff; True when a person can see it."""


@dataclass
class Session:
    """What is remembered of a conversation in memory only: it is gone with the process, and needs no consent."""

    patient: Patient
    last_buttons: tuple[Button, ...] = ()
    last_entry: str | None = None
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
            decision = await self._converse(event)
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
        # apply
        await self._apply_state(decision.effects, session, understander, event)
        await self._say(decision.replies, event, session)
        await self._apply_alerts(decision.effects, session, understander, event, meaning)
        session.last_entry = decision.entry if decision.outcome == "answer" else session.last_entry
        return decision

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
        return Context(
            patient,
            self._clock(),
            tuple(upcoming),
            sent,
            channel.platform,
            session.last_buttons,
            session.last_entry,
            self._staff.reachable,
            self._staff.taken_over(event.address),
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

    async def _apply_alerts(
        self,
        effects: tuple[Effect, ...],
        session: Session,
        understander: Understander,
        event: Incoming,
        meaning: Understanding | None,
    ) -> None:
        for effect in effects:
            if isinstance(effect, OpenAlert):
                told = await self._alert(effect, session)
                if effect.kind == "danger" or not told:
                    words = self._words(session, understander, meaning)
                    key = "alert_sent" if told else "alert_not_sent"
                    buttons = session.last_buttons
                    await self._say((Message(words(key)),), replace(event, reply_handle=None), session)
                    session.last_buttons = buttons

    async def _alert(self, alert: OpenAlert, session: Session) -> bool:
        try:
            return self._staff.reachable and await self._staff.alert(session.patient, alert, self._clock())
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
