"""A reminder that goes out with a reply: on LINE a reply is free, a push counts against the month's quota."""

import asyncio
import datetime as dt
from dataclasses import dataclass

from bot.core.delivery import End, Send, Wait, as_it_is_now, decide
from bot.core.values import Address, Message
from bot.outbox.courier import compose
from bot.store.deliveries import Change, Claimed, Claims, Result, Start
from bot.store.store import Store
from intents.faq import Faq


@dataclass(frozen=True, slots=True)
class Ride:
    """`message` may leave now; its row is marked as started."""

    message: Message
    claimed: Claimed
    claims: Claims
    store: Store

    async def ended(self, sent: bool, now: dt.datetime) -> None:
        """`sent`: the platform took the reply. Otherwise the reminder goes its usual way.

        If we die before this, the lease runs out and the reminder counts as perhaps sent.
        """
        due = self.claimed.due
        verdict: Wait | End = End("sent") if sent else Wait(now, "ride_missed")
        await asyncio.to_thread(self.store.apply, self.claims, [Result(due.id, due.patient_id, verdict)], now)


async def ride_along(
    store: Store, claims: Claims, address: Address, faq: Faq, now: dt.datetime
) -> Ride | None:
    """Claim, decide, mark. The quiet hours do not count: the patient is awake and writing."""
    claimed = await asyncio.to_thread(store.claim_for, address, claims, now)
    for item in claimed:
        verdict = decide(item.due, faq, now)
        quiet = isinstance(verdict, Wait) and verdict.reason == "quiet"
        step = faq.steps.get(item.due.step_id)
        if quiet and step is not None:
            verdict = as_it_is_now(item.due, step, faq, now)
        if isinstance(verdict, Send) and item.due.address == address:
            start: Change = Start(item.due.id, address.channel)
            if (await asyncio.to_thread(store.apply, claims, [start], now))[0]:
                return Ride(compose(item.due, verdict, faq, address.channel), item, claims, store)
        elif isinstance(verdict, Send):  # the patient prefers another channel
            verdict = Wait(now, "ride_missed")
        if not isinstance(verdict, Send):
            result = Result(item.due.id, item.due.patient_id, verdict)
            await asyncio.to_thread(store.apply, claims, [result], now)
    return None
