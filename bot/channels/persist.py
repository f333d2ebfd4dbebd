"""Keep trying to answer a patient. One `send` of a channel is one try; this is what stands around it for replies.

Reminders do not come through here: the outbox records each try and decides for itself.
"""

import asyncio
from collections.abc import Awaitable, Callable

from bot.channels.port import SendFailed

TRIES = 6
PATIENCE = 60.0  # seconds in all; afterwards the person has given up or written again
REPEATABLE = ("rate_limited", "unreachable")
Sleep = Callable[[float], Awaitable[None]]


async def persist(attempt: Callable[[], Awaitable[None]], *, sleep: Sleep = asyncio.sleep) -> None:
    """Call `attempt` until it succeeds. Raises the last SendFailed when it never does.

    Surely unsent: again after the platform's wait, or after 0.5, 1, 2 ... seconds. Outcome unknown: once more, for an answer
    that comes twice is a nuisance and one about a danger sign that never comes is harm. Anything else: not again.
    """
    waited, repeated = 0.0, False
    for number in range(TRIES):
        try:
            return await attempt()
        except SendFailed as err:
            unknown = err.sent == "unknown"
            pause = err.retry_after if err.retry_after is not None else 0.5 * 2**number
            waited += pause
            hopeless = err.permanent or (repeated if unknown else err.reason not in REPEATABLE)
            if hopeless or waited > PATIENCE or number == TRIES - 1:
                raise
            repeated = repeated or unknown
        await sleep(pause)
    return None
