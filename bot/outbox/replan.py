"""When staff change the plan, the journeys under way follow; the same pass adds rows that ought to exist and do not."""

import asyncio
import datetime as dt
import hashlib
from collections.abc import Callable
from functools import cache

from bot import logs
from bot.core.recovery import local_date
from bot.core.reminders import plan
from bot.store.store import Store
from intents.faq import Faq

log = logs.get(__name__)

PAGE = 200
RECOUNT = dt.timedelta(days=1)


class Replanner:
    """Compares the plan that the rows were made from with the plan of today's file."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counted_at: dt.datetime | None = None
        self._version: str | None = None

    async def follow(self, faq: Faq, now: dt.datetime) -> int:
        """Plan every journey under way again if the plan changed; once a day count whether all rows exist.

        Planning is by natural key, so to die half way and begin again changes nothing twice. The number of journeys.
        """
        version = plan_version(faq)
        if self._version is None:
            self._version = await asyncio.to_thread(self._store.get_meta, "plan_version")
        if self._version is None:  # a new database: what comes is planned with this file
            await self._keep(version)
        if self._version != version:
            count = await self._replan(faq, now)
            await self._keep(version)
            return count
        if self._counted_at is not None and dt.timedelta() <= now - self._counted_at < RECOUNT:
            return 0
        self._counted_at = now
        return await self._count(faq, now)

    async def _keep(self, version: str) -> None:
        await asyncio.to_thread(self._store.set_meta, "plan_version", version)
        self._version = version

    async def _count(self, faq: Faq, now: dt.datetime) -> int:
        missing = await asyncio.to_thread(self._store.missing_steps, _steps_of(faq), _since(faq, now))
        if not missing:
            return 0
        total = sum(missing.values())
        log.warning("reminders_missing", steps=missing)
        text = f"{total} reminder(s) that should exist did not; they were planned again. Please tell the developers."
        await asyncio.to_thread(self._store.notice, f"missing:{now:%Y-%m-%d}", text, now)
        return await self._replan(faq, now)

    async def _replan(self, faq: Faq, now: dt.datetime) -> int:
        since, after, count = _since(faq, now), 0, 0
        while page := await asyncio.to_thread(self._store.journeys, since, after, PAGE):
            for item in page:
                planned = plan(faq.steps_of(item.kind), item.date, item.timezone or faq.clinic.timezone)
                await asyncio.to_thread(self._store.plan_again, item.procedure_id, item.date, planned, now)
            after, count = page[-1].procedure_id, count + len(page)
        log.info("replanned", journeys=count)
        return count


def _steps_of(faq: Faq) -> Callable[[str], list[str]]:
    return cache(lambda kind: [step.id for step in faq.steps_of(kind)])


def _since(faq: Faq, now: dt.datetime) -> dt.date:
    longest = max(step.day for step in faq.file.reminders.steps)
    return local_date(now, faq.clinic.timezone) - dt.timedelta(days=longest + 1)


def plan_version(faq: Faq) -> str:
    """What the rows depend on: days, times, lateness, zone; not the words."""
    steps = [
        (s.id, s.day, str(s.at), s.late.send_within_hours, s.late.then, *s.only_for)
        for s in faq.file.reminders.steps
    ]
    return hashlib.sha256(repr((faq.clinic.timezone, steps)).encode()).hexdigest()[:16]
