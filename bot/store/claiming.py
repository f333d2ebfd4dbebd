"""Claiming due reminders with a lease, within each channel's limits. The database decides who sends."""

import datetime as dt
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    Row,
    Select,
    and_,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.sql import ColumnElement

from bot.core.delivery import Due
from bot.core.pacing import OTHER, RATES, Lane, Rate, is_blocked, take_slots
from bot.core.reminders import CATCH_UP_LIMIT
from bot.core.values import Address
from bot.store.alerts import HOLDING
from bot.store.checkins import answers_of_reminder
from bot.store.housekeeping import Housekeeping
from bot.store.patients import PLACE
from bot.store.schema import addresses, alerts, check_ins, limits, patients, procedures, reminders
from bot.store.staff_schema import threads

CHAT_GAP = dt.timedelta(seconds=2)  # between two messages to one chat (Telegram: one a second)
HORIZON = dt.timedelta(seconds=5)  # how far ahead a claim may take sending slots
BATCH = (
    HORIZON / 2
)  # a channel whose slots are given away beyond this is left alone: few large claims, not many small
# As text, so that the planner sees that the partial index serves.
PENDING: ColumnElement[bool] = literal_column("reminders.state = 'pending'")
SENDING: ColumnElement[bool] = literal_column("reminders.state = 'sending'")
HELD: ColumnElement[bool] = literal_column("reminders.state = 'held'")
# What a claim reads of a row; each further column costs as much as a tenth of the rest.
_READ = tuple(
    reminders.c[name]
    for name in (
        "id", "procedure_id", "procedure_date", "step_id", "due_at", "expires_at", "attempts", "unknowns",
        "doubtful", "first_tried_at",
    )
)  # fmt: skip
TROUBLE: ColumnElement[bool] = literal_column("(reminders.doubtful OR reminders.state = 'failed')")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A reminder that is ours until the lease ends, and the moment from which it may leave.

    `probe`: the channel has failed lately; if this one gets through, it works again.
    """

    due: Due
    slot: dt.datetime
    probe: bool = False


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


class Claiming(Housekeeping):
    """Who sends what, and how fast."""

    @cached_property
    def _instance(self) -> uuid.UUID:
        value = self.get_meta("instance")
        assert value is not None, "upgrade() comes first"
        return uuid.UUID(value)

    # --- claim

    def claim(self, claims: Claims, now: dt.datetime) -> list[Claimed]:
        """Take due reminders, oldest first, as many as the channels' limits let out soon.

        If we die after this, the leases run out and the rows are pending again.
        """
        with self.write() as db:
            lanes = self._lanes(db, now)
            rates = {**RATES, **(claims.rates or {})}
            shut = {name for name, lane in lanes.items() if self._is_shut(lane, rates.get(name, OTHER), now)}
            shut |= {name for name, room in claims.room.items() if not room}
            rows = db.execute(self._with_all(claims, self._first_due(claims, sorted(shut), now), now)).all()
            kept = self._give_slots(db, claims, rows, lanes, rates, now)
            lease = now + dt.timedelta(seconds=claims.lease_seconds)
            taken = {"state": "sending", "lease_by": claims.worker, "lease_until": lease, "started_at": None}
            ours = self.among(reminders.c.id, [row.id for row, _ in kept])
            db.execute(update(reminders).where(ours).values(taken))
        failing = {name for name, lane in lanes.items() if lane.failures}
        return [Claimed(self._due(row), slot, row.push_channel in failing) for row, slot in kept]

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
            rows = db.execute(self._with_all(claims, first, now)).all()
            lease = now + dt.timedelta(seconds=claims.lease_seconds)
            taken = {"state": "sending", "lease_by": claims.worker, "lease_until": lease, "started_at": None}
            db.execute(
                update(reminders).where(self.among(reminders.c.id, [row.id for row in rows])).values(taken)
            )
        return [Claimed(self._due(row), now) for row in rows]

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
                alert_open_for(patients.c.id).label("alert_open"),
                exists().where(answers_of_reminder()).label("answered"),
                select(func.max(check_ins.c.at))
                .where(check_ins.c.procedure_id == reminders.c.procedure_id)
                .scalar_subquery()
                .label("checked_in_at"),
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

    def _due(self, row: Row[Any]) -> Due:
        address = None
        if row.push_channel is not None:
            address = Address(row.push_channel, self._vault.unseal(row.chat_sealed, PLACE))
        return Due(
            id=row.id,
            patient_id=row.patient_id,
            step_id=row.step_id,
            due_at=row.due_at,
            expires_at=row.expires_at,
            procedure_date=row.procedure_date,
            current_date=row.date,
            reminders=row.reminders,
            address=address,
            alert_open=bool(row.alert_open),
            newer_due=bool(row.newer_due),
            language=row.language,
            traditional=row.traditional,
            timezone=row.timezone,
            detail=row.detail,
            attempts=row.attempts,
            unknowns=row.unknowns,
            doubtful=row.doubtful,
            first_tried_at=row.first_tried_at,
            retry_key=self._key(f"{row.procedure_id}:{row.procedure_date}:{row.step_id}"),
            answered=bool(row.answered),
            checked_in_at=row.checked_in_at,
        )

    def _key(self, name: str) -> str:
        """uuid.uuid5 in a third of its time: it is made for every claimed row."""
        digest = bytearray(
            hashlib.sha1(self._instance.bytes + name.encode(), usedforsecurity=False).digest()[:16]
        )
        digest[6] = digest[6] & 0x0F | 0x50
        digest[8] = digest[8] & 0x3F | 0x80
        text = digest.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    # --- limits

    def _lanes(self, db: Connection, now: dt.datetime) -> dict[str, Lane]:
        rows = db.execute(select(limits).order_by(limits.c.channel).with_for_update())
        return {row.channel: Lane(row.paid_until, row.blocked_until, row.failures) for row in rows}

    def _is_shut(self, lane: Lane, rate: Rate, now: dt.datetime) -> bool:
        return is_blocked(lane, now) or not take_slots(lane, rate, 1, now, BATCH)[0]

    def _give_slots(
        self,
        db: Connection,
        claims: Claims,
        rows: Sequence[Row[Any]],
        lanes: dict[str, Lane],
        rates: Mapping[str, Rate],
        now: dt.datetime,
    ) -> list[tuple[Row[Any], dt.datetime]]:
        """The rows that may leave within the horizon, one a patient, with their slots; the others stay pending."""
        kept: list[tuple[Row[Any], dt.datetime]] = []
        queues: dict[str, list[Row[Any]]] = {}
        seen: set[int] = set()
        crowded = []
        for row in rows:
            if row.newer_due or row.push_channel is None:  # nothing will be sent
                kept.append((row, now))
            elif row.patient_id in seen:
                crowded.append(row.id)
            else:
                queues.setdefault(row.push_channel, []).append(row)
                seen.add(row.patient_id)
        if crowded:
            later = {"next_at": now + CHAT_GAP}
            db.execute(update(reminders).where(reminders.c.id.in_(crowded), PENDING).values(later))
        for channel, queue in queues.items():
            lane = lanes.get(channel, Lane(now - HORIZON))
            want = min(len(queue), claims.room.get(channel, len(queue)))
            slots, paid = take_slots(lane, rates.get(channel, OTHER), want, now, HORIZON)
            kept += zip(queue, slots, strict=False)
            put = self.insert(limits).values(channel=channel, paid_until=paid)
            db.execute(put.on_conflict_do_update(index_elements=["channel"], set_={"paid_until": paid}))
        return kept

    def block_channel(self, channel: str, until: dt.datetime, why: str, failures: int) -> None:
        """No worker sends on `channel` before `until`; `failures` in a row so far (0: it works again)."""
        row = {"blocked_until": until, "blocked_why": why, "failures": failures}
        with self.write() as db:
            put = self.insert(limits).values(channel=channel, paid_until=until, **row)
            db.execute(put.on_conflict_do_update(index_elements=["channel"], set_=row))


def _journeys() -> Any:
    return reminders.join(procedures, procedures.c.id == reminders.c.procedure_id).join(
        patients, patients.c.id == procedures.c.patient_id
    )


def _push_address() -> ColumnElement[bool]:
    return and_(addresses.c.id == patients.c.push_address_id, addresses.c.reachable)


def alert_open_for(patient_id: ColumnElement[int]) -> ColumnElement[bool]:
    """A danger sign is open, or a person is talking with the patient: no cheerful push in the middle of it."""
    alarm = exists().where(
        alerts.c.patient_id == patient_id, alerts.c.closed_at.is_(None), alerts.c.kind.in_(HOLDING)
    )
    return or_(alarm, exists().where(threads.c.patient_id == patient_id, threads.c.taken_at.is_not(None)))
