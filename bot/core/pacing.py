"""How fast to send, and how long to wait after a failure. Platforms publish no exact numbers, so both stay
below.
"""

import datetime as dt
from dataclasses import dataclass
from random import Random

FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 900.0
PROBING = 5  # failures in a row after which a channel is tried with one message at a time


@dataclass(frozen=True, slots=True)
class Rate:
    """What a channel may send over all workers: `per_second` in the long run, `burst` at once after a
    silence.
    """

    per_second: float
    burst: int = 1


# Telegram allows about 30 a second over all chats (constants.FloodLimit of python-telegram-bot); a fifth is
# left for replies. LINE allows 2,000 a second a channel and endpoint (Messaging API reference, Rate limits).
RATES = {"telegram": Rate(24, 6), "line": Rate(200, 50)}
OTHER = Rate(1000, 1000)


@dataclass(frozen=True, slots=True)
class Lane:
    """A channel's place in the traffic: up to when slots are given away, and whether it is blocked."""

    paid_until: dt.datetime
    blocked_until: dt.datetime | None = None
    failures: int = 0


def take_slots(
    lane: Lane, rate: Rate, want: int, now: dt.datetime, horizon: dt.timedelta
) -> tuple[list[dt.datetime], dt.datetime]:
    """(moments at which up to `want` messages may leave, the new paid_until); none later than `now` +
    `horizon`.

    A generic cell rate algorithm: one moment says all. A `paid_until` beyond what anybody could have taken
    means that the clock went back; it is forgotten.
    """
    step = dt.timedelta(seconds=1 / rate.per_second)
    paid = lane.paid_until if lane.paid_until <= now + 2 * horizon + step else now
    start = max(paid, now - (rate.burst - 1) * step)
    if lane.failures >= PROBING:  # one probe for all workers in a horizon
        return ([now], now + horizon) if paid <= now and want else ([], paid)
    slots: list[dt.datetime] = []
    while len(slots) < want and start <= now + horizon:
        slots.append(max(start, now))
        start += step
    return slots, start if slots else paid


def is_blocked(lane: Lane, now: dt.datetime) -> bool:
    """Whether the channel asked for silence; a block longer than any we make is a clock that went back."""
    until = lane.blocked_until
    return until is not None and now < until <= now + dt.timedelta(seconds=4 * LONGEST_WAIT_SECONDS)


def backoff_seconds(attempts: int, rng: Random) -> float:
    """Doubling from 2 s to 15 min, half of it random so that those who failed together do not return
    together.
    """
    full = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(attempts, 12))
    return full / 2 + rng.random() * full / 2
