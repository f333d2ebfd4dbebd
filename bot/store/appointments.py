"""Requests for a visit: asked for by a patient, decided by a person."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row, delete, select, update

from bot.core.values import Address
from bot.store.care import ASKED_FOR, Card
from bot.store.database import Database
from bot.store.staff_schema import appointments, threads

State = Literal["asking", "requested", "confirmed", "moved", "declined", "cancelled"]
OPEN: tuple[State, ...] = ("requested",)
KEPT = dt.timedelta(days=180)
_WISHES, _WHEN = "appointments.wishes", "appointments.when"


@dataclass(frozen=True, slots=True)
class Appointment:
    """`when` is what staff told the patient, in words."""

    id: int
    thread_id: int
    address: Address
    patient_id: int | None
    state: State
    wishes: str
    asked_at: dt.datetime
    decided_at: dt.datetime | None
    decided_by: str | None
    when: str
    card: Card | None


class Appointments(Database):
    """Asking, requested, then decided once; a decided one may still be moved."""

    def ask_wishes(self, thread_id: int, now: dt.datetime) -> None:
        """The patient's next message is their request. Kept, so that a restart in between loses nothing."""
        row = {"thread_id": thread_id, "state": "asking", "asked_at": now}
        with self.write() as db:
            db.execute(
                delete(appointments).where(
                    appointments.c.thread_id == thread_id, appointments.c.state == "asking"
                )
            )
            db.execute(appointments.insert().values(row))

    def stop_asking(self, thread_id: int) -> bool:
        with self.write() as db:
            here = (appointments.c.thread_id == thread_id) & (appointments.c.state == "asking")
            return db.execute(delete(appointments).where(here)).rowcount > 0

    def request_appointment(self, thread_id: int, wishes: str, now: dt.datetime) -> Appointment:
        """The wishes are a request now. If we die after this, the event comes again and its words are a second
        request: staff see two, not none.
        """
        sealed = self._vault.seal(wishes, _WISHES)
        with self.write() as db:
            here = (appointments.c.thread_id == thread_id) & (appointments.c.state == "asking")
            values = {"state": "requested", "wishes_sealed": sealed, "asked_at": now}
            changed = db.execute(update(appointments).where(here).values(values).returning(appointments.c.id))
            number = changed.scalar()
            if number is None:
                row = {"thread_id": thread_id, **values}
                number = db.execute(
                    appointments.insert().values(row).returning(appointments.c.id)
                ).scalar_one()
        found = self.appointment(number)
        assert found is not None
        return found

    def decide_appointment(
        self,
        number: int,
        state: Literal["confirmed", "moved", "declined"],
        when: str,
        by: str,
        now: dt.datetime,
    ) -> bool:
        """False when it was decided so already, or is gone."""
        before = ("requested",) if state != "moved" else ("requested", "confirmed", "moved")
        here = (appointments.c.id == number) & appointments.c.state.in_(before)
        sealed = self._vault.seal(when, _WHEN)
        values = {"state": state, "when_sealed": sealed, "decided_by": by[:64], "decided_at": now}
        with self.write() as db:
            return db.execute(update(appointments).where(here).values(values)).rowcount == 1

    def set_appointment_card(self, number: int, card: Card) -> None:
        values = {"card_chat": card.chat, "card_message": card.message}
        with self.write() as db:
            db.execute(update(appointments).where(appointments.c.id == number).values(values))

    def appointment(self, number: int) -> Appointment | None:
        return next(iter(self._appointments(appointments.c.id == number)), None)

    def set_prompt(self, number: int, card: Card) -> None:
        """The reply to this message of a staff chat is the new time."""
        prompt = f"{card.chat}:{card.message}"
        with self.write() as db:
            db.execute(update(appointments).where(appointments.c.id == number).values(prompt=prompt))

    def appointment_of_prompt(self, chat: str, message: int) -> Appointment | None:
        """The request that this message of a staff chat asks a time for."""
        return next(iter(self._appointments(appointments.c.prompt == f"{chat}:{message}")), None)

    def open_appointments(self) -> list[Appointment]:
        """Requests that nobody has decided, oldest first."""
        return self._appointments(appointments.c.state.in_(OPEN))

    def decided_appointments(self, limit: int = 50) -> list[Appointment]:
        return self._appointments(appointments.c.state.in_(("confirmed", "moved", "declined")))[-limit:][::-1]

    def appointments_of(self, thread_id: int) -> list[Appointment]:
        return self._appointments(
            (appointments.c.thread_id == thread_id) & (appointments.c.state != "asking")
        )

    def prune_appointments(self, now: dt.datetime) -> int:
        old = (appointments.c.decided_at < now - KEPT) | (
            (appointments.c.state == "asking") & (appointments.c.asked_at < now - ASKED_FOR)
        )
        with self.write() as db:
            return db.execute(delete(appointments).where(old)).rowcount

    def _appointments(self, which: Any) -> list[Appointment]:
        query = (
            select(appointments, threads.c.channel, threads.c.chat_sealed, threads.c.patient_id)
            .join(threads)
            .where(which)
            .order_by(appointments.c.asked_at, appointments.c.id)
        )
        with self.read() as db:
            return [self._appointment(row) for row in db.execute(query)]

    def _appointment(self, row: Row[Any]) -> Appointment:
        def opened(sealed: bytes | None, place: str) -> str:
            return "" if sealed is None else self._vault.unseal(sealed, place)

        return Appointment(
            id=row.id,
            thread_id=row.thread_id,
            address=Address(row.channel, self._vault.unseal(row.chat_sealed, "threads.chat")),
            patient_id=row.patient_id,
            state=row.state,
            wishes=opened(row.wishes_sealed, _WISHES),
            asked_at=row.asked_at,
            decided_at=row.decided_at,
            decided_by=row.decided_by,
            when=opened(row.when_sealed, _WHEN),
            card=Card(row.card_chat, row.card_message) if row.card_message is not None else None,
        )
