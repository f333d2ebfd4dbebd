"""Figures for the clinic: how often each entry is used, and whether it helped. Nobody's name in them."""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from bot.core.procedures import ordered
from bot.core.values import Address, Patient, Procedure
from bot.store.checkins import CheckIns
from bot.store.patients import PLACE
from bot.store.schema import addresses, alerts, events, patients, procedures, reminders, unanswered
from bot.store.staff_schema import feedback

_QUESTION, _REPLY = "unanswered.text", "unanswered.reply"


@dataclass(frozen=True, slots=True)
class EntryFigures:
    """`answers` counts those by a tap too; `choices` how often the entry was the first of several offered."""

    entry: str
    answers: int
    helpful: int
    not_helpful: int
    choices: int = 0

    @property
    def share_of_choices(self) -> float:
        """Of the questions that came nearest to the entry, the share (0 to 1) that it was not sure enough to answer."""
        return self.choices / max(1, self.choices + self.answers)


@dataclass(frozen=True, slots=True)
class Week:
    """What happened in a span of days. `outcomes` counts messages by what became of them."""

    outcomes: dict[str, int]
    alerts: int
    alert_minutes: float | None  # mean time until an alert was read
    entries: tuple[EntryFigures, ...]
    reminders_sent: int
    check_ins: tuple[int, int] = (0, 0)  # asked, and answered


@dataclass(frozen=True, slots=True)
class Question:
    """A question that found no sure answer, or that a person answered; kept with the patient's consent."""

    id: int
    text: str
    language: str
    matches: tuple[str, ...]
    patient_id: int | None
    at: dt.datetime
    reply: str = ""  # what a person answered: raw material, never an answer by itself


@dataclass(frozen=True, slots=True)
class PatientRow:
    """A patient as the staff's list shows one."""

    patient: Patient
    reachable: bool
    pushes_here: bool


@dataclass(frozen=True, slots=True)
class ReminderRow:
    kind: str  # of procedure
    step_id: str
    due_at: dt.datetime
    state: str
    reason: str | None
    ended_at: dt.datetime | None
    doubtful: bool


class Figures(CheckIns):
    """Reads for the staff page, and the counts behind the digest."""

    def count_feedback(self, entry: str, helpful: bool, day: dt.date) -> None:
        put = self.insert(feedback).values(day=day, entry=entry[:48], helpful=helpful, count=1)
        key = ["day", "entry", "helpful"]
        with self.write() as db:
            db.execute(put.on_conflict_do_update(index_elements=key, set_={"count": feedback.c.count + 1}))

    def week(self, since: dt.datetime, until: dt.datetime, asking: Collection[str] = ()) -> Week:
        """What happened from `since` to `until`. `asking`: the steps that have a check-in."""
        during = (events.c.done_at >= since) & (events.c.done_at < until)
        outcomes = select(events.c.outcome, func.count()).where(during).group_by(events.c.outcome)
        used = (
            select(events.c.entry, events.c.outcome, func.count())
            .where(during, events.c.outcome.in_(("answer", "choices")), events.c.entry.is_not(None))
            .group_by(events.c.entry, events.c.outcome)
        )
        opened = (alerts.c.opened_at >= since) & (alerts.c.opened_at < until)
        wait = select(alerts.c.opened_at, alerts.c.acknowledged_at).where(
            opened, alerts.c.acknowledged_at.is_not(None)
        )
        sent = select(func.count()).where(
            reminders.c.state == "sent", reminders.c.ended_at >= since, reminders.c.ended_at < until
        )
        with self.read() as db:
            minutes = [(read - at).total_seconds() / 60 for at, read in db.execute(wait)]
            return Week(
                outcomes={name or "": count for name, count in db.execute(outcomes)},
                alerts=db.execute(select(func.count()).where(opened)).scalar_one(),
                alert_minutes=sum(minutes) / len(minutes) if minutes else None,
                entries=self._entries(db, _by_outcome(db.execute(used)), since.date(), until.date()),
                reminders_sent=db.execute(sent).scalar_one(),
                check_ins=self.check_in_counts(asking, since, until),
            )

    @staticmethod
    def _entries(
        db: Any, used: dict[tuple[str, str], int], since: dt.date, until: dt.date
    ) -> tuple[EntryFigures, ...]:
        query = (
            select(feedback.c.entry, feedback.c.helpful, func.sum(feedback.c.count))
            .where(feedback.c.day >= since, feedback.c.day <= until)
            .group_by(feedback.c.entry, feedback.c.helpful)
        )
        said = {(entry, helpful): int(count) for entry, helpful, count in db.execute(query)}
        names = {entry for entry, _ in used} | {entry for entry, _ in said}
        rows = [
            EntryFigures(
                name, used.get((name, "answer"), 0), said.get((name, True), 0), said.get((name, False), 0),
                used.get((name, "choices"), 0),
            )
            for name in names
        ]  # fmt: skip
        return tuple(sorted(rows, key=lambda row: (-row.answers, row.entry)))

    # --- questions without an answer

    def questions(self, limit: int = 2000) -> list[Question]:
        """Newest first."""
        query = select(unanswered).order_by(unanswered.c.id.desc()).limit(limit)
        with self.read() as db:
            return [
                Question(
                    row.id,
                    self._vault.unseal(row.text_sealed, _QUESTION),
                    row.language,
                    tuple(id for id in row.matches.split(",") if id),
                    row.patient_id,
                    row.at,
                    self._vault.unseal(row.reply_sealed, _REPLY) if row.reply_sealed else "",
                )
                for row in db.execute(query)
            ]

    def question_of_talk(self, talk_id: int, patient_id: int | None) -> int | None:
        """The question that was kept of this line of a conversation."""
        mine = (unanswered.c.talk_id == talk_id) & (unanswered.c.patient_id == patient_id)
        with self.read() as db:
            return db.execute(select(unanswered.c.id).where(mine)).scalar()

    def drop_questions(self, ids: list[int]) -> int:
        """They have an answer now, or want none."""
        with self.write() as db:
            return db.execute(unanswered.delete().where(unanswered.c.id.in_(ids))).rowcount

    # --- patients

    def all_patients(self, limit: int = 500, after: int = 0) -> list[PatientRow]:
        """Those with the newest procedure first; one row an address."""
        return self._patients(patients.c.id > after, limit)

    def patient_rows(self, patient_id: int) -> list[PatientRow]:
        """One patient's addresses; empty when there is none."""
        return self._patients(patients.c.id == patient_id, 20)

    def _patients(self, which: Any, limit: int) -> list[PatientRow]:
        newest = (
            select(func.max(procedures.c.date))
            .where(procedures.c.patient_id == patients.c.id)
            .scalar_subquery()
        )
        query = (
            select(patients, addresses.c.id.label("address_id"), addresses.c.channel, addresses.c.chat_sealed,
                   addresses.c.reachable)
            .select_from(patients.join(addresses))
            .where(which)
            .order_by(newest.desc(), patients.c.id.desc())
            .limit(limit)
        )  # fmt: skip
        with self.read() as db:
            rows = db.execute(query).all()
            theirs = self._procedures(db, {row.id for row in rows})
        return [self._patient_row(row, theirs.get(row.id, [])) for row in rows]

    def _procedures(self, db: Connection, ids: Collection[int]) -> dict[int, list[Procedure]]:
        query = select(procedures).where(self.among(procedures.c.patient_id, list(ids)))
        found: dict[int, list[Procedure]] = {}
        for row in db.execute(query):
            found.setdefault(row.patient_id, []).append(Procedure(row.kind, row.date))
        return found

    def _patient_row(self, row: Any, theirs: Collection[Procedure]) -> PatientRow:
        address, known = Address(row.channel, self._vault.unseal(row.chat_sealed, PLACE)), ordered(theirs)
        patient = Patient(
            address, row.id, row.language, row.traditional, row.consent_at, row.timezone,
            known[-1].date if known else None, row.reminders, row.detail, known,
        )  # fmt: skip
        return PatientRow(patient, row.reachable, row.push_address_id == row.address_id)

    def reminder_rows(self, patient_id: int) -> list[ReminderRow]:
        """Every reminder of the patient, in order of its time."""
        query = (
            select(reminders, procedures.c.kind)
            .join(procedures)
            .where(procedures.c.patient_id == patient_id)
            .order_by(reminders.c.due_at)
        )
        with self.read() as db:
            return [
                ReminderRow(
                    row.kind, row.step_id, row.due_at, row.state, row.reason, row.ended_at, row.doubtful
                )
                for row in db.execute(query)
            ]


def _by_outcome(rows: Iterable[Any]) -> dict[tuple[str, str], int]:
    """Counts by entry and outcome."""
    return {(entry, outcome): count for entry, outcome, count in rows}


__all__ = ["EntryFigures", "Figures", "PatientRow", "Question", "ReminderRow", "Week"]
