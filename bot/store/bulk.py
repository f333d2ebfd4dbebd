"""Many patients at once: what an import writes, a page of them in one transaction."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, tuple_, update

from bot.core.reminders import Planned, settle
from bot.core.values import Address
from bot.store.patients import MAIN, PLACE
from bot.store.schema import addresses, patients, procedures, reminders, to_micros
from bot.store.watch import Watch

_COLUMNS = (
    "procedure_id", "procedure_date", "step_id", "due_at", "expires_at", "next_at", "state", "reason", "ended_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewPatient:
    """Someone who agreed elsewhere (on paper, at `consent_at`) that the clinic may remind them here."""

    address: Address
    consent_at: dt.datetime
    language: str | None
    traditional: bool
    timezone: str | None
    date: dt.date
    planned: list[Planned]


class Bulk(Watch):
    """Planning by the thousand."""

    def add_patients(
        self, people: Sequence[NewPatient], now: dt.datetime, bookmark: Mapping[str, str] | None = None
    ) -> int:
        """Keep `people` and their reminders, all or none; who is known already only has the date set. The new ones.

        `bookmark` is written to the store's own values in the same transaction: where to go on after a crash.
        """
        with self.write() as db:
            known = self._known(db, people)
            new = [person for person in people if self.mac(person.address) not in known]
            self._add(db, new, now)
            for person in people:
                patient_id = known.get(self.mac(person.address))
                if patient_id is not None:
                    self._set_date(db, patient_id, person.date, person.planned, now, MAIN)
            for name, value in (bookmark or {}).items():
                self.put_meta(db, name, value)
            return len(new)

    def _known(self, db: Connection, people: Sequence[NewPatient]) -> dict[bytes, int]:
        wanted = [(person.address.channel, self.mac(person.address)) for person in people]
        query = select(addresses.c.chat_mac, addresses.c.patient_id)
        rows = db.execute(query.where(tuple_(addresses.c.channel, addresses.c.chat_mac).in_(wanted)))
        return {row.chat_mac: row.patient_id for row in rows}

    def _add(self, db: Connection, people: Sequence[NewPatient], now: dt.datetime) -> None:
        if not people:
            return
        keys = ("language", "traditional", "timezone", "consent_at")
        rows = [{key: getattr(person, key) for key in keys} for person in people]
        ids = _insert(db, patients, rows)
        homes = [
            {
                "patient_id": patient_id,
                "channel": person.address.channel,
                "chat_sealed": self._vault.seal(person.address.chat, PLACE),
                "chat_mac": self.mac(person.address),
            }
            for patient_id, person in zip(ids, people, strict=True)
        ]
        db.execute(addresses.insert(), homes)
        home = (
            select(func.max(addresses.c.id)).where(addresses.c.patient_id == patients.c.id).scalar_subquery()
        )
        db.execute(update(patients).where(patients.c.id.in_(ids)).values(push_address_id=home))
        operations = [
            {"patient_id": patient_id, "kind": MAIN, "date": person.date}
            for patient_id, person in zip(ids, people, strict=True)
        ]
        self._plan_new(db, _insert(db, procedures, operations), people, now)

    def _plan_new(
        self, db: Connection, procedure_ids: list[int], people: Sequence[NewPatient], now: dt.datetime
    ) -> None:
        rows: list[tuple[Any, ...]] = []
        for procedure_id, person in zip(procedure_ids, people, strict=True):
            for item in settle(person.planned, now):
                due, expires = to_micros(item.planned.due_at), to_micros(item.planned.expires_at)
                end = to_micros(now) if item.state == "missed" else None
                key = (procedure_id, person.date, item.planned.step_id)
                rows.append((*key, due, expires, due, item.state, item.reason, end))
        raw = db.connection.driver_connection
        assert raw is not None
        if self.is_sqlite:  # the drivers' own ways, ten times as fast as a statement a row
            marks = ",".join("?" * len(_COLUMNS))
            plain = ((row[0], row[1].isoformat(), *row[2:]) for row in rows)
            raw.executemany(f"INSERT INTO {reminders.name} ({','.join(_COLUMNS)}) VALUES ({marks})", plain)  # noqa: S608
            return
        with (
            raw.cursor() as cursor,
            cursor.copy(f"COPY {reminders.name} ({','.join(_COLUMNS)}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)


def _insert(db: Connection, table: Any, rows: list[dict[str, Any]]) -> list[int]:
    """Insert and give the new ids, in the order of `rows`."""
    new = table.insert().returning(table.c.id, sort_by_parameter_order=True)
    return list(db.scalars(new, rows))
