"""Due reminders: marked before each send, recorded after it.

    pending -> sending (claimed) -> sending (started) -> sent | failed | missed | cancelled | held | pending again

A sender that dies leaves its lease to run out. What was only claimed is pending again; what was started may have
arrived, so it is sent again with the same retry key (LINE) or marked as doubtful (Telegram).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    update,
)

from bot.core.delivery import RETRY_KEY_HOLDS, End, Wait
from bot.core.values import Address
from bot.store.claiming import SENDING_LEASES, Claimed, Claiming, Claims, people_concerned
from bot.store.notices import Notices
from bot.store.patients import ended, held
from bot.store.schema import (
    HELD,
    LATE,
    PENDING,
    SENDING,
    TROUBLE,
    Moment,
    addresses,
    patients,
    procedures,
    reminders,
)

# Held for these until it was too late: staff know it, or the patient wanted it; "quota" they should see.
_HELD_BY = ("paused", "stopped", "alert", "unreachable", "restored", "quota")
CRASH_LIMIT = 5  # a reminder during which the sender died this often is not tried again: it may be the cause
TROUBLES = ("refused", "unknown_outcome")  # failures that staff hear of one by one
_TOO_LATE = End("missed", "late")
_FAR = dt.timedelta(minutes=30)  # a lease that ends later than this was given before the clock went back


@dataclass(frozen=True, slots=True)
class Start:
    """The message of reminder `id` is about to leave on `channel`; `keyed`: not with a reply, so with its retry key, if the
    channel has such.

    `urgent`: as its step is; it leaves even while people are concerned with the patient.
    """

    id: int
    channel: str
    keyed: bool = True
    urgent: bool = False


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


class Deliveries(Claiming, Notices):
    """The queue of reminders."""

    def apply(self, claims: Claims, changes: Sequence[Change], now: dt.datetime) -> list[bool]:
        """Record results and mark starts, all in one transaction; for each whether it was done.

        A start that answers False must not be sent: the patient, the clock or another worker has changed the matter.
        If we die before this returns, a start is either unmarked (nothing was sent) or counts as perhaps sent.
        """
        starts = [change for change in changes if isinstance(change, Start)]
        results = [change for change in changes if isinstance(change, Result)]
        with self.write() as db:
            done = {
                id for kind, ids in _by_kind(starts).items() for id in self._start(db, claims, kind, ids, now)
            }
            for verdict, group in _by_verdict(results).items():
                done |= self._record(db, claims, verdict, group, now)
            for refusal in [change for change in changes if isinstance(change, Refusal)]:
                done |= self._refuse(db, claims, refusal, now)
            return [change.id in done for change in changes]

    def _start(
        self,
        db: Connection,
        claims: Claims,
        kind: tuple[str, bool, bool],
        ids: list[int],
        now: dt.datetime,
    ) -> set[int]:
        channel, keyed, urgent = kind
        mine = and_(self.among(reminders.c.id, ids), SENDING, reminders.c.lease_by == claims.worker)
        sensible = exists().where(
            procedures.c.id == reminders.c.procedure_id,
            procedures.c.date == reminders.c.procedure_date,
            patients.c.id == procedures.c.patient_id,
            patients.c.reminders == "on",
            addresses.c.id == patients.c.push_address_id,
            addresses.c.reachable,
            addresses.c.channel == channel,
            true() if urgent else ~people_concerned(patients.c.id),
        )
        begun = reminders.c.started_at.is_not(None)  # with its claim, which is too long ago by now
        again = reminders.c.unknowns + reminders.c.lapses > 0
        values = {
            "started_at": now,
            "attempts": reminders.c.attempts + case((begun, 0), else_=1),
            "first_tried_at": func.coalesce(reminders.c.first_tried_at, literal(now, Moment)),
            "channel": channel
            if keyed
            else None,  # none: it goes with a reply, where no repeat is recognised
            "lease_until": now + dt.timedelta(seconds=SENDING_LEASES * claims.lease_seconds),
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
            unsent = and_(self.among(reminders.c.id, refused), SENDING, reminders.c.lease_by == claims.worker)
            back: dict[str, Any] = {
                "state": "pending",
                "lease_by": None,
                "lease_until": None,
                "started_at": None,
            }
            back |= {"attempts": reminders.c.attempts - case((begun, 1), else_=0)}
            back |= {"first_tried_at": case((begun, None), else_=reminders.c.first_tried_at)}
            db.execute(update(reminders).where(unsent).values(back))
        return started

    def _record(
        self, db: Connection, claims: Claims, verdict: Wait | End, group: list[Result], now: dt.datetime
    ) -> set[int]:
        ids = [result.id for result in group]
        mine = and_(self.among(reminders.c.id, ids), SENDING, reminders.c.lease_by == claims.worker)
        change = update(reminders).where(mine).values(_columns(verdict, now)).returning(reminders.c.id)
        done = set(db.scalars(change))
        lost = [id for id in ids if id not in done]
        if lost and isinstance(verdict, End):
            # The database was away for longer than the lease, and the row went back to the queue: the result counts.
            taken = {"state": "sending", "lease_by": claims.worker, "lease_until": now}
            back = and_(self.among(reminders.c.id, lost), PENDING, reminders.c.lapses > 0)
            db.execute(update(reminders).where(back).values(taken))
            done |= set(db.scalars(change))
        if isinstance(verdict, End) and verdict.state == "failed" and verdict.reason in TROUBLES:
            for result in group:
                self._tell_given_up(db, result.id, result.patient_id, verdict.reason, now)
        if verdict == _TOO_LATE:
            self._tell_late(db, ids, now)
        if isinstance(verdict, Wait) and verdict.reason == "rate_limited":
            self._quieten(db, [result.patient_id for result in group], verdict.until)
        return done

    def _tell_given_up(
        self, db: Connection, id: int, patient_id: int, reason: str | None, now: dt.datetime
    ) -> None:
        text = f"A reminder to patient {patient_id} was given up ({reason}); please look."
        self.put_notice(db, f"failed:{id}", text, now)

    def _tell_late(self, db: Connection, ids: list[int], now: dt.datetime) -> None:
        query = select(reminders.c.id).where(self.among(reminders.c.id, ids), LATE).limit(1)
        if db.execute(query).scalar() is not None:
            text = "Reminders could no longer be sent: they were too late to say anything useful. They stand on the list."
            self.put_notice(db, f"missed:{now:%Y-%m-%d}", text, now)

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
            func.coalesce(reminders.c.channel, "").in_(claims.retry_keys),
            reminders.c.first_tried_at > now - RETRY_KEY_HOLDS,
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
            ridden = self._give_up_rides(db, and_(SENDING, over), lapse, now)
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
            return len(rows), failed + ridden

    def _give_up_rides(
        self, db: Connection, lapsed: ColumnElement[bool], lapse: dict[str, Any], now: dt.datetime
    ) -> int:
        """What went with a reply has no key by which a push of it would be known again, and on LINE nothing comes twice.

        Its event was handled again long before the lease ended, if anybody was there to do so, and the reply's token told then
        whether it had arrived. Now nobody can tell, so staff decide.
        """
        theirs = select(procedures.c.patient_id).where(procedures.c.id == reminders.c.procedure_id)
        values = {**lapse, "state": "failed", "reason": "unknown_outcome", "doubtful": True, "ended_at": now}
        rode = update(reminders).where(
            lapsed, reminders.c.started_at.is_not(None), reminders.c.channel.is_(None)
        )
        rows = db.execute(
            rode.values(values).returning(reminders.c.id, theirs.scalar_subquery().label("patient_id"))
        ).all()
        for row in rows:
            self._tell_given_up(db, row.id, row.patient_id, "unknown_outcome", now)
        return len(rows)


def _columns(verdict: Wait | End, now: dt.datetime) -> dict[str, Any]:
    if isinstance(verdict, End):
        values = (
            held(verdict.reason or "")
            if verdict.state == "held"
            else ended(verdict.state, verdict.reason, now)
        )
        if verdict == _TOO_LATE:
            was_held = reminders.c.reason.in_(_HELD_BY)
            values |= {"reason": case((was_held, reminders.c.reason), else_=verdict.reason)}
    else:
        free = {"lease_by": None, "lease_until": None, "started_at": None}
        values = {"state": "pending", "reason": verdict.reason, "next_at": verdict.until, **free}
        values |= {"unknowns": reminders.c.unknowns + 1} if verdict.unknown else {}
    return values | ({"doubtful": true()} if verdict.doubtful else {})


def _by_kind(starts: Sequence[Start]) -> dict[tuple[str, bool, bool], list[int]]:
    """(channel, keyed, urgent) -> ids."""
    groups: dict[tuple[str, bool, bool], list[int]] = {}
    for start in starts:
        groups.setdefault((start.channel, start.keyed, start.urgent), []).append(start.id)
    return groups


def _by_verdict(results: Sequence[Result]) -> dict[Wait | End, list[Result]]:
    groups: dict[Wait | End, list[Result]] = {}
    for result in results:
        groups.setdefault(result.verdict, []).append(result)
    return groups


__all__ = [
    "HELD",
    "PENDING",
    "SENDING",
    "TROUBLE",
    "Change",
    "Claimed",
    "Claims",
    "Deliveries",
    "End",
    "Refusal",
    "Result",
    "Start",
    "Wait",
]
