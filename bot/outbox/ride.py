"""A reminder that goes out with a reply: on LINE a reply is free, a push counts against the month's quota.

    claimed for the event -> marked as started -> the reply with the reminder in the same call -> recorded

What if we die right here? Before the mark: it is pending again when the lease ends. After it: the event is handled again after
the restart and takes the same reminder along, under the same reply token, which works once. If the restart comes too late for
that, the reminder may have arrived, and a push of it would be no repeat that LINE knows: it is given up and on the staff's list.
"""

import asyncio
import datetime as dt
import uuid
from dataclasses import dataclass, replace

from bot.core.delivery import Due, End, Send, Wait, as_it_is_now, decide
from bot.core.values import Address, Message
from bot.outbox.courier import compose
from bot.store.deliveries import Change, Claimed, Claims, Result, Start
from bot.store.limits import CHAT_GAP
from bot.store.store import Store
from intents.faq import Faq

_RIDES = uuid.UUID("0f6c7d0e-5b1c-4d65-9c59-8b0b4ad2f1c7")  # any of our own, the same for ever


@dataclass(frozen=True, slots=True)
class Ride:
    """`message` may leave now; its row is marked as started."""

    message: Message
    claimed: Claimed
    claims: Claims
    store: Store

    async def ended(self, sent: bool | None, now: dt.datetime) -> None:
        """`sent`: whether the platform took it with the reply; None: nobody can tell, so staff decide. Unsent, it goes its usual way.

        Raises StoreError; then, or if we die before this, the lease runs out and the reminder counts as one of which nobody can tell.
        """
        due = self.claimed.due
        result = Result(due.id, due.patient_id, _verdict(sent, now))
        await asyncio.to_thread(self.store.apply, self.claims, [result], now)


def _verdict(sent: bool | None, now: dt.datetime) -> Wait | End:
    if sent is None:  # a push would be no repeat that the platform knows
        return End("failed", "unknown_outcome", doubtful=True)
    return End("sent") if sent else Wait(now, "ride_missed")


def of_event(claims: Claims, address: Address, event_id: str) -> Claims:
    """Claims that only the handling of this event makes, in whatever process."""
    return replace(claims, worker=str(uuid.uuid5(_RIDES, f"{address.channel}:{event_id}")))


async def ride_again(store: Store, claims: Claims, faq: Faq, now: dt.datetime) -> Ride | None:
    """What an earlier process had marked for this event. It may have gone out, so nothing new may take its place."""
    claimed = await asyncio.to_thread(store.under_way, claims, now)
    if claimed is None or claimed.due.address is None:
        return None
    verdict = _now(claimed.due, faq, now)
    if not isinstance(verdict, Send):
        return None
    return Ride(compose(claimed.due, verdict, faq, claimed.due.address.channel), claimed, claims, store)


async def ride_along(
    store: Store, claims: Claims, address: Address, faq: Faq, now: dt.datetime
) -> Ride | None:
    """Claim, decide, mark: the first that still says something rides, what else is due waits for its push."""
    ride: Ride | None = None
    changes: list[Change] = []
    for item in await asyncio.to_thread(store.claim_for, address, claims, now):
        verdict = _now(item.due, faq, now)
        if isinstance(verdict, Send) and item.due.address == address and ride is None:
            start: Change = Start(item.due.id, address.channel, keyed=False)
            if (await asyncio.to_thread(store.apply, claims, [start], now))[0]:
                ride = Ride(compose(item.due, verdict, faq, address.channel), item, claims, store)
            continue
        if isinstance(verdict, Send):  # one is enough; or the patient prefers another channel
            verdict = Wait(now + CHAT_GAP, "ride_missed")
        changes.append(Result(item.due.id, item.due.patient_id, verdict))
    if changes:
        await asyncio.to_thread(store.apply, claims, changes, now)
    return ride


def _now(due: Due, faq: Faq, now: dt.datetime) -> Send | Wait | End:
    """The usual decision, but the quiet hours do not count: the patient is awake and writing."""
    verdict, step = decide(due, faq, now), faq.steps.get(due.step_id)
    quiet = isinstance(verdict, Wait) and verdict.reason == "quiet"
    return as_it_is_now(due, step, faq, now) if quiet and step is not None else verdict
