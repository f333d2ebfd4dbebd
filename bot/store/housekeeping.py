"""What is thrown away, and when: nothing is kept longer than it serves."""

import datetime as dt

from sqlalchemy import Table, delete, select
from sqlalchemy.sql import ColumnElement

from bot.store.enrol_schema import enrolments, pairings
from bot.store.patients import Patients
from bot.store.schema import alerts, check_ins, events, notices, patients, procedures, unanswered
from bot.store.staff_schema import pictures

EVENTS_KEPT = dt.timedelta(
    days=30
)  # platforms repeat an event for a day at most; the rest is for the figures
NOTICES_KEPT = dt.timedelta(days=90)
UNANSWERED_KEPT = dt.timedelta(days=180)
ALERTS_KEPT = dt.timedelta(days=365)
PATIENTS_KEPT = dt.timedelta(days=396)  # 13 months after the last procedure, as the privacy text promises
LINKS_KEPT = dt.timedelta(days=60)  # after their end, to tell "too old" from "never ours"
# Tables that hold what names a person, if only sealed; `reminders` is large and holds none of it.
PERSONAL = (
    "patients",
    "addresses",
    "procedures",
    "check_ins",
    "alerts",
    "alert_messages",
    "unanswered",
    "events",
    "enrolments",
    "pairings",
    "pictures",
)
_PAGE = 5_000  # rows a transaction, so that nobody waits long for the lock


class Housekeeping(Patients):
    """Retention."""

    def prune(self, now: dt.datetime) -> int:
        """Delete what has served its time; the number of rows. Call it daily; to die half way does no
        harm.
        """
        old = [
            (events, events.c.done_at < now - EVENTS_KEPT),
            (notices, notices.c.told_at < now - NOTICES_KEPT),
            (unanswered, unanswered.c.at < now - UNANSWERED_KEPT),
            (alerts, alerts.c.closed_at < now - ALERTS_KEPT),
            (check_ins, check_ins.c.at < now - PATIENTS_KEPT),  # of a patient whom a newer procedure keeps
            (enrolments, enrolments.c.patient_id.is_(None) & (enrolments.c.expires_at < now - LINKS_KEPT)),
            (pairings, pairings.c.expires_at < now),
            (pictures, pictures.c.expires_at < now),
        ]
        gone = sum(self._delete_in_pages(table, which) for table, which in old)
        for patient_id in self._long_recovered(now - PATIENTS_KEPT):
            self.erase(patient_id)
            gone += 1
        self.empty_log()
        self._vacuum()
        return gone

    def _long_recovered(self, before: dt.datetime) -> list[int]:
        """Patients who agreed, and had their last procedure, before that day."""
        recent = select(procedures.c.patient_id).where(procedures.c.date >= before.date())
        query = select(patients.c.id).where(patients.c.consent_at < before, patients.c.id.not_in(recent))
        with self.read() as db:
            return list(db.execute(query).scalars())

    def _delete_in_pages(self, table: Table, which: ColumnElement[bool]) -> int:
        gone = 0
        while True:
            page = table.select().with_only_columns(table.c.id).where(which).limit(_PAGE)
            with self.write() as db:
                count = db.execute(delete(table).where(table.c.id.in_(page))).rowcount
            gone += count
            if count < _PAGE:
                return gone

    def _vacuum(self) -> None:
        """PostgreSQL keeps deleted rows in its files until a vacuum; an erased patient's shall not wait for
        chance.
        """
        if self.is_sqlite:
            return
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            for table in PERSONAL:
                db.exec_driver_sql(f"VACUUM {table}")
