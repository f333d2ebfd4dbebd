"""How many people of whom nothing is known are answered at once, so that a swarm of them costs patients nothing.

A platform takes so many messages a second from us (Telegram: 30). Strangers beyond the cap wait; patients who have agreed to
be kept, and words of danger, do not.
"""

from collections import OrderedDict

from bot.core.values import Address

STRANGERS_AT_ONCE = 300
STRANGERS_PER_SECOND = 15.0  # with the above at most 1,200 in any minute
MINUTE = 60.0


class Crowd:
    """A token bucket over distinct people: one token lets one person in for a minute."""

    def __init__(self, at_once: int = STRANGERS_AT_ONCE, per_second: float = STRANGERS_PER_SECOND) -> None:
        self._at_once, self._interval = at_once, 1 / per_second
        self._next = float("-inf")
        self._let_in: OrderedDict[Address, float] = OrderedDict()

    def wait(self, address: Address, now: float) -> float:
        """Seconds until `address` may be answered; `now` in seconds of a clock that never jumps."""
        while self._let_in and next(iter(self._let_in.values())) <= now - MINUTE:
            self._let_in.popitem(last=False)
        if address in self._let_in:
            return max(0.0, self._let_in[address] - now)
        self._next = max(self._next, now - (self._at_once - 1) * self._interval) + self._interval
        self._let_in[address] = max(now, self._next - self._interval)
        return self._let_in[address] - now
