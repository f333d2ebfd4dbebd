"""Whether a due reminder may go out with the reply to this event, and the one that does."""

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Protocol

from bot.channels.port import Channel, FreeReplies
from bot.core.values import Address, Context, Decision, Incoming, Message, OpenAlert


class Ride(Protocol):
    """A reminder that is marked as on its way."""

    @property
    def message(self) -> Message: ...

    async def ended(self, sent: bool | None, now: dt.datetime) -> None:
        """Whether it went out; None: nobody can tell. Raises StoreError."""


# (who writes, the event's id, whether an earlier process may have answered it) -> what is due for them.
Rides = Callable[[Address, str, bool], Awaitable[Ride | None]]


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
