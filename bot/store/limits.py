"""How fast each channel may send, shared by all workers: its slots are given away in the claim's own transaction."""

import datetime as dt
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select, update

from bot.core.delivery import Due
from bot.core.pacing import OTHER, Lane, Rate, is_blocked, take_slots
from bot.store.housekeeping import Housekeeping
from bot.store.schema import PENDING, limits, reminders

CHAT_GAP = dt.timedelta(seconds=2)  # between two messages to one chat (Telegram: one a second)
HORIZON = dt.timedelta(seconds=5)  # how far ahead a claim may take sending slots
BATCH = (
    HORIZON / 2
)  # a channel whose slots are given away beyond this is left alone: few large claims, not many small


class Limits(Housekeeping):
    """The channels' limits."""

    def lanes(self, db: Connection) -> dict[str, Lane]:
        """How far each channel's slots are given away; nobody else claims before we are done."""
        rows = db.execute(select(limits).order_by(limits.c.channel).with_for_update())
        return {row.channel: Lane(row.paid_until, row.blocked_until, row.failures) for row in rows}

    def give_slots(
        self,
        db: Connection,
        room: Mapping[str, int],
        dues: Sequence[Due],
        lanes: dict[str, Lane],
        rates: Mapping[str, Rate],
        now: dt.datetime,
    ) -> list[tuple[Due, dt.datetime]]:
        """Those that may leave within the horizon, one a patient, with their slots; the others stay pending.

        `room`: how many more of a channel are wanted; those that it does not name are not limited.
        """
        kept: list[tuple[Due, dt.datetime]] = []
        queues: dict[str, list[Due]] = {}
        seen: set[int] = set()
        crowded = []
        for due in dues:
            if due.newer_due or due.address is None:  # nothing will be sent
                kept.append((due, now))
            elif due.patient_id in seen:
                crowded.append(due.id)
            else:
                queues.setdefault(due.address.channel, []).append(due)
                seen.add(due.patient_id)
        if crowded:
            later = {"next_at": now + CHAT_GAP}
            db.execute(update(reminders).where(reminders.c.id.in_(crowded), PENDING).values(later))
        for channel, queue in sorted(
            queues.items()
        ):  # in the order of `lanes`: two first claims must not wait for each other
            lane = lanes.get(channel, Lane(now - HORIZON))
            want = min(len(queue), room.get(channel, len(queue)))
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


def is_shut(lane: Lane, rate: Rate, now: dt.datetime) -> bool:
    """Whether nothing more can leave on this channel for a while."""
    return is_blocked(lane, now) or not take_slots(lane, rate, 1, now, BATCH)[0]
