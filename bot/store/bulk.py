"""Many patients at once: what an import writes, a page of them in one transaction."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, func, select, text, tuple_

from bot.core.reminders import Planned, Settled, settle
from bot.core.values import Address
from bot.store.patients import MAIN, PLACE
from bot.store.schema import addresses, patients, procedures, reminders, to_micros
from bot.store.watch import Watch

_COLUMNS = (
    "procedure_id", "procedure_date", "step_id", "due_at", "expires_at", "next_at", "state", "reason", "ended_at",
)  # fmt: skip
_LINES = 500  # written to COPY at a time


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
    kind: str = MAIN  # of procedure


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
            new: list[NewPatient] = []
            others: list[tuple[bytes, NewPatient]] = []  # of whom is known already, or has a line before this
            seen = set(known)
            for person in people:
                mac = self.mac(person.address)
                if mac in seen:
                    others.append((mac, person))
                else:
                    new.append(person)
                seen.add(mac)
            self._add(db, new, now)
            if len(known) < len(others):
                known = self._known(db, [person for _, person in others])
            for mac, person in others:
                self._set_date(db, known[mac], person.date, person.planned, now, person.kind)
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
        count = len(people)
        patient_ids, home_ids, procedure_ids = (
            self._new_ids(db, table, count) for table in (patients, addresses, procedures)
        )
        self._copy(
            db,
            patients,
            ("id", "language", "traditional", "timezone", "consent_at", "push_address_id"),
            (
                (id, p.language, p.traditional, p.timezone, to_micros(p.consent_at), home)
                for id, home, p in zip(patient_ids, home_ids, people, strict=True)
            ),
        )
        self._copy(
            db,
            addresses,
            ("id", "patient_id", "channel", "chat_sealed", "chat_mac"),
            (
                (id, owner, p.address.channel, self._vault.seal(p.address.chat, PLACE), self.mac(p.address))
                for id, owner, p in zip(home_ids, patient_ids, people, strict=True)
            ),
        )
        self._copy(
            db,
            procedures,
            ("id", "patient_id", "kind", "date"),
            (
                (id, owner, p.kind, p.date.isoformat())
                for id, owner, p in zip(procedure_ids, patient_ids, people, strict=True)
            ),
        )
        if self.is_sqlite:
            self._copy(db, reminders, _COLUMNS, _planned_rows(procedure_ids, people, now))
        else:
            self._copy_lines(db, reminders, _COLUMNS, _planned_lines(procedure_ids, people, now))

    def _new_ids(self, db: Connection, table: Table, count: int) -> Sequence[int]:
        """Numbers for `count` new rows of `table`, never given before and given to nobody else."""
        if not self.is_sqlite:
            numbers = text("SELECT nextval(pg_get_serial_sequence(:t, 'id')) FROM generate_series(1, :n)")
            return db.scalars(numbers, {"t": table.name, "n": count}).all()
        last = db.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
        if table.dialect_options["sqlite"]["autoincrement"]:  # the number of an erased row does not come back
            used = text("SELECT seq FROM sqlite_sequence WHERE name = :t")
            last = max(last, db.execute(used, {"t": table.name}).scalar() or 0)
        return range(last + 1, last + 1 + count)

    def _copy(
        self, db: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
    ) -> None:
        """Insert by the drivers' own ways, ten times as fast as a statement a row."""
        raw = db.connection.driver_connection
        assert raw is not None
        if self.is_sqlite:
            names, marks = ",".join(columns), ",".join("?" * len(columns))
            raw.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)  # noqa: S608
            return
        self._copy_lines(db, table, columns, (_line(row) for row in rows))

    def _copy_lines(self, db: Connection, table: Table, columns: Sequence[str], lines: Iterator[str]) -> None:
        """Lines in the text format of COPY, some at a time: PostgreSQL works on the first while we write the next."""
        raw = db.connection.driver_connection
        assert raw is not None
        names = ",".join(columns)
        with raw.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            while some := "".join(islice(lines, _LINES)):
                copy.write(some)


def _planned_rows(
    procedure_ids: Sequence[int], people: Sequence[NewPatient], now: dt.datetime
) -> Iterator[tuple[Any, ...]]:
    """A row for each step of each patient."""
    for procedure_id, ends in _planned(procedure_ids, people, now, lambda end: end):
        for end in ends:
            yield (procedure_id, *end)


def _planned_lines(
    procedure_ids: Sequence[int], people: Sequence[NewPatient], now: dt.datetime
) -> Iterator[str]:
    """The same as lines for COPY."""
    for procedure_id, ends in _planned(procedure_ids, people, now, _line):
        for end in ends:
            yield f"{procedure_id}\t{end}"


def _planned(
    procedure_ids: Sequence[int],
    people: Sequence[NewPatient],
    now: dt.datetime,
    form: Callable[[tuple[Any, ...]], Any],
) -> Iterator[tuple[int, list[Any]]]:
    """All but the first column of each patient's rows; those with the same plan share what is worked out of it."""
    worked_out: dict[tuple[int, dt.date], list[Any]] = {}
    for procedure_id, person in zip(procedure_ids, people, strict=True):
        key = (id(person.planned), person.date)  # alive as long as `people` is
        if key not in worked_out:
            date = person.date.isoformat()
            worked_out[key] = [form((date, *_row(item, now))) for item in settle(person.planned, now)]
        yield procedure_id, worked_out[key]


def _row(item: Settled, now: dt.datetime) -> tuple[Any, ...]:
    due, expires = to_micros(item.planned.due_at), to_micros(item.planned.expires_at)
    end = to_micros(now) if item.state == "missed" else None
    return (item.planned.step_id, due, expires, due, item.state, item.reason, end)


def _line(row: tuple[Any, ...]) -> str:
    return "\t".join(map(_copied, row)) + "\n"


def _copied(value: Any) -> str:
    """`value` in the text format of COPY."""
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    return str(value)


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
