"""What is known about the one who writes, before anything is decided.

Questions to the store that come up at the same moment are asked together: one visit to a worker thread, one transaction.
"""

import asyncio
import datetime as dt
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.channels.port import Channel
from bot.core import checkins, enrol, pairing, procedures, typed
from bot.core.values import (
    Asked,
    Button,
    CheckedIn,
    Context,
    Incoming,
    Invitation,
    Patient,
    Situation,
    Upcoming,
)
from bot.inbox.people import Staff
from bot.inbox.sessions import Session
from bot.store.store import Store
from intents.faq import Faq

PAGE = 50  # questions a visit: the first one of a page waits for the last


@dataclass(frozen=True, slots=True)
class Known:
    """What the store and the staff's side know about the one who writes."""

    patient: Patient | None = None
    upcoming: tuple[Upcoming, ...] = ()
    sent: int = 0
    situation: Situation = field(default_factory=Situation)
    invitation: Invitation | None = None
    code: str | None = None
    code_state: pairing.CodeState = "wrong"
    check_ins: tuple[CheckedIn, ...] = ()
    last_sent: Asked | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    event: Incoming
    session: Session
    answer: asyncio.Future[Known]


class Knowing:
    """Looks people up."""

    def __init__(self, store: Store, staff: Staff, clock: Callable[[], dt.datetime]) -> None:
        self._store, self._staff, self._clock = store, staff, clock
        self._guesses = pairing.Guesses()
        self._waiting: list[_Question] = []
        self._task: asyncio.Task[None] | None = None

    async def of(self, event: Incoming, session: Session) -> Known:
        """Raises StoreError, and what the staff's side raises."""
        question = _Question(event, session, asyncio.get_running_loop().create_future())
        self._waiting.append(question)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await question.answer

    async def _run(self) -> None:
        while self._waiting:
            page, self._waiting = self._waiting[:PAGE], self._waiting[PAGE:]
            answers = await asyncio.to_thread(self._ask, page)
            for question, found in zip(page, answers, strict=True):
                if question.answer.cancelled():
                    continue
                if isinstance(found, Known):
                    question.answer.set_result(found)
                else:
                    question.answer.set_exception(found)

    def _ask(self, page: list[_Question]) -> list[Known | Exception]:
        try:
            with self._store.reading():
                return [self._look_up(question) for question in page]
        except Exception:  # one question that cannot be asked shall not cost the others
            return [self._alone(question) for question in page]

    def _alone(self, question: _Question) -> Known | Exception:
        try:
            return self._look_up(question)
        except Exception as err:
            return err

    def _look_up(self, question: _Question) -> Known:
        store, now, event = self._store, self._clock(), question.event
        address = event.address
        patient = store.patient(address)
        if patient and event.kind != "left":
            store.came_back(address)
        situation = self._staff.situation(address)
        session = question.session
        asked = typed.asked(event.text, _offered(session, situation), _open(session, situation))
        payload, code = enrol.asked_for(event, asked), pairing.typed_code(event, asked)
        return Known(
            patient,
            tuple(store.upcoming(patient.id)) if patient and patient.id else (),
            store.sent_count(patient.id) if patient and patient.id else 0,
            situation,
            store.invitation(payload, address, now) if payload else None,
            code,
            self._code_state(code, event, now) if code else "wrong",
            tuple(store.check_ins(patient.id)) if patient and patient.id else (),
            store.last_sent(patient.id) if patient and patient.id and event.text else None,
        )

    def _code_state(self, code: str, event: Incoming, now: dt.datetime) -> pairing.CodeState:
        if not self._guesses.allowed(event.address, now):
            return "wrong"
        state = self._store.code_state(code, event.address, now)
        if state == "wrong":
            self._guesses.wrong(event.address, now)
        return state


def _offered(session: Session, situation: Situation) -> tuple[Button, ...]:
    """The buttons of the bot's last words; none once a person has written since: "yes" is said to them."""
    return () if _spoke_last(session, situation) else session.last_buttons


def _open(session: Session, situation: Situation) -> Button | None:
    return None if _spoke_last(session, situation) else session.consent_open


def _spoke_last(session: Session, situation: Situation) -> bool:
    """Whether a person of the clinic has written since the bot did."""
    spoke_at, staff_at = session.spoke_at, situation.staff_at
    return staff_at is not None and (spoke_at is None or spoke_at < staff_at)


def context_of(
    session: Session, known: Known, channel: Channel, staff_reachable: bool, faq: Faq, now: dt.datetime
) -> Context:
    """All that the conversation decides upon."""
    patient = procedures.as_of(session.patient, now, faq.clinic.timezone)
    return Context(
        patient=patient,
        now=now,
        upcoming=procedures.remaining(patient, known.upcoming, faq),
        sent=known.sent,
        platform=channel.platform,
        last_buttons=_offered(session, known.situation),
        consent_open=_open(session, known.situation),
        last_entry=session.last_entry,
        staff_reachable=staff_reachable,
        taken_over=known.situation.taken_over,
        alert_open=known.situation.alert_open,
        unsaid=known.situation.unsaid,
        asking_wishes=known.situation.asking_wishes,
        takes_requests=known.situation.takes_requests,
        ask_helpful=session.answers == 0,
        invitation=known.invitation,
        code=known.code,
        code_state=known.code_state,
        fresh_code=f"{secrets.randbelow(10**pairing.DIGITS):0{pairing.DIGITS}}",
        check_ins=known.check_ins,
        asked=checkins.open_question(known.last_sent, known.check_ins, session.spoke_at, now),
    )
