"""Due reminders: claimed with a lease, marked before each send, recorded after it. The database decides who sends.

    pending -> sending (claimed) -> sending (started) -> sent | failed | missed | cancelled | held | pending again

A sender that dies leaves its lease to run out. What was only claimed is pending again; what was started may have
arrived, so it is sent again with the same retry key (LINE) or marked as doubtful (Telegram).
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.sql import ColumnElement

from bot.core.delivery import RETRY_KEY_HOLDS, Due, End, Wait
from bot.core.pacing import OTHER, RATES, Lane, Rate, is_blocked, take_slots
from bot.core.reminders import CATCH_UP_LIMIT
from bot.core.values import Address
from bot.store.alerts import HOLDING
from bot.store.housekeeping import Housekeeping
from bot.store.notices import Notices
from bot.store.patients import PLACE, ended, held
from bot.store.schema import Moment, addresses, alerts, limits, patients, procedures, reminders

CRASH_LIMIT = 5  # a reminder during which the sender died this often is not tried again: it may be the cause
CHAT_GAP = dt.timedelta(seconds=2)  # between two messages to one chat (Telegram: one a second)
HORIZON = dt.timedelta(seconds=5)  # how far ahead a claim may take sending slots
TROUBLES = ("refused", "unknown_outcome")  # failures that staff hear of one by one
_FAR = dt.timedelta(minutes=30)  # a lease that ends later than this was given before the clock went back
# As text, so that the planner sees that the partial index serves.
PENDING: ColumnElement[bool] = literal_column("reminders.state = 'pending'")
SENDING: ColumnElement[bool] = literal_column("reminders.state = 'sending'")
HELD: ColumnElement[bool] = literal_column("reminders.state = 'held'")
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
    """What is asked of a claim. `fold` and `skip`: ids of the plan's steps by what becomes of them when late."""

    worker: str
    fold: tuple[str, ...]
    skip: tuple[str, ...]
    lease_seconds: int = 30
    limit: int = 100
    rates: Mapping[str, Rate] | None = None
    retry_keys: tuple[str, ...] = ("line",)


@dataclass(frozen=True, slots=True)
class Start:
    """The message of reminder `id` is about to leave on `channel`."""

    id: int
    channel: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of reminder `id`."""

    id: int
    patient_id: int
    verdict: Wait | End


@dataclass(frozen=True, slots=True)
class Refusal:
    """`address` will never work again (blocked, unfollowed, unknown, moved): `reason` is the channel's word for it."""

    id: int
    patient_id: int
    address: Address
    reason: str


Change = Start | Result | Refusal


class Deliveries(Housekeeping, Notices):
    """The queue of reminders."""

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
            shut = [name for name, lane in lanes.items() if self._is_shut(lane, rates.get(name, OTHER), now)]
            rows = db.execute(self._due_rows(claims, shut, now)).all()
            kept = self._give_slots(db, rows, lanes, rates, now)
            lease = now + dt.timedelta(seconds=claims.lease_seconds)
            taken = {"state": "sending", "lease_by": claims.worker, "lease_until": lease, "started_at": None}
            db.execute(update(reminders).where(reminders.c.id.in_([row.id for row, _ in kept])).values(taken))
            failing = {name for name, lane in lanes.items() if lane.failures}
            return [Claimed(self._due(row), slot, row.push_channel in failing) for row, slot in kept]

    def claim_for(self, address: Address, claims: Claims, now: dt.datetime) -> list[Claimed]:
        """The same for one patient who is writing now: what is due, or held because the quota is short.

        A reply is free on LINE, so these ride along with it.
        """
        mac = self.mac(address)
        theirs = and_(addresses.c.channel == address.channel, addresses.c.chat_mac == mac)
        with self.write() as db:
            saved = and_(reminders.c.state == "held", reminders.c.reason == "quota")
            of_them = select(procedures.c.id).join(
                addresses, addresses.c.patient_id == procedures.c.patient_id
            )
            back = update(reminders).where(saved, reminders.c.procedure_id.in_(of_them.where(theirs)))
            db.execute(back.values(state="pending", reason=None, next_at=now))
            rows = db.execute(self._due_rows(claims, [], now).where(theirs)).all()[:1]
            lease = now + dt.timedelta(seconds=claims.lease_seconds)
            taken = {"state": "sending", "lease_by": claims.worker, "lease_until": lease, "started_at": None}
            db.execute(update(reminders).where(reminders.c.id.in_([row.id for row in rows])).values(taken))
            return [Claimed(self._due(row), now) for row in rows]

    def _due_rows(self, claims: Claims, shut: Sequence[str], now: dt.datetime) -> Select[Any]:
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
        open_for_traffic = or_(addresses.c.channel.is_(None), addresses.c.channel.not_in(shut))
        return (
            select(
                reminders,
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
                _alert_open(patients.c.id).label("alert_open"),
            )
            .select_from(_journeys().outerjoin(addresses, _push_address()))
            .where(PENDING, reminders.c.next_at <= now, open_for_traffic)
            .order_by(reminders.c.next_at)
            .limit(claims.limit)
            .with_for_update(of=reminders, skip_locked=True)
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
            retry_key=str(
                uuid.uuid5(self._instance, f"{row.procedure_id}:{row.procedure_date}:{row.step_id}")
            ),
        )

    # --- limits

    def _lanes(self, db: Connection, now: dt.datetime) -> dict[str, Lane]:
        rows = db.execute(select(limits).order_by(limits.c.channel).with_for_update())
        return {row.channel: Lane(row.paid_until, row.blocked_until, row.failures) for row in rows}

    def _is_shut(self, lane: Lane, rate: Rate, now: dt.datetime) -> bool:
        return is_blocked(lane, now) or not take_slots(lane, rate, 1, now, HORIZON)[0]

    def _give_slots(
        self,
        db: Connection,
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
            slots, paid = take_slots(lane, rates.get(channel, OTHER), len(queue), now, HORIZON)
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

    # --- start and record

    def apply(self, claims: Claims, changes: Sequence[Change], now: dt.datetime) -> list[bool]:
        """Record results and mark starts, all in one transaction; for each whether it was done.

        A start that answers False must not be sent: the patient, the clock or another worker has changed the matter.
        If we die before this returns, a start is either unmarked (nothing was sent) or counts as perhaps sent.
        """
        starts = [change for change in changes if isinstance(change, Start)]
        results = [change for change in changes if isinstance(change, Result)]
        with self.write() as db:
            done = {
                id
                for channel in {s.channel for s in starts}
                for id in self._start(db, claims, channel, starts, now)
            }
            for verdict, group in _by_verdict(results).items():
                done |= self._record(db, claims, verdict, group, now)
            for refusal in [change for change in changes if isinstance(change, Refusal)]:
                done |= self._refuse(db, claims, refusal, now)
            return [change.id in done for change in changes]

    def _start(
        self, db: Connection, claims: Claims, channel: str, starts: Sequence[Start], now: dt.datetime
    ) -> set[int]:
        ids = [start.id for start in starts if start.channel == channel]
        mine = and_(reminders.c.id.in_(ids), SENDING, reminders.c.lease_by == claims.worker)
        sensible = exists().where(
            procedures.c.id == reminders.c.procedure_id,
            procedures.c.date == reminders.c.procedure_date,
            patients.c.id == procedures.c.patient_id,
            patients.c.reminders == "on",
            addresses.c.id == patients.c.push_address_id,
            addresses.c.reachable,
            addresses.c.channel == channel,
            ~_alert_open(patients.c.id),
        )
        again = reminders.c.unknowns + reminders.c.lapses > 0
        values = {
            "started_at": now,
            "attempts": reminders.c.attempts + 1,
            "first_tried_at": func.coalesce(reminders.c.first_tried_at, literal(now, Moment)),
            "channel": channel,
            "lease_until": now + dt.timedelta(seconds=4 * claims.lease_seconds),
            # LINE's key is void a day after the first try: from then on a repeat may arrive twice
            "doubtful": or_(
                reminders.c.doubtful, and_(again, reminders.c.first_tried_at < now - RETRY_KEY_HOLDS)
            ),
        }
        live = reminders.c.lease_until > now
        started = set(
            db.scalars(update(reminders).where(mine, live, sensible).values(values).returning(reminders.c.id))
        )
        refused = [id for id in ids if id not in started]
        if refused:  # back in the queue, where the next claim sees what has changed
            unstarted = and_(reminders.c.id.in_(refused), SENDING, reminders.c.lease_by == claims.worker)
            back = {"state": "pending", "lease_by": None, "lease_until": None}
            db.execute(update(reminders).where(unstarted, reminders.c.started_at.is_(None)).values(back))
        return started

    def _record(
        self, db: Connection, claims: Claims, verdict: Wait | End, group: list[Result], now: dt.datetime
    ) -> set[int]:
        ids = [result.id for result in group]
        mine = and_(reminders.c.id.in_(ids), SENDING, reminders.c.lease_by == claims.worker)
        change = update(reminders).where(mine).values(_columns(verdict, now)).returning(reminders.c.id)
        done = set(db.scalars(change))
        lost = [id for id in ids if id not in done]
        if lost and isinstance(verdict, End):
            # The database was away for longer than the lease, and the row went back to the queue: the result counts.
            taken = {"state": "sending", "lease_by": claims.worker, "lease_until": now}
            back = and_(reminders.c.id.in_(lost), PENDING, reminders.c.lapses > 0)
            db.execute(update(reminders).where(back).values(taken))
            done |= set(db.scalars(change))
        if isinstance(verdict, End) and verdict.state == "failed" and verdict.reason in TROUBLES:
            for result in group:
                text = (
                    f"A reminder to patient {result.patient_id} was given up ({verdict.reason}); please look."
                )
                self.put_notice(db, f"failed:{result.id}", text, now)
        if isinstance(verdict, Wait) and verdict.reason == "rate_limited":
            self._quieten(db, [result.patient_id for result in group], verdict.until)
        return done

    def _refuse(self, db: Connection, claims: Claims, refusal: Refusal, now: dt.datetime) -> set[int]:
        """Switch the address off and tell staff; the reminder goes to the patient's other channel if there is one."""
        self.mark(db, refusal.address, False, refusal.reason)
        query = select(patients.c.push_address_id).where(patients.c.id == refusal.patient_id)
        other = db.execute(query).scalar() is not None
        verdict = Wait(now, refusal.reason) if other else End("failed", refusal.reason)
        what = "their other channel is used" if other else "their reminders wait until they write again"
        where = f"Patient {refusal.patient_id} can no longer be reached on {refusal.address.channel}"
        key = f"refused:{refusal.id}:{refusal.address.channel}"
        self.put_notice(db, key, f"{where} ({refusal.reason}); {what}.", now)
        return self._record(db, claims, verdict, [Result(refusal.id, refusal.patient_id, verdict)], now)

    def _quieten(self, db: Connection, patient_ids: list[int], until: dt.datetime) -> None:
        """The platform asked for silence in these chats: no other reminder goes there before `until`."""
        theirs = select(procedures.c.id).where(procedures.c.patient_id.in_(patient_ids))
        early = and_(reminders.c.procedure_id.in_(theirs), PENDING, reminders.c.next_at < until)
        db.execute(update(reminders).where(early).values(next_at=until))

    # --- leases that ran out

    def reap(self, claims: Claims, now: dt.datetime) -> tuple[int, int]:
        """Rows whose sender died: (back in the queue, given up). Each that may have arrived is marked and told."""
        over = or_(reminders.c.lease_until < now, reminders.c.lease_until > now + _FAR)
        started = reminders.c.started_at.is_not(None)
        recognised = and_(
            reminders.c.channel.in_(claims.retry_keys), reminders.c.first_tried_at > now - RETRY_KEY_HOLDS
        )
        free = {"lease_by": None, "lease_until": None, "started_at": None}
        lapse = {
            **free,
            "lapses": case((started, reminders.c.lapses + 1), else_=reminders.c.lapses),
            "doubtful": or_(reminders.c.doubtful, and_(started, ~recognised)),
        }
        with self.read() as db:  # nearly always nothing: no writer's lock is taken for that
            if db.execute(select(reminders.c.id).where(SENDING, over).limit(1)).scalar() is None:
                return 0, 0
        with self.write() as db:
            spent = and_(started, reminders.c.lapses + 1 >= CRASH_LIMIT)
            dead = update(reminders).where(SENDING, over, spent)
            values = {**lapse, "state": "failed", "reason": "crashes", "ended_at": now}
            failed = db.execute(dead.values(values)).rowcount
            back = (
                update(reminders).where(SENDING, over).values({**lapse, "state": "pending", "next_at": now})
            )
            rows = db.execute(back.returning(reminders.c.id, reminders.c.doubtful)).all()
            doubtful = sum(row.doubtful for row in rows)
            if doubtful or failed:
                text = (
                    f"A sender stopped in the middle of its work. {doubtful} reminder(s) may arrive twice, {failed} "
                    f"were given up after {CRASH_LIMIT} such stops. Each is on the list of doubtful reminders."
                )
                self.put_notice(db, f"lapse:{now.isoformat()}:{claims.worker}", text, now)
            return len(rows), failed


def _journeys() -> Any:
    return reminders.join(procedures, procedures.c.id == reminders.c.procedure_id).join(
        patients, patients.c.id == procedures.c.patient_id
    )


def _push_address() -> ColumnElement[bool]:
    return and_(addresses.c.id == patients.c.push_address_id, addresses.c.reachable)


def _alert_open(patient_id: ColumnElement[int]) -> ColumnElement[bool]:
    return exists().where(
        alerts.c.patient_id == patient_id, alerts.c.closed_at.is_(None), alerts.c.kind.in_(HOLDING)
    )


def _columns(verdict: Wait | End, now: dt.datetime) -> dict[str, Any]:
    if isinstance(verdict, End):
        values = (
            held(verdict.reason or "")
            if verdict.state == "held"
            else ended(verdict.state, verdict.reason, now)
        )
    else:
        free = {"lease_by": None, "lease_until": None, "started_at": None}
        values = {"state": "pending", "reason": verdict.reason, "next_at": verdict.until, **free}
        values |= {"unknowns": reminders.c.unknowns + 1} if verdict.unknown else {}
    return values | ({"doubtful": true()} if verdict.doubtful else {})


def _by_verdict(results: Sequence[Result]) -> dict[Wait | End, list[Result]]:
    groups: dict[Wait | End, list[Result]] = {}
    for result in results:
        groups.setdefault(result.verdict, []).append(result)
    return groups
