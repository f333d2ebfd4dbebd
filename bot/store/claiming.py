"""Claiming due reminders with a lease. The database decides who sends."""

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.sql import ColumnElement

from bot.core.delivery import Due, End, Send, Wait
from bot.core.pacing import OTHER, RATES, Rate
from bot.core.reminders import CATCH_UP_LIMIT
from bot.core.values import Address
from bot.store.checkins import answers_of_reminder
from bot.store.limits import Limits, is_shut
from bot.store.patients import PLACE
from bot.store.schema import (
    HELD,
    PENDING,
    SENDING,
    addresses,
    alerts,
    check_ins,
    patients,
    procedures,
    reminders,
)
from bot.store.staff_schema import threads

AT_ONCE = dt.timedelta(seconds=1)  # what leaves so soon needs no second look
SENDING_LEASES = 4  # a send takes longer than a decision: so many leases from its start
# What a claim reads of a row; each further column costs as much as a tenth of the rest.
_READ = tuple(
    reminders.c[name]
    for name in (
        "id", "procedure_id", "procedure_date", "step_id", "due_at", "expires_at", "attempts", "unknowns",
        "doubtful", "first_tried_at",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claimed:
    """A reminder that is ours until the lease ends, and the moment from which it may leave.

    `probe`: the channel has failed lately; if this one gets through, it works again. `verdict`: what the caller of the
    claim decided. `begun_at`: when the claim marked the start too; it may leave at once.
    """

    due: Due
    slot: dt.datetime
    probe: bool = False
    verdict: Send | Wait | End | None = None
    begun_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """What is asked of a claim. `fold` and `skip`: ids of the plan's steps by what becomes of them when late.

    `room`: how many more of a channel the worker can take; those that it does not name are not limited.
    """

    worker: str
    fold: tuple[str, ...]
    skip: tuple[str, ...]
    lease_seconds: int = 30
    limit: int = 100
    rates: Mapping[str, Rate] | None = None
    retry_keys: tuple[str, ...] = ("line",)
    room: Mapping[str, int] = field(default_factory=dict)


class Claiming(Limits):
    """Who sends what."""

    @cached_property
    def _instance(self) -> uuid.UUID:
        value = self.get_meta("instance")
        assert value is not None, "upgrade() comes first"
        return uuid.UUID(value)

    @cached_property
    def _space(self) -> bytes:
        return self._instance.bytes

    # --- claim

    def claim(
        self,
        claims: Claims,
        now: dt.datetime,
        decided: Callable[[Due], Send | Wait | End] | None = None,
    ) -> list[Claimed]:
        """Take due reminders, oldest first, as many as the channels' limits let out soon; `decided` is asked of each.

        If we die after this, the leases run out and the rows are pending again. Those that leave at once for the first time,
        where the platform knows a repeat, count as perhaps sent: marking their start with the claim saves a write of each,
        and a reminder that was in a crash before is started alone, so that one which is the cause is found.
        """
        with self.write() as db:
            lanes, rates = self.lanes(db), {**RATES, **(claims.rates or {})}
            shut = {name for name, lane in lanes.items() if is_shut(lane, rates.get(name, OTHER), now)}
            shut |= {name for name, room in claims.room.items() if not room}
            found = db.execute(self._with_all(claims, self._first_due(claims, sorted(shut), now), now))
            kept = self.give_slots(db, claims.room, [self._due(row) for row in found], lanes, rates, now)
            failing = {name for name, lane in lanes.items() if lane.failures}
            taken = [self._claimed(claims, due, slot, failing, decided, now) for due, slot in kept]
            self._take(db, claims, [item.due.id for item in taken if not item.begun_at], now)
            for channel in claims.retry_keys:
                begun = [item.due.id for item in taken if item.begun_at and _channel(item.due) == channel]
                self._take(db, claims, begun, now, channel)
            return taken

    def _claimed(
        self,
        claims: Claims,
        due: Due,
        slot: dt.datetime,
        failing: set[str],
        decided: Callable[[Due], Send | Wait | End] | None,
        now: dt.datetime,
    ) -> Claimed:
        verdict, channel = decided(due) if decided else None, _channel(due)
        at_once = due.first_tried_at is None and slot - now <= AT_ONCE and channel in claims.retry_keys
        begun_at = now if at_once and isinstance(verdict, Send) else None
        return Claimed(due, slot, channel in failing, verdict, begun_at)

    def _take(
        self, db: Connection, claims: Claims, ids: list[int], now: dt.datetime, begun: str | None = None
    ) -> None:
        """The rows are ours; with the start marked where the message leaves at once, on the channel `begun`."""
        if not ids:
            return
        lease = dt.timedelta(seconds=claims.lease_seconds)
        values = {
            "state": "sending",
            "lease_by": claims.worker,
            "lease_until": now + lease,
            "started_at": None,
        }
        if begun:
            values |= {"started_at": now, "first_tried_at": now, "attempts": reminders.c.attempts + 1}
            values |= {"channel": begun, "lease_until": now + SENDING_LEASES * lease}
        db.execute(update(reminders).where(self.among(reminders.c.id, ids)).values(values))

    def claim_for(self, address: Address, claims: Claims, now: dt.datetime) -> list[Claimed]:
        """The same for one patient who is writing now: what is due, or held because the quota is short.

        A reply is free on LINE, so these ride along with it. What may have arrived already does not: a reply has no key
        by which LINE would know it again.
        """
        theirs = reminders.c.procedure_id.in_(self._journeys_of(address))
        saved = and_(HELD, reminders.c.reason == "quota")
        sure = and_(theirs, reminders.c.unknowns + reminders.c.lapses == 0, ~reminders.c.doubtful)
        waiting = select(reminders.c.id).where(sure, or_(saved, and_(PENDING, reminders.c.next_at <= now)))
        with self.read() as db:  # nearly always nothing: no writer's lock is taken for that
            if db.execute(waiting.limit(1)).scalar() is None:
                return []
        with self.write() as db:
            back = {"state": "pending", "reason": None, "next_at": now}
            db.execute(update(reminders).where(sure, saved).values(back))
            first = self._first_due(claims, [], now, sure)
            dues = [self._due(row) for row in db.execute(self._with_all(claims, first, now))]
            self._take(db, claims, [due.id for due in dues], now)
        return [Claimed(due, now) for due in dues]

    def under_way(self, claims: Claims, now: dt.datetime) -> Claimed | None:
        """What `claims.worker` started to send and has not recorded, while its lease lasts: its process may have died."""
        mine = and_(SENDING, reminders.c.lease_by == claims.worker, reminders.c.lease_until > now)
        started = select(reminders.c.id).where(mine, reminders.c.started_at.is_not(None)).cte("started")
        with self.read() as db:
            row = db.execute(self._with_all(claims, started, now)).first()
        return None if row is None else Claimed(self._due(row), now)

    def _journeys_of(self, address: Address) -> Select[tuple[int]]:
        mac = self.mac(address)
        owner = select(addresses.c.patient_id).where(
            addresses.c.channel == address.channel, addresses.c.chat_mac == mac
        )
        return select(procedures.c.id).where(procedures.c.patient_id.in_(owner))

    def _with_all(self, claims: Claims, ids: CTE, now: dt.datetime) -> Select[Any]:
        """The rows of `ids` with all that a decision needs."""
        newer = reminders.alias("newer")
        useful = or_(
            newer.c.state.in_(("sending", "sent", "failed")),
            and_(
                newer.c.state.in_(("pending", "held")),
                or_(
                    and_(newer.c.step_id.in_(claims.fold), newer.c.expires_at > now - CATCH_UP_LIMIT),
                    and_(newer.c.step_id.in_(claims.skip), newer.c.expires_at > now),
                ),
            ),
        )
        newer_due = exists().where(
            newer.c.procedure_id == reminders.c.procedure_id,
            newer.c.procedure_date == reminders.c.procedure_date,
            newer.c.due_at > reminders.c.due_at,
            newer.c.due_at <= now,
            useful,
        )
        other, same = procedures.alias("other"), reminders.alias("same")
        newer_on = (
            select(func.min(other.c.date))
            .join_from(other, same, same.c.procedure_id == other.c.id)
            .where(
                other.c.patient_id == procedures.c.patient_id,
                or_(
                    other.c.date > procedures.c.date,
                    and_(other.c.date == procedures.c.date, other.c.kind > procedures.c.kind),
                ),
                same.c.procedure_date == other.c.date,
                same.c.step_id == reminders.c.step_id,
                same.c.state != "cancelled",
            )
            .correlate(procedures, reminders)
            .scalar_subquery()
        )
        return (
            select(
                *_READ,
                procedures.c.patient_id,
                procedures.c.date,
                patients.c.reminders,
                patients.c.language,
                patients.c.traditional,
                patients.c.timezone,
                patients.c.detail,
                addresses.c.channel.label("push_channel"),
                addresses.c.chat_sealed,
                newer_due.label("newer_due"),
                people_concerned(patients.c.id).label("alert_open"),
                exists().where(answers_of_reminder()).label("answered"),
                select(func.max(check_ins.c.at))
                .where(check_ins.c.procedure_id == reminders.c.procedure_id)
                .scalar_subquery()
                .label("checked_in_at"),
                newer_on.label("newer_on"),
            )
            .select_from(
                _journeys().outerjoin(addresses, _push_address()).join(ids, ids.c.id == reminders.c.id)
            )
            .order_by(reminders.c.next_at)
        )

    def _first_due(
        self, claims: Claims, shut: Sequence[str], now: dt.datetime, where: ColumnElement[bool] | None = None
    ) -> CTE:
        """The ids alone, by the index: joined first, all that is due would be looked up and sorted for each page of it."""
        query = select(reminders.c.id).where(PENDING, reminders.c.next_at <= now)
        if where is not None:
            query = query.where(where)
        if shut:
            held_up = exists().where(
                procedures.c.id == reminders.c.procedure_id,
                patients.c.id == procedures.c.patient_id,
                _push_address(),
                addresses.c.channel.in_(shut),
            )
            query = query.where(~held_up)
        page = query.order_by(reminders.c.next_at).limit(claims.limit)
        return (
            page.with_for_update(of=reminders, skip_locked=True)
            .cte("first_due")
            .prefix_with("MATERIALIZED", dialect="postgresql")
        )

    def _due(self, row: Sequence[Any]) -> Due:
        # Unpacked in the order of _with_all: by name, the 23 columns cost more than the decision.
        (
            id, procedure_id, procedure_date, step_id, due_at, expires_at, attempts, unknowns, doubtful, first_tried_at,
            patient_id, date, wanted, language, traditional, timezone, detail, channel, chat_sealed,
            newer_due, alert_open, answered, checked_in_at, newer_on,
        ) = row  # fmt: skip
        return Due(
            id=id,
            patient_id=patient_id,
            step_id=step_id,
            due_at=due_at,
            expires_at=expires_at,
            procedure_date=procedure_date,
            current_date=date,
            reminders=wanted,
            address=None if channel is None else Address(channel, self._vault.unseal(chat_sealed, PLACE)),
            alert_open=bool(alert_open),
            newer_due=bool(newer_due),
            language=language,
            traditional=traditional,
            timezone=timezone,
            detail=detail,
            attempts=attempts,
            unknowns=unknowns,
            doubtful=doubtful,
            first_tried_at=first_tried_at,
            retry_key=self._key(f"{procedure_id}:{procedure_date}:{step_id}"),
            answered=bool(answered),
            checked_in_at=checked_in_at,
            newer_on=newer_on,
        )

    def _key(self, name: str) -> str:
        """uuid.uuid5 in a third of its time: it is made for every claimed row."""
        digest = bytearray(hashlib.sha1(self._space + name.encode(), usedforsecurity=False).digest()[:16])
        digest[6] = digest[6] & 0x0F | 0x50
        digest[8] = digest[8] & 0x3F | 0x80
        text = digest.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _channel(due: Due) -> str:
    return due.address.channel if due.address else ""


def _journeys() -> Any:
    return reminders.join(procedures, procedures.c.id == reminders.c.procedure_id).join(
        patients, patients.c.id == procedures.c.patient_id
    )


def _push_address() -> ColumnElement[bool]:
    return and_(addresses.c.id == patients.c.push_address_id, addresses.c.reachable)


def people_concerned(patient_id: ColumnElement[int]) -> ColumnElement[bool]:
    """An alert is open, or a person is talking with the patient: no cheerful push in the middle of it."""
    alarm = exists().where(alerts.c.patient_id == patient_id, alerts.c.closed_at.is_(None))
    return or_(alarm, exists().where(threads.c.patient_id == patient_id, threads.c.taken_at.is_not(None)))
