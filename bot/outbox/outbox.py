"""The outbox: a sweep over the reminders that are due. APScheduler is only its clock; the rows are the truth.

One tick: leases that ran out, then claim and deliver until nothing is due, then what staff must hear.
"""

import asyncio
import contextlib
import datetime as dt
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import logs
from bot.channels.port import Channel, utc_now
from bot.core.delivery import Due, End, Send, Wait, decide
from bot.core.pacing import Rate
from bot.core.values import Address
from bot.outbox.courier import LATER, Courier, Parcel
from bot.outbox.lines import Lines
from bot.outbox.recorder import Recorder
from bot.outbox.replan import Replanner
from bot.outbox.ride import Ride, of_event, ride_again, ride_along
from bot.outbox.watchman import ClockGuard, SteadyNow, Watchman
from bot.store.deliveries import Claimed, Claims
from bot.store.store import Store, StoreError
from intents.faq import Faq

log = logs.get(__name__)

SMALL_PAGE, PAGE = 64, 1024  # reminders a claim, at first and at most
FULL = 2000  # reminders under way in this process before the next are claimed
LINES = 64  # calls at a time to a platform that knows repeats
HEARTBEAT = dt.timedelta(minutes=1)


class Outbox:
    """Sends what is due. Any number of processes may run one over the same database.

    `faq`: the file as it is now. `tell_staff` may raise; the notice is then told later. `marker`: a file that lives
    outside the database and shows whether the database is an old copy (see Watchman). `seed` fixes the jitter.
    `concurrency`: how many sends of a channel may be between mark and record, which is how many may arrive twice after a
    crash; where the platform knows repeats by their key there are none, and twice `keyed_concurrency` holds: the more share
    a commit, the cheaper each is.
    """

    def __init__(
        self,
        store: Store,
        faq: Callable[[], Faq],
        channels: Mapping[str, Channel],
        clock: Callable[[], dt.datetime] = utc_now,
        tell_staff: Callable[[str], Awaitable[None]] | None = None,
        seed: int | None = None,
        *,
        marker: Path | None = None,
        rates: Mapping[str, Rate] | None = None,
        tick_seconds: float = 5,
        lease_seconds: int = 30,
        send_timeout_seconds: float = 20,
        concurrency: int = 16,
        keyed_concurrency: int = 512,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._faq = faq
        self._clock = clock
        self._steady_now: Callable[[], dt.datetime] | None = None  # within a tick
        self._rates = rates
        self._lease_seconds = lease_seconds
        self._tick_seconds = tick_seconds
        self._worker = str(uuid.uuid4())
        self._retry_keys = tuple(name for name, channel in channels.items() if channel.retry_keys)
        recorder = Recorder(store, self._claims(), self._now)
        rng = Random(seed)  # noqa: S311 - jitter, not a secret
        self._courier = Courier(store, recorder, channels, self._now, sleep, rng, send_timeout_seconds)
        self._lines = {
            name: Lines(
                min(LINES, keyed_concurrency) if channel.retry_keys else concurrency, self._courier.deliver
            )
            for name, channel in channels.items()
        }
        self._watchman = Watchman(store, channels, tell_staff, marker)
        self._replanner = Replanner(store)
        self._clock_guard = ClockGuard()
        self._caps = {
            name: 2 * keyed_concurrency if channel.retry_keys else 4 * concurrency
            for name, channel in channels.items()
        }
        self._on: Counter[str] = Counter()  # under way, by channel
        self._end_of = cache(self._when_ended)
        self._changed = asyncio.Event()
        self._under_way = 0
        self._scheduler: AsyncIOScheduler | None = None
        self._stopping = False
        self._ticking = asyncio.Lock()
        self._beat_at: dt.datetime | None = None

    def _now(self) -> dt.datetime:
        return self._steady_now() if self._steady_now else self._clock()

    async def start(self) -> None:
        """Hold what a restored backup brought back, then tick until `stop`."""
        await self._watchman.check_backup(self._now())
        self._scheduler = AsyncIOScheduler(timezone=dt.UTC)
        self._scheduler.add_job(
            self._scheduled,
            "interval",
            seconds=self._tick_seconds,
            next_run_time=dt.datetime.now(dt.UTC),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,  # its default of 1 s would drop the tick after a pause
        )
        self._scheduler.start()

    async def stop(self) -> None:
        """Claim no more, let what is on its way end (bounded by the send timeout), leave the rest to its lease."""
        self._stopping = True
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
        async with self._ticking:
            await self._drain()

    async def _scheduled(self) -> None:
        try:
            now = self._clock()
            if self._clock_guard.jumped(now):
                log.warning("clock_jumped")  # wait until it is right again, or has stayed where it is
                return
            await self.tick()
        except StoreError as err:  # locked, away, full: the rows wait, the next tick tries again
            log.warning("tick_failed", error=type(err).__name__)
        except Exception:  # the outermost step of the loop: leave a record and go on
            log.exception("tick_broke")

    async def tick(self, now: dt.datetime | None = None) -> int:
        """Send everything that is due; the number of reminders taken up. `now` replaces the clock in tests.

        Raises StoreError when the database cannot be asked; what was claimed is still brought to its end.
        """
        async with self._ticking:
            steady = SteadyNow(self._clock)
            self._steady_now = steady if now is None else lambda: now
            faq = self._faq()
            try:
                await asyncio.to_thread(self._store.reap, self._claims(), self._now())
                await self._replanner.follow(faq, self._now())
                self._courier.saving = await self._watchman.saving(self._now())
                taken = await self._sweep(faq, steady)
                await self._beat()
                await self._watchman.report(faq, self._now())
                return taken
            finally:
                await self._drain()
                self._steady_now = None

    async def _sweep(self, faq: Faq, steady: SteadyNow) -> int:
        taken, page = 0, SMALL_PAGE
        while not self._stopping and not steady.is_off():
            idle, claims = not self._under_way, replace(self._claims(faq), limit=page, room=self._room())
            self._changed.clear()
            claimed = await asyncio.to_thread(self._claim, claims, faq, self._now())
            self._take_up(claimed, faq)
            taken += len(claimed)
            page = min(
                PAGE, max(SMALL_PAGE, 2 * len(claimed))
            )  # what is read and left again costs nearly as much
            if not claimed and idle:  # one that ended during the claim may be due again at once
                break
            if not claimed and self._under_way:
                await self._some_ended()
            while self._under_way >= FULL:
                await self._some_ended()
        return taken

    def _room(self) -> dict[str, int]:
        """How many more of each channel to claim: none before half is free, so that claims are few and large.

        What is claimed must leave before its lease ends, so a slow channel gets no more than it can soon send.
        """
        free = {name: cap - self._on[name] for name, cap in self._caps.items()}
        return {name: room if 2 * room >= self._caps[name] else 0 for name, room in free.items()}

    async def _some_ended(self) -> None:
        """Until a channel has room again, all have ended, or a second is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), 1)
        self._changed.clear()
        await self._beat()

    def _claim(self, claims: Claims, faq: Faq, now: dt.datetime) -> list[Claimed]:
        saving = self._courier.saving

        def decided(due: Due) -> Send | Wait | End:
            try:
                return decide(due, faq, now, saving)
            except Exception:  # one reminder's fault must not cost the others their claim
                log.exception("decide_broke", reminder=due.id)
                return Wait(now + LATER, "error")

        return self._store.claim(claims, now, decided)

    def _take_up(self, claimed: list[Claimed], faq: Faq) -> None:
        now, parcels = self._now(), dict[str, list[Parcel]]()
        for item in claimed:
            name = item.due.address.channel if item.due.address else ""
            self._under_way += 1
            self._on[name] += 1
            parcel = self._courier.pack(item, faq, now, self._end_of(name))
            if parcel:
                parcels.setdefault(name, []).append(parcel)
        for name, some in parcels.items():
            self._lines[name].put(some)

    def _when_ended(self, name: str) -> Callable[[object], None]:
        return lambda _: self._ended(name)

    def _ended(self, name: str) -> None:
        self._under_way -= 1
        self._on[name] -= 1
        cap = self._caps.get(name, FULL)
        just_now_half_is_free = 2 * (cap - self._on[name]) in range(cap, cap + 2)
        if not self._under_way or just_now_half_is_free:
            self._changed.set()

    async def _drain(self) -> None:
        while self._under_way:
            self._changed.clear()
            await self._changed.wait()

    async def _beat(self) -> None:
        now = self._now()
        if self._beat_at is None or not dt.timedelta() <= now - self._beat_at < HEARTBEAT:
            self._beat_at = now
            await self._watchman.beat(now, self._courier.last_sent_at)

    async def ride_along(self, address: Address, event_id: str, repeated: bool = False) -> Ride | None:
        """A due reminder for the patient who is writing now, to go out with the (on LINE: free) reply; None: nothing.

        The inbox sends `ride.message` with its reply and awaits `ride.ended(...)` afterwards. `repeated`: an earlier process
        may have answered this event; then only what it had taken along is given again. Raises StoreError.
        """
        faq, now = self._faq(), self._clock()
        claims = of_event(self._claims(faq), address, event_id)
        if repeated:
            return await ride_again(self._store, claims, faq, now)
        return await ride_along(self._store, claims, address, faq, now)

    def _claims(self, faq: Faq | None = None) -> Claims:
        steps = faq.file.reminders.steps if faq else []
        return Claims(
            worker=self._worker,
            fold=tuple(step.id for step in steps if step.late.then == "fold"),
            skip=tuple(step.id for step in steps if step.late.then == "skip"),
            lease_seconds=self._lease_seconds,
            rates=self._rates,
            retry_keys=self._retry_keys,
        )
