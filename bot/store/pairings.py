"""Codes that join two chats of one person, and the joining: afterwards there is one patient, one plan, one opt-out."""

import datetime as dt
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, exists, or_, select, update
from sqlalchemy.sql import ColumnElement

from bot.core.pairing import MINUTES, CodeState
from bot.core.values import Address, Patient
from bot.store.enrol_schema import enrolments, pairings
from bot.store.patients import PLACE, Patients
from bot.store.schema import addresses, alerts, check_ins, patients, procedures, unanswered
from bot.store.staff_schema import threads

_STRICTNESS = ("on", "paused", "stopped")
_AWAY = select(addresses.c.id).where(  # said once: every message of a patient asks it
    addresses.c.channel == bindparam("at_channel"),
    addresses.c.chat_mac == bindparam("mac"),
    addresses.c.reachable.is_(False),
)


class Pairings(Patients):
    """Chats that belong together."""

    def offer_code(self, patient_id: int, address: Address, code: str, now: dt.datetime) -> bool:
        """Keep `code` for MINUTES; the patient's older codes are void. False when another's live code is the same."""
        here = self._here(address)
        with self.write() as db:
            address_id = db.execute(select(addresses.c.id).where(here)).scalar()
            over = or_(pairings.c.expires_at <= now, pairings.c.patient_id == patient_id)
            db.execute(delete(pairings).where(over))
            row = {
                "patient_id": patient_id,
                "address_id": address_id,
                "code_mac": self._code_mac(code),
                "expires_at": now + dt.timedelta(minutes=MINUTES),
            }
            return db.execute(self.insert(pairings).values(row).on_conflict_do_nothing()).rowcount == 1

    def code_state(self, code: str, address: Address, now: dt.datetime) -> CodeState:
        """What typing `code` at `address` would mean."""
        with self.read() as db:
            found, mine = self._found(db, code, now), self._at(db, address)
        if found is None:
            return "wrong"
        if mine is not None and mine.id == found.address_id:
            return "own"
        if mine is not None and mine.patient_id == found.patient_id:
            return "joined"
        return "wrong" if found.used_at else "open"

    def join(self, code: str, address: Address, now: dt.datetime) -> tuple[Patient, Address] | None:
        """Make `address` one of the patient who was shown `code`: (that patient, where the code was shown).

        Whoever was kept under `address` becomes the same person. None when the code is not open. All or nothing: if we die
        before this returns, the code is typed again; after, it counts as joined.
        """
        with self.write() as db:
            found = self._found(db, code, now)
            mine = self._at(db, address)
            if found is None or found.used_at or (mine and mine.patient_id == found.patient_id):
                return None
            db.execute(update(pairings).where(pairings.c.id == found.id).values(used_at=now))
            if mine is None:
                self._add_address(db, found.patient_id, address)
            else:
                self._merge(db, mine.patient_id, found.patient_id, now)
            patient = self._patient(db, address)
            assert patient is not None
            return patient, Address(found.channel, self._vault.unseal(found.chat_sealed, PLACE))

    def came_back(self, address: Address) -> bool:
        """Whoever writes can be written to: what was held because `address` failed goes on. True when it had failed."""
        with self.read() as db:
            if db.execute(_AWAY, {"at_channel": address.channel, "mac": self.mac(address)}).first() is None:
                return False
        self.mark_reachable(address)
        return True

    def _here(self, address: Address) -> ColumnElement[bool]:
        return and_(addresses.c.channel == address.channel, addresses.c.chat_mac == self.mac(address))

    def _at(self, db: Connection, address: Address) -> Row[Any] | None:
        query = select(addresses).where(self._here(address))
        return db.execute(query).one_or_none()

    def _code_mac(self, code: str) -> bytes:
        return self._vault.mac("pairing code", code)

    def _found(self, db: Connection, code: str, now: dt.datetime) -> Row[Any] | None:
        """The live code with the chat where it was shown. Locked, so that of two who type it one is first."""
        query = (
            select(pairings, addresses.c.channel, addresses.c.chat_sealed)
            .join(addresses, addresses.c.id == pairings.c.address_id)
            .where(pairings.c.code_mac == self._code_mac(code), pairings.c.expires_at > now)
            .with_for_update(of=pairings)
        )
        return db.execute(query).one_or_none()

    def _merge(self, db: Connection, gone: int, kept: int, now: dt.datetime) -> None:
        """All of `gone` goes to `kept`. A procedure that both have stays as `kept` has it; the stricter opt-out holds."""
        both = dict(
            db.execute(
                select(patients.c.id, patients.c.reminders).where(patients.c.id.in_((gone, kept)))
            ).all()
        )
        kinds = select(procedures.c.kind).where(procedures.c.patient_id == kept)
        free = and_(procedures.c.patient_id == gone, procedures.c.kind.not_in(kinds.scalar_subquery()))
        db.execute(update(procedures).where(free).values(patient_id=kept))
        self._merge_check_ins(db, gone, kept)
        for table in (addresses, alerts, unanswered, threads, enrolments):
            db.execute(update(table).where(table.c.patient_id == gone).values(patient_id=kept))
        self._set(db, kept, reminders=max(both.values(), key=_STRICTNESS.index))
        db.execute(delete(patients).where(patients.c.id == gone))  # what was doubled goes by CASCADE
        self._prefer_reachable(db, kept)
        self._follow_state(db, kept, now)

    def _merge_check_ins(self, db: Connection, gone: int, kept: int) -> None:
        """Of a procedure that both have, the answers come along, save those that `kept` has given too."""
        theirs, mine = procedures.alias("theirs"), procedures.alias("mine")
        doubled = select(theirs.c.id, mine.c.id).where(
            theirs.c.patient_id == gone, mine.c.patient_id == kept, mine.c.kind == theirs.c.kind
        )
        had = check_ins.alias("had")
        for old, new in db.execute(doubled).all():
            same = exists().where(
                had.c.procedure_id == new,
                had.c.procedure_date == check_ins.c.procedure_date,
                had.c.step_id == check_ins.c.step_id,
            )
            moved = update(check_ins).where(check_ins.c.procedure_id == old, ~same)
            db.execute(moved.values(procedure_id=new))

    def _prefer_reachable(self, db: Connection, patient_id: int) -> None:
        """Reminders go where they went; when that was nowhere, to the chat that has come in addition."""
        reachable = select(addresses.c.id).where(addresses.c.patient_id == patient_id, addresses.c.reachable)
        preferred = select(patients.c.push_address_id).where(patients.c.id == patient_id).scalar_subquery()
        if db.execute(reachable.where(addresses.c.id == preferred)).scalar() is None:
            newest = db.execute(reachable.order_by(addresses.c.id.desc()).limit(1)).scalar()
            self._set(db, patient_id, push_address_id=newest)
