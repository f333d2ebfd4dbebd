"""Whether a due reminder may go out with the reply to this event, and the one that does."""

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Protocol

from bot import logs
from bot.channels.port import Channel, FreeReplies
from bot.core.effects import Decision, OpenAlert
from bot.core.values import Address, Context, Incoming, Message, Patient
from bot.inbox.faults import fault

log = logs.get("inbox")


class Ride(Protocol):
    """A reminder that is marked as on its way."""

    @property
    def message(self) -> Message: ...

    async def ended(self, sent: bool | None, now: dt.datetime) -> None:
        """Whether it went out; None: nobody can tell. Raises StoreError."""


# (who writes, the event's id, whether an earlier process may have answered it) -> what is due for them.
Rides = Callable[[Address, str, bool], Awaitable[Ride | None]]


class Riding:
    """Asks for a ride where one may be taken. Whatever fails here, the reply goes out without it."""

    def __init__(
        self, rides: Rides | None, channels: dict[str, Channel], clock: Callable[[], dt.datetime]
    ) -> None:
        self.rides, self._channels, self._clock = rides, channels, clock

    async def along(
        self, event: Incoming, decision: Decision, context: Context, patient: Patient, repeated: bool
    ) -> Ride | None:
        """A due reminder of `patient`; of whom nothing is kept, nothing is due."""
        channel = self._channels[event.address.channel]
        if self.rides is None or patient.id is None or not may_ride(event, decision, context, channel):
            return None
        try:
            return await self.rides(event.address, event.event_id, repeated)
        except Exception as err:
            log.error("ride_failed", event_id=event.event_id, **fault(err))
            return None

    async def ended(self, ride: Ride, sent: bool | None) -> None:
        try:
            await ride.ended(sent, self._clock())
        except Exception as err:  # its lease runs out, and it counts as perhaps sent
            log.error("ride_not_recorded", **fault(err))


def may_ride(event: Incoming, decision: Decision, context: Context, channel: Channel) -> bool:
    """Where the reply is free, and nothing serious is going on: no danger, no alert, no person talking."""
    serious = (
        decision.outcome == "danger"
        or context.alert_open
        or context.taken_over
        or any(isinstance(effect, OpenAlert) for effect in decision.effects)
    )
    free = isinstance(channel, FreeReplies) and event.reply_handle is not None
    return free and bool(decision.replies) and not serious
