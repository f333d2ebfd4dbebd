"""Seen, not assumed: what is due, what is stuck, what staff must look at."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from bot.store.deliveries import HELD, PENDING, SENDING, TROUBLE, Deliveries
from bot.store.patients import ended, released
from bot.store.schema import limits, patients, procedures, reminders

_COUNTED = 1_000  # beyond this "many" is all that matters; the count stays cheap


@dataclass(frozen=True, slots=True)
class DeliveryHealth:
    """`late`: due for longer than the grace and not sent (1,000 stands for that or more)."""

    late: int
    oldest_due_at: dt.datetime | None
    held: dict[str, int]
    doubtful: int
    blocked: dict[str, str]
    last_tick_at: dt.datetime | None
    last_sent_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A reminder on the staff's list: it may have arrived twice, was given up, or was too late to be sent."""

    id: int
    patient_id: int
    step_id: str
    due_at: dt.datetime
    state: str
    reason: str | None
    doubtful: bool


@dataclass(frozen=True, slots=True)
class Journey:
    """A procedure as planning needs it."""

    procedure_id: int
    patient_id: int
    kind: str
    date: dt.date
    timezone: str | None


class Watch(Deliveries):
    """Counts for staff, health and the dead-man's switch."""

    def delivery_health(
        self, now: dt.datetime, grace: dt.timedelta = dt.timedelta(minutes=15)
    ) -> DeliveryHealth:
        late = select(reminders.c.due_at).where(PENDING, reminders.c.next_at < now - grace)
        some = late.order_by(reminders.c.next_at).limit(_COUNTED).subquery()
        held = select(reminders.c.reason, func.count()).where(HELD)
        doubtful = select(func.count()).where(TROUBLE, reminders.c.doubtful, reminders.c.state == "sent")
        last_tick, last_sent = self.moment("last_tick"), self.moment("last_sent")
        with self.read() as db:
            count, oldest = db.execute(select(func.count(), func.min(some.c.due_at))).one()
            lanes = db.execute(select(limits).where(limits.c.blocked_until > now))
            return DeliveryHealth(
                late=count,
                oldest_due_at=oldest,
                held=dict(db.execute(held.group_by(reminders.c.reason)).all()),
                doubtful=db.execute(doubtful).scalar_one(),
                blocked={lane.channel: lane.blocked_why or "" for lane in lanes},
                last_tick_at=last_tick,
                last_sent_at=last_sent,
            )

    def moment(self, name: str) -> dt.datetime | None:
        """A moment that the store keeps about itself (`last_tick`, `last_sent`)."""
        value = self.get_meta(name)
        return None if value is None else dt.datetime.fromisoformat(value)

    def trouble(self, since: dt.datetime, limit: int = 1000) -> list[Listed]:
        """The staff's list, newest first: doubtful ones that have ended, failures, and what could only be left out."""
        query = (
            select(reminders, procedures.c.patient_id)
            .join(procedures)
            .where(TROUBLE, reminders.c.ended_at >= since)
            .order_by(reminders.c.ended_at.desc())
            .limit(limit)
        )
        with self.read() as db:
            return [
                Listed(row.id, row.patient_id, row.step_id, row.due_at, row.state, row.reason, row.doubtful)
                for row in db.execute(query)
            ]

    def states(self) -> dict[str, int]:
        """How many reminders are in each state. It looks at every row."""
        with self.read() as db:
            return dict(db.execute(select(reminders.c.state, func.count()).group_by(reminders.c.state)).all())

    # --- rows that wait for staff

    def hold_overdue(self, until: dt.datetime, now: dt.datetime) -> int:
        """A restored backup: what was due by `until` may have been sent since, so it waits for staff. The number."""
        lapsed = and_(SENDING, reminders.c.lease_until < now)
        doubt = and_(or_(PENDING, lapsed), reminders.c.due_at <= until)
        free = {"lease_by": None, "lease_until": None, "started_at": None}
        with self.write() as db:
            return db.execute(
                update(reminders).where(doubt).values(state="held", reason="restored", **free)
            ).rowcount

    def release_held(self, reason: str) -> int:
        """Staff (or a refilled quota) let the held ones go on; their lateness is judged as they go out."""
        return self._change_held(reason, released())

    def drop_held(self, reason: str, now: dt.datetime) -> int:
        """Staff know that these were sent, or want none of them."""
        return self._change_held(reason, ended("missed", reason, now))

    def _change_held(self, reason: str, values: dict[str, object]) -> int:
        which = and_(HELD, reminders.c.reason == reason)
        with self.write() as db:
            return db.execute(update(reminders).where(which).values(values)).rowcount

    # --- should exist against exists

    def missing_steps(self, steps_of: Callable[[str], Collection[str]], since: dt.date) -> dict[str, int]:
        """Step -> how many procedures from `since` on lack their reminder of it; empty when all is planned.

        `steps_of`: kind of procedure -> the steps of its plan.
        """
        current = and_(
            procedures.c.id == reminders.c.procedure_id, procedures.c.date == reminders.c.procedure_date
        )
        per_step = (
            select(procedures.c.kind, reminders.c.step_id, func.count())
            .select_from(reminders)
            .join(procedures, current)
            .where(procedures.c.date >= since)
            .group_by(procedures.c.kind, reminders.c.step_id)
        )
        per_kind = select(procedures.c.kind, func.count()).where(procedures.c.date >= since)
        with self.read() as db:
            totals = db.execute(per_kind.group_by(procedures.c.kind)).all()
            exists = {(kind, step_id): count for kind, step_id, count in db.execute(per_step)}
        missing = Counter[str]()
        for kind, total in totals:
            missing.update({step: total - exists.get((kind, step), 0) for step in steps_of(kind)})
        return {step_id: count for step_id, count in missing.items() if count}

    def journeys(self, since: dt.date, after: int = 0, limit: int = 500) -> list[Journey]:
        """Procedures from `since` on, in pages by their id."""
        which: ColumnElement[bool] = and_(procedures.c.date >= since, procedures.c.id > after)
        query = select(procedures, patients.c.timezone).join(patients).where(which)
        with self.read() as db:
            return [
                Journey(row.id, row.patient_id, row.kind, row.date, row.timezone)
                for row in db.execute(query.order_by(procedures.c.id).limit(limit))
            ]
