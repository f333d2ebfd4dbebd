"""Links that enrol a patient: made by the clinic, used once, by whoever agrees first."""

import datetime as dt
import os
from typing import Any

from sqlalchemy import Row, select, update

from bot.core import enrol
from bot.core.effects import Enrol
from bot.core.reminders import Planned
from bot.core.values import Address, Invitation, Patient
from bot.store.enrol_schema import enrolments
from bot.store.patients import MAIN, Patients
from bot.store.schema import addresses

_PROCEDURE = "enrolments.procedure"


class Enrolments(Patients):
    """Invitations of the clinic."""

    def add_invitation(
        self,
        date: dt.date,
        expires_at: dt.datetime,
        now: dt.datetime,
        *,
        language: str | None = None,
        traditional: bool = False,
        timezone: str | None = None,
        procedure: str | None = None,
        kind: str = MAIN,
    ) -> str:
        """Make a link; returns its payload. `procedure` is the clinic's own name for it, kept sealed, for staff."""
        name = os.urandom(enrol.NAME_BYTES)
        payload = enrol.seal(name, self._link_proof)
        row = {
            "name": enrol.opened(payload, self._link_proof),
            "date": date,
            "kind": kind,
            "procedure_sealed": self._vault.seal(procedure[:200], _PROCEDURE) if procedure else None,
            "language": language,
            "traditional": traditional,
            "timezone": timezone,
            "created_at": now,
            "expires_at": expires_at,
        }
        with self.write() as db:
            db.execute(enrolments.insert().values(row))
        return payload

    def _link_proof(self, name: str) -> bytes:
        return self._vault.mac("enrolment link", name)

    def invitation(self, payload: str, address: Address, now: dt.datetime) -> Invitation:
        """What the link with `payload` stands for, as the one at `address` sees it."""
        name = enrol.opened(payload, self._link_proof)
        if name is None:
            return Invitation(payload, "invalid")
        owner = (addresses.c.channel == address.channel) & (addresses.c.chat_mac == self.mac(address))
        with self.read() as db:
            row = db.execute(select(enrolments).where(enrolments.c.name == name)).one_or_none()
            mine = db.execute(select(addresses.c.patient_id).where(owner)).scalar()
        return Invitation(payload, "invalid") if row is None else _invitation(payload, row, mine, now)

    def enrol(
        self, address: Address, wish: Enrol, planned: list[Planned], now: dt.datetime
    ) -> Patient | None:
        """Use the link: consent, language, zone, date and reminders, all or nothing. None when it is used up.

        If we die after this and before the patient hears of it, the link is theirs and the event is handled again.
        """
        name = enrol.opened(wish.payload, self._link_proof)
        free = (enrolments.c.name == name) & enrolments.c.used_at.is_(None) & (enrolments.c.expires_at > now)
        with self.write() as db:
            if db.execute(update(enrolments).where(free).values(used_at=now)).rowcount != 1:
                return None
            known = self._patient(db, address)
            patient_id = known.id if known else None
            if patient_id is None:
                patient_id = self._add_patient(db, address, now, wish.language, wish.traditional)
            values = {"language": wish.language, "traditional": wish.traditional, "reminders": "on"}
            self._set(db, patient_id, timezone=wish.timezone, **values)
            db.execute(update(enrolments).where(enrolments.c.name == name).values(patient_id=patient_id))
            self._set_date(db, patient_id, wish.date, planned, now, wish.kind)
            return self._patient(db, address)

    def procedure_names(self, patient_id: int) -> list[str]:
        """What the clinic called this patient's procedures when it made their links, newest first."""
        query = select(enrolments.c.procedure_sealed).where(enrolments.c.patient_id == patient_id)
        with self.read() as db:
            rows = db.scalars(query.order_by(enrolments.c.id.desc())).all()
        return [self._vault.unseal(sealed, _PROCEDURE) for sealed in rows if sealed]


def _invitation(payload: str, row: Row[Any], mine: int | None, now: dt.datetime) -> Invitation:
    details = (row.date, row.language, row.traditional, row.timezone, row.kind)
    if row.used_at is not None:
        own = mine is not None and row.patient_id == mine
        return Invitation(payload, "mine" if own else "used", *details)
    return Invitation(payload, "open" if row.expires_at > now else "expired", *details)
