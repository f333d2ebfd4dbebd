"""Patients and where they are reached. A row here means consent; without it nothing about a person is
kept.
"""

import datetime as dt
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from bot.core.procedures import ordered
from bot.core.reminders import Planned, settle
from bot.core.values import Address, Patient, Procedure, RemindersState, Upcoming
from bot.store.database import Database
from bot.store.said import Said
from bot.store.schema import addresses, alerts, from_micros, patients, procedures, reminders
from bot.store.staff_schema import threads
from intents.faq import THREAD_LIFT

PLACE = "addresses.chat"
MAIN = THREAD_LIFT

# What every message asks is said once, at the start: to say it takes the library longer than to carry it out.
_WHO = Said(
    select(
        patients.c.id,
        patients.c.language,
        patients.c.traditional,
        patients.c.timezone,
        patients.c.consent_at,
        patients.c.reminders,
        patients.c.detail,
        procedures.c.date,
        procedures.c.kind,
    )
    .select_from(addresses.join(patients))
    .outerjoin(procedures, procedures.c.patient_id == patients.c.id)
    .where(addresses.c.channel == bindparam("at_channel"), addresses.c.chat_mac == bindparam("mac"))
)
_UPCOMING = (
    select(reminders.c.due_at, reminders.c.step_id, procedures.c.kind)
    .join(procedures)
    .where(
        procedures.c.patient_id == bindparam("of_patient"),
        reminders.c.state.in_(("pending", "held", "sending")),
    )
    .order_by(reminders.c.due_at)
)
_SENT = (
    select(func.count())
    .select_from(reminders.join(procedures))
    .where(procedures.c.patient_id == bindparam("of_patient"), reminders.c.state == "sent")
)


class Patients(Database):
    """What a person agreed to have kept, and their procedures' plans."""

    def patient(self, address: Address) -> Patient | None:
        """Who writes from `address`; None when nothing is kept about them."""
        with self.read() as db:
            return self._patient(db, address)

    def _patient(self, db: Connection, address: Address) -> Patient | None:
        found = _WHO.run(db, at_channel=address.channel, mac=self.mac(address))
        return _patient_value(found, address) if found else None

    def chats_of(self, patient_id: int) -> list[Address]:
        """Every chat of the patient, oldest first."""
        query = select(addresses.c.channel, addresses.c.chat_sealed).where(
            addresses.c.patient_id == patient_id
        )
        with self.read() as db:
            rows = db.execute(query.order_by(addresses.c.id)).all()
        return [Address(row.channel, self._vault.unseal(row.chat_sealed, PLACE)) for row in rows]

    def mac(self, address: Address) -> bytes:
        """What an address is found by."""
        return self._vault.mac(address.channel, address.chat)

    def give_consent(
        self, address: Address, now: dt.datetime, language: str | None, traditional: bool = False
    ) -> Patient:
        """Begin to keep data about the person at `address`; a second consent changes nothing but the
        language.
        """
        with self.write() as db:
            known = self._patient(db, address)
            if known is None:
                self._add_patient(db, address, now, language, traditional)
            else:
                self._set(db, known.id, language=language, traditional=traditional)
            patient = self._patient(db, address)
            assert patient is not None
            return patient

    def _add_patient(
        self, db: Connection, address: Address, now: dt.datetime, language: str | None, traditional: bool
    ) -> int:
        values = {"language": language, "traditional": traditional, "consent_at": now}
        patient_id: int = db.execute(patients.insert().values(values).returning(patients.c.id)).scalar_one()
        self._add_address(db, patient_id, address)
        return patient_id

    def _add_address(self, db: Connection, patient_id: int, address: Address) -> None:
        row = {
            "patient_id": patient_id,
            "channel": address.channel,
            "chat_sealed": self._vault.seal(address.chat, PLACE),
            "chat_mac": self.mac(address),
        }
        address_id = db.execute(addresses.insert().values(row).returning(addresses.c.id)).scalar_one()
        self._set(db, patient_id, push_address_id=func.coalesce(patients.c.push_address_id, address_id))
        same = (alerts.c.channel == address.channel) & (alerts.c.chat_mac == self.mac(address))
        db.execute(update(alerts).where(same, alerts.c.patient_id.is_(None)).values(patient_id=patient_id))

    def link_address(self, patient_id: int, address: Address) -> bool:
        """The same person on a further channel; False when that address belongs to somebody already."""
        with self.write() as db:
            if self._patient(db, address) is not None:
                return False
            self._add_address(db, patient_id, address)
            return True

    def _set(self, db: Connection, patient_id: int | None, **values: Any) -> None:
        db.execute(update(patients).where(patients.c.id == patient_id).values(**values))

    def set_language(self, patient_id: int, language: str, traditional: bool = False) -> None:
        with self.write() as db:
            self._set(db, patient_id, language=language, traditional=traditional)

    def set_detail(self, patient_id: int, detail: bool) -> None:
        with self.write() as db:
            self._set(db, patient_id, detail=detail)

    def set_timezone(self, patient_id: int, timezone: str | None) -> None:
        """The patient's own zone (IANA name); plan again afterwards with `set_procedure_date`."""
        with self.write() as db:
            self._set(db, patient_id, timezone=timezone)

    def set_procedure_date(
        self, patient_id: int, date: dt.date, planned: list[Planned], now: dt.datetime, kind: str = MAIN
    ) -> None:
        """Keep the date and its reminders, all or nothing; whatever of an older date is unsent is cancelled.

        Rows are inserted by their natural key, so the same date twice, or one moved back, doubles nothing.
        """
        with self.write() as db:
            self._set_date(db, patient_id, date, planned, now, kind)

    def _set_date(
        self,
        db: Connection,
        patient_id: int,
        date: dt.date,
        planned: list[Planned],
        now: dt.datetime,
        kind: str,
    ) -> None:
        row = {"patient_id": patient_id, "kind": kind, "date": date}
        put = self.insert(procedures).values(row)
        put = put.on_conflict_do_update(index_elements=["patient_id", "kind"], set_={"date": date})
        procedure_id: int = db.execute(put.returning(procedures.c.id)).scalar_one()
        self._cancel_other_dates(db, procedure_id, date, now)
        self._plan(db, procedure_id, date, planned, now)
        self._follow_state(db, patient_id, now)

    def call_off(self, patient_id: int, kind: str) -> bool:
        """The procedure will not be, or was never: it goes with its reminders and answers. False when there is none.

        Messages on their way are past recall.
        """
        theirs = (procedures.c.patient_id == patient_id) & (procedures.c.kind == kind)
        with self.write() as db:
            return db.execute(delete(procedures).where(theirs)).rowcount == 1

    def plan_again(self, procedure_id: int, date: dt.date, planned: list[Planned], now: dt.datetime) -> None:
        """The same date under a changed plan; nothing happens if the patient has moved the date meanwhile."""
        query = select(procedures.c.patient_id).where(
            procedures.c.id == procedure_id, procedures.c.date == date
        )
        with self.write() as db:
            patient_id = db.execute(query.with_for_update()).scalar()
            if patient_id is not None:
                self._plan(db, procedure_id, date, planned, now)
                self._follow_state(db, patient_id, now)

    def _cancel_other_dates(self, db: Connection, procedure_id: int, date: dt.date, now: dt.datetime) -> None:
        # A row whose message may be on its way (started) is left to its sender, who sees the new date
        # afterwards.
        unsent = reminders.c.state.in_(("pending", "held")) | (
            (reminders.c.state == "sending") & reminders.c.started_at.is_(None)
        )
        other = (reminders.c.procedure_id == procedure_id) & (reminders.c.procedure_date != date)
        db.execute(update(reminders).where(other, unsent).values(ended("cancelled", "moved", now)))

    def _plan(
        self, db: Connection, procedure_id: int, date: dt.date, planned: list[Planned], now: dt.datetime
    ) -> None:
        mine = reminders.c.procedure_id == procedure_id
        had = set(db.scalars(select(reminders.c.step_id).where(mine, reminders.c.state == "sent")))
        known = {
            row.step_id: row
            for row in db.execute(select(reminders).where(mine, reminders.c.procedure_date == date))
        }
        wanted = {item.step_id for item in planned}
        for settled in settle(planned, now, had):
            item = settled.planned
            times = {"due_at": item.due_at, "expires_at": item.expires_at, "next_at": item.due_at}
            key = {"procedure_id": procedure_id, "procedure_date": date, "step_id": item.step_id}
            row = known.get(item.step_id)
            if row is None:
                end = {"reason": settled.reason, "ended_at": now if settled.state == "missed" else None}
                new = self.insert(reminders).values({**key, **times, "state": settled.state, **end})
                db.execute(new.on_conflict_do_nothing())
            elif row.state == "pending" and settled.state == "pending" and row.due_at != item.due_at:
                db.execute(update(reminders).where(reminders.c.id == row.id).values(times))
            elif row.state == "cancelled" and settled.state == "pending":
                again = {"state": "pending", "reason": None, "ended_at": None, **times}
                db.execute(update(reminders).where(reminders.c.id == row.id).values(again))
        gone = [row.id for id, row in known.items() if row.state in ("pending", "held") and id not in wanted]
        if gone:  # the step has left the plan of this kind of procedure
            left = update(reminders).where(self.among(reminders.c.id, gone))
            db.execute(left.values(ended("cancelled", "step_removed", now)))

    def set_reminders(self, patient_id: int, state: RemindersState, now: dt.datetime | None = None) -> None:
        """Pause holds what is to come, stop cancels it, on brings both back; lateness is judged when they go
        out.
        """
        with self.write() as db:
            self._set(db, patient_id, reminders=state)
            self._follow_state(db, patient_id, now or dt.datetime.now(dt.UTC))

    def _follow_state(self, db: Connection, patient_id: int, now: dt.datetime) -> None:
        """Make the rows agree with patients.reminders. Messages on their way are past recall."""
        state = db.execute(select(patients.c.reminders).where(patients.c.id == patient_id)).scalar()
        current = reminders.c.procedure_id.in_(
            select(procedures.c.id).where(procedures.c.patient_id == patient_id)
        )
        waiting = reminders.c.state == "pending"
        claimed = (reminders.c.state == "sending") & reminders.c.started_at.is_(None)
        change = update(reminders).where(current)
        if state == "paused":
            db.execute(change.where(waiting | claimed).values(held("paused")))
        elif state == "stopped":
            away = waiting | claimed | (reminders.c.state == "held")
            db.execute(change.where(away).values(ended("cancelled", "stopped", now)))
        else:
            back = ((reminders.c.state == "held") & (reminders.c.reason == "paused")) | (
                (reminders.c.state == "cancelled") & (reminders.c.reason == "stopped")
            )
            same_date = reminders.c.procedure_date == (
                select(procedures.c.date).where(procedures.c.id == reminders.c.procedure_id).scalar_subquery()
            )
            db.execute(change.where(back, same_date).values(released()))

    def mark_unreachable(self, address: Address, reason: str) -> None:
        """Nothing is sent to `address` any more; another reachable address of the patient takes its place."""
        with self.write() as db:
            self.mark(db, address, False, reason)

    def mark_reachable(self, address: Address) -> None:
        """The patient is back: what was held for want of an address goes on."""
        with self.write() as db:
            self.mark(db, address, True, None)

    def mark(self, db: Connection, address: Address, reachable: bool, reason: str | None) -> None:
        """The same within a transaction that is under way."""
        here = (addresses.c.channel == address.channel) & (addresses.c.chat_mac == self.mac(address))
        change = update(addresses).where(here).values(reachable=reachable, reason=reason)
        patient_id = db.execute(change.returning(addresses.c.patient_id)).scalar()
        if patient_id is None:
            return
        preferred = patients.c.push_address_id
        still = (
            select(addresses.c.id).where(addresses.c.id == preferred, addresses.c.reachable).scalar_subquery()
        )
        newest = select(func.max(addresses.c.id)).where(
            addresses.c.patient_id == patient_id, addresses.c.reachable
        )
        self._set(db, patient_id, push_address_id=func.coalesce(still, newest.scalar_subquery()))
        if reachable:
            mine = select(procedures.c.id).where(procedures.c.patient_id == patient_id)
            waiting = (reminders.c.state == "held") & (reminders.c.reason == "unreachable")
            db.execute(
                update(reminders).where(reminders.c.procedure_id.in_(mine), waiting).values(released())
            )

    def erase(self, patient_id: int) -> None:
        """Delete every row about the patient, alerts and questions too; afterwards no byte is left in
        SQLite's files.

        secure_delete overwrites the pages, the checkpoint carries that into the file and empties the log. If
        we die between the two, the log is emptied by the next erasure or `prune`.
        """
        with self.write() as db:
            macs = db.execute(
                select(addresses.c.channel, addresses.c.chat_mac).where(addresses.c.patient_id == patient_id)
            ).all()
            for channel, mac in macs:  # those from before consent hang on the address only
                for table in (alerts, threads):
                    db.execute(delete(table).where(table.c.channel == channel, table.c.chat_mac == mac))
            db.execute(
                delete(patients).where(patients.c.id == patient_id)
            )  # the rest goes by ON DELETE CASCADE
        self.empty_log()

    def erase_visitor(self, address: Address) -> None:
        """The same for somebody who never agreed to be kept: alerts and conversations hang on the address only."""
        mac = self.mac(address)
        with self.write() as db:
            for table in (alerts, threads):
                db.execute(delete(table).where(table.c.channel == address.channel, table.c.chat_mac == mac))
        self.empty_log()

    def empty_log(self) -> None:
        """SQLite: carry the write-ahead log into the file and cut it to nothing. PostgreSQL: nothing (its
        vacuum does).
        """
        if self.is_sqlite:
            with self._one_writer, self._engine.connect() as db:
                raw = db.connection.driver_connection
                assert raw is not None
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def upcoming(self, patient_id: int) -> list[Upcoming]:
        """Reminders that will go out, soonest first; those of a pause are among them."""
        with self.read() as db:
            return [Upcoming(*row) for row in db.execute(_UPCOMING, {"of_patient": patient_id})]

    def sent_count(self, patient_id: int) -> int:
        with self.read() as db:
            return db.execute(_SENT, {"of_patient": patient_id}).scalar_one()


def ended(state: str, reason: str | None, now: dt.datetime) -> dict[str, Any]:
    """The columns of a row that has come to its end."""
    return {"state": state, "reason": reason, "ended_at": now, **_NO_LEASE}


def held(reason: str) -> dict[str, Any]:
    """The columns of a row that waits for somebody, not for a time."""
    return {"state": "held", "reason": reason, **_NO_LEASE}


def released() -> dict[str, Any]:
    """The columns of a row that is back in the queue, to be looked at at once if it is due.

    `reason` stays: should it be too late by now, that is why.
    """
    return {"state": "pending", "ended_at": None, "next_at": reminders.c.due_at, **_NO_LEASE}


def release_after_alert(db: Connection, patient_id: int | None) -> None:
    """The pushes held while people were concerned with the patient go on."""
    theirs = select(procedures.c.id).where(procedures.c.patient_id == patient_id)
    waiting = (reminders.c.state == "held") & (reminders.c.reason == "alert")
    db.execute(update(reminders).where(reminders.c.procedure_id.in_(theirs), waiting).values(released()))


_NO_LEASE: dict[str, Any] = {"lease_by": None, "lease_until": None, "started_at": None}


def _patient_value(rows: list[tuple[Any, ...]], address: Address) -> Patient:
    """The rows of `_WHO`, one a procedure, in the driver's own values."""
    id_, language, traditional, timezone, consent_at, reminders_, detail, *_ = rows[0]
    known = ordered(Procedure(kind, _date(date)) for *_, date, kind in rows if date)
    return Patient(
        address=address,
        id=id_,
        language=language,
        traditional=bool(traditional),
        consent_at=from_micros(consent_at),
        timezone=timezone,
        procedure_date=known[-1].date if known else None,
        reminders=reminders_,
        detail=bool(detail),
        procedures=known,
    )


def _date(value: str | dt.date) -> dt.date:
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


__all__ = ["MAIN", "Patients", "ended", "held", "released"]
