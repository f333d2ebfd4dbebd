"""The people's side of one decision: alerts, what is passed on to those who are concerned, requests for a visit."""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import replace

from bot import logs
from bot.core.effects import (
    AskWishes,
    CarriedOut,
    CountFeedback,
    Decision,
    Effect,
    EraseAll,
    OpenAlert,
    RequestAppointment,
    StopAsking,
)
from bot.core.values import Address, Context, Incoming, Line, Patient
from bot.core.wording import Wording
from bot.inbox.faults import fault
from bot.inbox.people import Staff
from bot.inbox.sessions import Session
from bot.store.store import Store

log = logs.get("inbox")


class Calling:
    """Tells the staff."""

    def __init__(self, store: Store, staff: Staff, clock: Callable[[], dt.datetime]) -> None:
        self._store, self._staff, self._clock = store, staff, clock

    # --- requests that staff decide

    async def keep_requests(self, effects: tuple[Effect, ...], session: Session, words: Wording) -> list[int]:
        """Keep what staff must decide, before the patient hears that it was passed on. The requests' numbers."""
        if not effects:
            return []
        visits, patient, now = self._staff.visits, speaking(session.patient, words), self._clock()
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

    async def show_requests(self, numbers: list[int], session: Session, words: Wording) -> None:
        for number in numbers:
            try:
                await self._staff.visits.show(number, speaking(session.patient, words), self._clock())
            except Exception as err:  # it is kept, and stands on the staff page
                log.error("request_not_shown", **fault(err))

    # --- what is told at once

    async def tell(
        self, decision: Decision, session: Session, words: Wording, event: Incoming, context: Context
    ) -> list[str]:
        """Open alerts, and pass on what is said while people are concerned with this patient.

        Returns the keys of what the patient must hear of it, after the reply. Never raises.
        """
        lines = _lines(event, decision, context.now)
        notes = [Line(context.now, "note", e.note) for e in decision.effects if isinstance(e, CarriedOut)]
        waits = context.taken_over and not any(isinstance(e, CarriedOut | EraseAll) for e in decision.effects)
        session.talk.extend(lines)
        concerned = context.taken_over or context.alert_open
        alerts = [effect for effect in decision.effects if isinstance(effect, OpenAlert)]
        if event.file and (alerts or not concerned):
            session.pictures.append(event)
        if not alerts and not concerned:
            return []
        patient, afterwards = speaking(session.patient, words), []
        for alert in alerts:
            told = await self._alert(alert, patient, lines if concerned else tuple(session.talk))
            if alert.kind in ("danger", "check_in") or not told:
                afterwards.append("alert_sent" if told else "alert_not_sent")
        if concerned and not alerts and event.kind != "left":
            try:
                await self._staff.overheard(patient, event, (*lines, *notes), waits, context.now)
            except Exception as err:
                log.error("relay_failed", **fault(err))
                if waits:
                    afterwards.append("alert_not_sent")
        if alerts and session.pictures:
            await self._show_pictures(patient, session)
        return afterwards

    async def left_unsaid(
        self, decision: Decision, texts: tuple[str, ...], answered: bool, session: Session, words: Wording
    ) -> None:
        """What could not be told of an alert goes with the next reply, and staff know that it was not told."""
        if not any(isinstance(effect, OpenAlert) for effect in decision.effects):
            return
        try:
            await self._staff.unsaid(speaking(session.patient, words), texts, answered, self._clock())
        except Exception as err:
            log.error("unsaid_not_kept", **fault(err))

    async def unsaid_told(self, address: Address) -> None:
        """If we die before this it is said once more."""
        try:
            await self._staff.unsaid_told(address, self._clock())
        except Exception as err:
            log.error("said_not_kept", **fault(err))

    async def take_leave(self, address: Address) -> None:
        """Staff hear that all of this chat is about to be deleted. Whatever fails there, it is."""
        try:
            await self._staff.leaving(address, self._clock())
        except Exception as err:
            log.error("leaving_not_told", **fault(err))

    async def _show_pictures(self, patient: Patient, session: Session) -> None:
        """What the patient showed before anybody was called: the bot has said that a person can judge it."""
        pictures = tuple(session.pictures)
        session.pictures.clear()
        try:
            await self._staff.shown(patient, pictures)
        except Exception as err:
            log.error("pictures_not_shown", **fault(err))

    async def _alert(self, alert: OpenAlert, patient: Patient, talk: tuple[Line, ...]) -> bool:
        try:
            return await self._staff.alert(patient, alert, talk, self._clock()) and self._staff.reachable
        except Exception as err:  # the patient is told the truth instead: nobody could be reached
            log.error("alert_failed", kind=alert.kind, **fault(err))
            return False


def concerns_people(decision: Decision, context: Context) -> bool:
    """Whether `tell` will speak to anybody."""
    return (
        context.taken_over
        or context.alert_open
        or any(isinstance(effect, OpenAlert) for effect in decision.effects)
    )


def speaking(patient: Patient, words: Wording) -> Patient:
    """The patient with the language that they write in now."""
    return replace(patient, language=words.language, traditional=words.traditional)


def _lines(event: Incoming, decision: Decision, now: dt.datetime) -> tuple[Line, ...]:
    """What was said in this step, as staff read it."""
    tapped = f"({event.kind})" if event.kind != "action" else f"(tapped: {event.action})"
    said = event.text.strip() or decision.said or tapped
    replies = (Line(now, "bot", message.words) for message in decision.replies)
    return (Line(now, "patient", said), *replies)
