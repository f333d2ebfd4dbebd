"""What nobody would notice otherwise: silence, an old copy of the database, a clock that jumps, an empty quota."""

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from bot import logs
from bot.channels.port import Channel, SendFailed
from bot.store.store import Store
from intents.faq import Faq

log = logs.get(__name__)

GRACE = dt.timedelta(minutes=15)  # due for longer than this and not sent: staff hear of it
HANDFUL = 20
OLD_COPY = dt.timedelta(
    minutes=5
)  # how far the database may lag behind the marker before it counts as an old copy
LONG_SILENCE = dt.timedelta(hours=6)
QUOTA_EVERY = dt.timedelta(hours=1)
EARLY_SHARE = 0.7  # of a month's messages, used: staff hear of it while they can still buy more
RESERVE_SHARE = 0.1  # of a month's messages, kept for what is urgent
JUMP_SECONDS = 300.0
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
SETTLE_SECONDS = 600.0  # a clock that stays where it jumped to is believed after this


@runtime_checkable
class HasQuota(Protocol):
    """A channel whose platform sells a number of messages a month."""

    async def quota(self) -> tuple[int | None, int]:
        """(messages a month or None for no limit, used so far). Raises SendFailed."""


class Watchman:
    """Tells staff; never sends to patients."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        tell_staff: Callable[[str], Awaitable[None]] | None,
        marker: Path | None,
    ) -> None:
        self._store = store
        self._channels = channels
        self._tell_staff = tell_staff
        self._marker = marker
        self._quota_at: dt.datetime | None = None
        self._saving: frozenset[str] = frozenset()
        self._pruned_on: dt.date | None = None

    # --- an old copy

    async def check_backup(self, now: dt.datetime) -> int:
        """Hold what is overdue when the database is an older copy of itself: those may have been sent since.

        The marker, a file beside the database, is written after it: a marker that is newer shows the old copy. Without
        a marker (a new machine), a long silence and more than a handful of overdue reminders show it. The number held.
        """
        marked = await asyncio.to_thread(self._read_marker)
        last_tick = await asyncio.to_thread(self._store.moment, "last_tick")
        if last_tick is None:
            return 0  # never ran: nothing can have been sent
        if marked is not None:
            until = marked if marked - last_tick > OLD_COPY else None
        else:
            health = await asyncio.to_thread(self._store.delivery_health, now, GRACE)
            until = now if now - last_tick > LONG_SILENCE and health.late > HANDFUL else None
        if until is None:
            return 0
        held = await asyncio.to_thread(self._store.hold_overdue, until, now)
        if held:
            text = (
                f"This database looks like a restored backup: {held} reminder(s) were due since it was made and may have "
                "been sent already. They are held. Decide on the staff page: send them, or leave them out."
            )
            await asyncio.to_thread(self._store.notice, f"restored:{now:%Y-%m-%dT%H:%M}", text, now)
        return held

    def _read_marker(self) -> dt.datetime | None:
        try:
            text = self._marker.read_text(encoding="ascii").strip() if self._marker else ""
            return dt.datetime.fromisoformat(text)
        except (OSError, ValueError):
            return None

    async def beat(self, now: dt.datetime, last_sent_at: dt.datetime | None) -> None:
        """A sign of life: in the database first, then in the marker; to die between the two is within OLD_COPY."""
        await asyncio.to_thread(self._store.set_meta, "last_tick", now.isoformat())
        if last_sent_at is not None:
            await asyncio.to_thread(self._store.set_meta, "last_sent", last_sent_at.isoformat())
        if self._marker is not None:
            await asyncio.to_thread(self._write_marker, now)
        if self._pruned_on != now.date():
            self._pruned_on = now.date()
            await asyncio.to_thread(self._store.prune, now)

    def _write_marker(self, now: dt.datetime) -> None:
        assert self._marker is not None
        draft = self._marker.with_suffix(".new")
        try:
            draft.write_text(now.isoformat(), encoding="ascii")
            draft.replace(self._marker)
        except OSError as err:  # a full disk must not stop the reminders
            log.warning("marker_not_written", error=err.strerror)

    # --- what staff hear

    async def report(self, faq: Faq, now: dt.datetime) -> None:
        """The dead-man's switch, and the post: told at least once, kept until it was."""
        health = await asyncio.to_thread(self._store.delivery_health, now, GRACE)
        if health.late:
            zone = ZoneInfo(faq.clinic.timezone)
            since = f"{health.last_sent_at.astimezone(zone):%H:%M}" if health.last_sent_at else "the start"
            why = "".join(f" {name} is blocked ({reason})." for name, reason in health.blocked.items())
            text = f"{health.late} reminders are due, none sent since {since}.{why} Is the network up?"
            await asyncio.to_thread(self._store.notice, f"late:{now:%Y-%m-%dT%H}", text, now)
        await self._deliver_notices(now)

    async def _deliver_notices(self, now: dt.datetime) -> None:
        waiting = await asyncio.to_thread(self._store.untold_notices)
        if not waiting or self._tell_staff is None:
            return
        try:
            await self._tell_staff("\n".join(notice.text for notice in waiting))
        except Exception as err:  # whatever the way to staff may raise: it is told at a later tick
            log.warning("staff_not_told", error=type(err).__name__)
            return
        await asyncio.to_thread(self._store.notices_told, [notice.id for notice in waiting], now)

    # --- quota

    async def saving(self, now: dt.datetime) -> frozenset[str]:
        """Channels whose monthly quota is down to the reserve; asked for once an hour."""
        if self._quota_at is not None and dt.timedelta() <= now - self._quota_at < QUOTA_EVERY:
            return self._saving
        self._quota_at = now
        short = set()
        for name, channel in self._channels.items():
            if isinstance(channel, HasQuota) and await self._is_short(name, channel, now):
                short.add(name)
        if self._saving - short or not short:
            await asyncio.to_thread(self._store.release_held, "quota")
        self._saving = frozenset(short)
        return self._saving

    async def _is_short(self, name: str, channel: HasQuota, now: dt.datetime) -> bool:
        try:
            limit, used = await channel.quota()
        except SendFailed:
            return name in self._saving
        if limit is None:
            return False
        if stage := _stage(name, limit, used):
            key, text = stage
            await asyncio.to_thread(self._store.notice, f"{key}:{name}:{now:%Y-%m}", text, now)
        return limit - used <= RESERVE_SHARE * limit


def _stage(name: str, limit: int, used: int) -> tuple[str, str] | None:
    """How far a month's quota is used, as (key, what staff are told of it once a month)."""
    if used >= limit:
        return "quota_used", (
            f"{name}: all {limit} messages of this month are used. Patients get replies to what they write, which are free, "
            "and nothing else: no reminder, no word from staff unless the patient has just written. If it matters, call them."
        )
    if limit - used <= RESERVE_SHARE * limit:
        return "quota_reserve", (
            f"{name}: {limit - used} of this month's {limit} messages are left. From now on routine reminders wait for the "
            "patient's next message; urgent ones, danger and your own words go out."
        )
    if used >= EARLY_SHARE * limit:
        return "quota", (
            f"{name}: {used} of this month's {limit} messages are used; the last {RESERVE_SHARE:.0%} are kept back."
        )
    return None


def steady_seconds() -> float:
    """The machine's own clock, which nobody sets. CLOCK_BOOTTIME goes on while it sleeps: a laptop's morning is no jump."""
    return time.clock_gettime(_STEADY)


class SteadyNow:
    """The time within one sweep: the wall clock as it was at the start, and the steady clock from there.

    So a clock that is set in the middle sends nothing early and makes nothing late.
    """

    def __init__(
        self, clock: Callable[[], dt.datetime], steady: Callable[[], float] = steady_seconds
    ) -> None:
        self._clock, self._steady = clock, steady
        self._began, self._steady_began = clock(), steady()

    def __call__(self) -> dt.datetime:
        return self._began + dt.timedelta(seconds=self._steady() - self._steady_began)

    def is_off(self) -> bool:
        """Whether the wall clock has been set since: time to end the sweep and begin anew."""
        return abs((self._clock() - self()).total_seconds()) >= JUMP_SECONDS


class ClockGuard:
    """Notices that the wall clock was set: it moved otherwise than the machine's own steady clock."""

    def __init__(self, steady: Callable[[], float] = steady_seconds) -> None:
        self._steady = steady
        self._offset: float | None = None
        self._doubted_since: float | None = None

    def jumped(self, now: dt.datetime) -> bool:
        """Whether `now` is not to be believed yet: nothing is sent early because a clock was wrong for a moment."""
        steady = self._steady()
        offset = now.timestamp() - steady
        if self._offset is None or abs(offset - self._offset) < JUMP_SECONDS:
            self._offset, self._doubted_since = offset, None
            return False
        self._doubted_since = steady if self._doubted_since is None else self._doubted_since
        if steady - self._doubted_since >= SETTLE_SECONDS:
            self._offset, self._doubted_since = offset, None
            return False
        return True


__all__ = ["ClockGuard", "HasQuota", "SteadyNow", "Watchman"]
