"""Answers to check-ins: one row a step and procedure date, sealed; a later answer takes the earlier one's place."""

import datetime as dt
from collections.abc import Collection

from sqlalchemy import and_, bindparam, func, select
from sqlalchemy.sql import ColumnElement

from bot.core.values import Asked, CheckedIn
from bot.store.database import Database
from bot.store.schema import check_ins, procedures, reminders

_ANSWER = "check_ins.answer"
_WIDTH = 16  # all answers are sealed at one length, or the length would tell which it is

# What every message of a patient asks is said once, at the start.
_ANSWERS = (
    select(check_ins)
    .join(procedures)
    .where(procedures.c.patient_id == bindparam("of_patient"))
    .order_by(check_ins.c.at, check_ins.c.id)
)
_LAST_SENT = (
    select(reminders.c.step_id, reminders.c.procedure_date, reminders.c.ended_at)
    .join(procedures)
    .where(procedures.c.patient_id == bindparam("of_patient"), reminders.c.state == "sent")
    .where(reminders.c.procedure_date == procedures.c.date)
    .order_by(reminders.c.ended_at.desc())
    .limit(1)
)


class CheckIns(Database):
    """What patients answered when they were asked how they are."""

    def keep_check_in(
        self, patient_id: int, step_id: str, date: dt.date, answer: str, now: dt.datetime
    ) -> bool:
        """Keep or change the answer; False when the patient has no procedure on `date` (any more)."""
        theirs = and_(procedures.c.patient_id == patient_id, procedures.c.date == date)
        newest = select(procedures.c.id).where(theirs).order_by(procedures.c.kind.desc()).limit(1)
        with self.write() as db:
            procedure_id = db.execute(newest).scalar()
            if procedure_id is None:
                return False
            key = {"procedure_id": procedure_id, "procedure_date": date, "step_id": step_id}
            said = {"answer_sealed": self._vault.seal(answer.ljust(_WIDTH), _ANSWER), "at": now}
            put = self.insert(check_ins).values({**key, **said})
            db.execute(put.on_conflict_do_update(index_elements=list(key), set_=said))
            return True

    def check_ins(self, patient_id: int) -> list[CheckedIn]:
        """All answers of the patient, oldest first."""
        with self.read() as db:
            return [
                CheckedIn(
                    row.step_id,
                    row.procedure_date,
                    self._vault.unseal(row.answer_sealed, _ANSWER).strip(),
                    row.at,
                )
                for row in db.execute(_ANSWERS, {"of_patient": patient_id})
            ]

    def last_sent(self, patient_id: int) -> Asked | None:
        """The newest reminder that went out to the patient, for the procedure as it stands now."""
        with self.read() as db:
            row = db.execute(_LAST_SENT, {"of_patient": patient_id}).one_or_none()
        return Asked(*row) if row else None

    def check_in_counts(
        self, steps: Collection[str], since: dt.datetime, until: dt.datetime
    ) -> tuple[int, int]:
        """Of the reminders of `steps` sent from `since` to `until`: (how many, how many of them have an answer)."""
        sent = and_(reminders.c.state == "sent", reminders.c.ended_at >= since, reminders.c.ended_at < until)
        query = (
            select(func.count(), func.count(check_ins.c.id))
            .select_from(reminders.outerjoin(check_ins, answers_of_reminder()))
            .where(sent, reminders.c.step_id.in_(steps))
        )
        with self.read() as db:
            asked, answered = db.execute(query).one()
            return asked, answered


def answers_of_reminder() -> ColumnElement[bool]:
    """The answer that belongs to a row of `reminders`."""
    return and_(
        check_ins.c.procedure_id == reminders.c.procedure_id,
        check_ins.c.procedure_date == reminders.c.procedure_date,
        check_ins.c.step_id == reminders.c.step_id,
    )


__all__ = ["CheckIns", "answers_of_reminder"]
